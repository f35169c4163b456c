"""What is compiled and dropped leaves nothing behind: machine code, objects, memory."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
import weakref

import psyco
import pytest
from differential import check
from psyco import _core

CYCLES = 10_000


def settle():
    """Let what is due be freed: between two instructions, and by the collector."""
    gc.collect()
    for _ in range(3):
        pass
    gc.collect()


def code_bytes():
    return psyco.stats()["code_bytes"]


SOURCES = {
    "straight": ("def f(a, b):\n    return a + b\n", "f(2, 3); f(2.5, 3.0); f('a', 'b')"),
    "loop": ("def f(n):\n    s = 0\n    for i in range(n):\n        s += i\n    return s\n", "f(5); f(9)"),
    "recursive": ("def f(n):\n    return 1 if n < 2 else n * f(n - 1)\n", "f(6); f(7)"),
    "mutual": (
        "def f(n):\n    return n if n < 1 else g(n - 1)\n\ndef g(n):\n    return n if n < 1 else f(n - 1)\n",
        "f(6); g(7); f(6)",
    ),
    "class": (
        "class f:\n    def __init__(self, n):\n        self.n = n\n    def double(self):\n"
        "        return f(self.n * 2)\n    def __eq__(self, other):\n        return self.n == other.n\n",
        "f(2).double() == f(4); f(2).double() == f(3)",
    ),
    "closure": (
        "def f(n):\n    def g(k):\n        return k if k < 1 else g(k - 1) + n\n    return g(n)\n",
        "f(4); f(5)",
    ),
}


def make(kind, number):
    """A fresh world with the functions of *kind*, bound and run."""
    source, calls = SOURCES[kind]
    space = {"__name__": f"world{number}"}
    exec(compile(source, "<world>", "exec"), space)
    psyco.bind(space["f"])
    if "g" in space:
        psyco.bind(space["g"])
    exec(compile(calls, "<calls>", "exec"), space)
    return space


@pytest.fixture(scope="module", autouse=True)
def shared_stubs():
    """The first compilation makes what all share."""
    make("straight", 0)


# A body that embeds a cell holds it through collections (cells have no weak references), and with
# it the functions of that closure: under stress, where everything is compiled, that one stays.
@pytest.mark.parametrize("kind", [
    pytest.param(kind, marks=pytest.mark.plain_only) if kind == "closure" else kind for kind in SOURCES
])
def test_a_dropped_world_is_freed(kind):
    settle()
    before = code_bytes()
    space = make(kind, 0)
    used = code_bytes()
    assert used > before, "nothing was compiled"
    gone = weakref.ref(space["f"])
    del space
    settle()
    assert gone() is None
    assert code_bytes() == before


def test_redefinition_frees_at_once():
    """Without the collector: the old function is in no cycle but ours."""
    settle()
    space = make("recursive", 0)
    before = code_bytes()
    gone = weakref.ref(space["f"])
    gc.disable()
    try:
        exec("def f(n):\n    return n\n", space)
        for _ in range(100):
            pass
        assert gone() is None
        assert code_bytes() < before
    finally:
        gc.enable()


@pytest.mark.plain_only  # under stress exits make versions come and go
def test_a_collection_keeps_what_is_alive():
    """Objects that are still in use come back, and the code runs on."""
    worlds = [make(kind, i) for i, kind in enumerate(SOURCES)]
    settle()
    used, compiled = code_bytes(), psyco.stats()["compiled"]
    for _ in range(5):
        gc.collect()
    assert code_bytes() == used
    entries = psyco.stats()["native_calls"]
    for kind, space in zip(SOURCES, worlds, strict=True):
        exec(SOURCES[kind][1], space)
    assert psyco.stats()["native_calls"] > entries
    assert psyco.stats()["compiled"] == compiled


def test_classes_that_a_site_met_before_die():
    space = {"__name__": "world"}
    exec("class Base:\n    def __init__(self, n):\n        self.items = [n]\n", space)
    psyco.bind(space["Base"])
    met = []
    for number in range(6):
        made = type(f"Made{number}", (space["Base"],), {})
        assert made(number).items == [number]
        met.append(weakref.ref(made))
    made = None
    settle()
    assert [number for number, reference in enumerate(met) if reference() is not None] == []


def test_what_the_code_of_a_dead_function_holds_dies_in_the_first_collection():
    # Nothing is compiled any more that would free the code before.
    source = """
