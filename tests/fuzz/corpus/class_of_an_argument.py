# Outlives: what the code of dead functions held died in the second collection only.


def show(tag, value):
    pass


def attempt(tag, function, *args, **kwargs):
    show(tag, function(*args, **kwargs))


class C0:
    def __init__(self, n, f=0.5):
        pass


def f0(t1, o2, fl3):
    pass


def main():
    attempt("f0.0", lambda: f0((10**20, "12"), C0(257, 2.773), [-4.996, 5.161, float("inf"), 1.034, -0.054]))
