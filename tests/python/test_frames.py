"""What is visible of running functions: frames, locals, tracebacks, handled exceptions."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from differential import check

TOOLS = """
import sys
def lines(depth=1):
    out = []
    f = sys._getframe(depth)
    while f and f.f_code.co_filename == '<case>':
        out.append((f.f_code.co_qualname, f.f_lineno))
        f = f.f_back
    return out
def seen(depth=1):
    return dict(sys._getframe(depth + 1).f_locals)
"""

CASES = {
    "traceback lines": ("""
def inner(x):
    y = x
    return (y +
            1) / (
        x - 2)
def middle(n):
    total = 0
    for i in range(n):
        total += inner(i)
    return total
def outer(n):
    try:
        return middle(n)
    finally:
        n = (
            None)
""", ["outer(2)", "outer(5)", "middle('x')", "inner('a')"]),
    "traceback of handlers": ("""
def f(n):
    for i in range(n):
        try:
            if i == 2:
                raise KeyError(i)
        except KeyError:
            g(i)
        finally:
            i += 1
def g(i):
    raise ValueError(
        i)
def h():
    try:
        f(5)
    except ValueError as e:
        raise RuntimeError('h') from e
def multi(a):
    return [
        x / a
        for x in (1,
                  2)
    ]
""", ["f(2)", "f(3)", "h()", "multi(1)", "multi(0)"]),
    "traceback through inlined calls": ("""
def leaf(x): return 10 // x
def twig(x): return leaf(x) + leaf(x - 1)
def branch(x):
    r = twig(x)
    return r
class C:
    def __init__(self, x):
        self.v = branch(x)
    def get(self):
        return branch(self.v - 1)
    @property
    def p(self):
        return leaf(self.v)
    def __add__(self, o):
        return leaf(o)
def tree(n):
    total = 0
    for i in range(n, -1, -1):
        total += branch(i)
    return total
""", ["branch(3)", "branch(1)", "branch(0)", "C(2).get()", "C(10).get()", "tree(3)", "C(2) + 0", "C(20).p"]),
    "frame walk": (TOOLS + """
def c():
    return lines(1)
def b(n):
    for i in range(n):
        r = c()
    return r
def a(n):
    return [b(n),
            lines()]
class K:
    def m(self):
        return self.walk
    @property
    def walk(self):
        return lines()
""", ["a(3)", "a(1)", "K().m()", "[lines() for _ in range(2)]"]),
    "locals": (TOOLS + """
def f(a, b=2, *c, d, **e):
    x = a
    for i in range(3):
        y = (x, i)
        s = seen(0)
    z = locals()
    del x
    return s, z, locals(), sorted(vars())
def g(n):
    cell = n
    def inner():
        return cell, seen(0)
    out = inner()
    cell = 'changed'
    return out, inner()[0], locals().keys()
def h(n):
    for i in range(n):
        v = eval('i * 10')
        exec('i = 99')
    return v, i
class C:
    def m(self):
        return sorted(seen(0)), __class__.__name__
""", ["f(1, d=4)", "f(1.5, 2, 3, d=[], k='v')", "g(5)", "h(3)", "C().m()"]),
    "locals of callers": (TOOLS + """
def probe():
    f = sys._getframe(1)
    return dict(f.f_locals), dict(f.f_back.f_locals) if f.f_back else None
def inner(k):
    t = k * 2
    p = probe()
    t += 1
    return p
def outer(n):
    out = []
    acc = 0.5
    for i in range(n):
        acc += i
        item = (i, acc)
        if i == n - 1:
            out.append(inner(i))
    return out
""", ["outer(3)", "outer(5)", "inner(2.5)"]),
    "writes through f_locals": (TOOLS + """
def poke(name, value):
    sys._getframe(1).f_locals[name] = value
def f(n):
    x = 1
    out = []
    for i in range(n):
        if i == 2:
            poke('x', 'poked')
        out.append(x)
        if i == 3:
            poke('x', 2.5)
            poke('i', 100)
        out.append(i)
    return out
def g(n):
    total = 0
    for i in range(n):
        poke('extra', i)
        poke('total', total + 10)
        total += 1
    return total, sys._getframe().f_locals['extra']
def h():
    def get():
        return cell
    cell = 1
    poke('cell', 2)
    return get(), cell
""", ["f(6)", "g(4)", "h()"]),
    "frames kept": (TOOLS + """
kept = []
def keep():
    kept.append(sys._getframe(1))
def f(n):
    del kept[:]
    x = [n]
    for i in range(n):
        if i == 1:
            keep()
        x.append(i)
    y = 'end'
    return x
