"""The API on the engine itself: what is compiled after each call, alone, in pairs and in every order.

Whether a function runs natively is asked of the engine: stats() counts the entries into its code.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import textwrap
import types

import psyco
import pytest
from psyco import _core

pytestmark = pytest.mark.usefixtures("no_trials")

SOURCE = """
def leaf(x):
    return x + 1

def work(n):
    total = 0
    for i in range(n):
        total += leaf(i)
    return total

def short(x):
    return x * 2 + 1

def outer(n):
    def inner(k):
        return k + n
    return inner

class Shape:
    def __init__(self, n):
        self.n = n
    def method(self, k):
        return self.n + k
    @staticmethod
    def static(k):
        return k + 1
    @classmethod
    def klass(cls, k):
        return k + 2
    @property
    def prop(self):
        return self.n * 2
"""


def fresh(name="spam"):
    made = types.ModuleType(name)
    made.__file__ = f"{name}.py"
    exec(compile(SOURCE, f"{name}.py", "exec"), vars(made))
    return made


def entries_of(code):
    """How often the code was entered natively so far: its own figures, by file, name and line."""
    return sum(
        f["entries"] for f in psyco.stats()["functions"]
        if (f["file"], f["name"], f["line"]) == (code.co_filename, code.co_qualname, code.co_firstlineno)
    )


def is_native(func, *args):
    """Whether calls of the function run natively once it has had the chance."""
    code = getattr(func, "__func__", func).__code__
    for _ in range(4):
        func(*args)
    before = entries_of(code)
    func(*args)
    return entries_of(code) > before


def is_plain(func, *args):
    """Plain to the last event: nothing of psyco is between the interpreter and the function."""
    function = getattr(func, "__func__", func)
    if is_native(func, *args) or _core.is_bound(function):
        return False
    before = psyco.stats()["events"]
    func(*args)
    mon = sys.monitoring
    return psyco.stats()["events"] == before and not mon.get_local_events(mon.OPTIMIZER_ID, function.__code__)


@pytest.mark.parametrize("name", ["work", "short"])
def test_unbind_undoes_bind(name):
    func = getattr(fresh("undone"), name)
    assert is_plain(func, 2000)
    for _ in range(3):
        psyco.bind(func)
        assert is_native(func, 2000)
        psyco.unbind(func)
        assert is_plain(func, 2000)
        assert is_plain(func, 3000.0 if name == "short" else 3000)


TARGETS = {
    "function": (lambda m: m.short, lambda m: (m.short, 3)),
    "method": (lambda m: m.Shape(1).method, lambda m: (m.Shape(2).method, 3)),
    "function of a class": (lambda m: m.Shape.method, lambda m: (m.Shape(2).method, 3)),
    "class": (lambda m: m.Shape, lambda m: (m.Shape(2).method, 3)),
    "class, static": (lambda m: m.Shape, lambda m: (m.Shape.static, 3)),
    "class, class method": (lambda m: m.Shape, lambda m: (m.Shape.klass, 3)),
    "class, property": (lambda m: m.Shape, lambda m: (vars(m.Shape)["prop"].fget, m.Shape(2))),
    "static method": (lambda m: vars(m.Shape)["static"], lambda m: (m.Shape.static, 3)),
    "module": (lambda m: m, lambda m: (m.short, 3)),
    "module, method": (lambda m: m, lambda m: (m.Shape(2).method, 3)),
    "closure": (lambda m: m.inner, lambda m: (m.inner, 3)),
    "function around a closure": (lambda m: m.outer, lambda m: (m.inner, 3)),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_every_kind_of_target(kind):
    target_of, called = TARGETS[kind]
    made = fresh("target" + str(len(kind)))
    made.inner = made.outer(1)
    target, (func, *args) = target_of(made), called(made)
    hot = 1 if kind != "function around a closure" else 300
    for _ in range(2):
        assert is_plain(func, *args)
        psyco.bind(target)
        for _ in range(hot):
            func(*args)
        assert is_native(func, *args)
        psyco.unbind(target)
    assert is_plain(func, *args)
    psyco.bind(target)
    assert is_native(func, *args)
    psyco.cannotcompile(target if hot == 1 else made.inner)
    assert not is_native(func, *args)
    assert not _core.is_bound(getattr(func, "__func__", func))
    psyco.unbind(target)
    assert is_plain(func, *args)


def test_a_method_of_a_bound_class_alone_is_unbound():
    shape = fresh("partly").Shape
    psyco.bind(shape)
    psyco.unbind(shape.method)
    assert is_plain(shape(1).method, 2)
    assert is_native(shape.static, 2)
    psyco.unbind(shape)
    assert is_plain(shape.static, 2)


@pytest.mark.plain_only  # counts events, and code whose guards all fail is counted anew
def test_callees_are_plain_when_nobody_bound_wants_them():
    made = fresh("callees")
    psyco.bind(made.work)
    for _ in range(300):
        made.leaf(1)
    assert is_native(made.leaf, 1)
    psyco.bind(made.leaf)
    psyco.unbind(made.work)
    assert is_plain(made.work, 2000)
    assert is_native(made.leaf, 1)
    psyco.bind(made.work)
    psyco.unbind(made.leaf)
    for _ in range(300):  # of work still, and counted like any callee
        made.leaf(1)
    assert is_native(made.leaf, 1)
    psyco.unbind(made.work)
    assert is_plain(made.leaf, 1)


def test_functions_that_share_their_code():
    made = fresh("shared")
    first, second = made.outer(1), made.outer(2)
    psyco.bind(first)
    psyco.bind(second)
    psyco.unbind(first)
    assert is_native(second, 3)
    assert is_native(first, 3), "they share their code"
    del second  # the last one that was bound
    assert not is_native(first, 3)
    assert not _core.is_bound(first)
    psyco.bind(first)
    psyco.unbind(first)
    assert is_plain(first, 3)


def test_unbind_in_the_middle():
    """What runs natively comes to its end; the next call is plain."""
    made = fresh("middle")
    made.unbind = psyco.unbind
    exec("def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n        if i == 500: unbind(f)\n    return t\n", vars(made))
    psyco.bind(made.f)
    assert made.f(400) == sum(range(400))
    assert made.f(1000) == sum(range(1000))
    assert is_plain(made.f, 400)


def test_proxies():
    made = fresh("proxied")
    fast = psyco.proxy(made.work)
    assert is_native(fast, 100)
    assert is_plain(made.work, 100)
    assert psyco.unproxy(fast) is made.work
    psyco.unbind(made.work)
    assert is_native(fast, 100)
    psyco.unbind(fast)
    assert is_plain(fast, 100)
    assert psyco.unproxy(fast) is made.work
    psyco.bind(fast)
    psyco.bind(made.work)
    psyco.stop()
    assert is_native(fast, 100)
    assert is_native(made.work, 100)
    psyco.cannotcompile(made.work)
    assert not is_native(made.work, 100)
    assert is_native(fast, 100), "its code is its own"
    with pytest.raises(psyco.CannotCompile):
        psyco.proxy(made.work)
    psyco.cannotcompile(fast)
    assert not is_native(fast, 100)
    assert psyco.unproxy(fast) is made.work


def test_what_is_named_is_not_asked_about():
    made = fresh("asked")
    asked = []
    psyco.setfilter(lambda code: asked.append(code.co_name))
    try:
        psyco.bind(made.work)
        assert is_native(made.work, 100)
        for _ in range(300):
            made.leaf(1)
        assert not is_native(made.leaf, 1)
        assert set(asked) == {"leaf"}
        psyco.unbind(made.work)
        psyco.unbind(made.leaf)
    finally:
        psyco.setfilter(None)


def test_runonly_and_bind():
    made = fresh("frozen")
    psyco.bind(made.work)
    assert is_native(made.work, 100)
    with psyco.runonly():
        assert is_native(made.work, 100)
        psyco.bind(made.short)
        assert not is_native(made.short, 1)
        fast = psyco.proxy(made.leaf)
        assert not is_native(fast, 1)
        psyco.unbind(made.work)
        assert is_plain(made.work, 100)
        psyco.bind(made.work)
        assert is_native(made.work, 100)
    assert is_native(made.short, 1)
    assert is_native(fast, 1)
    for func in (made.work, made.short):
        psyco.unbind(func)


def test_jit_and_stop():
    made = fresh("jitted")
    vars(made)["psyco"] = psyco
    exec("psyco.jit()", vars(made))
    assert is_native(made.work, 3000)
    for _ in range(300):
        made.short(1)
    assert is_native(made.short, 1)
    psyco.bind(made.short)
    psyco.unbind(made.short)
    for _ in range(300):
        made.short(1)
    assert is_native(made.short, 1), "jit() covers it still"
    exec("def late(x): return x - 1", vars(made))
    psyco.bind(made.late)
    psyco.unbind(made.late)
    for _ in range(300):
        made.late(1)
    assert is_native(made.late, 1), "jit() covers what is defined later, whoever else did"
    psyco.bind(made.work)
    psyco.stop()
    assert is_native(made.work, 3000)
    assert is_plain(made.short, 1)
    assert is_plain(made.late, 1)
    psyco.unbind(made.work)
    assert is_plain(made.work, 3000)


def test_stop_leaves_what_bound_functions_call():
    made = fresh("stopped")
    vars(made)["psyco"] = psyco
    exec("psyco.jit()\ndef callee(x): return x + 1\ndef caller(x): return callee(x)", vars(made))
    for _ in range(300):  # and a pending call looks at what is new
        pass
    psyco.bind(made.caller)
    psyco.stop()
    for _ in range(300):
        made.callee(1)
    assert is_native(made.callee, 1)
    psyco.unbind(made.caller)
    assert is_plain(made.callee, 1)


# Each sequence of three calls of the API, on a function of its own, against a model of what they mean.
SEQUENCES = """
import itertools
import psyco
from psyco import _core

