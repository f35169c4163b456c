"""What planted defects (./dev mutate) showed to be untested: states, assumptions, guards at entries."""

from __future__ import annotations

import pytest
from differential import check
from psyco import _core

# --- An exception in the middle: the handler finds every variable, the traceback the right line ---

PRELUDE = """
import asyncio
class Plain:
    pass
class Bad:
    def __getattr__(self, name): raise KeyError(name)
    def __len__(self): raise KeyError('len')
    def __bool__(self): raise KeyError('bool')
    def __iter__(self): raise KeyError('iter')
    def __format__(self, spec): raise KeyError(spec)
    def __eq__(self, other): raise KeyError('eq')
    def __hash__(self): raise KeyError('hash')
    def __call__(self, *a, **k): raise KeyError(len(a))
    def __neg__(self): raise KeyError('neg')
    def __add__(self, other): raise KeyError('add')
    def __contains__(self, other): raise KeyError('contains')
    def __getitem__(self, key): raise KeyError('getitem')
    def __setitem__(self, key, value): raise KeyError('setitem')
    def __delitem__(self, key): raise KeyError('delitem')
    def __setattr__(self, name, value): raise KeyError(name)
    def __delattr__(self, name): raise KeyError(name)
    def __str__(self): raise KeyError('str')
    def __repr__(self): raise KeyError('repr')
    def __enter__(self): raise KeyError('enter')
    def __exit__(self, *a): raise KeyError('exit')
    def keys(self): raise KeyError('keys')
    def __await__(self): raise KeyError('await')
class NoArgs:
    __match_args__ = ()
class Attributes:
    @property
    def x(self): raise KeyError('x')
    __match_args__ = ('x',)
class Next:
    def __iter__(self): return self
    def __next__(self): raise KeyError('next')
class Mapping(dict):
    def get(self, *a): raise KeyError('get')
bad = Bad()
class Base:
    @property
    def x(self): raise KeyError('x')
"""

