# Difference: isinstance() believed that an object made here is what it was made as, after __class__ was assigned.


def show(tag, value):
    print(tag, repr(value))


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


class A:
    def __init__(self, n):
        self.n = n


class B:
    def __init__(self, n):
        self.n = n


def changed(n):
    x = A(n)
    before = isinstance(x, A)
    x.__class__ = B
    return before, isinstance(x, A), isinstance(x, B)


def main():
    for i in range(5):
        attempt(f"changed.{i}", changed, i)
