"""Limits of machine code: the coldest makes room, and processes do not share what they write."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap

import psyco
import pytest
from psyco import _core

# No loop, which would have bodies of its own: how many depends on how often guards fail.
BODY = "def f{i}(a):\n    s = a * (a - 1) // 2\n    return s * {i} + a - a\n"


def function(i):
    space = {"__name__": f"room{i}"}
    exec(BODY.format(i=i), space)
    psyco.bind(space[f"f{i}"])
    return space[f"f{i}"]


def compiled(f):
    return bool(_core.report(f)["versions"])


@pytest.fixture
def limit():
    """Sets the limit to what is used now and so many functions more; gives the size of the largest.

    Several are measured, since under the variants that fail guards their sizes differ.
    """
    option = _core.options()["code_limit"]
    # Other tests' code, which may be older than ours, goes first: it goes now.
    _core.set_options({"code_limit": 1})
    function(0)(10)
    _core.set_options({"code_limit": option})
    function(0)(10)  # what all share
    sizes, functions = [], [function(i) for i in range(1, 13)]
    for f in functions:
        before = psyco.stats()["code_bytes"]
        f(10)
        sizes.append(psyco.stats()["code_bytes"] - before)
    size = max(sizes)

    def set_limit(count):
        _core.set_options({"code_limit": psyco.stats()["code_bytes"] + count * size})
        return size

    yield set_limit
    _core.set_options({"code_limit": option})


def test_the_coldest_makes_room(limit):
    size = limit(30)
    most = _core.options()["code_limit"]
    hot = function(1)
    evicted = psyco.stats()["evicted"]
    cold = []
    # What other tests have left behind is colder still, and goes before these.
    for i in range(2, 5000):
        f = function(i)
        assert f(10) == 45 * i
        cold.append(f)
        assert hot(10) == 45
        # One body may pass the limit; the next one makes room first.
        assert psyco.stats()["code_bytes"] <= most + 2 * size
        if i >= 60 and not compiled(cold[10]):
            break
    assert psyco.stats()["evicted"] > evicted
    assert compiled(hot)
    states = [compiled(f) for f in cold]
    assert not all(states)
    assert states == sorted(states), "of the cold ones the oldest go first"
    for i, f in enumerate(cold, 2):
        assert [f(10), f(10)] == [45 * i] * 2


def test_callees_are_as_warm_as_their_callers(limit):
    """Calls from body to body are not counted one by one."""
    limit(120)
    space = {"__name__": "pair"}
    exec("def g(n):\n    return n if n < 2 else g(n - 1) + g(n - 2)\n\ndef f(n):\n    return g(n) + 1\n", space)
    psyco.bind(space["f"])
    psyco.bind(space["g"])
    evicted = psyco.stats()["evicted"]
    keep = []
    for i in range(2, 260):
        assert space["f"](8) == 22
        keep.append(function(i))
        keep[-1](10)
    assert psyco.stats()["evicted"] > evicted
    assert compiled(space["f"])
    assert compiled(space["g"])


def test_running_code_is_not_evicted(limit):
    limit(10)
    made = []
    evicted = psyco.stats()["evicted"]

    def inner(i):
        f = function(i + 2)
        made.append(f)
        return f(10)

    space = {"__name__": "outer", "inner": inner}
    exec("def outer(n):\n    s = 0\n    for i in range(n):\n        s += inner(i)\n    return s\n", space)
    psyco.bind(space["outer"])
    assert space["outer"](40) == sum(45 * (i + 2) for i in range(40))
    assert psyco.stats()["evicted"] > evicted
    assert [f(10) for f in made] == [45 * (i + 2) for i in range(40)]


def run(source):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, check=False, timeout=120
    )
    assert not done.returncode, done.stderr
    return done.stdout


FORK = """
    import os, sys
    import psyco
    from psyco import _core

    def make(i):
        space = {"__name__": f"room{i}"}
        exec(f"def f(a):\\n    s = 0\\n    for k in range(a):\\n        s += k * {i}\\n    return s\\n", space)
        psyco.bind(space["f"])
        assert space["f"](10) == 45 * i
        return space["f"]

    old = [make(i) for i in range(40)]
    to_child, from_parent = os.pipe()[::-1]
    to_parent, from_child = os.pipe()[::-1]
    child = os.fork()
    if child == 0:
        os.close(to_child)
        # The parent evicts all of this code and writes other code in its place.
        assert os.read(from_parent, 1) == b"x"
        for turn in range(3):
            for i, f in enumerate(old):
                assert f(10) == 45 * i, (i, f(10))
        more = [make(i + 1000) for i in range(40)]
        for i, f in enumerate(old):
            assert f(11) == 55 * i
        os.write(to_parent, b"y")
        os._exit(0)
    _core.set_options({"code_limit": psyco.stats()["code_bytes"] // 2})
    before = psyco.stats()["evicted"]
    new = [make(i + 100) for i in range(100)]
    assert psyco.stats()["evicted"] >= before + 40
    os.write(to_child, b"x")
    assert os.read(from_child, 1) == b"y"
    assert os.waitpid(child, 0)[1] == 0
    for turn in range(2):
        for i, f in enumerate(old):
            assert f(10) == 45 * i
        for i, f in enumerate(new):
            assert f(10) == 45 * (i + 100)
    print("ok")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_with_eviction_in_the_parent():
    assert run(FORK).endswith("ok\n")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_no_page_is_writable_and_executable():
    text = run("""
        import psyco
        @psyco.bind
        def f(n):
            s = 0
            for i in range(n):
                s += i
            return s
        f(10), f(20.5 > 3)
        assert psyco.stats()["compiled"]
        print(open("/proc/self/maps").read())
    """)
    permissions = re.findall(r"^\S+ (\S{4}) ", text, re.MULTILINE)
    assert any("x" in p for p in permissions)
    assert "memfd:psyco" in text
    assert not [p for p in permissions if "w" in p and "x" in p]
