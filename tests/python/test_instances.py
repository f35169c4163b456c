"""Instances that compiled code need not make: virtual until somebody looks at the object."""

from __future__ import annotations

import functools

import psyco
import pytest
from differential import check

CLASSES = """
class P:
    def __init__(self, x, y=1):
        self.x = x
        self.y = y
    def __add__(self, other):
        return P(self.x + other.x, self.y + other.y)
    def moved(self, d):
        return P(self.x + d, self.y)
    def shift(self, d):
        self.x += d
        return self
    @property
    def both(self):
        return self.x, self.y
class S:
    __slots__ = ('b', 'a')
    def __init__(self, a, b=2):
        self.a = a
        self.b = b
class T(S):
    __slots__ = ('c',)
    def __init__(self, a):
        self.c = a
        super().__init__(a)
class Dying:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        log.append(self.name)
class C:
    pass
log = []
"""

CASES = {
    "made and used up": ("""
def f(n):
    t = 0
    for i in range(n):
        p = P(i) + P(2, i).moved(3)
        s = T(p.x)
        t += p.x * p.y + s.a + s.b + s.c + p.both[1]
    return t, p.x, p.y, vars(p), s.a
""", ["f(9)", "f(200)", "f(1)"]),
    "classes without __init__": ("""
class N: pass
class O(N):
    __slots__ = ('k',)
def f(n):
    t = 0
    for i in range(n):
        a, b = N(), O()
        a.x = i
        b.k = a
        b.y = i
        t += a.x + b.y + b.k.x
    return t, a.x, vars(b), b.k is a
def g(a): return N(a)
""", ["f(9)", "f(90)", "g(1)", "g(2)"]),
    "goes round the loop": ("""
def f(n):
    p, d = P(0), P(1, 2)
    for i in range(n):
        p = p + d
        if i % 3 == 1: d.y += 1
        d.shift(i)
    return vars(p), vars(d), p is d
def g(n):
    p = q = P(0)
    for i in range(n):
        q.x += i
        if i == 7: p = P(100)
    return p is q, p.x, q.x
def h(n):
    p, last = P(0), None
    for i in range(n):
        last, p = p, P(i)
    return last.x, p.x, last is p
""", ["f(9)", "f(90)", "g(5)", "g(90)", "h(2)", "h(90)"]),
    "escapes on one path of two": ("""
def f(n):
    out = []
    for i in range(n):
        p = P(i, i + 0.5)
        q = (p, p)
        p.x += 1
        if i % 4 == 3: out.append(q)
        p.y = p.x
    return [(a is b, vars(a)) for a, b in out], p.x
""", ["f(9)", "f(90)"]),
    "order of the dictionary": ("""
class L(P):
    def __init__(self, x):
        if x % 2:
            self.y = x
            self.x = 0
        else:
            super().__init__(x)
        self.z = x
def f(n):
    out = []
    for i in range(n):
        p = L(i)
        p.x = 5
        out.append(list(vars(p).items()))
    return out
""", ["f(9)", "f(20)"]),
    "attributes that are not set": ("""
class M:
    weight = 3
    def __init__(self, x):
        if x % 3: self.x = x
        if x % 5: self.weight = x
def f(n):
    t = []
    for i in range(n):
        m = M(i)
        try:
            t.append((m.weight, m.x))
        except AttributeError as e:
            t.append(str(e))
        m.x = 1
        del m.x
        t.append((hasattr(m, 'x'), sorted(vars(m))))
        s = S(i)
        del s.a
        try:
            s.a
        except AttributeError as e:
            t.append(str(e))
    return t
""", ["f(9)", "f(40)"]),
    "what it holds dies with it": ("""
def f(n):
    log.clear()
    for i in range(n):
        s = T(Dying(f'a{i}'))
        s.c = Dying(f'c{i}')
        s.b = Dying(f'b{i}')
        p = P(Dying('x'), Dying('y'))
        p.x = Dying('z')
        log.append('end')
    del s, p
    return list(log)
""", ["f(5)", "f(30)"]),
    "a class that comes to have a finaliser": ("""
class C:
    def __init__(self, x): self.x = x
def late(i):
    if i == 30: C.__del__ = lambda self: log.append(self.x)
def f(n):
    log.clear()
    for i in range(n):
        c = C(i)
        late(i)
        c.x += 1
    return list(log)
""", ["f(9)", "f(40)"]),
    "places that change their names": ("""
class V:
    __slots__ = ('a', 'b')
    def __init__(self): self.a, self.b = 1, 2
members = V.a, V.b
def late(i):
    if i == 30: V.a, V.b = V.b, V.a
def f(n):
    V.a, V.b = members
    for i in range(n):
        v = V()
        late(i)
    return v.a, v.b
""", ["f(20)", "f(31)", "f(20)"]),
    "looked at through the frame": ("""
import sys
def look(name, i):
    return sys._getframe(1).f_locals[name] if i % 16 == 5 else None
def f(n):
    seen = []
    for i in range(n):
        p = P(i)
        q = look('p', i)
        p.x += 10
        if q is not None:
            q.y = 'seen'
            seen.append((q is p, q.x, p.y))
    return seen
""", ["f(9)", "f(60)"]),
    "parts of one another": ("""
def f(n):
    for i in range(n):
        p = P(i)
        p.y = p
        q = P(P(i), i)
        q.x.y = q.x.x, i
        r = (q, q.x)
    return p.y is p, q.x.y, r[0].x is r[1], r[1].y is q.x.y
""", ["f(5)", "f(50)"]),
    "its class is assigned": ("""
class O(P):
    def moved(self, d): return 'other'
def become(p, i):
    if i % 9 == 7: p.__class__ = O
def f(n):
    t = []
    for i in range(n):
        p = P(i)
        become(p, i)
        t.append((type(p).__name__, p.moved(1) if type(p) is O else p.moved(1).x))
    return t
""", ["f(5)", "f(50)"]),
    "an error in the midst of it": ("""
class W:
    def __init__(self, x):
        self.x = x
        self.y = 10 // (x % 7)
def f(n):
    t = 0
    for i in range(n):
        try:
            w = W(i)
            t += w.y
        except ZeroDivisionError as e:
            w = e.__traceback__.tb_next.tb_frame.f_locals['self']
            t += len(vars(w))
    return t, vars(w)
""", ["f(5)", "f(50)"]),
}


