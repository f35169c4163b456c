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


CIRCLES = """
import gc
log = []
class R:
    def __init__(self, n): self.n = n
    def __del__(self): log.append(("del", self.n))
def cell(n):
    r = R("cell")
    def inner(k): return k if k < n else (lambda: inner(k - 1))() + r.n
    t = 0
    for i in range(n): t += inner(i)
    return t
def default(n):
    keep = [R("default")]
    def inner(k, m=keep): return k if k < n else inner(k - 1) + len(m)
    keep.append(inner)
    t = 0
    for i in range(n): t += inner(i)
    return t
def keyword(n):
    keep = [R("keyword")]
    def inner(k, *, m=keep): return k + len(m) if k < n else inner(k - 1)
    keep.append(inner)
    t = 0
    for i in range(n): t += inner(i)
    return t
def run(function, n):
    del log[:]
    result = function(n)
    gc.collect()
    return result, list(log)
"""


@pytest.mark.parametrize("name", ["cell", "default", "keyword"])
def test_functions_in_a_circle_die_with_what_they_hold(name):
    """Their cells and defaults, to which there are no weak references, are embedded with them."""
    check(CIRCLES, [f"run({name}, 10)", f"run({name}, 3000)", f"run({name}, 40)"], repeat=3)


# ---- what the program lets go of dies at once: seen by calls of C, which run nothing between

LETS_GO = """
import gc, os, sys, threading, weakref

class Loud:
    def __init__(self, name): self.name = name
    def use(self, n): return len(self.name) + n

class K:
    shared = Loud("a")
    def m(self, n): return self.shared.use(n)

out = open("out.txt", "w")
data = Loud("data")
k = K()
def helper(n): return data.use(n)
def rec(n): return 0 if n == 0 else rec(n - 1) + 1
def work(n):
    s = 0
    for i in range(n):
        s += data.use(i) + helper(i) + k.m(i) + rec(3)
        if i % 50 == 0: out.write("x")
    return s
for _ in range(60):
    work(200)
    rec(5)
    helper(2)
w_data, w_shared, w_k = weakref.ref(data), weakref.ref(K.shared), weakref.ref(k)
w_helper, w_rec, w_work = weakref.ref(helper), weakref.ref(rec), weakref.ref(work)

size = os.stat("out.txt").st_size; out = None; print("file", size, os.stat("out.txt").st_size)
a = w_data() is None; data = None; b = w_data() is None; print("global", a, b)
del helper; c = w_helper() is None; print("helper", c)
del rec; c = w_rec() is None; print("recursive", c)
del work; c = w_work() is None; print("work", c)
K.shared = None; c = w_shared() is None; print("class attribute", c)
k = None; c = w_k() is None; print("instance", c)

# Compiled code itself lets go of what it embeds.
def rebind(n):
    global data, out
    s = 0
    w = weakref.ref(data)
    for i in range(n):
        s += data.use(i)
        out.write("x")
    data = None
    r = w() is None
    out = None
    return r, os.stat("out.txt").st_size
seen = set()
for i in range(60):
    data = Loud("again"); out = open("out.txt", "w")
    seen.add(rebind(300))
print("in a call", seen)
def use(): return data.use(3)
def swap():
    global data
    w = weakref.ref(data); data = Loud("new"); return w() is None
def looped(n):
    c = 0
    for i in range(n):
        use()
        if i % 100 == 99: c += swap()
    return c
data = Loud("n")
print("in a loop", [looped(1000) for _ in range(20)])
def delete(n):
    global temporary
    c = 0
    for i in range(n):
        temporary = Loud("t"); w = weakref.ref(temporary); temporary.use(i); del temporary; c += w() is None
    return c
print("deleted", [delete(300) for _ in range(10)])
def in_thread(seen):
    global data
    for i in range(30):
        data = Loud("thread")
        for j in range(200): use()
        w = weakref.ref(data); data = None; seen.append(w() is None)
seen = []; thread = threading.Thread(target=in_thread, args=(seen,)); thread.start(); thread.join()
print("in a thread", seen.count(True))
"""

