"""Calls of functions with *args, **kwargs and keyword-only parameters, and calls with * and **."""

from __future__ import annotations

import pytest
from differential import check

CASES = {
    "decorators": ("""
import functools, sys
def passed_on(f):
    @functools.wraps(f)
    def wrapper(*args, **kwargs):
        return f(*args, **kwargs)
    return wrapper
def positional(f):
    def wrapper(*args):
        return f(*args)
    return wrapper
def counted(f):
    def wrapper(*args, **kwargs):
        wrapper.calls += 1
        kwargs.setdefault('c', wrapper.calls)
        return f(*args, **kwargs)
    wrapper.calls = 0
    return wrapper
def looks(f):
    def wrapper(*args, **kwargs):
        result = f(*args, **kwargs)
        return result, args, kwargs, sorted(locals())
    return wrapper
def catches(f):
    def wrapper(*args, **kwargs):
        try:
            return f(*args, **kwargs)
        except ArithmeticError as error:
            return str(error), error.__traceback__.tb_lineno, error.__traceback__.tb_next.tb_lineno, args
    return wrapper
@passed_on
def add(a, b=1):
    return a + b
@positional
def mul(a, b):
    return a * b
@counted
def three(a, b=2, c=3):
    return a, b, c
@looks
def sub(a, b=0, *rest, c=1, **more):
    return a - b, rest, c, more
@catches
def div(a, b):
    return a // b
@passed_on
@positional
@passed_on
def deep(a, b):
    return a - b
@passed_on
def stack(n):
    frame, out = sys._getframe(), []
    while frame and len(out) < 3:
        out.append((frame.f_code.co_name, frame.f_lineno, sorted((k, str(v)) for k, v in frame.f_locals.items() if k != 'f') if frame.f_code.co_name == 'wrapper' else 0))
        frame = frame.f_back
    return str(out)
class C:
    k = 2
    @passed_on
    def m(self, x, y=1):
        return self.k * x + y
    @positional
    def n(self, x):
        return self.m(x, y=3)
def loop(n):
    t = 0
    for i in range(n):
        t = add(t, i)
        t = add(t, b=i)
        t = add(t)
        t = mul(t, 3) % 1000
        t += deep(t, i)
    return t
def big(n):
    t = 1
    for i in range(n):
        t = mul(t, 7)
        t = add(t, i)
    return t
def others(n):
    return [(three(i), three(i, 5), three(i, c=6), three(b=i, a=1), sub(i), sub(i, 1, 2, 3), sub(i, x=1, c=i), div(i, i % 3), div(i, i % 2)) for i in range(n)]
def methods(n):
    c = C()
    return [(c.m(i), c.m(i, y=2), c.n(i), C.m(c, i)) for i in range(n)]
def stacks(n):
    return [stack(i) for i in range(n)][-1]
""", ["loop(3)", "loop(400)", "big(60)", "others(4)", "others(30)", "methods(20)", "stacks(2)", "stacks(30)"]),
    "wrong calls": ("""
def plain(a, b=1):
    return a, b
def only(*, k):
    return k
def rest(a, *args, k=2):
    return a, args, k
def more(a, /, b=3, **kwargs):
    return a, b, kwargs
def star(f, *args, **kwargs):
    return f(*args, **kwargs)
def attempt(f, args, kwargs):
    try:
        return star(f, *args, **kwargs)
    except TypeError as error:
        tb, lines = error.__traceback__, []
        while tb:
            lines.append((tb.tb_frame.f_code.co_name, tb.tb_lineno))
            tb = tb.tb_next
        return str(error), lines
def known(n):
    out = []
    for i in range(n):
        try:
            if i % 8 == 0: out.append(plain())
            elif i % 8 == 1: out.append(plain(1, 2, 3))
            elif i % 8 == 2: out.append(only(1))
            elif i % 8 == 3: out.append(only())
            elif i % 8 == 4: out.append(rest())
            elif i % 8 == 5: out.append(more(a=1))
            elif i % 8 == 6: out.append(more(1, 2, b=3))
            else: out.append(plain(1, a=2))
        except TypeError as error:
            out.append((str(error), error.__traceback__.tb_lineno))
    return out
def run(n):
    out = []
    for i in range(n):
        for f in plain, only, rest, more:
            for args in (), (i,), (i, 2), (i, 2, 3):
                for kwargs in {}, {'k': i}, {'b': i}, {'a': 1}:
                    out.append(attempt(f, args, kwargs))
    return out
""", ["run(2)", "run(12)[-64:]", "known(16)", "known(90)[-8:]"]),
    "defaults of keyword-only parameters": ("""
def f(a, *, k=2, m=(1, 2)):
    return a, k, m
def g(*args, k=5, **kwargs):
    return args, k, kwargs
def loop(n):
    out = []
    for i in range(n):
        out.append((f(i), f(i, k=3), f(a=i, m=4), f(i, m=1, k=2), g(), g(i), g(i, k=i), g(k=i, x=1), g(*(1, 2)), g(*[i], **{'k': 1})))
        if i == 10: f.__kwdefaults__['k'] = 'changed'
        if i == 20: f.__kwdefaults__ = {'k': 'new', 'm': 'new'}
        if i == 30: g.__kwdefaults__.update(k=6, y=7)
        if i == 40: f.__kwdefaults__.clear(); f.__kwdefaults__.update(k=2, m=(1, 2))
        if i == 50: g.__code__ = f.__code__; g.__kwdefaults__ = {'k': 1, 'm': 2}; g.__defaults__ = (0,)
        if i == 50: break
    return out
def missing(n):
    out = []
    for i in range(n):
        try:
            out.append(f(i))
        except TypeError as error:
            out.append(str(error))
        if i == 5: del f.__kwdefaults__['m']
        if i == 10: f.__kwdefaults__ = None
        if i == 15: f.__kwdefaults__ = {'k': 2, 'm': (1, 2)}
    return out
""", ["loop(4)", "missing(20)", "loop(60)", "missing(20)"]),
    "arguments that live on": ("""
kept = []
class Dying:
    def __init__(self, tag):
        self.tag = tag
    def __del__(self):
        kept.append(('died', self.tag))
def keep(*args, **kwargs):
    kept.append(args)
    kwargs['x'] = len(args)
    kept.append(kwargs)
    return args
def same(*args):
    return args
def count(*args):
    return sum(1 for _ in args), len(args), args[-1] if args else None
def loops(*args):
    t = 0
    for a in args:
        t += a
    args = args + (t,)
    return args
def replaced(*args, **kwargs):
    args = list(args)
    kwargs = None
    return same(*args)
def holds(*args, **kwargs):
    kept.append('called')
    return args
def rebinds(*args):
    a, *args = args
    return a, args, same(*args), same(*args, a)
def run(n):
    out = []
    for i in range(n):
        a = keep(i, 'b')
        out.append((a, a is kept[-2], same() is same(), same(i), same(*a) == a, same(*a) is a, count(), count(1, i), loops(), loops(i, 2.5), loops(i, 2**62, 2**62), replaced(i, k=1), rebinds(i, 2, 3)))
        same(*(i, 1), *a)
    return out, kept[:12]
def deaths(n):
    del kept[:]
    for i in range(n):
        holds(Dying(i))
        holds(Dying((i, 'k')), k=Dying((i, 'keyword')))
        same(Dying((i, 'same')), 1)
        holds(*(Dying((i, 'star')), 2))
        a = holds(*[Dying((i, 'first')), Dying((i, 'second'))])
        kept.append('still there')
        a = None
        kept.append('next')
    return list(kept)
""", ["run(3)", "run(40)[0][-1]", "deaths(2)", "deaths(25)[-12:]"]),
    "functions that come by parameter": ("""
def call(f, *args):
    return f(*args)
def call_all(f, *args, **kwargs):
    return f(*args, **kwargs)
def apply(f, args):
    return f(*args)
class C:
    def __init__(self, *args, k=1, **kwargs):
        self.all = args, k, kwargs
    def m(self, *args):
        return self.all, args
class D(C):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.d = True
    def m(self, *args):
        return super().m(*args, 1)
def run(n):
    out = []
    for i in range(n):
        def inner(x, y=i):
            return x + y
        def many(*xs, z=i):
            return xs, z
        out.append((call(inner, 1, 2), call_all(inner, x=2), call(many, 1, i), call_all(many, i, z=3), call(lambda a: a * i, 2), call(max, i, 3), apply(inner, (i, i)), apply(many, [1, 2]), call(C, i).all, call_all(D, i, k=2).m(3), D(1, 2, q=i).all, call(D(0).m, i)))
    return out
def recursive(n, *rest):
    return rest if n == 0 else recursive(n - 1, n, *rest)
def generator(*args):
    yield from args
def generated(n):
    return [list(generator(i, i + 1)) for i in range(n)]
async def waits(*args):
    return args
def awaited(n):
    out = []
    for i in range(n):
        try:
            waits(i).send(None)
        except StopIteration as stop:
            out.append(stop.value)
    return out
""", ["run(3)", "run(40)[-2:]", "[recursive(6) for _ in range(20)][-1]", "generated(20)[-1]", "awaited(20)[-1]"]),
}


@pytest.mark.parametrize("name", CASES, ids=[n.replace(" ", "_") for n in CASES])
def test_case(name):
    source, calls = CASES[name]
    check(source, calls)


SPEED = """
def passed_on(f):
    def wrapper(*args, **kwargs):
        return f(*args, **kwargs)
    return wrapper
@passed_on
def add(a, b):
    return a + b
def scaled(a, *, by=2):
    return a * by
def loop(n):
    total = 0
    for i in range(n):
        total = add(total, i) + scaled(i) - scaled(i, by=3)
    return total
"""


@pytest.mark.plain_only
def test_they_are_inlined():
    import psyco

    space = {}
    exec(compile(SPEED, "<signatures>", "exec"), space)
    expected = [space["loop"](n) for n in (300, 3000)]
    loop = psyco.proxy(space["loop"])
    assert [loop(n) for n in (300, 3000)] == expected
    text = str(psyco.explain(loop))
    assert "inlined passed_on.<locals>.wrapper" in text
    assert "inlined add (in passed_on.<locals>.wrapper)" in text
    assert "inlined scaled" in text
