"""What differs between versions of CPython, each seen where it would go wrong silently."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import textwrap

import opcode
import psyco
import pytest
from differential import check
from psyco import _core

# --- The order in which things die ----------------------------------------------------------------

DYING = """
log = []
class D:
    def __init__(self, n): self.n = n
    def __del__(self): log.append(self.n)
    def __add__(self, other): return 1
    def __iadd__(self, other): return 1
    def __lt__(self, other): return True
    def __contains__(self, item): return True
    def __getitem__(self, key): return 1
    def __setitem__(self, key, value): pass
    def __delitem__(self, key): pass
    def __call__(self, *args, **kwargs): return 1
    def method(self, *args): return 1
class Plain:
    def __init__(self, n): self.n = n
    def __del__(self): log.append(self.n)
def two(a, b): return 1
def two_raise(a, b): raise ValueError
def two_rebind(a, b):
    a = b = 0
    return 1
def three():
    a = D(1); b = D(2); c = D(3)
def three_raise():
    a = D(1); b = D(2); c = D(3)
    raise ValueError
def three_value():
    a = D(1); b = D(2); c = D(3)
    return b.n + 0.5
def seen(function):
    del log[:]
    try:
        function()
    except (TypeError, ValueError) as error:
        log.append(type(error).__name__)
        del error
    return list(log)
"""
# (Of D(1)[D(2)] the order depends on whether the interpreter has specialised it, from 3.14 on.)
STATEMENTS = """
D(1) + D(2)
D(1) < D(2)
D(1) in D(2)
D(1) is D(2)
D(1) is not D(2)
D(1)[D(2):D(3)]
D(1)[D(2)] = D(3)
D(1)[D(2):D(3)] = D(4)
del D(1)[D(2)]
D(1).other = D(2)
D(1)(D(2), D(3))
D(1)(D(2), k=D(3))
D(1).method(D(2), D(3))
two(D(1), D(2))
two_raise(D(1), D(2))
isinstance(D(1), D)
isinstance(D(1), D(2))
max(D(1), D(2), key=two_rebind.__call__)
slice(D(1), D(2))
[D(1), D(2)]
(D(1), D(2))
f"{D(1)!r:.0}{D(2)!r:.0}"
a, b = D(1), D(2); del a, b
a = D(1); a = D(2)
a, b = b, a = (D(1), D(2))
Plain(1) in {0: 1}
three()
three_raise()
three_value()
""".strip().splitlines()


# In 3.13 slices, methods' arguments and what a failed call leaves die from the deepest up, but from the
# top down in what is compiled. In 3.15 a slice is no object any more when it is only read.
OTHER_ORDER_IN_315 = {"D(1)[D(2):D(3)]"}
OTHER_ORDER_IN_313 = {
    "D(1)[D(2):D(3)]", "D(1)[D(2):D(3)] = D(4)", "D(1).method(D(2), D(3))", "isinstance(D(1), D(2))",
    "max(D(1), D(2), key=two_rebind.__call__)",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_order_in_which_operands_die(statement, request):
    other = {(3, 13): OTHER_ORDER_IN_313, (3, 15): OTHER_ORDER_IN_315}.get(sys.version_info[:2], ())
    if statement in other:
        # Where guards fail, the interpreter may be the one who lets go.
        strict = "PSYCO_DEBUG" not in os.environ
        request.applymarker(pytest.mark.xfail(strict=strict, reason="another order than in plain Python"))
    check(f"{DYING}\ndef do():\n    {statement}\n", ["seen(do)"])


@pytest.mark.plain_only
def test_arguments_die_when_they_are_rebound():
    """Not where the interpreter passes them to a compiled function: there they live until it returns."""
    check(f"{DYING}\ndef do():\n    two_rebind(D(1), D(2))\n", ["seen(do)"])


def test_the_order_in_which_locals_die_in_a_loop():
    check(DYING + """
def do(n):
    out = []
    for i in range(n):
        out.append(seen(three))
        out.append(seen(lambda: two(D(1), D(2))))
    return out
""", ["do(300)"], repeat=2)


# --- Objects and their layouts --------------------------------------------------------------------


def test_inline_values_behind_slots():
    """A class with a dictionary under a base with slots: from 3.14 on the values lie behind these."""
    check("""
class B:
    __slots__ = ("a", "b")
class C(B):
    def __init__(self, i):
        self.a = i; self.b = "slot b"; self.x = "attribute x"; self.y = i
    def value(self): return self.y