@pytest.mark.parametrize("name", CASES)
def test_instances(name):
    source, calls = CASES[name]
    check(CLASSES + source, calls)


BODIES = {
    "method": "t += P(i).shift(2).x",
    "local": "p = P(i)\n        t += p.x + p.y",
    "slots": "s = S(i)\n        t += s.a * s.b",
    "base": "s = T(i)\n        t += s.c + s.b",
    "operator": "p = P(i) + P(i)\n        t += p.x",
    "round": "a = a + d\n        t += a.x",
    "changes": "a.x += 1.5\n        d.shift(i)\n        t += d.x",
    "without init": "c = C()\n        c.x = i\n        t += c.x",
    "nested": "p = P(P(i), S(i))\n        t += p.x.x + p.y.b",
    "in a tuple": "u = (P(i), i)\n        t += u[0].x + u[1]",
    "one of two": "p = P(i + 1) if i & 1 else P(1, i + 2)\n        t += p.y",
    "property": "t += P(i).both[0]",
}


@pytest.mark.plain_only  # a function left at every guard makes them all
@pytest.mark.parametrize("name", BODIES)
def test_none_is_made(name):
    """With no memory to be had, the loop goes on."""
    hooks = pytest.importorskip("_testcapi")
    space = {}
    exec(CLASSES + f"""
def f(n, before, after):
    t = 0
    a, d = P(0), P(1)
    for i in range(n):
        if i == 50: before()
        {BODIES[name]}
        if i == n - 50: after()
    return t
""", space)
    f = space["f"]
    plain = f(3000, hooks.remove_mem_hooks, hooks.remove_mem_hooks)
    psyco.bind(f)
    nothing = functools.partial(hooks.set_nomemory, 0, 0)
    try:
        for _ in range(6):
            assert f(3000, hooks.remove_mem_hooks, hooks.remove_mem_hooks) == plain
        assert f(3000, nothing, hooks.remove_mem_hooks) == plain
    finally:
        hooks.remove_mem_hooks()
        psyco.unbind(f)
