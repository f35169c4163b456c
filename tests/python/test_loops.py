"""Loops taken over while they run: their versions, and what they find in the variables."""

import weakref

import pytest
from psyco import _core
from test_runtime_osr import make

import psyco


@pytest.fixture(autouse=True)
def every_loop():
    before = _core.options()
    _core.set_options({"loop_threshold": 2, "call_threshold": 10**9, "governor": False})
    yield
    _core.set_options({k: before[k] for k in ("loop_threshold", "call_threshold", "governor")})


def versions(function):
    return len(psyco.explain(function).report["versions"])


def compare(text, *calls):
    """The watched function of the text, having given the same as the plain one for all calls."""
    plain, watched = make(text), make(text)
    _core.watch_code(watched.__code__)
    for arguments in calls * 3:
        assert plain(*arguments) == watched(*arguments)
    _core.unwatch_code(watched.__code__)
    return watched


LEFT_OVERS = """
def f(lines):
    found = 0
    for line in lines:
        if line.startswith("#"):
            name = line[1:].strip()
            found += 1
            continue
        item = None if line < "m" else [line]
        if item:
            found += len(item)
            again = (line, found)
    return found, sorted(locals())
"""


def test_left_overs_make_no_versions():
    """What variables hold that are written before they are read again does not matter."""
    lines = ["alpha", "# one", "zulu", "beta", "yankee", "#two"]
    f = compare(LEFT_OVERS, (lines * 5,), (lines[::-1] * 5,), (["alpha"] * 6,), (["zulu"] * 6,),
                (["# x", "alpha", "# y", "zulu"],))
    assert versions(f) == 1


def test_left_over_is_read_after_the_loop():
    f = compare("""
def f(items):
    for i in items:
        if i == 3:
            last = [i]
    try:
        return last
    except UnboundLocalError as e:
        return str(e)
""", ([1, 2, 4, 5],), ([1, 2, 3, 4, 5],), ([3, 3, 3, 3],))
    assert versions(f) == 2


def test_left_over_numbers_keep_their_types():
    f = compare("""
def f(n, x):
    total = 0.0
    for i in range(n):
        if i > x:
            part = i * 0.5
            twice = i + i
        total += i
    return total
""", (20, 5), (300, 200), (10, 20))
    assert versions(f) <= 2  # `part` and `twice` unbound, and set


def test_left_overs_die_in_time():
    class Thing:
        pass

    text = """
def f(make, log):
    thing = make()
    for i in range(8):
        thing = make()
        log(i)
    for i in range(3):
        pass
    return thing
"""
    logs = []
    for watch in (False, True):
        f = make(text)
        if watch:
            _core.watch_code(f.__code__)
        alive, log = [], []

        def new(alive=alive):
            thing = Thing()
            alive.append(weakref.ref(thing))
            return thing

        for _ in range(3):
            f(new, lambda i, alive=alive, log=log: log.append(sum(r() is not None for r in alive)))
        logs.append(log)
        _core.unwatch_code(f.__code__)
    assert logs[0] == logs[1]