def g(n):
    f(n)
    frame = kept[0]
    return dict(frame.f_locals), frame.f_lineno, frame.f_back is None, frame.f_code.co_name
def later(n):
    f(n)
    frame = kept[0]
    frame.clear()
    return dict(frame.f_locals)
""", ["f(3)", "g(3)", "g(5)", "later(3)"]),
    "own frames kept": (TOOLS + """
kept = []
class Last:
    def __del__(self):
        kept.append(sys._getframe(1))
def f(n):
    del kept[:]
    x = [n]
    for i in range(n):
        if i == 1:
            kept.append(sys._getframe())
        x.append(i)
    y = 'end'
    return x
def one(n):
    del kept[:]
    kept.append(sys._getframe())
    y = n + 1
    return y
def released(n):
    del kept[:]
    x = Last()
    x = n
    y = x + 1
    return y
def down(n):
    a = n * 2
    if n == 0:
        del kept[:]
        frame = sys._getframe()
        while frame and frame.f_code is down.__code__:
            kept.append(frame)
            frame = frame.f_back
        return 0
    b = down(n - 1) + 1
    c = 'end'
    return b
def passing(n):
    r = 0
    for i in range(n):
        r += sys._getframe().f_lineno
    return r
def shown():
    return [(dict(frame.f_locals), frame.f_lineno) for frame in kept]
""", ["(f(3), shown())", "(one(3), shown())", "(released(3), shown())", "(down(3)) and shown()[1:]", "passing(4)"]),
    "frames kept before an operand dies": (TOOLS + """
kept = []
def shown():
    out = []
    for frame in kept:
        while frame and frame.f_code.co_filename == '<case>':
            out.append((frame.f_code.co_name, frame.f_lineno, sorted(k for k in frame.f_locals)))
            frame = frame.f_back
        out.append(None)
    return out
def ends(k):
    yield from range(k)
    kept.append(sys._getframe())
class Gone:
    def __init__(self): kept.append(sys._getframe(1))
    def __call__(self, *args): return [kept.append(sys._getframe(1))]
def twice(n):
    x = [n]
    out = [*ends(2), *ends(1)]
    y = 'end'
    return out
def operand(n):
    z = n
    r = Gone()(Gone(), [n])
    y = z + 1
    return r
def f(n):
    del kept[:]
    a = 0
    for i in range(n):
        a += len(twice(i)) + len(operand(i))
    b = a
    return a
""", ["(f(3), shown())", "f(9)", "[twice(1) + operand(2) for _ in range(3)] and shown()"]),
    "variables read before an operand dies": (TOOLS + """
class Thing:
    def __init__(self, x): self.x = x
def look(*things):
    return sorted((k, v) for k, v in sys._getframe(1).f_locals.items() if isinstance(v, (int, str)))
def look_up(*things):
    return sorted((k, v) for k, v in sys._getframe(2).f_locals.items() if isinstance(v, (int, str)))
def inner(x, here):
    y = x + 1
    r = (look if here else look_up)(Thing(y), Thing(x))
    z = y * 2
    return r, x, y, z
def f(n, here):
    out = []
    for i in range(n):
        j = i * 3
        out.append(inner(j, here))
        k = 'k' + str(j)
    return out, i, j, k
def nested(n):
    return [inner(n, m % 2) + (f(2, m % 3),) for m in range(n)]
""", ["f(5, True)", "f(5, False)", "nested(4)"]),
    "frames of tracebacks": ("""
import sys
def f(n):
    a = n
    for i in range(n):
        b = a * i
        if i == 3:
            raise ValueError(i)
    return a
def g(n):
    try:
        f(n)
    except ValueError as e:
        tb = e.__traceback__.tb_next
        return dict(tb.tb_frame.f_locals), tb.tb_lineno, tb.tb_frame.f_lineno, tb.tb_lasti >= 0
    return 'fine'
""", ["g(2)", "g(5)", "g(9)"]),
    "exc_info": ("""
import sys
def what():
    e = sys.exception()
    return e and (type(e).__name__, str(e))
def f(n):
    out = [what()]
    for i in range(n):
        try:
            raise KeyError(i)
        except KeyError:
            out.append(what())
            try:
                raise ValueError(i)
            except ValueError:
                out.append((what(), sys.exc_info()[1].__context__.args))
            out.append(what())
        out.append(what())
    return out
def gen():
    for i in range(3):
        try:
            raise OSError(i)
        except OSError:
            yield what()
        yield what()