def get(o, n):
    r = []
    for i in range(n):
        r = (o.x, o.y, o.a, o.b, o.value())
    return r
def put(o, n):
    for i in range(n):
        o.x = i; o.y = o.y + 1; o.a = i + 0.5
    return o.x, o.y, o.a, o.b, list(vars(o))
def make(n):
    out = None
    for i in range(n):
        out = C(i)
    return out.a, out.b, out.x, out.y, vars(out)
""", ["get(C(1), 300)", "put(C(1), 300)", "make(300)", "get(C('s'), 300)"], repeat=3)


def test_annotations_of_inner_functions():
    check("""
def outer(n):
    out = None
    for i in range(n):
        def inner(x: int, y: "later" = 2) -> str:
            return x
        out = inner
    return out.__annotations__, out(3), out.__closure__, out.__defaults__
def closed(n):
    out = None
    for i in range(n):
        def inner(x: n.__class__) -> i.__class__:
            return x + n
        out = inner
    return out.__annotations__, out(3), len(out.__closure__)
""", ["outer(300)", "closed(300)"], repeat=2)


def test_a_proxy_does_not_compute_annotations():
    space = {}
    annotation = ": Later" if sys.version_info >= (3, 14) else ""
    exec(compile(f"def f(x{annotation}): return x", "<f>", "exec", dont_inherit=True), space)
    fast = psyco.proxy(space["f"])
    assert fast(3) == 3
    space["Later"] = int
    if sys.version_info >= (3, 14):
        assert fast.__annotations__ == {"x": int}


def test_which_ints_are_one_object():
    check("""
def same(n):
    found = []
    for i in range(n):
        a = i - 20
        b = int(str(a))
        if a is b: found.append(a)
    return found[:3], found[-3:], len(found)
def store(n):
    kept = []
    for i in range(n):
        kept.append(i * 7)
    return [x is int(str(x)) for x in kept]
class Counter: value = 0
def count(n):
    c = Counter()
    c.value = 1
    out = []
    for i in range(n):
        c.value += 1
        if c.value is int(str(c.value)): out.append(c.value)
    return out[-2:]
""", ["same(1400)", "store(200)", "count(1300)"], repeat=2)


def test_floats_come_from_the_free_list():
    check("""
def f(n):
    kept = []
    for i in range(n):
        x = i * 1.5
        y = x + 0.25
        kept.append(y)
        if len(kept) > 50: kept.clear()
    return kept, type(kept[0]).__name__
""", ["f(2000)"], repeat=3)


def test_reference_counts_of_variables():
    """Whether the argument counts itself depends on the instruction that puts it on the stack."""
    check("""
from sys import getrefcount
class K: pass
def one():
    a = K()
    return getrefcount(a)
def two():
    a = K()
    b = a
    return getrefcount(a), getrefcount(b)
def last():
    a = K()
    b = [a]
    return getrefcount(a), getrefcount(b[0])
def beside():
    a = K()
    b = K()
    return (b, a, getrefcount(a))[2], [a, getrefcount(a), getrefcount(a)][1:]
def loop(n):
    a = K()
    out = []
    for i in range(n):
        out.append(getrefcount(a))
    return out[-3:]
""", ["one()", "two()", "last()", "beside()", "loop(300)"])


# --- Frames, slots, exceptions --------------------------------------------------------------------


def test_loops_in_handlers():
    """In a handler the offset of what raised may lie on the stack: no object from 3.14 on."""
    check("""