class Kind:
    pass

def f(thing):
    pass

def call(function, *args, **kwargs):
    return function(*args, **kwargs)

def main():
    call(lambda: f(Kind()))
"""
    space = {"__name__": "world"}
    code = compile(source, "<world>", "exec")
    exec(code, space)
    _core.bind_function(space["f"])
    _core.bind_function(space["call"])
    space["main"]()
    died = weakref.ref(space["Kind"])
    space.clear()
    code = None
    gc.collect()
    assert died() is None


def test_code_does_not_run_while_its_objects_are_away():
    """A finaliser calls compiled functions in the middle of the collection."""
    space = make("recursive", 0)
    assert space["f"](5) == 120
    seen = []

    class Last:
        def __init__(self):
            self.me = self

        def __del__(self):
            seen.append(space["f"](10))

    Last()
    gc.collect()
    assert seen == [3628800]
    entries = psyco.stats()["native_calls"]
    assert space["f"](5) == 120
    assert psyco.stats()["native_calls"] > entries


def test_a_collection_inside_compiled_code():
    space = {"gc": gc, "__name__": "world"}
    exec("class C:\n    pass\n\ndef f(n):\n    s = 0\n    for i in range(n):\n        c = C()\n        c.x = i\n"
         "        s += c.x\n        if i % 7 == 0:\n            gc.collect()\n    return s\n", space)
    psyco.bind(space["f"])
    assert [space["f"](50) for _ in range(3)] == [1225] * 3


def test_a_class_that_died_is_not_recognised():
    """Code guards on a class; the class dies and another one may get its address."""
    space = {"__name__": "world"}
    exec("def get(o):\n    return o.x + 1\n", space)
    get = space["get"]
    psyco.bind(get)
    for turn in range(60):
        kind = type("T", (), {"x": property(lambda self, turn=turn: turn)} if turn % 2 else {"x": turn})
        one = kind()
        assert [get(one) for _ in range(4)] == [turn + 1] * 4
        del kind, one
        gc.collect()


PROGRAM = """
import gc, sys
import psyco
sys.path.insert(0, {folder!r})
from test_lifetime import SOURCES, make, settle, code_bytes

psyco.setfilter(None)
{prepare}

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

kinds = list(SOURCES)
shared = {{"__name__": "shared"}}
exec("def helper(x):\\n    return x + base\\n", shared)
psyco.bind(shared["helper"])

def cycle(i):
    kind = kinds[i % len(kinds)]
    space = make(kind, i)
    what = i // len(kinds) % 4
    if what == 0:
        psyco.unbind(space["f"])
    elif what == 1:
        exec(SOURCES[kind][0], space)
        exec(SOURCES[kind][1], space)
    elif what == 2:
        shared["base"] = i
        assert shared["helper"](1) == i + 1
    del space
    if i % 50 == 49:
        settle()

for i in range({warm}):
    cycle(i)
settle()
compiled, bytes_before, memory_before = psyco.stats()["compiled"], code_bytes(), resident()
for i in range({cycles}):
    cycle(i)
