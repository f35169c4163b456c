"""Two names of one object stay two names of one object, also when the object was never made.

Numbers, tuples, iterators and bound methods that compiled code has not built yet have an identity all the
same: where names part and meet again, at every way out and for every reader of variables, `is` and
containers must see what the interpreter shows.
"""

from __future__ import annotations

import pytest
from differential import check

CASES = {
    "constant or computed": ("""
def f(x, other):
    y = 9.101
    for i in range(3):
        pass
    if other:
        y = x % -1.5
    return y
def g(x, other):
    n = 123456
    if other:
        n = x * 1000
    elif x is None:
        n = 123456789
    return n
def first(f, *args):
    one = f(*args)
    return one is f(*args), one is f.__code__.co_consts[1], one
def kept(x, other):
    z = 0.25 if other else x
    w = z
    return z is w, [z, w][0] is [w][0], z is x, z
def nested(x, others):
    y = 2.5
    for other in others:
        if other:
            y = x
        else:
            y = 3.5
    return y
""", ["first(f, 2.5, False)", "first(f, 2.5, True)", "first(g, 7, False)", "first(g, 7, True)", "first(g, None, False)",
      "kept(1.5, True)", "kept(1.5, False)", "first(nested, 1.5, [1, 0])", "nested(1.5, [0, 1])", "nested(1.5, [])",
      "first(nested, 0.5, [])"]),
    "tuple or the same tuple": ("""
def f(a, b, same):
    x = (a, b)
    if same:
        y = x
    else:
        y = (a, b)
    return x is y, x == y
""", ["f(1, 2, True)", "f(1, 2, False)"]),
    "number or another": ("""
def f(a, same):
    x = a * 1000.5
    if same:
        y = x
    else:
        y = a * 3.5
    z = [x, y]
    return x is y, z[0] is z[1], x is z[0], y is z[1]
def g(a, same):
    x = a * 1000
    y = x if same else a * 3000
    return x is y, [x, y]
""", ["f(2, True)", "f(2, False)", "g(7, True)", "g(7, False)"]),
    "NaN in a list": ("""
def f(a, same):
    inf = a * 1e300 * 1e300
    x = inf - inf
    y = x if same else a
    return y in [x], x in [y], [x] == [y]
nan = float('nan')
def g(same, n):
    x = nan
    out = []
    for i in range(n):
        y = x
        if not same:
            x = y + i
        out.append((x in [y], y in [nan], x is y))
    return out
""", ["f(2.0, True)", "f(2.0, False)", "g(True, 4)", "g(False, 4)"]),
    "the greatest so far": ("""
def f(n):
    best = -1
    out = []
    for i in range(n):
        j = i * 1000 % 7919
        if j > best:
            best = j
        out.append((best is j, best))
    return out
def g(items):
    best = max(items[0] * 1.5, items[1] * 2.5)
    low = items[0] * 1.25
    high = items[1] * 1.75
    top = max(low, high)
    return top is low, top is high, min(low, high) is low, best
""", ["f(20)", "g([1, 2])", "g([5, 1])"]),
    "before a loop": ("""
def f(a, n):
    x = a * 1.5
    y = x
    out = []
    for i in range(n):
        out.append((x is y, x, y))
        if i == 2:
            x = x + 0.5
    return out, x is y
def g(a, n):
    t = (a, n)
    u = t
    out = []
    for i in range(n):
        out.append(t is u)
        if i & 1:
            u = (a, i)
        elif i == 4:
            u = t
    return out
""", ["f(3, 0)", "f(3, 6)", "g(1, 8)", "g(1.5, 2)"]),
    "round a loop": ("""
def f(a, n):
    last = None
    out = []
    x = a
    for i in range(n):
        x = x * 1.5
        if i % 3 == 0:
            last = x
        out.append(last is x)
    return out, last is x
def g(n):
    old = new = 10**6
    out = []
    i = 0
    while i < n:
        i += 1
        new = new + i
        if i % 4:
            old = new
        out.append((old is new, old in [new]))
    return out
""", ["f(2.0, 9)", "f(3, 9)", "g(12)"]),
    "in an inlined function": ("""
def clamp(x, low):
    if x < low:
        x = low
    return x
def f(a, n):
    out = []
    for i in range(n):
        x = a * i
        low = a * 3
        y = clamp(x, low)
        out.append((y is x, y is low))
    return out
""", ["f(1000, 8)", "f(1.5, 8)"]),
}


