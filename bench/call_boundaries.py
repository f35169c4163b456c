"""What a call costs between interpreted and compiled code, in nanoseconds of processor time.

    python bench/call_boundaries.py plain
    PSYCO_DEBUG=off=governor python -m psyco bench/call_boundaries.py CALLEE,DRIVER

CALLEE and DRIVER are each c (compiled) or i (interpreted). Called are two functions out of a list,
a method of objects of two classes, and one of six.
"""

import sys
import time

try:
    import psyco
except ImportError:
    psyco = None


class C:
    def __init__(self):
        self.v = 1

    def m(self, a):
        return a + self.v


class D(C):
    def m(self, a):
        return a - self.v


class E(C):
    def m(self, a):
        return a ^ self.v


class F(C):
    def m(self, a):
        return a | self.v


class G(C):
    def m(self, a):
        return a & self.v


class H(C):
    def m(self, a):
        return a + 3


def f(a):
    return a + 1


def g(a):
    return a + 2


def drive_functions(n, fs):
    t = 0
    for i in range(n):
        t = fs[i & 1](t)
    return t


def drive_two_classes(n, os):
    t = 0
    for i in range(n):
        t = os[i & 1].m(t)
    return t


def drive_six_classes(n, os):
    t = 0
    k = len(os)
    for _ in range(n // k):
        for o in os:
            t = o.m(t)
    return t


def best(function, *arguments):
    shortest, n = 9.0, 40000
    for _ in range(25):
        start = time.process_time()
        function(n, *arguments)
        shortest = min(shortest, time.process_time() - start)
    return shortest / n * 1e9


def main(mode):
    if mode != "plain":
        callee, driver = mode.split(",")
        if driver == "i":
            for each in (drive_functions, drive_two_classes, drive_six_classes):
                psyco.cannotcompile(each)
        if callee == "i":
            for each in (f, g, C.m, D.m, E.m, F.m, G.m, H.m):
                psyco.cannotcompile(each)
    classes = (C, D, E, F, G, H)
    print(
        f"{mode:6} a function from a list {best(drive_functions, [f, g]):.1f}"
        f"  a method of two classes {best(drive_two_classes, [C(), D()]):.1f}"
        f"  of six {best(drive_six_classes, [each() for each in classes] * 4):.1f}"
    )


main(sys.argv[1])
