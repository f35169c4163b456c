"""The comparison itself: it must notice what it is for."""

from __future__ import annotations

import pytest
from differential import check, describe, source_of

LOOP = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n"


def sabotage(monkeypatch, change):
    """Make bind() replace parts of the functions it is given."""
    import psyco

    def bind(target, rec=10):
        if hasattr(target, "__code__"):
            change(target)
        return target

    monkeypatch.setattr(psyco, "bind", bind)
    monkeypatch.setattr(psyco, "unbind", lambda target: target)


def other_code(source):
    space = {}
    exec(compile(source, "<case>", "exec"), space)
    return space["f"].__code__


@pytest.mark.parametrize(
    ("plain", "wrong", "call"),
    [
        (LOOP, LOOP.replace("+=", "-="), "f(3)"),
        ("def f(x): return x", "def f(x): return float(x)", "f(3)"),
        ("def f(x): return 0.0", "def f(x): return -0.0", "f(3)"),
        ("def f(x): return [x, x]", "def f(x): return [x, x[:]]", "f([1])"),
        ("def f(x): return 1/0", "def f(x):\n    return 1/0", "f(3)"),
        ("def f(x): raise KeyError(1)", "def f(x): raise KeyError(2)", "f(3)"),
        ("def f(x): return 1", "def f(x): print(2); return 1", "f(3)"),
        ("def f(x): return 1", "def f(x): x.append(5); return 1", "f(L) or L"),
        ("def f(x): raise ValueError", "def f(x):  raise ValueError from KeyError()", "f(3)"),
    ],
)
def test_difference_is_noticed(monkeypatch, plain, wrong, call):
    check(plain + "\nL = []\n", call)
    sabotage(monkeypatch, lambda f: setattr(f, "__code__", other_code(wrong)))
    with pytest.raises(AssertionError):
        check(plain + "\nL = []\n", [call, "L"])


def test_leak_is_noticed(monkeypatch):
    source = "keep = [0]\nheld = []\ndef f():\n    return 1\n"
    check(source, "f()", track=["keep"])
    wrong = other_code("def f():\n    held.append(keep)\n    return 1\n")
    sabotage(monkeypatch, lambda f: setattr(f, "__code__", wrong))
    with pytest.raises(AssertionError, match="references"):
        check(source, "f()", track=["keep"])


def test_pictures():
    inner = [1]
    assert describe([inner, inner]) != describe([[1], [1]])
    assert describe(1) != describe(True) != describe(1.0)
    assert describe(float("nan")) == describe(float("nan"))
    assert describe(0.0) != describe(-0.0)
    cycle = []
    cycle.append(cycle)
    assert describe(cycle) == describe(cycle)


def test_source_of_function():
    def sample(x):
        return x

    assert source_of(sample) == "def sample(x):\n    return x\n"
