"""Properties, static and class methods, super(): what stands between a name and the function that runs."""

from __future__ import annotations

import pytest
from differential import check

CASES = {
    "a property read and written": ("""
class P:
    def __init__(self, x):
        self._x = x
    @property
    def x(self):
        return self._x
    @x.setter
    def x(self, value):
        self._x = value * 2 if value else self.nothing
        return 'dropped'
    @x.deleter
    def x(self):
        self._x = 'deleted'
class Q(P):
    @property
    def x(self):
        return self._x, 'Q'
class R(P):
    x = 5
def loop(p, n):
    total = []
    for i in range(n):
        p.x = i + 1
        total.append(p.x)
    return total
def more(p, n):
    for i in range(n):
        p.x += i
        if i == 5:
            del p.x
    return p.x
def fails(n):
    out = []
    for i in range(n):
        try:
            P(3).x = i % 3
        except AttributeError as error:
            out.append((str(error), error.__traceback__.tb_lineno, error.__traceback__.tb_next.tb_lineno))
    return out
""", ["loop(P(1), 5)", "loop(P(1), 200)[-1]", "loop(P(1), 3)", "loop(Q(1), 3)", "loop(R(1), 3)", "more(P(1), 30)", "more(P(2**61), 4)", "fails(9)", "loop(P(2.5), 20)"]),
    "properties that leave, raise and look": ("""
import sys
class P:
    def __init__(self, x):
        self.a = x
    @property
    def grows(self):
        return self.a * self.a + self.a
    @property
    def raises(self):
        return 1 // self.a
    @property
    def looks(self):
        frame = sys._getframe(1)
        return frame.f_code.co_name, frame.f_lineno, sorted(frame.f_locals), sorted(locals())
    @property
    def pokes(self):
        sys._getframe(1).f_locals['i'] = 7
        return 1
    @property
    def inner(self):
        return self.grows + self.raises
    @property
    def yields(self):
        yield self.a
    @property
    def attribute(self):
        raise AttributeError('own')
    @property
    def recursive(self):
        if self.a <= 0:
            return 0
        self.a -= 1
        return self.recursive + 1
    @looks.setter
    def looks(self, value):
        self.seen = sys._getframe(1).f_lineno, value
    @raises.setter
    def raises(self, value):
        self.a = 10 // value
class With(P):
    def __getattr__(self, name):
        return 'by __getattr__', name
def grows(n):
    p = P(3)
    out = []
    for i in range(n):
        out.append(p.grows)
        p.a *= 7
    return out
def raises(n):
    p = P(3)
    out = []
    for i in range(n):
        p.a = i % 4
        try:
            out.append(p.inner)
        except ZeroDivisionError as error:
            tb, lines = error.__traceback__, []
            while tb:
                lines.append((tb.tb_frame.f_code.co_name, tb.tb_lineno))
                tb = tb.tb_next
            out.append(lines)
        try:
            p.raises = i % 3
        except ZeroDivisionError as error:
            out.append(error.__traceback__.tb_next.tb_lineno)
        out.append(p.a)
    return out
def looks(n):
    p = P(1)
    out = []
    for i in range(n):
        p.looks = i
        out.append((p.looks,
                    p.seen,
                    p.pokes, i))
    return out
def other(cls, n):
    p = cls(2)
    out = []
    for i in range(n):
        try:
            out.append((list(p.yields), p.attribute, p.a))
        except AttributeError as error:
            out.append(str(error))
        p.a = i
        out.append(p.recursive)
    return out
""", ["grows(40)", "raises(24)", "looks(4)", "looks(30)[-1]", "other(P, 6)", "other(With, 6)", "other(P, 60)[-1]"]),
    "properties that change": ("""
class P:
    def __init__(self, x):
        self._x = x
    def get(self):
        return self._x
    def get_otherwise(self):
        return -self._x
    def put(self, value):
        self._x = value
    def put_otherwise(self, value):
        self._x = -value
    x = property(get, put)
def change(i):
    if i == 5:
        P.x.__init__(P.get_otherwise, P.put)
    elif i == 8:
        P.x = property(P.get, P.put_otherwise)
    elif i == 11:
        P.get.__code__ = P.get_otherwise.__code__
    elif i == 14:
        P.x = 3
    elif i == 17:
        del P.x
    elif i == 20:
        P.x = property(lambda self: self._x, None)
    elif i == 23:
        P.x = property(None, P.put)
def loop(n):
    p = P(1)
    out = []
    for i in range(n):
        change(i)
        try:
            out.append(p.x)
            p.x = i
        except AttributeError as error:
            out.append(str(error))
        out.append(p._x)
        p._x = i + 1
    P.x = property(P.get, P.put)
    return out
def by_class(n):
    class Q:
        def __init__(self):
            self.v = 2
        @property
        def y(self):
            return self.v * 3
    q, r = Q(), P(4)
    out = []
    for i in range(n):
        try:
            out.append(q.y)
        except AttributeError as error:
            out.append(str(error))
        if i == 7:
            q.__class__ = P
        if i == 9:
            q.__class__ = Q
    return out
""", ["loop(4)", "loop(30)", "loop(30)", "by_class(20)"]),
    "static and class methods": ("""
class A:
    k = 3
    @staticmethod
    def s(x, y=1):
        return x + y
    @classmethod
    def c(cls, x):
        return cls.k + x, cls.__name__
    n = staticmethod(len)
    t = staticmethod(int)
    b = classmethod(len)
    def both(self, i):
        return self.s(i), self.c(i), self.s(i, y=3), self.n('abc'), self.t('7')
class B(A):
    k = 4
    @staticmethod
    def s(x, y=2):
        return [x, y]
class S:
    __slots__ = ()
    k = 9
    s = A.__dict__['s']
    c = A.__dict__['c']
def loop(objects, n):
    out = []
    for i in range(n):
        o = objects[i % len(objects)]
        f, g = o.s, o.c
        out.append((o.s(i), o.c(i), f(2), g(3), f is o.s, g == o.c))
    return out
def of_classes(n):
    return [(A.s(i), A.c(i), B.s(i), B.c(i), A.n([i]), A.t(i), (A.s)(1), A.c.__self__.__name__) for i in range(n)]
def both(n):
    return [A().both(i) for i in range(n)] + [B().both(i) for i in range(n)]
def shadowed(n):
    a = A()
    out = []
    for i in range(n):
        out.append((a.s(i), a.c(i)))
        if i == 4:
            a.s = lambda x: ('shadow', x)
        if i == 8:
            vars(a)['c'] = str
        if i == 12:
            del a.s
    return out
def changed(n):
    out = []
    for i in range(n):
        out.append((A.s(i), A().c(i), B.c(i), A().s(i)))
        if i == 4:
            A.__dict__['s'].__init__(lambda x: ('again', x))
        if i == 8:
            A.c = staticmethod(lambda x: x)
        if i == 12:
            A.s = 5 .__add__
        if i == 16:
            A.c = 7 .__add__
            A.s = lambda *a: len(a)
    return out
def wrong(n):
    out = []
    for i in range(n):
        for f in (lambda: A().s(), lambda: A().c(1, 2), lambda: A.b(), lambda: A().b(1)):
            try:
                f()
            except TypeError as error:
                out.append(str(error))
    return out
""", ["loop([A()], 4)", "loop([A(), B()], 30)", "loop([S(), A(), B()], 30)", "loop([A], 20)", "loop([A, B(), S], 30)", "of_classes(30)", "both(20)", "shadowed(20)", "wrong(9)", "changed(24)"]),
    "super() of many kinds": ("""
class A:
    x = 1
    def __init__(self, v=0):
        self.v = v
    def m(self, k):
        return [self.v, k]
    def p(self):
        return 'A'
    @property
    def q(self):
        return 'q of A'
    @staticmethod
    def s(k):
        return k, 'static'
    @classmethod
    def c(cls, k):
        return cls.__name__, k
class B(A):
    def __init__(self, v):
        super().__init__(v + 1)
    def m(self, k):
        return super().m(k) + ['B']
    def p(self):
        return super().p() + 'B'
    def other(self):
        f = super().m
        return f(3), super().q, super().s(4), super().c(5), super().x
    @classmethod
    def c(cls, k):
        return super().c(k), 'B'
    def changed(self, k):
        self = A(k)
        try:
            return super().m(k)
        except TypeError as error:
            return str(error)
    def explicit(self, k):
        return super(B, self).m(k), super(A, self).__repr__.__name__
    def lost(self):
        return super().nothing
    def who(self):
        return super().__class__
class C(A):
    def m(self, k):
        return super().m(k + 1) + ['C']
    def p(self):
        return super().p() + 'C'
class D(B, C):
    def m(self, k):
        return super().m(k) + ['D']
    def p(self):
        return super().p() + 'D'
class E(D):
    pass
def loop(classes, n):
    out = []
    for i in range(n):
        o = classes[i % len(classes)](i)
        out.append((o.m(i), o.p()))
    return out
def rest(n):
    out = []
    for i in range(n):
        b = (B, D, E)[i % 3](i)
        out.append((b.other(), b.c(i), type(b).c(i), b.changed(i), b.explicit(i), b.who().__name__))
        try:
            b.lost()
        except AttributeError as error:
            out.append(str(error))
    return out
def changes(n):
    d, out = D(1), []
    for i in range(n):
        out.append((d.m(i), d.p()))
        if i == 4:
            C.p = lambda self: 'new'
        if i == 8:
            D.__bases__ = (C, B)
        if i == 12:
            A.m = lambda self, k: ['new', k]
        if i == 16:
            d.__class__ = E
        if i == 20:
            B.m = C.m
    return out
def grows(n):
    return [B(2**62 * (i > 5)).m(2**62 + i) for i in range(n)]
""", ["loop([B], 4)", "loop([D], 30)", "loop([B, C, D, E], 40)", "rest(12)", "grows(12)", "changes(28)"]),
    "one function, with and without its first argument": ("""
class A:
    def m(self, x=5, *, k=0):
        return 'A', x, k, type(self).__name__
    def w(self, x=5, y=6):
        return x, y, type(self).__name__
class B:
    pass
class C:
    def m(self, x=6, *, k=1):
        return 'C', x, k
    w = A.w
class D:
    m = staticmethod(A.m)
    w = staticmethod(A.w)
class E:
    m = classmethod(A.m)
    w = classmethod(A.w)
def b():
    b = B()
    b.m = A.m
    b.w = A.w
    return b
def loop(objects, n):
    out = []
    for i in range(n):
        o = objects[i % len(objects)]
        out.append((o.m(i), o.m(i, k=i), o.w(i), o.w(y=i, x=1), o.w(i, i)))
    return out
def one(objects, n):
    out = []
    for i in range(n):
        out.append(objects[i % len(objects)].w(i))
    return out
""", [f"{f}({objects}, {n})" for f in ("one", "loop") for n in (5, 60) for objects in
      ("[A()]", "[A(), C()]", "[A(), b(), C()]", "[b()]", "[D()]", "[A(), D()]", "[D(), A(), E()]", "[A, D(), b(), C()]", "[E, E(), C()]") if "[A, " not in objects or f == "one"]),
    "what a setter drops": ("""
import sys
log = []
class Dying:
    def __init__(self, tag):
        self.tag = tag
    def __del__(self):
        frame = sys._getframe(1)
        log.append((self.tag, frame.f_code.co_name, frame.f_lineno))
class P:
    def __init__(self):
        self.kept = None
    def get(self):
        value = Dying('local of the getter')
        return self.kept
    def put(self, value):
        old = self.kept
        self.kept = value
        return Dying('result of the setter')
    x = property(get, put)
def run(n):
    p = P()
    for i in range(n):
        p.x = Dying(i)
        p.x
        p.x = p.x
    p.x = None
    return len(log)
def seen(n):
    del log[:]
    return run(n), list(log)
""", ["seen(2)", "seen(30)", "seen(3)"]),
}


@pytest.mark.parametrize("name", CASES, ids=[n.replace(" ", "_") for n in CASES])
def test_case(name):
    source, calls = CASES[name]
    check(source, calls)


SPEED = """
class A:
    def __init__(self):
        self._x = 1
    @property
    def x(self):
        return self._x
    @x.setter
    def x(self, value):
        self._x = value
    @staticmethod
    def s(k):
        return k + 1
    @classmethod
    def c(cls, k):
        return k + 2
    def m(self, k):
        return k
class B(A):
    def m(self, k):
        return super().m(k) + 1
def loop(n):
    b = B()
    total = 0
    for i in range(n):
        b.x = i
        total += b.x + b.s(i) + B.c(i) + b.m(i)
    return total
"""


@pytest.mark.plain_only
def test_they_are_inlined():
    import psyco

    space = {}
    exec(compile(SPEED, "<descriptors>", "exec"), space)
    expected = [space["loop"](n) for n in (300, 3000)]
    loop = psyco.proxy(space["loop"])
    assert [loop(n) for n in (300, 3000)] == expected
    text = str(psyco.explain(loop))
    for name in ("A.x", "A.s", "A.c", "B.m"):
        assert f"inlined {name}" in text
    assert "inlined A.m (in B.m)" in text