_core.set_options({"eager": True, "max_versions": 1000})
SOURCE = "def {name}(n):\\n    t = 0\\n    for i in range(n): t += i\\n    return t\\n"

def entries(name):
    return sum(f["entries"] for f in psyco.stats()["functions"] if f["name"] == name)

class Model:
    named = everything = excluded = code = False
    compiling = allowing = True

    def runs_natively(self):
        wanted = self.named or self.everything
        may_compile = self.compiling and (self.named or self.allowing)
        self.code = not self.excluded and (self.code or (wanted and may_compile))
        return wanted and self.code

def bind(m, f):
    try:
        psyco.bind(f)
        assert not m.excluded
        m.named = True
    except psyco.CannotCompile:
        assert m.excluded

def unbind(m, f):
    psyco.unbind(f)
    m.named = False

def cannotcompile(m, f):
    psyco.cannotcompile(f)
    m.excluded, m.named = True, False

def full(m, f):
    psyco.full()
    m.everything = m.compiling = True

def stop(m, f):
    psyco.stop()
    m.everything = False

def runonly(m, f):
    psyco.runonly()
    m.compiling = False

def refuse(m, f):
    psyco.setfilter(lambda code: not code.co_name.startswith("f_"))
    m.allowing = False

def allow(m, f):
    psyco.setfilter(None)
    m.allowing = True

