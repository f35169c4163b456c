"""Descriptors that are changed in place while compiled code has resolved attributes through them.

No watcher of CPython sees `property.__init__` called again. The interpreter itself goes on with the old
getter where it has specialised the read and that getter is still alive; with psyco every read finds the
new one, compiled or not. So the expected values are written here, and plain is compared where it is right.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap

import psyco
import pytest
from differential import check
from psyco import _core

CHANGES = """
import functools, types, weakref
class P:
    def __init__(self, v=0):
        self.v = v
    def get(self): return self.v
    def put(self, value): self.v = value
    def drop(self): self.v = 'dropped'
    x = property(get, put, drop)
    s = staticmethod(lambda a: ('first', a))
    c = classmethod(lambda cls, a: ('first', cls.__name__, a))
class Q(P):
    pass
def again(name, *functions):
    P.__dict__[name].__init__(*functions)
"""

# Uses of what is changed, and the change. The driver makes the change in the middle of the loop.
DRIVER = """
def loop(n, cls=P):
    out = []
    p = cls(1)
    for i in range(n):
        if i % 9 == 4:
            change(i)
        out.append(use(p, i))
    return out
def short(p, i):
    return use(p, i)
def many(n):
    out = []
    for i in range(n):
        change(i)
        out.append(short(P(2), i))
    return out
"""

CASES = {
    "getter": ("""
def change(i):
    again('x', lambda self: ('getter', i))
def use(p, i):
    return p.x
"""),
    "getter that lives on": ("""
one, two = (lambda self: 'one'), (lambda self: 'two')
def change(i):
    again('x', one if i % 2 else two)
def use(p, i):
    return p.x, p.x
"""),
    "getter by itself": ("""
def change(i):
    k = i
    def get(self):
        again('x', lambda self: ('inner', k))
        return 'outer', k
    again('x', get)
def use(p, i):
    return p.x, p.x
"""),
    "no getter": ("""
def change(i):
    again('x', *(() if i % 2 else (P.get, P.put)))
def use(p, i):
    try:
        return p.x
    except AttributeError as error:
        return str(error)
"""),
    "getter that is no function": ("""
def change(i):
    again('x', (P.get, functools.partial(P.get), type, 5 .__add__)[i % 4])
def use(p, i):
    try:
        return str(p.x)[:20]
    except TypeError as error:
        return str(error)
"""),
    "setter": ("""
def change(i):
    again('x', P.get, lambda self, value: setattr(self, 'v', (value, i)))
def use(p, i):
    p.x = i
    return p.v, p.x
"""),
    "deleter": ("""
def change(i):
    again('x', P.get, P.put, lambda self: setattr(self, 'v', i))
def use(p, i):
    del p.x
    return p.v
"""),
    "error in the arguments": ("""
def change(i):
    try:
        P.__dict__['x'].__init__(1, 2, 3, 4, 5)
    except TypeError as error:
        return str(error)
def use(p, i):
    return p.x
"""),
    "by the type": ("""
def change(i):
    property.__init__(P.__dict__['x'], fget=lambda self: i)
def use(p, i):
    return p.x
"""),
    "by super() of a subclass": ("""
class Mine(property):
    def again(self, function):
        super().__init__(function)
P.y = Mine(lambda self: 'mine')
def change(i):
    P.__dict__['y'].again(lambda self: i)
    Mine.__init__(P.__dict__['y'], lambda self: ('twice', i))
    super(Mine, P.__dict__['y']).__init__(lambda self: ('three times', i))
def use(p, i):
    return p.y
"""),
    "by a method that is kept": ("""
init = P.__dict__['x'].__init__
def change(i):
    init(lambda self: i)
def use(p, i):
    return p.x
"""),
    "by mapping": ("""
def change(i):
    list(map(property.__init__, [P.__dict__['x']], [lambda self: i]))
def use(p, i):
    return p.x
"""),
    "by a getter of another property": ("""
def doer(self):
    again('x', lambda self: ('done', self.v))
    return 1
P.y = property(doer)
def change(i):
    pass
def use(p, i):
    return p.x, p.y, p.x
