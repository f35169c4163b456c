# Difference: a property of the class that an object had before __class__ was assigned, by whatever way.


def show(tag, value):
    print(tag, repr(value))


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


class A:
    def __init__(self, n):
        self.n = n

    @property
    def p(self):
        return "A"

    def become(self, other):
        self.__class__ = other


class B(A):
    @property
    def p(self):
        return "B"


def by_statement(n):
    x = A(n)
    before = x.p
    x.__class__ = B
    return before, x.p


def by_setattr(n):
    x = A(n)
    before = x.p
    setattr(x, "__class__", B)
    return before, x.p


def by_method(n):
    x = A(n)
    before = x.p
    x.become(B)
    return before, x.p


def by_another_name(n):
    x = y = A(n)
    before = y.p
    x.__class__ = B
    return before, y.p, x.p


def passed_in(x):
    before = x.p
    x.__class__ = B
    return before, x.p


def main():
    for i in range(5):
        for function in (by_statement, by_setattr, by_method, by_another_name):
            attempt(f"{function.__name__}.{i}", function, i)
        attempt(f"passed_in.{i}", passed_in, A(i))
