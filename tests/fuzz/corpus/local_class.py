# Outlives: a class that a site of __init__ had met before was never released.


def show(tag, value):
    pass


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


class C0:
    def __init__(self, n, f=0.5):
        self.items = [n]


def f1(s27):
    class k_42(C0):
        pass

    k_43, k_44 = (k_42(3, 1.5), 4)


def main():
    attempt("f1.2", lambda: f1("some"))