"""),
    "static method": ("""
def change(i):
    again('s', lambda a: ('again', i, a))
def use(p, i):
    f = p.s
    return p.s(i), P.s(i), f(i), Q.s(i)
"""),
    "static method that lives on": ("""
def change(i):
    again('s', (len, repr, str, P.get)[i % 4])
def use(p, i):
    try:
        return str(p.s('abc')), str(P.s('abcd'))
    except AttributeError as error:
        return str(error)
"""),
    "class method": ("""
def change(i):
    again('c', lambda cls, a: ('again', cls.__name__, i, a))
def use(p, i):
    m = p.c
    return p.c(i), P.c(i), m(i), Q.c(i), Q().c(i)
"""),
    "class method that lives on": ("""
one, two = (lambda cls, a: ('one', a)), (lambda cls, a: ('two', a))
def change(i):
    again('c', one if i % 2 else two)
def use(p, i):
    return p.c(i), P.c(i)
"""),
    "cached property": ("""
class P(P):
    @functools.cached_property
    def z(self):
        return 'first'
def change(i):
    P.__dict__['z'].func = lambda self: ('changed', i)
def use(p, i):
    one = p.z
    two = p.z
    del p.z
    return one, two, P(1).z
"""),
    "cached property initialised again": ("""
class P(P):
    @functools.cached_property
    def z(self):
        return 'first'
def change(i):
    descriptor = P.__dict__['z']
    descriptor.__init__(lambda self: ('changed', i))
    descriptor.__set_name__(P, 'z')
def use(p, i):
    return P(1).z, p.z
"""),
    "dynamic class attribute": ("""
class P(P):
    z = types.DynamicClassAttribute(lambda self: 'first')
def change(i):
    P.__dict__['z'].__init__(lambda self: i)
def use(p, i):
    return p.z
"""),
    "partial": ("""
def f(*args, **kwargs): return 'f', args, kwargs
def g(*args, **kwargs): return 'g', args, kwargs
part = functools.partial(f, 1)
class P(P):
    part = staticmethod(part)
def change(i):
    part.__setstate__(((f, g)[i % 2], (i,), {'k': i}, {}))
def use(p, i):
    return part(i), P.part(i), p.part(k=3)
"""),
    "partial method": ("""
class P(P):
    def f(self, *args): return 'f', self.v, args
    def g(self, *args): return 'g', self.v, args
    pm = functools.partialmethod(f, 1)
def change(i):
    descriptor = P.__dict__['pm']
    descriptor.func = (P.f, P.g)[i % 2]
    descriptor.args = (i,)
def use(p, i):
    return p.pm(i), P.pm(p, i)
"""),
    "single dispatch": ("""
@functools.singledispatch
def f(value): return 'object'
class P(P):
    @functools.singledispatchmethod
    def m(self, value): return 'object'
def change(i):
    f.register(int, lambda value: ('int', i))
    P.__dict__['m'].register(int, lambda self, value: ('int', i))
def use(p, i):
    return f(i), f('a'), p.m(i), p.m('a')
"""),
    "cached function": ("""
def one(a): return 'one', a
def two(a): return 'two', a
@functools.lru_cache
def f(a): return g(a)
g = one
class P(P):
    m = f
def change(i):
    global g
    g = (one, two)[i % 2]
    f.cache_clear()
def use(p, i):
    return f(i % 3), P.m(i % 3), p.m() if False else 0
"""),
    "name set again": ("""
class D:
    def __set_name__(self, owner, name): self.name = name
    def __get__(self, instance, owner): return self.name, instance is None
class P(P):
    d = D()
def change(i):
    P.__dict__['d'].__set_name__(P, f'name {i}')
    P.__dict__['x'].__set_name__(P, f'x {i}')
    again('x')
def use(p, i):
    try:
        return p.d, P.d, p.x
    except AttributeError as error:
        return p.d, P.d, str(error)
"""),
    "descriptor whose class is assigned": ("""
class Plain: pass
class Get:
    def __get__(self, instance, owner): return 'got'
class Data(Get):
    def __set__(self, instance, value): instance.__dict__['stored'] = value
