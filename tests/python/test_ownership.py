"""References that compiled code takes and must give back, one reduced case for each bug found."""

import sys

import psyco
from psyco import _core


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


def test_number_boxed_while_a_loop_carries_a_tuple():
    def f(a, n):
        y = None
        x = a
        for i in range(n):
            y = (x, i)
        return y

    psyco.bind(f)
    number = 10**9 + 7
    for _ in range(5):
        assert f(number, 50) == (number, 49)
    assert f(number, 0) is None
    assert grows_by(lambda: f(number, 50), number, times=20) == 0


def test_getrefcount_counts_variables_as_the_interpreter_does():
    def variables():
        r = object()
        box = [r]
        t = r
        before = sys.getrefcount(r)
        try:
            box[5]
        except IndexError:
            pass
        return before, sys.getrefcount(t), sys.getrefcount(box)

    def loop(n):
        o = object()
        out = []
        for _ in range(n):
            p = o
            out.append(sys.getrefcount(p))
        return out

    def items(values):
        x = values[0]
        return sys.getrefcount(x), [sys.getrefcount(y) for y in values]

    calls = [variables, lambda: loop(5), lambda: items([object() for _ in range(3)])]
    plain = [call() for call in calls]
    for function in variables, loop, items:
        psyco.bind(function)
    for _ in range(20):
        assert [call() for call in calls] == plain


def test_bound_of_a_range_comes_from_an_attribute():
    class Span:
        pass

    def f(span):
        total = 0
        for i in range(span.low, span.high):
            total += i
        return total

    psyco.bind(f)
    span = Span()
    span.low, span.high = 10**9 + 7, 10**9 + 17
    assert f(span) == sum(range(span.low, span.high))
    assert grows_by(lambda: f(span), span.low, times=100) == 0
    assert grows_by(lambda: f(span), span.high, times=100) == 0


def test_object_that_is_a_number_on_one_way_and_unknown_on_the_other():
    class Box:
        pass

    def f(box, flag):
        x = box.value
        if flag:
            y = x + 1
        else:
            y = 0
        return x, y

    psyco.bind(f)
    box = Box()
    box.value = 10**9 + 7
    for flag in (0, 1, 0, 1):
        assert f(box, flag) == (box.value, box.value + 1 if flag else 0)
    assert grows_by(lambda: (f(box, 0), f(box, 1)), box.value, times=100) == 0


def test_class_from_a_variable_that_the_compiler_knows():
    """Its reference is ours to give back. Such classes are immortal: only the verifier sees it."""
    def f(n, kind):
        for i in kind(n):
            n += i
        return n

    text, problems = _core._graph(f, (50, range), True)
    assert "GuardIs" in text
    assert not problems

    def g(n, kinds):
        for i in kinds[0](n):
            n += i
        return n

    text, problems = _core._graph(g, (50, [range]), False)
    assert "GuardIs" in text
    assert not problems

    def h(n, kinds):
        least = kinds[1]
        for i in kinds[0](n):
            n += least(i, n)
        return n

    psyco.bind(h)
    expected = 50 + sum(range(50))
    for _ in range(5):
        assert h(50, [range, min]) == expected