CASES |= {
    "equal calculations are two objects": ("""
def f(a, big):
    x = a * 3.5
    y = a * 3.5
    z = x
    w = big + 1
    return x is y, x is z, [x, y][1] is y, w > 0
def g(a, big):
    x = 5000 * (a == a)
    y = 5000 * (a == a)
    w = big + 1
    return x is y, x == y, w > 0
""", ["f(2.0, 1)", "f(2.0, 2**63 - 1)", "g(2.0, 1)", "g(2.0, 2**63 - 1)"]),
    "abs of what is not negative": ("""
def f(items):
    out = []
    for x in items:
        y = abs(x)
        out.append((y is x, y))
        z = x * 3 - 7000
        w = abs(z)
        out.append((w is z, [w][0] is w))
        out.append(abs(x - 5) + abs(z) * 2)
    return out
""", ["f([5000, -5000, 3, -3, 2333])", "f([5000, -5000, 2**62, -2**62, -2**63, 2**70, True])"]),
    "parts of what stays as it is in the loop": ("""
def f(a, n, big):
    x = a * 1.5
    u = (x, (x, x))
    out = []
    for i in range(n):
        out.append((u[0] is x, x in u, u[1][1] is x))
        if i == 3: x = x + 1
        if i == 5: x = u[0]
        z = big + i
    return out, z > 0
def g(a, n, big):
    x = a * 1.5
    u = (x, (x, x))
    i = 0
    while i < n:
        i += 1
        y = i * 2.5
        w = (y, u, y)
        z = big + i
    return u[0] is x, u[1][0] is x, w[0] is y, w[2] is y, w[1] is u, z > 0
""", ["f(2.0, 9, 1)", "f(2.0, 9, 2**63 - 5)", "g(2.0, 9, 1)", "g(2.0, 9, 2**63 - 5)", "g(2.0, 1, 1)"]),
    "a name that may be unbound": ("""
def f(n, k):
    w = []
    out = []
    for i in range(n):
        if i % 3 == k:
            y = i * 2.5
            w.append(y)
        if w:
            out.append(w[-1] is y)
    return out
def g(n, k, big):
    i = 0
    while i < n:
        i += 1
        if i % 3 == k:
            y = i * 2500
            w = (y, 1)
        z = i + 1.5
        v = (z, w if i > 3 else 0)
    if n > 3:
        return w[0] is y, v[0] is z, v[1] is w
    return v[0] is z
def h(n):
    out = []
    for i in range(n):
        if i % 2:
            y = i * 2.5
            t = (y, i)
        try:
            out.append((t[0] is y, y in t))
        except NameError as e:
            out.append(str(e))
    return out
""", ["f(10, 0)", "f(10, 1)", "f(10, 2)", "g(10, 0, 1)", "g(10, 1, 1)", "g(2, 2, 1)", "h(8)"]),
    "objects that differ by the way": ("""
def f(a, p, big):
    if p: t = (a * 2.5, 1)
    else: t = (a * 3.5, 2)
    u = (t, t[0])
    x = t[0]
    y = big + 1
    return u[0] is t, u[1] is x, t[0] is x, y > 0
def g(a, p, big):
    x = a * 2.5
    if p: t = (x, 1)
    else: t = (a * 3.5, 2)
    y = big + 1
    return t[0] is x, y > 0
def h(a, p, big):
    x = a * 2.5
    t = (x, 1)
    u = t if p else (x, 1)
    y = big + 1
    return t is u, t[0] is u[0], y > 0
""", [f"{f}(2.0, {p}, {big})" for big in ("1", "2**63 - 1") for f in "fgh" for p in (0, 1)]),
    "readers in the middle of an expression": ("""
import sys
kept = []
def seen():
    return sys._getframe(1).f_locals
def outer_seen():
    return sys._getframe(2).f_locals
def by_locals(a):
    x = a * 3.5; t = (x, a)
    r = (x, t, len(locals()), x, t)
    return r[0] is x, r[3] is x, r[1] is t, r[4] is t, t[0] is x
def by_eval(a):
    x = a * 3.5; t = (x, a)
    r = (x, t, eval('x'), eval('t'), vars()['t'], x, t)
    return r[0] is x, r[2] is x, r[3] is t, r[4] is t, r[1] is t, r[5] is x, r[6] is t
def by_frame(a):
    x = a * 3.5; t = (x, a)
    r = (x, t, kept.append(seen()), x, t)
    k = kept.pop()
    return r[0] is x, r[3] is x, r[1] is t, r[4] is t, k['x'] is x, k['t'] is t
def inner(t, x):
    u = (t, x, t)
    return (u, x, t, kept.append((seen(), outer_seen())), u)
def by_chain(a):
    x = a * 3.5; t = (x, a)
    r = (x, inner(t, x), t)
    mine, outer = kept.pop()
    q = r[1]
    return (r[0] is x, q[0] is q[4], q[0][0] is t, q[0][1] is x, r[2] is t, mine['t'] is t,
            mine['u'] is q[0], outer['x'] is x, outer['t'] is t, mine['x'] is x)
class D:
    def __del__(self):
        frame = sys._getframe(1)
        kept.append((frame.f_code.co_name, dict(frame.f_locals)))
def by_finaliser(a):
    x = a * 3.5; t = (x, a); d = D()
    r = (x, t)
    d = None
    name, seen = kept.pop()
    return name, seen['x'] is x, seen['t'] is t, r[0] is x, r[1] is t
def fail():
    kept.append(outer_seen()['x'])
    raise ValueError
def by_traceback(a):
    x = a * 3.5; t = (x, a)
    try:
        r = (x, t, fail())
    except ValueError as e:
        seen = e.__traceback__.tb_frame.f_locals
        return seen['x'] is x, seen['t'] is t
def in_a_loop(a, n):
    out = []
    s = a * 0.5
    for i in range(n):
        s = s + i * 1.5
        t = (s, i)
        r = (s, t, seen()['s'] if i % 3 == 1 else s, s, t)
        out.append((r[0] is s, r[1] is t, r[2] is s, r[3] is s, r[4] is t, t[0] is s))
    return out
def advanced(items):
    out = []
    it = iter(items)
    for v in it:
        if v == 3:
            out.append(next(seen()['it']))
        out.append(v)
    return out, next(it, 'end')
""", ["by_locals(2.0)", "by_eval(2.0)", "by_frame(2.0)", "by_chain(2.0)", "by_finaliser(2.0)", "by_traceback(2.0)",
      "in_a_loop(1.5, 12)", "advanced(range(8))", "advanced([1, 2, 3, 4, 5])", "advanced((1, 2, 3, 4))",
      "advanced(b'\\1\\2\\3\\4')", "advanced(bytearray(b'\\2\\3\\4'))"]),
    "variables that nobody but locals() compares": ("""
def f(a, n):
    x = a * 1.5
    y = x
    z = 0.0
    for i in range(n):
        z = z + x * y
        if i == 2:
            x = x + 1
    seen = locals()
    return seen['x'] is seen['y'], seen['z'] is seen['x']
""", ["f(2.0, 2)", "f(2.0, 5)"]),
    "a reader in another thread": ("""
import sys, threading
def reader(ident, go, done, out):
    go.wait(5)
    frame = sys._current_frames()[ident]
    while frame.f_code.co_name != 'waiting':
        frame = frame.f_back
    out.append((frame.f_locals['x'], frame.f_locals['t']))
    done.set()
def waiting(a, go, done):
    x = a * 3.5; t = (x, a)
    r = (x, t, go.set(), x, t)
    q = (x, t, done.wait(5), x, t)
    return x, t, r, q
def run(a):
    go, done, out = threading.Event(), threading.Event(), []
    thread = threading.Thread(target=reader, args=(threading.get_ident(), go, done, out))
    thread.start()
    x, t, r, q = waiting(a, go, done)
    thread.join()
    return out[0][0] is x, out[0][1] is t, [r[k] is (x, t, 0, x, t)[k] for k in (0, 1, 3, 4)], [
        q[k] is (x, t, 0, x, t)[k] for k in (0, 1, 3, 4)], t[0] is x
""", ["run(2.0)"]),
}