CALLS = [bind, unbind, cannotcompile, full, stop, runonly, refuse, allow]
def main():
    wrong = done = 0
    for number, calls in enumerate(itertools.product(CALLS, repeat=LENGTH)):
        name = f"f_{number}"
        space = {}
        exec(SOURCE.format(name=name), space)
        f = space[name]
        model = Model()
        for at, call in enumerate(calls):
            call(model, f)
            for _ in range(3):
                f(20)
            before = entries(name)
            f(20)
            native = entries(name) > before
            expected = model.runs_natively()
            if native != expected:
                wrong += 1
                print(*(c.__name__ for c in calls[: at + 1]), "native" if native else "plain", flush=True)
                break
            if not (model.named or model.everything) and _core.is_bound(f):
                wrong += 1
                print(*(c.__name__ for c in calls[: at + 1]), "is_bound")
            done += 1
        psyco.unbind(f)
        psyco.full()  # ends runonly()
        psyco.stop()
        psyco.setfilter(None)
        space.clear()
    print(done, "states,", wrong, "wrong")

# Under full() they would be compiled, with the function in them.
for helper in (entries, Model.runs_natively, main, *CALLS):
    psyco.cannotcompile(helper)
main()
"""


@pytest.mark.parametrize("length", [2, 3])
def test_every_order(length):
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PSYCO_")}
    code = textwrap.dedent(SEQUENCES).replace("LENGTH", str(length))
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.endswith(", 0 wrong"), done.stdout[-2000:]
    assert int(last.split()[0]) == length * 8**length


def test_pairs_of_targets():
    """A function and the class or module it is in: the last word on each function counts."""
    for number, (first, second) in enumerate(itertools.permutations(["function", "class", "module"], 2)):
        made = fresh(f"pair{number}")
        targets = {"function": made.Shape.method, "class": made.Shape, "module": made}
        psyco.bind(targets[first])
        psyco.bind(targets[second])
        assert is_native(made.Shape(1).method, 2)
        psyco.unbind(targets[first])
        assert is_plain(made.Shape(1).method, 2)
        assert is_native(made.short, 2) == ("module" == second)
        psyco.unbind(targets[second])
        assert is_plain(made.short, 2)