def g():
    out = []
    try:
        raise TypeError('outer')
    except TypeError:
        for x in gen():
            out.append((x, what()))
    return out, what()
def h():
    try:
        raise KeyError
    except KeyError:
        try:
            pass
        finally:
            return what()
""", ["f(1)", "f(3)", "g()", "h()", "what()"]),
    "generator frames": (TOOLS + """
def gen(n):
    total = 0
    for i in range(n):
        total += i
        yield lines(), dict(sys._getframe().f_locals)
def f(n):
    g = gen(n)
    out = []
    for item in g:
        out.append((item, g.gi_frame.f_lineno, dict(g.gi_frame.f_locals), g.gi_running))
    return out, g.gi_frame
def half(n):
    g = gen(n)
    next(g)
    g.gi_frame.f_locals['total'] = 100
    return list(g)
def through(n):
    yield from gen(n)
""", ["f(3)", "half(3)", "[x[0] for x in through(2)]"]),
    "zero argument super": ("""
class A:
    def m(self, *a):
        return ('A', a)
class B(A):
    def m(self, x):
        out = []
        for i in range(3):
            out.append(super().m(i))
            out.append([super(B, self).m(i)])
        y = x
        return out, super().__thisclass__.__name__, __class__.__name__
    def bad(self):
        self = 5
        return super().m()
    def no_self(*args):
        return super().m()
""", ["B().m(1)", "B().bad()", "B().no_self()", "B.no_self()"]),
    "function attributes": ("""
def f(a, b=2, *, c=3):
    return a, b, c
def change(n):
    out = []
    keep = f.__defaults__, f.__kwdefaults__, f.__code__
    for i in range(n):
        out.append(f(i))
        if i == 1:
            f.__defaults__ = ('new',)
        if i == 2:
            f.__kwdefaults__ = {'c': 'kw'}
        if i == 3:
            f.__code__ = (lambda a, b=0, *, c=0: ('replaced', a, b, c)).__code__
        if i == 4:
            f.__defaults__ = None
            f.__code__ = (lambda a: a).__code__
    f.__defaults__, f.__kwdefaults__, f.__code__ = keep
    return out
""", ["change(2)", "change(4)", "change(6)", "f(1)"]),
    "warnings name the line": ("""
import warnings
def old():
    warnings.warn('old', DeprecationWarning, stacklevel=2)
def f(n):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        for i in range(n):
            if i == 1:
                old()
            i += 0
    return [(w.lineno, w.filename) for w in caught]
""", ["f(3)"]),
    "namedtuple and globals of the caller": ("""
import collections
def f():
    T = collections.namedtuple('T', 'a b')
    return T.__module__, T(1, 2)._replace(a=5)
def g(n):
    return [globals() is f.__globals__ for _ in range(n)], __name__
def h(x):
    return eval('x + y', None, {'x': x, 'y': 1}), eval('x'), [eval('x') for _ in range(2)]
""", ["f()", "g(2)", "h(1)"]),
    "a proxy of the variables outlives the read": ("""
import sys
def hidden():
    proxy = [sys._getframe().f_locals for b in [0]][0]
    proxy['b'] = 2
    proxy['c'] = 3
    got = b, c
    b = c = 0
    return got
def read(n):
    x = 1
    proxy = sys._getframe().f_locals
    out = []
    for i in range(n):
        out.append((proxy['x'], proxy['i'], sorted(proxy)))
        x += 1
        proxy['x'] = x * 2
    return out, x
""", ["hidden()", "read(3)", "read(40)[1]"]),
    "an argument lent by a caller that does not own it": ("""
import sys
class Manager:
    def __enter__(self):
        return self
    def __exit__(self, kind, error, tb):
        # The exception alone keeps the traceback that the interpreter passes.
        error.with_traceback(None)
        found = [0 for _ in range(50)]
        self.line = tb.tb_lineno, len(found)
        return True
def f():
    m = Manager()
    with m:
        1 / 0
    return m.line
""", ["f()", "f()", "[f() for _ in range(30)][-1]"]),
    "what a finaliser sees of the frame that drops the object": ("""
import sys
log = []
class Dying:
    def __init__(self, tag):
        self.tag = tag
    def __del__(self):
        frame = sys._getframe(1)
        log.append((self.tag, frame.f_code.co_name, frame.f_lineno, sorted(frame.f_locals)))
def stores(n):
    a = Dying('first')
    a = Dying('second')
    for i in range(n):
        a = Dying(i)
        b = i
    del a
    a = [Dying('in a list'), 1]
    a[0] = b
    a = Dying('last')
    c = Dying('of two')
    return (
        n)
