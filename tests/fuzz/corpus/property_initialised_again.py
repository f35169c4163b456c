# Difference: reads by the old getter after property.__init__ was called again.


def show(tag, value):
    print(tag, repr(value))


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


class C:
    @property
    def p(self):
        return 1


def read(o):
    return o.p


def read_often(o):
    return [read(o) for i in range(40)]


def main():
    o = C()
    for i in range(4):
        for getter in (lambda self: 1), (lambda self: 100):
            C.__dict__["p"].__init__(getter)
            attempt(f"read.{i}", read_often, o)
