"""Two names of one object stay two names of one object, also when the object was never made.

Numbers and tuples that compiled code has not built yet have no identity of their own; where names
part and meet again, `is` and containers must still see what the interpreter shows.
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


@pytest.mark.parametrize("name", CASES)
def test_names_of_one_object(name):
    source, calls = CASES[name]
    check(source, calls)