def in_finally(n):
    log = []
    try:
        try:
            log.append(1 // 0)
        finally:
            s = 0
            for i in range(n):
                s += i
            log.append(s)
    except ZeroDivisionError as error:
        log.append(error.__traceback__.tb_lineno)
        for i in range(n):
            s -= i
        log.append(s)
    return log
class Quiet:
    def __enter__(self): return self
    def __exit__(self, *args):
        self.seen = 0
        for i in range(500):
            self.seen += i
        return True
def in_with(n):
    s = 0
    with Quiet() as q:
        for i in range(n):
            s += i
        raise KeyError(s)
    return s, q.seen
def reraised(n):
    s = 0
    try:
        raise KeyError(1)
    except KeyError:
        for i in range(n):
            s += i
            if i == n - 2:
                raise ValueError(s)
""", ["in_finally(700)", "in_with(700)", "reraised(700)"], repeat=3)


def test_with():
    check("""
import threading
class Missing: pass
class NoExit:
    def __enter__(self): return 1
class M:
    def __init__(self): self.log = []
    def __enter__(self):
        self.log.append("in")
        return self
    def __exit__(self, kind, value, tb):
        self.log.append(kind and kind.__name__)
        return kind is KeyError
class Static:
    @staticmethod
    def __enter__(): return 5
    @classmethod
    def __exit__(cls, *args): return bool(args[0])
class Shadowed(M):
    def __init__(self):
        super().__init__()
        self.__enter__ = self.__exit__ = None
def loop(make, n):
    out = []
    for i in range(n):
        m = make()
        with m as got:
            if i % 3 == 1: raise KeyError(i)
            out.append(got is m)
        out.append(getattr(m, "log", None))
    return out[-6:]
def raising(make):
    with make() as got:
        raise ValueError(7)
def changed(n):
    out = []
    class N(M): pass
    for i in range(n):
        if i == n // 2:
            N.__enter__ = lambda self: 42
        with N() as got:
            out.append(got if got == 42 else 0)
    return sum(out)
def lock(n):
    l = threading.Lock()
    s = 0
    for i in range(n):
        with l:
            s += i
    return s, l.locked()
""", ["loop(M, 100)", "loop(Static, 100)", "loop(Shadowed, 100)", "raising(M)", "raising(Missing)", "raising(NoExit)",
      "raising(int)", "changed(100)", "lock(300)"], repeat=3)


def test_borrowed_arguments_outlive_their_variable():
    """A callee may have borrowed its argument: what its loop takes over must be owned."""
    check("""
import sys
class K:
    def __init__(self, log): self.log = log
    def __del__(self): self.log.append("dead")
def callee(k, n):
    sys._getframe(1).f_locals["k"] = None
    s = 0
    for i in range(n):
        s += i
        if i % 100 == 0: k.log.append(i)
    return s
def caller(n):
    log = []
    k = K(log)
    log.append(callee(k, n))
    return k, log
""", ["caller(400)"], repeat=3)


def test_sequences_under_a_loop():
    """From 3.15 on the interpreter walks some sequences by a position in the frame, without iterator."""
    check("""
class L(list): pass
class Own(list):
    def __iter__(self): return iter([7, 8, 9] * 60)
def walk(things, n):
    s = 0
    for x in things:
        s += n
        if x == 5: s += 1
    return s
def grows(n):
    things = [1]
    for x in things:
        if len(things) < n: things.append(x + 1)
    return things[-3:], len(things)
def shrinks(n):
    things = list(range(n))
    seen = 0
    for x in things:
        seen += 1
        if x % 7 == 3: del things[-1]
    return seen, len(things)
def within(n):
    out = []
    rows = [[i, i + 1, i + 2] for i in range(n)]
    for row in rows:
        for x in row:
            for letter in "abc":
                out.append((x, letter))
            for byte in b"xyz":
                if byte == 121: break
        else:
            out.append(row)
        pairs = [(a, b) for a in row for b in (1, 2)]
        out.append(pairs)
    return out[-7:], len(out)
def left(n):
    found = []
    for x in list(range(n)):
        try:
            if x % 11 == 4: continue
            if x == n - 3: return found, x
            found.append(x)
        finally:
            for y in (1, 2, 3):
                if y == x: break
    return found
def caught(n):
    out = []
    for x in [1] * n + ["a"]:
        try:
            out.append(x + 1)
        except TypeError as error:
            for letter in str(error):
                out.append(letter)
    return out[-5:], len(out)
def one(it):
    for x in it:
        return x
""", ["walk(list(range(300)), 2)", "walk(tuple(range(300)), 2)", "walk('abc' * 100, 2)", "walk('\u00e9\u4444' * 100, 2)",
      "walk(b'\x05' * 300, 2)", "walk(bytearray(b'\x05') * 300, 2)", "walk(L(range(300)), 2)", "walk(Own(), 2)",
      "walk({i for i in range(300)}, 2)", "walk(range(300), 2)", "walk(iter([5] * 300), 2)", "grows(300)", "shrinks(300)",
      "within(90)", "left(200)", "caught(200)", "one([3, 4])"], repeat=3)


@pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy imports are of 3.15")
def test_lazy_imports(tmp_path):
    """Where a module is used it is imported; what stands there before is seen by nobody."""
    (tmp_path / "mm.py").write_text("lazy import fractions\n")
    (tmp_path / "other.py").write_text("value = 5\nlen = 'my len'\n")
    (tmp_path / "program.py").write_text(textwrap.dedent("""
        import mm
        lazy import fractions
        lazy from other import len
        lazy import not_there
        name = 0
        def attribute(n):
            r = None
            for i in range(n):
                r = mm.fractions
            return type(r).__name__
        def own(n):
            r = 0
            for i in range(n):
                r += fractions.Fraction(i, 3)
            return r
        def hidden(n):
            r = []
            for i in range(n):
                r = len
            return r
        def missing(n):
            for i in range(n):
                try:
                    not_there.x
                except ImportError as error:
                    last = str(error)
            return last
        def variable(n):
            global name
            seen = []
            for i in range(n):
                name = i
                seen.append(name)
            return seen[-1]
        def look(n):
            seen = []
            for i in range(n):
                seen.append(type(name).__name__)
            return seen[-1]
        def inner(n):
            r = None
            for i in range(n):
                import os.path as p
                from math import pi
                r = p.join("a", str(pi))
            return r
        for function in attribute, own, hidden, missing, variable, look, inner:
            print(function.__name__, function(3), function(300), function(5))
        lazy import decimal as name
        print(look(1), look(300))
        for i in range(40):
            lazy import textwrap
            import keyword
            print(textwrap.__name__, keyword.iskeyword("if")) if i == 39 else None
    """))
    outputs = [subprocess.run([sys.executable, *options, "program.py"], cwd=tmp_path, capture_output=True, text=True,
                              env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(psyco.__file__))})
               for options in ([], ["-m", "psyco"], ["-m", "psyco", "--eager"])]
    assert "own 1 14950 10/3" in outputs[0].stdout and "look module module" not in outputs[0].stdout
    assert outputs[0].returncode == 0, outputs[0].stderr
    for output in outputs[1:]:
        assert (output.stdout, output.stderr) == (outputs[0].stdout, outputs[0].stderr)


# --- Facts of the version -------------------------------------------------------------------------


def mapped():
    """The raw opcodes that the tables translate, with their cache units."""
    folder = "v{}{}".format(*sys.version_info[:2])
    root = os.path.join(os.path.dirname(__file__), "..", "..", "src", "cpython")
    rows = {}
    for name in ("bytecodes.def", f"{folder}/own_bytecodes.def"):
        with open(os.path.join(root, name)) as file:
            for row in re.finditer(r"^MAP\((\w+), (\d+),", file.read(), re.MULTILINE):
                assert row[1] not in rows
                rows[row[1]] = int(row[2])
    return rows


# Pseudo-instructions' and the interpreter's own, which no code object holds.
NEVER = {"CACHE", "RESERVED", "INTERPRETER_EXIT", "EXTENDED_ARG", "ENTER_EXECUTOR", "EXIT_INIT_CHECK", "TRACE_RECORD"}


@pytest.mark.plain_only
def test_every_opcode_is_translated():
    there = {name for name, code in opcode.opmap.items() if code < 256 and not name.startswith("INSTRUMENTED_")}
    specialised = set(getattr(opcode, "_specialized_opmap", {}))
    rows = mapped()
    assert there - specialised - NEVER - set(rows) == set()
    assert set(rows) - there == set()
    for name, caches in rows.items():
        assert opcode._inline_cache_entries.get(name, 0) == caches, name


@pytest.mark.plain_only
@pytest.mark.skipif(not shutil.which("nm"), reason="there is no nm")
def test_the_interpreter_has_what_the_module_needs():
    def symbols(path, option):
        done = subprocess.run(["nm", "-D", option, path], capture_output=True, text=True, check=True)
        return {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}

    needed = {name for name in symbols(_core.__file__, "--undefined-only") if re.match("_?Py", name)}
    there = symbols(os.path.realpath(sys.executable), "--defined-only")
    if "Py_Initialize" not in there:
        pytest.skip("the interpreter is in a shared library")
    assert needed and needed - there == set()


@pytest.mark.plain_only
def test_versions_stand_in_their_folders_only(root):
    """What differs between versions is named by the port: nothing outside src/cpython names it."""
    facts = re.compile(r"\b(f_executable|f_funcobj|stacktop|stackpointer|c_recursion_remaining|ma_version_tag|"
                       r"_ma_watcher_tag|_PyStackRef\w*|PyStackRef_\w+|_tp_iteritem|PyLazyImport_\w+|BACKOFF_BITS|"
                       r"_PY_NSMALL\w+|PY_VERSION_HEX|PY_MINOR_VERSION)\b")
    found = []
    for path in (root / "src").rglob("*"):
        name = path.relative_to(root / "src").as_posix()
        if path.suffix not in (".cpp", ".h", ".def") or name.startswith("cpython/"):
            continue
        for line in path.read_text().splitlines():
            if facts.search(re.sub(r"//.*", "", line)) and not (
                    name == "runtime/selftest.cpp" and "offsetof(_PyInterpreterFrame" in line):
                found.append(f"{name}: {line.strip()}")
    assert found == []


@pytest.mark.plain_only
def test_folders_hold_only_what_differs(root):
    folders = sorted((root / "src/cpython").glob("v3*"))
    assert [folder.name for folder in folders] == ["v{}{}".format(*version) for version in psyco._engine.SERVED]
    for old, new in zip(folders, folders[1:]):
        names = sorted(path.name for path in old.iterdir())
        assert names == sorted(path.name for path in new.iterdir())
        differing = 0
        for name in names:
            texts = [(folder / name).read_text().splitlines() for folder in (old, new)]
            differing += sum(line[0] in "+-" for line in difflib.unified_diff(*texts, lineterm="", n=0) if line[:3] not in ("---", "+++"))
        assert 0 < differing < 250


@pytest.mark.plain_only
def test_a_new_port_is_a_copy(root, tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(root / "tools"))
    from devtool import newport
    from devtool.console import Failure

    newest = psyco._engine.SERVED[-1]
    shutil.copytree(root / "src/cpython", tmp_path / "src/cpython")
    monkeypatch.setattr(newport, "ROOT", tmp_path)
    monkeypatch.setattr(newport, "PORTS", tmp_path / "src/cpython")
    number = newest[1] + 1
    assert newport.new_port(f"3{number}") == 0
    version = (tmp_path / f"src/cpython/v3{number}/version.h").read_text()
    assert f"0x03{number:02X}0000" in version and f"only CPython 3.{number} does" in version
    assert f"3.{newest[1]}" not in version
    assert "VERSIONS of tools/devtool/interpreter.py" in capsys.readouterr().out
    for name in (f"3{number}", "4", "python"):
        with pytest.raises(Failure):
            newport.new_port(name)


@pytest.mark.plain_only
def test_events_of_single_code_objects_are_all_seen():
    """A tool's local event of any kind keeps compiled callers out of the code."""
    program = textwrap.dedent("""
        import sys, psyco
        M = sys.monitoring
        def leaf(x): return x + 1
        def caller(n):
            s = 0
            for i in range(n): s += leaf(i)
            return s
        psyco.bind(leaf); psyco.bind(caller)
        for _ in range(5): caller(500)
        M.use_tool_id(2, "t")
        seen = 0
        def callback(*args):
            global seen
            seen += 1
        for event in %s:
            M.register_callback(2, event, callback)
            M.set_local_events(2, leaf.__code__, event)
            seen = 0
            caller(300)
            print(event, seen)
            M.set_local_events(2, leaf.__code__, 0)
            M.register_callback(2, event, None)
        M.free_tool_id(2)
    """) % "[M.events.PY_START, M.events.PY_RETURN, M.events.LINE, M.events.INSTRUCTION]"
    outputs = [subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                              env={**os.environ, "PSYCO_DISABLE": off}).stdout for off in ("1", "0")]
    assert outputs[0] == outputs[1] and "300" in outputs[0]


# --- Tools that are switched off as a whole (3.14) ------------------------------------------------

SWITCHED_OFF = """
import sys, psyco
M = sys.monitoring
own = next(i for i in (5, 4, 3) if M.get_tool(i) == "psyco")
def work(n):
    s = 0
    for i in range(n):
        s += i
    return s
def later(n):
    s = 1
    for i in range(n):
        s += i
    return s
psyco.jit()
{}
for function in work, later:
    for _ in range(40): function(3000)
    print(function(10), psyco.explain(function).compiled)
"""
OTHER_TOOL = """
M.use_tool_id(2, "other")
M.set_events(2, M.events.PY_RETURN | M.events.LINE)
work(30)
M.{}(2)
"""


@pytest.mark.plain_only
@pytest.mark.skipif(sys.version_info < (3, 14), reason="in 3.13 free_tool_id leaves the events on")
@pytest.mark.parametrize("what", [
    OTHER_TOOL.format("clear_tool_id"), OTHER_TOOL.format("free_tool_id"),
    "work(30); M.clear_tool_id(own)",
], ids=["cleared", "freed", "ours cleared"])
def test_tools_that_are_switched_off_as_a_whole(what):
    program = SWITCHED_OFF.format(what)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["45", "True", "46", "True"], done.stderr