class P(P):
    hidden, seen = Plain(), Plain()
    def __init__(self, v):
        self.v = v
        self.hidden = 'own'
def change(i):
    cls = (Plain, Get, Data)[i // 9 % 3]
    P.__dict__['hidden'].__class__ = cls
    P.__dict__['seen'].__class__ = cls
def use(p, i):
    q = P(1)
    q.hidden = i
    return q.hidden, type(q.seen).__name__, type(P.seen).__name__, dict(vars(q))
"""),
    "descriptor whose class changes": ("""
class D: pass
class P(P):
    d = D()
    def __init__(self, v):
        self.v = v
        self.d = 'own'
def change(i):
    if i % 2:
        D.__get__ = lambda self, instance, owner: 'got'
        D.__set__ = lambda self, instance, value: None
    else:
        for name in ('__get__', '__set__'):
            if name in vars(D):
                delattr(D, name)
def use(p, i):
    return P(i).d, type(P.d).__name__
"""),
    "slot": ("""
class S:
    __slots__ = ('a', 'b')
class P(S):
    def __init__(self, v):
        self.a, self.b = 'a', 'b'
member = S.__dict__['a'], S.__dict__['b']
def change(i):
    S.a, S.b = member if i % 2 else member[::-1]
def use(p, i):
    p.a = i
    return p.a, p.b
"""),
}


@pytest.fixture(autouse=True)
def _no_trials(no_trials):
    pass


@pytest.mark.parametrize("name", CASES)
def test_changed_in_place(name):
    check(CHANGES + CASES[name] + DRIVER, ["loop(4)", "loop(40)", "many(12)", "loop(60)"])


# What the getter is now, for a program that remembers old ones and one that does not.
LIVING = """
class C:
    @property
    def p(self): return 1
def g1(self): return 1
def g100(self): return 100
def use(o, n):
    s = 0
    for i in range(n):
        s += o.p
    return s
c = C()
{bind}
for k in range(5):
    C.__dict__['p'].__init__({one})
    a = use(c, 3000)
    C.__dict__['p'].__init__({two})
    print(a, use(c, 3000))
"""
GETTERS = {
    "dying": ("lambda self: 1", "lambda self: 100"),
    "living": ("g1", "g100"),
}


@pytest.mark.parametrize("getters", GETTERS)
@pytest.mark.parametrize("options", [[], ["--eager"], ["--plain"]])
def test_every_read_finds_the_new_getter(getters, options, tmp_path):
    """Also where nothing is compiled: psyco is only imported there."""
    one, two = GETTERS[getters]
    bind = "import psyco" if options == ["--plain"] else ""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(LIVING.format(bind=bind, one=one, two=two)))
    command = [sys.executable, *([] if bind else ["-m", "psyco", *options]), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:-1] == ["3000 300000"] * 5, done.stderr


def test_what_is_compiled_relies_on_the_descriptor():
    """A change makes the code invalid at once, so the read itself need not look."""
    class C:
        @property
        def p(self):
            return 1
        @staticmethod
        def s():
            return 1
        @classmethod
        def c(cls):
            return 1

    def use(o):
        return o.p + o.s() + o.c()

    psyco.bind(use)
    assert [use(C()) for _ in range(20)] == [3] * 20
    versions = _core.report(use)["versions"]
    assert versions
    for number, name in enumerate("psc", 1):
        C.__dict__[name].__init__(lambda *_: 10)
        assert not _core.report(use)["versions"], name
        assert [use(C()) for _ in range(20)] == [3 + 9 * number] * 20


def test_a_replaced_getter_is_not_kept():
    """Once its code is gone nothing of ours holds the old function."""
    import gc
    import weakref

    class C:
        pass

    def use(o):
        return o.p

    psyco.bind(use)
    C.p = property(lambda self: 1)
    assert [use(C()) for _ in range(20)] == [1] * 20
    old = weakref.ref(C.__dict__["p"].fget)
    C.__dict__["p"].__init__(lambda self: 2)
    assert [use(C()) for _ in range(20)] == [2] * 20
    gc.collect()
    assert old() is None
