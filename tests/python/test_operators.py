"""Operators and subscripts of classes written in Python."""

from __future__ import annotations

import pytest
from differential import check

ALL = ("+ add", "- sub", "* mul", "/ truediv", "// floordiv", "% mod", "@ matmul", "& and", "| or", "^ xor", "<< lshift", ">> rshift", "** pow")
EACH = "class V:\n    def __init__(self, x):\n        self.x = x\n" + "".join(f"""
    def __{name}__(self, o):
        if type(o) is V:
            return V((self.x, '{name}', o.x))
        if o == 3:
            return NotImplemented
        return ('{name}', self.x, o)
""" for _, name in map(str.split, ALL)) + "def each(n, kind):\n    out = []\n    for i in range(n):\n        v, w = V(i), kind(i)\n" + "".join(f"""
        try:
            r = v {op} w
            out.append(r.x if type(r) is V else r)
        except TypeError as error:
            out.append((str(error), error.__traceback__.tb_lineno))
        try:
            u = v
            u {op}= w
            out.append(u.x if type(u) is V else u)
        except TypeError as error:
            out.append((str(error), error.__traceback__.tb_lineno))
""" for op, _ in map(str.split, ALL)) + "    return out\n"

CASES = {
    "each operator": (EACH, ["each(2, V)", "each(12, V)[-26:]", "each(12, int)", "each(8, float)", "each(5, bool)", "each(8, str)", "each(5, lambda x: None)"]),
    "vectors": ("""
import sys
class V:
    def __init__(self, x, y):
        self.x, self.y = x, y
    def __add__(self, o):
        return V(self.x + o.x, self.y + o.y)
    def __sub__(self, o):
        if self.x < o.x:
            return NotImplemented
        return V(self.x - o.x, self.y - o.y)
    def __mul__(self, k):
        return V(self.x * k, self.y * k)
    def __rmul__(self, k):
        return V(k * self.x, k * self.y)
    def __truediv__(self, k):
        return self * (1 / k)
    def __matmul__(self, o):
        return self.x * o.x + self.y * o.y
    def __xor__(self, o):
        frame = sys._getframe(1)
        return frame.f_lineno, frame.f_code.co_name, sorted(frame.f_locals), sorted(locals())
    def __or__(self, o):
        return [self.x, self.y][o]
    def __iadd__(self, o):
        self.x += o.x
        return self
    def __isub__(self, o):
        return NotImplemented
class W(V):
    def __radd__(self, o):
        return 'reflected', o.x
    def __sub__(self, o):
        return super().__sub__(o).x
class S:
    __slots__ = ('n',)
    def __init__(self, n):
        self.n = n
    def __lshift__(self, o):
        self.n.append(o)
        return self
    def __add__(self, o):
        return self if o == 0 else (self + (o - 1))
def loop(n, x):
    p, q = V(x, 0), V(1, 2)
    for i in range(n):
        p = p + q * i
        p = p / 2 if i % 5 == 4 else p
    return p.x, p.y, p @ q
def grows(n):
    p = V(1, 1)
    for i in range(n):
        p = p + p
    return p.x
def subtracts(n):
    out = []
    p = V(n // 2, 0)
    for i in range(n):
        try:
            out.append((p - V(i, 1)).y)
        except TypeError as error:
            out.append((str(error), error.__traceback__.tb_lineno, error.__traceback__.tb_next))
    return out
def fails(n):
    out = []
    for i in range(n):
        try:
            out.append(V(1, 2) | (i % 4))
        except IndexError as error:
            tb, lines = error.__traceback__, []
            while tb:
                lines.append((tb.tb_frame.f_code.co_name, tb.tb_lineno))
                tb = tb.tb_next
            out.append(lines)
        try:
            out.append((V(1, 2) / (i % 3)).x)
        except ZeroDivisionError as error:
            out.append(error.__traceback__.tb_next.tb_lineno)
    return out
def looks(n):
    return [V(1, 2) ^ V(i, i) for i in range(n)][-1]
def mixed(n):
    out = []
    things = [V(1, 2), W(3, 4), 2, 2.5]
    for i in range(n):
        for a in things:
            for b in things:
                try:
                    r = a + b
                    out.append(r if not isinstance(r, V) else r.x)
                    out.append((a * b).x)
                except (TypeError, AttributeError) as error:
                    out.append(str(error))
                try:
                    out.append(a - b)
                except (TypeError, AttributeError) as error:
                    out.append(str(error))
    return [x.x if isinstance(x, V) else x for x in out]
def in_place(n):
    p, q = V(1, 2), W(1, 2)
    out = []
    for i in range(n):
        p += q
        q += p
        try:
            p -= V(1, 1)
        except TypeError as error:
            out.append(str(error))
        out.append((p.x, p.y, q.x))
    return out
def chained(n):
    s = S([])
    for i in range(n):
        s << i << 'x'
        s = s + (i % 7)
    return s.n
""", ["loop(3, 0)", "loop(60, 0)", "loop(60, 0.5)", "grows(80)", "subtracts(30)", "fails(24)", "looks(2)", "looks(30)", "mixed(2)", "mixed(10)[-60:]", "in_place(3)", "in_place(30)[-3:]", "chained(20)"]),
    "operators that change": ("""
class A:
    def __init__(self, n):
        self.n = n
    def __add__(self, o):
        return self.n + 1
    def __getitem__(self, i):
        return self.n * i
    def __setitem__(self, i, v):
        self.n = i, v
class B:
    def __radd__(self, o):
        return 'B'
def change(i):
    if i == 4: A.__add__ = lambda self, o: 'new'
    if i == 8: del A.__add__
    if i == 12: A.__add__ = A.__getitem__
    if i == 16: A.__add__ = 5
    if i == 18: A.__add__ = staticmethod(lambda o: ('static', o))
    if i == 20: A.__add__ = lambda self, o: NotImplemented
    if i == 22: A.__radd__ = lambda self, o: 'radd'
    if i == 24: A.__iadd__ = lambda self, o: 'iadd'
    if i == 26: A.__getitem__ = lambda self, i: i
    if i == 28: del A.__setitem__
    if i == 30: A.__getitem__ = None
    if i == 32: del A.__getitem__
def original():
    A.__add__ = lambda self, o: self.n + 1
    A.__getitem__ = lambda self, i: self.n * i
    A.__setitem__ = lambda self, i, v: setattr(self, 'n', (i, v))
    for name in '__radd__', '__iadd__':
        if name in A.__dict__: delattr(A, name)
def loop(n):
    original()
    a = A(2)
    out = []
    for i in range(n):
        change(i)
        for what in range(6):
            try:
                if what == 0: out.append(a + A(1))
                elif what == 1: out.append(a + i)
                elif what == 2: out.append(a + B())
                elif what == 3: out.append(a[i])
                elif what == 4: a[i] = 5
                else:
                    b = a
                    b += a
                    out.append(b)
            except TypeError as error:
                out.append(str(error))
        a.n = i
    return out
def own(n):
    a = A(1)
    a.__add__ = lambda o: 'not this'
    a.__getitem__ = lambda o: 'nor this'
    return [(a + A(i), a[i]) for i in range(n)]
""", ["loop(3)", "loop(36)", "loop(36)", "own(20)"]),
    "subscripts": ("""
class Grid:
    def __init__(self, w, h):
        self.w, self.cells = w, [0] * (w * h)
    def __getitem__(self, at):
        x, y = at
        return self.cells[y * self.w + x]
    def __setitem__(self, at, value):
        x, y = at
        self.cells[y * self.w + x] = value
        return 'dropped'
class Seq:
    def __init__(self, n):
        self.n = n
    def __getitem__(self, i):
        if isinstance(i, slice):
            return 'slice', i.start, i.stop, i.step
        if i >= self.n:
            raise IndexError(i)
        return i * 2**61
class L(list):
    def __getitem__(self, i):
        return 'L', super().__getitem__(i)
    def __setitem__(self, i, v):
        super().__setitem__(i, v + 1)
class D(dict):
    def __missing__(self, key):
        return 'missing', key
    def __setitem__(self, key, value):
        dict.__setitem__(self, key, [value])
class C:
    def __class_getitem__(cls, k):
        return cls.__name__, k
class G:
    def __getitem__(self, i):
        yield i
    def __setitem__(self, i, v):
        raise KeyError(i)
class P:
    __getitem__ = staticmethod(lambda i: ('static', i))
    __setitem__ = classmethod(lambda cls, i, v: None)
def life(n):
    g = Grid(5, 5)
    for i in range(n):
        g[i % 5, i % 3] = g[(i + 1) % 5, 2] + i
    return g.cells
def seq(n):
    s, out = Seq(5), []
    for i in range(n):
        try:
            out.append(s[i % 7])
        except IndexError as error:
            out.append((str(error), error.__traceback__.tb_next.tb_lineno))
        out.append((s[1:i], s[::2], list(s)[-1], 3 in s))
    return out
def others(n):
    out = []
    l, d = L([1, 2, 3]), D(a=1)
    for i in range(n):
        l[i % 3] = i
        d[i] = i
        out.append((l[i % 3], l[-1], d[i], d['b'], C[i], list(G()[i]), P()[i]))
        P()[i] = 2
        try:
            G()[i] = 3
        except KeyError as error:
            out.append((str(error), error.__traceback__.tb_next.tb_lineno))
        x = [Grid(1, 1), L([5]), {0: 6}, [7], (8,), 'n'][i % 6]
        try:
            out.append(x[0])
        except TypeError as error:
            out.append(str(error))
    return out
""", ["life(4)", "life(200)", "seq(3)", "seq(30)[-14:]", "others(3)", "others(40)[-9:]"]),
    "what dies with an operation": ("""
import sys
log = []
class T:
    def __init__(self, tag):
        self.tag = tag
    def __del__(self):
        frame = sys._getframe(1)
        log.append((self.tag, frame.f_code.co_name, frame.f_lineno))
    def __add__(self, o):
        return T(('sum', self.tag, o.tag))
    def __mul__(self, o):
        local = T('local')
        return 5
    def __getitem__(self, i):
        return T(('item', i))
    def __setitem__(self, i, v):
        self.v = v
        return T(('result', i))
    def __sub__(self, o):
        return NotImplemented if o.tag == 'no' else 1
def run(n):
    out = []
    for i in range(n):
        T(1) + T(2)
        x = T(3) + T(4) + T(5)
        out.append(T(6) * T(7))
        T(8)[i]
        T(9)[i] = T(10)
        try:
            T(11) - T('no' if i % 3 else 'yes')
        except TypeError as error:
            log.append(str(error))
    return out
def seen(n):
    del log[:]
    return run(n), list(log)
""", ["seen(1)", "seen(30)", "seen(2)"]),
}


@pytest.mark.parametrize("name", CASES, ids=[n.replace(" ", "_") for n in CASES])
def test_case(name):
    source, calls = CASES[name]
    check(source, calls)


SPEED = """
class V:
    def __init__(self, x):
        self.x = x
    def __add__(self, o):
        return V(self.x + o.x)
    def __getitem__(self, i):
        return self.x if i else 1
    def __setitem__(self, i, value):
        self.x = value
def loop(n):
    v, one = V(0), V(1)
    total = 0
    for i in range(n):
        v = v + one
        v[0] = i
        total += v[i]
    return total
"""


@pytest.mark.plain_only
def test_they_are_inlined():
    import psyco

    space = {}
    exec(compile(SPEED, "<operators>", "exec"), space)
    expected = [space["loop"](n) for n in (300, 3000)]
    loop = psyco.proxy(space["loop"])
    assert [loop(n) for n in (300, 3000)] == expected
    text = str(psyco.explain(loop))
    for name in ("__add__", "__getitem__", "__setitem__"):
        assert f"inlined V.{name}" in text