# Worlds of functions that are dropped: by the count of references, by a young collection, by executing
# the module again. `fresh()` makes one and runs it hot.
WORLDS = """
import gc, importlib, sys, types, weakref

log = []
class Loud:
    def __init__(self, name): self.name = name
    def use(self, n): return len(self.name) + n
    def __del__(self, log=log): log.append("del " + self.name)
def watch(x, name): weakref.finalize(x, log.append, "gone " + name)
def show(title):
    print(title, log)
    log.clear()

SOURCE = '''
from __main__ import Loud
data = Loud("data")
other = Loud("other")
table = [1, 2, 3]
class K:
    shared = Loud("class attribute")
    def m(self, n): return self.shared.use(n) + table[1]
def helper(n, d=Loud("default of helper")): return d.use(n) + n
def rec(n): return 0 if n == 0 else rec(n - 1) + 1
def work(n, k=K()):
    s = 0
    for i in range(n):
        s += data.use(i) + helper(i) + k.m(i) + rec(2) + table[0]
    return s
'''
with open("world.py", "w") as file: file.write(SOURCE)
sys.path.insert(0, ".")

def warm(ns):
    if KIND == "jit": exec("import psyco; psyco.jit()", ns)
    if KIND == "bind":
        import psyco
        for f in ("work", "helper", "rec", "K"): psyco.bind(ns[f])
    if KIND == "proxy":
        import psyco
        for f in ("work", "helper", "rec"): ns[f] = psyco.proxy(ns[f])
    for _ in range(40): ns["work"](100)
    log.clear()
    return ns
def fresh():
    ns = {"__name__": "world"}
    exec(compile(SOURCE, "world", "exec"), ns)
    return warm(ns)

gc.collect()
gc.disable()
ns = fresh()
del ns; log.append("let go"); gc.collect(0); log.append("collected"); gc.collect(); show("namespace")
ns = fresh()
watch(ns["helper"], "helper"); watch(ns["rec"], "rec"); watch(ns["work"], "work")
exec(compile(SOURCE, "world", "exec"), ns); log.append("again"); show("executed again")
ns = None; gc.collect(); log.clear()
ns = fresh(); ns["helper"].__defaults__ = (Loud("new"),); show("defaults")
ns["helper"].__code__ = ns["rec"].__code__; ns["K"].shared = None; show("class attribute")
ns.clear(); log.append("cleared"); gc.collect(0); show("cleared")
ns = None; gc.collect(); log.clear()

import world
warm(vars(world))
importlib.reload(world); log.append("loaded again"); gc.collect(0); show("reload")
warm(vars(world))
del sys.modules["world"], world; log.append("deleted"); gc.collect(0); show("module")
gc.collect(); show("rest")
"""


def lives(tmp_path, source, name, options=(), environment=None):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "program.py").write_text(source)
    done = subprocess.run(
        [sys.executable, *options, "program.py"], cwd=folder, capture_output=True, text=True,
        env={**os.environ, **(environment or {}), "PYTHONDONTWRITEBYTECODE": "1"}, timeout=120, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


FULL = "import psyco; psyco.full()"
EAGER = {"PSYCO_DEBUG": "stress=eager"}


@pytest.mark.parametrize(("first", "options", "environment"), [
    (FULL, [], {}), (FULL, [], EAGER), ("", ["-m", "psyco"], {}), ("import psyco; psyco.jit()", [], {}),
    (FULL, [], {"PSYCO_DEBUG": "off=governor"}),
], ids=["full", "eager", "launcher", "jit", "no governor"])
def test_what_the_program_lets_go_of_dies(tmp_path, first, options, environment):
    plain = lives(tmp_path, LETS_GO, "plain")
    assert lives(tmp_path, first + LETS_GO, "psyco", options, environment) == plain


@pytest.mark.parametrize(("kind", "first", "environment"), [
    ("", FULL, {}), ("", FULL, EAGER), ("jit", "", {}), ("bind", "", {}), ("proxy", "", {}),
], ids=["full", "eager", "jit", "bind", "proxy"])
def test_worlds_die(tmp_path, kind, first, environment):
    plain = lives(tmp_path, "KIND = ''\n" + WORLDS, "plain")
    psyco = lives(tmp_path, f"KIND = {kind!r}; {first}\n" + WORLDS, "psyco", (), environment)
    if kind == "proxy":  # the originals are nobody's
        plain, psyco = ([line for line in lines if "again" not in line] for lines in (plain, psyco))
    assert psyco == plain


def test_unproxy_after_the_original_died():
    def original(x, y=2):
        """Text."""
        return x + y

    original.mark = 1
    code = original.__code__
    fast = psyco.proxy(original)
    del original
    again = psyco.unproxy(fast)
    assert (again(1), again.__code__, again.__doc__, again.mark) == (3, code, "Text.", 1)
    assert psyco.unproxy(fast) is again


def test_what_is_forgotten_keeps_no_class():
    class C:
        def __init__(self): self.x = 1

    def read(objects):
        s = 0
        for o in objects: s += o.x
        return s

    psyco.bind(read)
    for _ in range(50): read([C() for _ in range(200)])
    _core.forget(read)
    gone = weakref.ref(C)
    del C
    settle()
    assert gone() is None