EXPRESSIONS = {
    "binary": "bad + p", "unary": "-bad", "not": "not bad", "compare": "bad == p", "contains": "p in bad",
    "attribute": "bad.x", "method": "bad.x(1)", "subscript": "bad[p]", "slice": "bad[p:q]",
    "call": "bad(p, q)", "call keywords": "bad(p, k=q)", "call star": "bad(*[p], **{'k': q})",
    "call star of no iterable": "bad(*bad)", "call double star of no mapping": "bad(**bad)",
    "list of": "[*bad]", "set of": "{bad}", "set from": "{*bad}", "dict of": "{bad: 1}", "dict from": "{**bad}",
    "format": "f'{bad}'", "format spec": "f'{bad:5}'", "convert": "f'{bad!r}'", "convert to str": "f'{bad!s}'",
    "iterate": "[z for z in bad]", "next": "[z for z in Next()]", "set comprehension": "{bad for z in 'a'}",
    "dict comprehension": "{bad: z for z in 'a'}", "name": "missing_name", "divide": "p // 0", "index": "[][p]",
    "key": "{}[p]", "builtin": "len(bad)", "truth": "(bad and p)", "const key map": "{'a': 1, 'b': bad[1]}",
    "lambda": "(lambda: bad.y)()", "type": "int('x')",
}
STATEMENTS = {
    "store subscript": "bad[p] = q", "store slice": "bad[p:q] = r", "delete subscript": "del bad[p]",
    "store attribute": "bad.x = q", "delete attribute": "del bad.x", "unpack": "m, n = bad", "unpack few": "m, n = [p]",
    "unpack star": "m, *n = bad", "with": "with bad: pass", "raise": "raise ValueError(p)",
    "raise from": "raise ValueError(p) from KeyError(q)", "import": "import missing_module_x",
    "import from": "from math import missing_name", "import star": "asyncio.missing", "augmented": "p += bad",
    "assert": "assert not p, q", "delete name": "del z; z = 1; del z; z", "global": "global gone; del gone",
    "delete": "del u; u", "match class": "match p:\n            case NoArgs(1): pass\n            case int(1, 2, 3): pass",
    "match attribute": "match Attributes():\n            case Attributes(1): pass",
    "match keys": "match Mapping(a=1):\n            case {'a': 2, 'b': 1}: pass", "for": "for m in bad: pass",
    "if": "if bad: pass", "while": "while bad: pass", "super": "C().x", "type alias": "type T = bad.x; T.__value__",
    "generic": "def g[T: (1, bad.x)](): pass\n        g.__type_params__[0].__constraints__",
    "group": "try:\n            raise ExceptionGroup('g', [KeyError(1)])\n        except* bad:\n            pass",
    "except of no class": "try:\n            raise KeyError(1)\n        except bad:\n            pass",
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_raising_expressions(name):
    check(PRELUDE + f"""
def f(p, q, r):
    a = [p]
    b = p + 1
    c = q + 'x'
    d = p + 0.5
    try:
        return [a,
            {EXPRESSIONS[name]}
            ,
            b,
            c]
    except Exception as error:
        return (p, q, r, a, b, c, d, error, error.__traceback__.tb_lineno)

def g(p, q, r):
    s = p * 2
    t = [q]
    return (s,
        {EXPRESSIONS[name]}
        ,
        t)

def caller(p, q, r):
    x = p - 1
    y = [r]
    try:
        return g(p, q, r)
    except Exception as error:
        return x, y, error
""", ["f(3, 'q', None)", "f(3, 'q', None)", "g(3, 'q', None)", "caller(4, 'w', 2.5)"])


@pytest.mark.parametrize("name", STATEMENTS)
def test_raising_statements(name):
    check(PRELUDE + f"""
class C(Base):
    @property
    def x(self):
        k, m = 1, [2]
        try:
            return super().x
        except KeyError:
            return k, m

def f(p, q, r):
    a = [p]
    b = p + 1
    c = q + 'x'
    d = p + 0.5
    u = z = 1
    try:
        {STATEMENTS[name]}
        a = 2
    except Exception as error:
        return (p, q, r, a, b, c, d, u, z, error, error.__traceback__.tb_lineno)
    return a, b, c

def g(p, q, r):
    s = p * 2
    t = [q]
    u = z = 1
    {STATEMENTS[name].replace(chr(10) + "    ", chr(10))}
    return s, t

def caller(p, q, r):
    x = p - 1
    y = [r]
    try:
        return g(p, q, r)
    except Exception as error:
        return x, y, error
""", ["f(3, 'q', None)", "g(3, 'q', None)", "caller(4, 'w', 2.5)"])


def test_an_unbound_variable_leaves_the_iterators_in_their_places():
    check("""
def f(p, q):
    got = []
    for a in p:
        for b in q:
            try:
                if b == 'y':
                    del v
                v
                got.append((a, b, v))
            except UnboundLocalError as error:
                v = a * 10
                got.append((a, b, str(error)))
    return got
def g(p, q):
    return [(a, b) for a in p for b in q], f(iter(p), q)
""", ["f([1, 2, 3], 'xyz')", "f(iter((1, 2)), ['y', 'x', 'y'])", "g([1, 2], ['y', 'y'])"])


def test_a_bound_method_is_owned_once():
    check("""
class C:
    def m(self): return 1
c = C()
def f(o):
    return o.m
def g(o, n):
    kept = []
    for i in range(n):
        kept = [o.m, i]
    return kept[0]()
""", ["f(c) == c.m", "g(c, 50)"], track=["c"])


# --- Assumptions break ---------------------------------------------------------------------------

CHANGES = {
    "value in a module": ("""
import types
m = types.ModuleType('m')
m.x = 1
def f(n):
    return m.x + n
def change():
    m.x += 10
""", ["f(1)"]),
    "code of an inlined function": ("""
def g(a): return a + 1
def h(a): return a * 100
def f(n): return g(n) + 1
def change(): g.__code__ = h.__code__
""", ["f(3)"]),
    "defaults of an inlined function": ("""
def g(a, b=1): return a + b
def f(n): return g(n) + 1
def change(): g.__defaults__ = (50,)
""", ["f(3)"]),
    "code of a called function": ("""
def g(n):
    t = 0
    for i in range(n):
        t += len(str(i))
    return t if n < 2 else g(n - 1) + t
def h(n): return n * 100
def f(n): return g(n) + 1
def change(): g.__code__ = h.__code__
""", ["f(5)"]),
    "defaults of a called function": ("""
def g(n, k=1):
    t = 0
    for i in range(n):
        t += len(str(i))
    return t + k if n < 2 else g(n - 1) + t
def f(n): return g(n) + 1
def change(): g.__defaults__ = (1000,)
""", ["f(5)"]),
    "class of a global object": ("""
class A:
    x = 1
    def m(self): return 'A'
class B:
    x = 2
    def m(self): return 'B'
one = A()
def f(n): return one.m(), one.x, type(one) is A, isinstance(one, A)
def change(): one.__class__ = B
""", ["f(1)"]),
    "class of a global object without a dictionary": ("""
class A:
    __slots__ = ()
    def m(self): return 'A'
class B:
    __slots__ = ()
    def m(self): return 'B'
one = A()
def f(n): return one.m()
def g(n): return type(one) is A
def h(n): return isinstance(one, A)
def change(): one.__class__ = B
""", ["f(1)", "g(1)", "h(1)"]),
    "class of an argument": ("""
class A:
    def m(self): return 'A'
class B:
    def m(self): return 'B'
one = A()
def f(o):
    seen = []
    for i in range(4):
        seen.append(o.m())
        if i == 1: flip(o)
        seen.append(isinstance(o, A))
    return seen
def flip(o): o.__class__ = B if type(o) is A else A
def change(): flip(one)
""", ["f(one)"]),
    "method of a class": ("""
class A:
    def m(self): return 'old'
one = A()
def f(n): return one.m(), A.m(one)
def change(): A.m = lambda self: 'new'
""", ["f(1)"]),
    "a global hides a builtin": ("""
def f(n): return len([n])
def change(): globals()['len'] = lambda x: 'mine'
""", ["f(1)"]),
    "initialiser of a class": ("""
class A:
    def __init__(self, n): self.n = n
def f(n): return A(n).n
def other(self, n): self.n = -n
def change(): A.__init__ = other
""", ["f(2)"]),
    "a class gets a new way to be made": ("""
class A:
    def __init__(self, n): self.n = n
def f(n): return A(n).n
def new(cls, n):
    made = object.__new__(cls)
    made.extra = 1
    log.append(n)
    return made
log = []
def change(): A.__new__ = new
""", ["f(2)", "log"]),
    "isinstance gets a hook": ("""
class M(type):
    pass
class A(metaclass=M):
    pass
def f(o): return isinstance(o, A)
def change(): M.__instancecheck__ = lambda cls, o: 'yes' and o == 2
""", ["f(1)", "f(2)", "f(A())"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_assumption_breaks(name):
    source, calls = CHANGES[name]
    check(source, [*calls, *calls, "change()", *calls, *calls])
    # And with code that has been compiled once only, at a time when nothing had changed.
    check(source, [*calls, *calls, "change()", *calls], repeat=2)


# --- Loops that are entered in the middle --------------------------------------------------------


@pytest.fixture
def eager():
    before = _core.options()["eager"]
    _core.set_options({"eager": True})
    yield
    _core.set_options({"eager": before})


@pytest.mark.parametrize("make", [
    "iter(range(40))", "iter(range(1, 90, 2))", "iter(list(range(40)))", "iter(tuple(range(40)))",
    "iter(bytes(range(40)))", "iter(bytearray(range(40)))",
])
def test_an_iterator_that_others_hold(eager, make):
    """The first loops own their iterator; the later ones share it, and what is left must be right."""
    check(f"""
def gen(box, stop):
    t = 0
    for i in box.pop():
        t += i
        if i >= stop:
            break
    yield t

def alone(stop):
    return list(gen([{make}], stop))

def shared(stop):
    kept = {make}
    first = list(gen([kept], stop))
    return first, next(kept, 'end'), list(gen([kept], stop * 2)), list(kept)
""", ["alone(9)", "shared(9)", "alone(100)", "shared(100)", "shared(5)"])


def test_iterators_of_other_steps(eager):
    check("""
def gen(n, step):
    t = []
    for i in range(0, n, step):
        t.append(i)
    yield t
""", ["list(gen(20, 1))", "list(gen(20, 3))", "list(gen(-20, -1))", "list(gen(20, 1))"])


def test_an_exhausted_iterator_stays_so(eager):
    check("""
def gen(box):
    n = 0
    for i in box[0]:
        n += 1
        if n > 30:
            break
    yield n

def f(k):
    items = [1, 2, 3]
    kept = iter(items)
    box = [kept]
    del kept
    first = list(gen(box))
    items.extend(range(50))
    return first, list(gen(box)), len(items)
""", ["f(1)", "f(2)"])


# --- A load after a store ------------------------------------------------------------------------


@pytest.mark.parametrize("code", "bBhHiIlLqQd")
def test_arrays_are_read_again_after_a_store(code):
    check(f"""
from array import array
def f(values, k, v):
    a = array({code!r}, values)
    x = a[k]
    a[k] = v
    y = a[k]
    a[k] = a[k] + 1
    return x, y, a[k], list(a)

def g(a, b, n):
    seen = []
    for i in range(n):
        x = a[i % 3]
        b[i % 3] = i
        seen.append((x, a[i % 3]))
    return seen

def h(n):
    a = array({code!r}, [7, 8, 9])
    return g(a, a, n), g(a, array({code!r}, [1, 2, 3]), n)
""", ["f([1, 2, 3], 1, 9)", "h(6)"])


def test_bytearrays_are_read_again_after_a_store():
    check("""
def g(a, b, n):
    seen = []
    for i in range(n):
        x = a[i % 3]
        b[i % 3] = i
        seen.append((x, a[i % 3]))
    return seen

def h(n):
    a = bytearray([7, 8, 9])
    return g(a, a, n), g(a, bytearray(3), n), g(a, memoryview(a), n)
""", ["h(6)"])


def test_a_class_called_with_keywords_gets_another_initialiser():
    check("""
class P:
    def __init__(self, x, y=2):
        self.x, self.y = x, y

def other(self, x, y=3):
    self.x, self.y = -x, y * 10

def f(n):
    return sum([(lambda p: p.x * p.y)(P(x=i, y=5)) for i in range(n)]) + P(3, y=1).y

def g(n):
    t = 0
    for i in range(n):
        p = P(i, y=i + 1)
        t += p.x * p.y
        if i == 30:
            P.__init__ = other
    return t

def back():
    P.__init__ = lambda self, x, y=1: (setattr(self, 'x', 1), setattr(self, 'y', y), None)[2]
""", ["f(20)", "g(40)", "f(20)", "back()", "f(20)", "g(25)"])


def test_a_with_statement_between_two_things_on_the_stack():
    """Where it cannot be entered, and where its frame is inspected, the iterators below stay in their order."""
    check("""
import sys

class Bad:
    def __enter__(self):
        raise ValueError(self)
    def __exit__(self, *args):
        return False

class Peeks:
    def __init__(self, at):
        self.at = at
    def __enter__(self):
        if self.at == 2:
            sys._getframe(1).f_locals['seen'] = self.at
        return self.at
    def __exit__(self, *args):
        return False

def f(manager, rows, columns):
    got = []
    seen = None
    for row in rows:
        for column in columns:
            try:
                with manager(column) if manager is Peeks else manager() as value:
                    got.append((row, column, value, seen))
            except (ValueError, TypeError, AttributeError) as error:
                got.append((row, column, type(error).__name__))
    return got
""", ["f(Peeks, [10, 20, 30], (1, 2, 3, 4))", "f(Bad, [10, 20, 30], (1, 2, 3, 4))", "f(int, [10, 20, 30], {1: 0, 2: 0}.keys())",
      "f(Bad, {10: 1, 20: 2}.items(), 'abc')", "f(Peeks, 'xy', {1: 0, 2: 0, 3: 0}.keys())"])


# --- Behind an instruction: what it dropped had a finaliser ----------------------------------------

# The first of two is what the statement drops; `seen` gathers what finalisers and handlers find.
DROPPING = {
    "local": "x = D(i); x = i; del x",
    "cell": "c = D(i); c = i; (lambda: c)()",
    "cell deleted": "c = D(i); del c; c = 1; (lambda: c)()",
    "global": "global g; g = D(i); g = i",
    "global deleted": "global g; g = D(i); del g",
    "attribute": "o.x = D(i); o.x = i",
    "attribute deleted": "o.x = D(i); del o.x",
    "item": "items[0] = D(i); items[0] = i",
    "item deleted": "items[0] = D(i); del items[0]; items.append(i)",
    "key deleted": "d[1] = D(i); del d[1]",
    "result": "D(i)",
    "operand of an operator": "y = D(i) + 1",
    "operand of a unary operator": "y = -D(i)",
    "operand of not": "y = not D(i)",
    "compared": "y = D(i) == D(0)",
    "contained": "y = 1 in D(i)",
    "identity": "y = D(i) is None",
    "attribute of": "y = D(i).tag",
    "item of": "y = D(i)[0]",
    "argument": "y = len(D(i))",
    "argument of a function": "y = passed(D(i), i)",
    "unpacked": "y, z = D(i)",
    "unpacked with a star": "y, *z = D(i)",
    "formatted": "y = f'{D(i)}'",
    "condition": "if D(i): y = i",
    "loop": "for y in D(i): y",
    "while": "\n            while D(i): break",
    "display": "y = [*D(i)]; z = {1, *D(i)}; w = {**D(i)}",
    "manager": "\n            with D(i): y = i",
    "raised": "\n            try: raise D2(D(i))\n            except D2: pass",
    "module": "from math import pi; pi = D(i); import math; math = 1",
}


@pytest.mark.parametrize("name", DROPPING)
def test_after_what_an_instruction_drops(name):
    """In nested loops, so that there are iterators on the stack, and other variables beside."""
    check(f"""
import sys
seen = []
class D:
    def __init__(self, tag): self.tag = tag
    def __del__(self):
        frame = sys._getframe(1)
        seen.append((self.tag, frame.f_lineno - frame.f_code.co_firstlineno, frame.f_locals.get('p'), frame.f_locals.get('q')))
    def __add__(self, other): return other
    def __neg__(self): return self.tag
    def __bool__(self): return True
    def __eq__(self, other): return 'eq'
    def __contains__(self, other): return True
    def __getitem__(self, k):
        if k in (0, 1): return k + 5
        raise IndexError
    def __len__(self): return 3
    def __str__(self): return 'text'
    def __enter__(self): return self
    def __exit__(self, *a): return None
    def keys(self): return [0, 1]
class D2(Exception): pass
class O: pass
def passed(a, b): return b
def f(n, p, q):
    o, items, d = O(), [0], {{}}
    out = []
    for i in range(n):
        for j in ['a', 'b']:
            r = (i, j)
            {DROPPING[name]}
            out.append((r, i, j, p, q))
            p, q = q, p
    return out
def g(n, p, q):
    del seen[:]
    return f(n, p, q), list(seen)
""", ["g(2, 'p', 'q')", "g(3, 1, [2])", "g(2, 2.5, None)"])