settle()
stats = psyco.stats()
print(stats["compiled"] - compiled, code_bytes() - bytes_before, resident() - memory_before, stats["dependencies"])
"""


@pytest.mark.plain_only
def test_ten_thousand_cycles(tmp_path):
    """Functions made and dropped, unbound, redefined, their globals changed: all of it comes back."""
    program = tmp_path / "program.py"
    folder = os.path.dirname(os.path.abspath(__file__))
    program.write_text(PROGRAM.format(folder=folder, prepare="", warm=1200, cycles=CYCLES))
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    compiled, code, memory, dependencies = map(int, done.stdout.split())
    assert compiled >= CYCLES
    # The last version of the one function that stays may have another size.
    assert abs(code) < 4096
    assert memory < 2 << 20
    assert dependencies < 20


SHORT_LIVES = """
log = []
class R:
    def __init__(self, n): self.n = n
    def __del__(self): log.append(self.n)
    def get(self): return 1
def call_often(n, f):
    t = 0
    for i in range(n):
        t += f(i)
    return t
def closure(n):
    r = R("closure")
    def inner(x): return x + r.get()
    t = 0
    for i in range(n):
        t += inner(i)
    return t
def callback(n):
    r = R("callback")
    return call_often(n, lambda x: x + r.get())
def default(n):
    def inner(x, r=R("default")): return x + r.get()
    t = 0
    for i in range(n):
        t += inner(i)
    return t
def attribute(n):
    r = R("attribute")
    class Holder: pass
    h = Holder()
    h.f = lambda x: x + r.get()
    t = 0
    for i in range(n):
        t += h.f(i)
    return t
def replaced(n):
    r = R("replaced")
    def first(x): return x + r.get()
    def second(x): return x * 2
    def third(x): nonlocal f; f = second; return x
    f = first
    t = 0
    for i in range(n):
        t += f(i)
        if i == n // 2:
            f = r = first = None
            log.append("gone")
            f = third
    return t
def temporary(n):
    t = 0
    for i in range(n):
        r = R(i)
        t += (lambda x: x + r.get())(i)
        del r
        log.append("next")
    return t
def of_other_globals(n):
    import types
    r = R("globals")
    def inner(x): return x + k + r.get()
    other = types.FunctionType(inner.__code__, {"k": 1000, "__builtins__": __builtins__}, "other", None, inner.__closure__)
    t = 0
    for i in range(n):
        f = other if i % 7 == 6 else inner
        t += f(i)
    return t
k = 5
def itself(n):
    class Holder: pass
    h = Holder()
    t = 0
    for i in range(n):
        r = R(i)
        h.f = lambda g, x: (g is r, x + r.get() if x else r)
        r = h.f(h.f, i)[1]
        t += r if i else 0
    return t
def raises(n):
    class Holder: pass
    h = Holder()
    t = 0
    for i in range(n):
        r = R(i)
        def f(x):
            if x % 5 == 4:
                raise KeyError(x)
            return x + r.get() * (1 if x % 7 else 2**70)
        h.f = f
        del f
        try:
            t += h.f(i)
        except KeyError as e:
            t += len(e.args)
        del h.f, r
        log.append("next")
    return t
def of_other_code(n):
    def inner(x): return x + 1
    def other(x): return x + 100
    t = 0
    for i in range(n):
        t += inner(i)
        if i == n // 2:
            inner.__code__ = other.__code__
    return t
def each(f, of):
    t = 0
    for x in of:
        t += f(x)
        divmod(x, 7)
    return t
def with_cells_or_without(n):
    def with_cells(x): return x + n
    def without(x): return x * 2
    return [each(f, range(n)) for f in [with_cells] * 50 + [without, with_cells, without]]
def run(function, n):
    del log[:]
    result = function(n)
    log.append("end")
    return result, list(log)
"""


@pytest.mark.parametrize("name", ["closure", "callback", "default", "attribute", "replaced", "temporary",
                                  "of_other_globals", "of_other_code", "itself", "raises",
                                  "with_cells_or_without"])
def test_functions_made_in_functions_die_in_time(name):
    """Compiled code keeps no function that nobody else does, and nothing in its closure."""
    check(SHORT_LIVES, [f"run({name}, 10)", f"run({name}, 3000)", f"run({name}, 40)"], repeat=3)