def constant(n):
    a = Dying('at the end')
    if n:
        return 3
    b = Dying('of both')
def small(tag):
    a = Dying(tag)
    a = Dying((tag, 'later'))
    return 1
def nested(n):
    total = 0
    for i in range(n):
        total += small(i)
        total += (
            small('x'))
    return total
def through(n):
    a = Dying('outer')
    return constant(n) or nested(n)
def seen(name, *args):
    log.clear()
    return globals()[name](*args), list(log)
""", ["seen('stores', 3)", "seen('constant', 0)", "seen('constant', 1)", "seen('nested', 2)", "seen('through', 2)", "seen('through', 0)", "seen('stores', 40)[1][-9:]"]),
    "what a finaliser sees and does between two stores of one instruction": ("""
import sys
log = []
class Dying:
    def __init__(self, tag, action=None):
        self.tag = tag
        self.action = action
    def __repr__(self):
        return f'Dying {self.tag}'
    def __del__(self):
        frame = sys._getframe(1)
        values = {name: str(value) for name, value in frame.f_locals.items() if name in ('a', 'b', 'c', 'i')}
        log.append((self.tag, frame.f_code.co_name, frame.f_lineno, values))
        if self.action == 'write':
            for name in 'b', 'c':
                if not isinstance(frame.f_locals.get(name), Dying):
                    frame.f_locals[name] = 'written ' + name
        if self.action == 'keep':
            kept.append(frame)
        if self.action == 'trace':
            frame.f_trace_lines = False
kept = []
def pairs(n, action=None):
    out = []
    a = b = c = None
    for i in range(n):
        x = Dying(('a', i), action), i
        a, b = x
        x = None
        out.append((b, c))
    return out
def both(n, action=None):
    a = b = c = None
    for i in range(n):
        x = Dying(('a', i), action), Dying(('b', i), action)
        a, b = x
        x = None
def rests(n, action=None):
    a = b = c = 1
    for i in range(n):
        b = [Dying(i, action), i, c]
        a, *b = b
    return b
def loads(n, action=None):
    out = []
    a = b = c = 0
    for i in range(n):
        x = Dying(i, action)
        b = i
        a = x; c = b
        x = None
        a = i; out.append((c, b, a))
    return out
def callee(i, action):
    a = b = c = None
    a = Dying(('in', i), action)
    b = i
    x = Dying(('again', i), action), i + 1
    a, b = x
    x = None
    a, b = b, c
    return b, c
def inlined(n, action=None):
    out = []
    for i in range(n):
        out.append(callee(i, action))
    return out
def seen(name, *args):
    log.clear()
    result = globals()[name](*args), list(log)
    del kept[:]
    return result
""", [f"seen({name!r}, {n}, {action!r})" for name in ("pairs", "both", "rests", "loads", "inlined")
      for action in (None, "write", "keep", "trace") for n in (3, 30)]),
    "super() called with nothing": ("""
class A:
    def m(self, /, *args):
        return [self.x, *args]
class B(A):
    x = 7
    def m(self, /, *args):
        return super().m(*args) + [self.x]
    def n(self, /, sup=None):
        sup = super
        return sup().m(1), super().m
    def lost(self, /):
        del self
        return super().m(*[])
def f(n):
    b = B()
    return [b.m(i) for i in range(n)], b.n()[0]
def lost():
    return B().lost()
""", ["f(3)", "f(40)[0][-1]", "lost()"]),
}


@pytest.mark.parametrize("name", CASES, ids=[n.replace(" ", "_") for n in CASES])
def test_case(name):
    source, calls = CASES[name]
    check(source, calls)


def test_hidden_variables_of_a_module():
    """Variables of comprehensions in module code, which locals() knows of while they are set."""
    program = """
out = [[locals()["x"] for x in range(5)] for _ in range(30)]
print(out[-1], "x" in locals(), locals() is globals())
x = "mine"
seen = [(x, locals()["x"], eval("x"), sorted(vars()) == sorted(locals())) for x in range(60)]
print(seen[-1], x, locals()["x"], locals() is globals())
"""
    runs = [subprocess.run([sys.executable, "-c", prefix + program], capture_output=True, text=True,
                           env={**os.environ, "PSYCO_DEBUG": "stress=osr"}, timeout=60, check=False)
            for prefix in ("", "import psyco; psyco.full()")]
    assert runs[0].stdout
    assert runs[0].stdout == runs[1].stdout, runs[1].stderr
