"""References that compiled code takes and must give back, one reduced case for each bug found."""

import sys

import psyco


def grows_by(call, watched, times=1000):
    """How many references to *watched* stay behind after *times* calls."""
    for _ in range(5):
        call()
    before = sys.getrefcount(watched)
    for _ in range(times):
        call()
    return sys.getrefcount(watched) - before


def test_callable_from_a_cell_walked_in_place():
    def make(inner):
        def wrapper(x):
            return inner(x)

        return wrapper

    def inner(x):
        return x

    wrapper = make(inner)
    psyco.bind(wrapper)
    assert wrapper(7) == 7
    assert grows_by(lambda: wrapper(1), inner) == 0
