"""The option `debug`: what PSYCO_DEBUG says, at any time."""

from __future__ import annotations

import gc
import sys

import pytest
from psyco import _core

NAMES = ("eager", "governor", "exit_every", "exit_seed", "spill", "verify", "inlining", "watched_lookups")


def settings():
    options = _core.options()
    return {name: options[name] for name in NAMES}


@pytest.fixture
def restored():
    import os

    yield
    _core.set_options({"debug": os.environ.get("PSYCO_DEBUG", "")})


def test_each_setting_replaces_the_one_before(restored):
    _core.set_options({"debug": ""})
    first = settings()
    _core.set_options({"debug": "stress=eager,stress=exit:3,stress=spill"})
    assert settings() == {**first, "eager": True, "governor": False, "exit_every": 3, "spill": True, "watched_lookups": 32}
    _core.set_options({"debug": "verify=each,off=inlining,stress=exit:random:7"})
    assert settings() == {**first, "governor": False, "exit_seed": 7, "verify": True, "inlining": False}
    _core.set_options({"debug": ""})
    assert settings() == first


def test_mistakes_are_told(restored):
    with pytest.raises(ValueError, match="stress=exit:N wants a positive number"):
        _core.set_options({"debug": "stress=exit:0"})
    with pytest.raises(ValueError, match="no pass is called nothing"):
        _core.set_options({"debug": "off=nothing"})
    with pytest.raises(TypeError, match="option debug wants a str"):
        _core.set_options({"debug": 3})


def exits_of_a_run():
    """How often guards have exited, before each of some calls of a fresh function."""
    space = {}
    exec("def f(a, b):\n    for i in range(50):\n        a = a + b\n    return a\n", space)
    _core.bind_function(space["f"])
    counts = []
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # another thread that wants the GIL makes native code leave,
    gc.disable()  # and so does the collector
    try:
        for _ in range(20):
            space["f"](1, 2)
            counts.append(_core.stats()["exits"].get("Stress", 0))
    finally:
        sys.setswitchinterval(interval)
        gc.enable()
    return [count - counts[0] for count in counts]


def test_random_exits_are_the_same_for_the_same_number(restored):
    runs = []
    for number in (5, 5, 6):
        _core.set_options({"debug": f"stress=eager,stress=exit:random:{number}"})
        runs.append(exits_of_a_run())
    assert runs[0][-1] > 5
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
