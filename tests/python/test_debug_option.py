"""The option `debug`: what PSYCO_DEBUG says, at any time."""

from __future__ import annotations

import subprocess
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


A_RUN = """
import sys
from psyco import _core

sys.setswitchinterval(60)
_core.set_options({"debug": f"stress=eager,stress=exit:random:{sys.argv[1]}"})
space = {}
exec("def f(a, b):\\n    for i in range(50):\\n        a = a + b\\n    return a\\n", space)
_core.bind_function(space["f"])
for _ in range(20):
    space["f"](1, 2)
    print(_core.stats()["exits"].get("Stress", 0))
"""


def test_random_exits_are_the_same_for_the_same_number():
    """In processes of their own: what else runs in one, such as threads, counts as well."""
    runs = [subprocess.run([sys.executable, "-c", A_RUN, number], capture_output=True, text=True, check=True).stdout.split() for number in "556"]
    assert int(runs[0][-1]) > 5
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