# Everything that may not be built yet, by how it is made.
KINDS = {
    "tuple": "(a, 1.5)",
    "nested": "((a, 1.5), (a, (a, 2)))",
    "range_": "range(a, a + 3)",
    "slice_": "slice(a, 9)",
    "bound": "c.m",
    "list_iterator": "iter(items)",
    "tuple_iterator": "iter((a, 2, 3, 4))",
    "range_iterator": "iter(range(a, a + 5))",
    "stepping_iterator": "iter(range(a, a + 9, 2))",
    "bytes_iterator": "iter(b'abcde')",
    "bytearray_iterator": "iter(bytearray(b'abcde'))",
    "float_": "a * 2.5",
    "int_": "a * 5000",
}
# Ways out of compiled code, or to somebody who looks, in the middle of the function.
WAYS = {
    "overflow": "y = n + big",
    "type guard": "y = [big] * 2 if n is None else big * other",
    "exception": "try:\n        y = d[big]\n    except KeyError:\n        y = -1",
    "exception in an inlined call": "try:\n        y = raises(v, t, big)\n    except ValueError:\n        y = -1",
    "locals()": "y = (v, t, len(locals()), v, t)",
    "f_locals": "y = (v, t, reads(), v, t)",
    "f_locals of the caller, inlined": "y = (v, inlined_read(v, t), v, t)",
    "inlined overflow": "y = inlined(v, t, n + 0, big)",
    "nested inlined overflow": "y = twice_inlined(v, t, n + 0, big)",
    "the result of an overflow, inlined": "v, t, y = handed_on(v, t, n + 0, big)",
}
SURROUNDINGS = """
import sys
class C:
    def m(self): return 1
c = C()
d = {1: 2}
def reads():
    frame = sys._getframe(1)
    return frame.f_locals['v'], frame.f_locals['t'], frame.f_locals['w']
def inlined_read(v, t):
    u = (v, t)
    frame = sys._getframe(0)
    return u, frame.f_locals['u'], frame.f_back.f_locals['v'], frame.f_back.f_locals['t'], u
def raises(v, t, big):
    u = (v, t)
    if big > 1: raise ValueError
    return u
def inlined(v, t, n, big):
    u = (v, t, v)
    y = n + big
    return u, v, t, y > 0
def twice_inlined(v, t, n, big):
    u = (t, v)
    r = inlined(v, u, n, big)
    return r, u, r[0][1] is u
def handed_on(v, t, n, big):
    u = (t, v)
    y = n + big
    return u[1], u[0], (u, y > 0)
def names_of(objects, v, t, depth=0):
    # Where v and t are in a structure of tuples.
    if objects is v: return 'v'
    if objects is t: return 't'
    if type(objects) is tuple and depth < 5:
        return [names_of(o, v, t, depth + 1) for o in objects]
    return None
def used(v):
    if hasattr(v, '__next__'): return next(v), next(v)
    return type(v).__name__
"""
FUNCTION = """
def {name}(a, n, big, other, items):
    v = {made}
    w = v
    t = (v, (w, n))
    {way}
    return names_of((y, w, t), v, t), v is w, t[0] is v, t[1][0] is v, used(v), used(w), used(t[0])
def {name}_loop(a, n, big, other, items):
    out = []
    for i in range(3):
        v = {made}
        w = v
        t = (v, (w, n))
        {loop_way}
        out.append((names_of((y, w, t), v, t), v is w, t[0] is v, t[1][0] is v, used(v), used(w), used(t[0])))
    return out
"""


@pytest.mark.parametrize("way", WAYS)
def test_every_kind_on_every_way_out(way):
    text = WAYS[way]
    source = SURROUNDINGS + "".join(
        FUNCTION.format(name=name, made=made, way=text, loop_way=text.replace("\n", "\n    "))
        for name, made in KINDS.items()
    )
    odd = "'ab'" if way == "type guard" else "2"
    calls = [
        f"{name}{loop}(4, 7, {big}, {other}, [1, 2, 3, 4, 5, 6, 7, 8])"
        for name in KINDS
        for loop in ("", "_loop")
        for big, other in (("1", "2"), ("1", odd), ("2**63 - 2", "2"))
    ]
    check(source, calls)


@pytest.mark.parametrize("name", CASES)
def test_names_of_one_object(name):
    source, calls = CASES[name]
    check(source, calls)
