"""Counting, and what happens when something is hot; a Python function stands in for the compiler."""

import sys
import time

import pytest
from psyco import _core
from test_runtime_module import simple_body
from test_runtime_osr import CURSOR, SUM, loops, make, sum_planner

mon = sys.monitoring


@pytest.fixture
def compiler():
    asked = []
    plans = {}

    def for_calls(code, args):
        asked.append(("call", code.co_name, tuple(type(a).__name__ for a in args)))
        return plans.get(code.co_name)

    def for_loops(code, target):
        asked.append(("loop", code.co_name, target))
        return plans.get((code.co_name, "loop"))

    before = _core.options()
    _core._test_set_compilers(for_calls, for_loops)
    _core.set_options({"loop_threshold": 100, "call_threshold": 20, "slow_us": 10**6})
    yield asked, plans
    _core._test_set_compilers(None, None)
    _core.set_options({k: before[k] for k in ("loop_threshold", "call_threshold", "slow_us", "compile", "governor")})
    _core.set_filter(None)


def test_hot_function(compiler):
    asked, plans = compiler
    f = make("def f(a):\n    return a\n")
    plans["f"] = simple_body(f.__code__)
    _core.watch_code(f.__code__)
    for _ in range(19):
        assert f(1) == 1
    assert not asked
    f(1)  # the twentieth start: hot, compiled at the next call
    assert f(1) == 7
    assert asked == [("call", "f", ("int",))]
    assert f("s") == 7  # another version
    assert asked[1:] == [("call", "f", ("str",))]
    assert f("s") == 7 and f(3) == 7 and len(asked) == 2
    _core.unwatch_code(f.__code__)
    _core.unbind_function(f)
    assert f(1) == 1


def test_refused_function(compiler):
    asked, plans = compiler
    f = make("def f(a):\n    return a\n")
    plans["f"] = False
    _core.watch_code(f.__code__)
    for _ in range(200):
        assert f(1) == 1
    assert asked == [("call", "f", ("int",))]
    assert not _core.is_bound(f)
    _core.unwatch_code(f.__code__)


def test_bound_function_is_compiled_at_its_first_call(compiler):
    asked, plans = compiler
    f = make("def f(a, *b, k=2):\n    return a\n")
    plans["f"] = simple_body(f.__code__)
    _core.bind_function(f)
    assert f(1, 2.5) == 7
    assert asked == [("call", "f", ("int", "int", "tuple"))]
    _core.forget(f)
    assert f(1) == 7 and len(asked) == 2
    _core.unbind_function(f)


def test_closures(compiler):
    asked, plans = compiler
    make_one = make("def make(k):\n    def inner(a):\n        return a + k\n    return inner\n", "make")
    first = make_one(1)
    plans["inner"] = simple_body(first.__code__)
    _core.watch_code(first.__code__)
    for _ in range(22):
        first(1)
    assert first(1) == 7
    second = make_one(2)
    assert second(1) == 3  # its first start
    assert second(1) == 7
    _core.unwatch_code(first.__code__)


def test_hot_loop(compiler):
    asked, plans = compiler
    f = make(SUM)
    code = f.__code__
    [(head, out)] = loops(code)
    plans["f", "loop"] = {
        "frames": [code], "spills": 12, "records": [{}], "steps": [("loop", sum_planner(code, out))], "depth": CURSOR,
    }
    _core.watch_code(code)
    assert f(99) == (14553, 98)
    assert asked == []
    assert f(1000) == (1498500, 999)
    assert asked == [("loop", "f", head)]
    entries = _core.stats()["loop_entries"]
    assert f(1000) == (1498500, 999)
    assert _core.stats()["loop_entries"] == entries + 1
    _core.unwatch_code(code)


def test_slow_loop(compiler):
    asked, plans = compiler
    _core.set_options({"slow_us": 1000})
    f = make("def f(n, wait):\n    for i in range(n):\n        wait(0.002)\n")
    _core.watch_code(f.__code__)
    f(5, time.sleep)
    assert asked
    _core.unwatch_code(f.__code__)


def test_refused_loop(compiler):
    asked, plans = compiler
    f = make(SUM)
    plans["f", "loop"] = False
    _core.watch_code(f.__code__)
    assert f(1000) == (1498500, 999)
    events = _core.stats()["events"]
    assert f(1000) == (1498500, 999)
    assert _core.stats()["events"] <= events + 2  # the location is off
    assert len(asked) == 1
    _core.unwatch_code(f.__code__)


def test_runonly(compiler):
    asked, plans = compiler
    f = make("def f(a):\n    return a\n")
    plans["f"] = simple_body(f.__code__)
    _core.set_options({"compile": False})
    _core.bind_function(f)
    assert f(1) == 1 and not asked
    _core.set_options({"compile": True})
    assert f(1) == 7
    _core.set_options({"compile": False})
    assert f(1) == 7 and f("s") == "s"
    _core.unbind_function(f)


def test_filter(compiler):
    asked, plans = compiler
    f = make("def f(a):\n    return a\n")
    plans["f"] = simple_body(f.__code__)
    filtered = []

    def refuse(code):
        filtered.append(code)
        return False

    _core.set_filter(refuse)
    _core.watch_code(f.__code__)
    assert [f(1) for _ in range(25)] == [1] * 25
    assert filtered == [f.__code__] and not asked
    _core.bind_function(f)  # by name: not asked about
    assert f(1) == 7
    _core.unbind_function(f)
    _core.forget(f)
    assert [f(1) for _ in range(25)] == [1] * 25
    _core.set_filter(lambda code: True)
    f(1)
    assert f(1) == 7
    _core.unwatch_code(f.__code__)
    assert f(1) == 1


def test_recursive_function_compiles_while_running(compiler):
    asked, plans = compiler
    f = make("def f(n):\n    return n and f(n - 1)\n")
    _core.bind_function(f)
    assert f(50) == 0
    assert len(asked) == 51
    _core.unbind_function(f)
