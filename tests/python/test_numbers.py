"""Numbers at the edges of their representations: results must be Python's to the last bit."""

from __future__ import annotations

import itertools

import pytest
from differential import check

EDGES = [0, 1, -1, 2, -2, 5, 256, 257, -5, -6, 2**30 - 1, 2**30, -(2**30), 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**60 - 1,
         2**60, 2**62, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30]
FLOATS = ["0.0", "-0.0", "1.0", "-1.5", "2.5", "0.1", "1e16", "9007199254740993.0", "1e308", "-1e308", "5e-324", "inf", "-inf", "nan"]
SETUP = "inf = float('inf')\nnan = float('nan')\n"
WARM = {"int": ("3", "4"), "float": ("3.5", "4.5")}


def warm_then(pairs, warm):
    """First the types that code is compiled for, then all the rest."""
    return [f"f({', '.join(warm)})"] + [f"f({a}, {b})" for a, b in pairs]


@pytest.mark.parametrize("warm", WARM)
@pytest.mark.parametrize("op", ["+", "-", "*", "//", "%", "/", "&", "|", "^", "<", "<=", "==", "!=", ">", ">="])
def test_int_edges(op, warm):
    pairs = list(itertools.product(EDGES, EDGES))
    check(f"def f(a, b):\n    return a {op} b\n", warm_then(pairs[::3], WARM[warm]), repeat=2)


@pytest.mark.parametrize("op", ["+", "-", "*", "//", "%", "/", "**", "<", "<=", "==", "!=", ">", ">="])
def test_float_edges(op):
    mixed = FLOATS + ["3", "0", "-2", "2**53 + 1", "2**70", "True"]
    # An int to the power of a large int would take for ever.
    pairs = [p for p in itertools.product(mixed, mixed) if op != "**" or p[0] in FLOATS or p[1] in FLOATS]
    check(SETUP + f"def f(a, b):\n    return a {op} b\n", warm_then(pairs, WARM["float"]), repeat=2)


@pytest.mark.parametrize("op", ["<<", ">>"])
def test_shifts(op):
    pairs = itertools.product([0, 1, -1, 5, -5, 2**29, 2**30, 2**62, 2**63 - 1, -(2**63), 2**64],
                              [0, 1, 29, 30, 31, 32, 61, 62, 63, 64, 65, 100, -1])
    check(f"def f(a, b):\n    return a {op} b\n", warm_then(pairs, WARM["int"]), repeat=2)


def test_shift_by_huge_amounts():
    check("def f(a, b):\n    return a >> b, (0 << b)\n", ["f(5, 2)", "f(5, 2**62)", "f(-5, 2**64)", "f(5, 2**70)"])


def test_powers():
    pairs = itertools.product([0, 1, -1, 2, -2, 3, 10, 2**31, -(2**31)], [0, 1, 2, 3, 20, 62, 63, 64, -1, -2])
    check("def f(a, b):\n    return a ** b\n", warm_then(pairs, WARM["int"]), repeat=2)


@pytest.mark.parametrize("op", ["-", "+", "~", "abs", "not ", "int", "float", "bool", "str", "round", "hash"])
def test_unary(op):
    values = [*EDGES] + ([] if op == "~" else ["True", "False", "0.0", "-0.0", "2.5", "-2.5", "nan", "inf", "1e300"])
    if op == "hash":
        values.remove("nan")
    text = f"{op}(a)" if op.isalpha() else f"{op}a"
    check(SETUP + f"def f(a):\n    return {text}\n", ["f(3)", *[f"f({v})" for v in values]], repeat=2)


LOOPS = [
    ("growing product", "def f(n):\n    t = 1\n    for i in range(1, n):\n        t *= i\n    return t\n", ["f(10)", "f(21)", "f(40)", "f(3)"]),
    ("growing sum", "def f(n, s):\n    t = s\n    for i in range(n):\n        t += s\n    return t\n",
     ["f(5, 1)", "f(20, 2**62)", "f(5, -2**62)", "f(5, 0.5)", "f(3, 2**70)"]),
    ("falls through zero", "def f(n, s):\n    out = []\n    t = n\n    while t > -3:\n        out.append(s // t if t else None)\n        t -= 1\n    return out\n",
     ["f(3, 10)", "f(3, -10)", "f(2, 2.5)", "f(1, -2**63)"]),
    ("division by zero in the loop", "def f(a, n):\n    t = 0\n    for i in range(n, -2, -1):\n        t += a % i\n    return t\n",
     ["f(10, 3)", "f(2.5, 3)"]),
    ("minus one", "def f(a, b):\n    t = []\n    for i in (1, -1, b):\n        t.append((a // i, a % i, divmod(a, i)))\n    return t\n",
     ["f(7, 2)", "f(-2**63, 3)", "f(2**63 - 1, -1)"]),
    ("type changes in the loop", "def f(n):\n    t = 0\n    for i in range(n):\n        if i == n // 2:\n            t = t / 2\n        if i == n - 2:\n            t = str(t)\n        if isinstance(t, str):\n            t += 'x'\n        else:\n            t = t + i\n    return t\n",
     ["f(20)", "f(7)"]),
    ("collatz", "def f(n):\n    steps = 0\n    while n != 1:\n        n = n // 2 if n % 2 == 0 else 3 * n + 1\n        steps += 1\n    return steps\n",
     ["f(27)", "f(2**63 - 1)", "f(97)"]),
    ("hash-like", "def f(n):\n    h = 5381\n    for i in range(n):\n        h = (h * 33 ^ i) & 0xffffffff\n        h = h << 3 | h >> 29\n    return h\n",
     ["f(50)", "f(200)"]),
    ("masks to 64 bits", "def f(n):\n    x = 88172645463325252\n    for i in range(n):\n        x ^= (x << 13) & 0xffffffffffffffff\n        x ^= x >> 7\n        x ^= (x << 17) & 0xffffffffffffffff\n    return x\n",
     ["f(10)", "f(100)"]),
    ("float accumulates", "def f(n, k):\n    t = 0.0\n    for i in range(n):\n        t = t * k + i / 3\n    return t\n", ["f(10, 0.5)", "f(100, 1e10)", "f(10, -0.0)", "f(400, 1e5)"]),
    ("nan spreads", "def f(n):\n    t = float('inf')\n    out = []\n    for i in range(n):\n        t = t - t if i == 3 else t + i\n        out.append((t == t, t < 0, t > 0, t != t, min(t, 1.0), max(1.0, t)))\n    return out\n", ["f(6)"]),
    ("bool arithmetic", "def f(items):\n    t = 0\n    n = True\n    for x in items:\n        t += x > 2\n        t = t + (x == 1) * 2\n        n = n & (x < 9)\n    return t, n, True + True, True & 6, -True, True << 3, True / 2\n",
     ["f([1, 2, 3])", "f([1.5, 9.5])", "f([True, False])", "f([2**70])"]),
    ("int as bool", "def f(a):\n    t = 0\n    while a:\n        t += 1\n        a -= 1\n    return t, bool(a), not a\n", ["f(5)", "f(5.0)", "f(True)"]),
    ("mixed comparison", "def f(items, x):\n    return [(i < x, i == x, i > x, i != x) for i in items]\n",
     ["f([1, 2], 1.5)", "f([2**53, 2**53 + 1], 2.0**53)", "f([2**63 - 1, 2**63], 2.0**63)", "f([0, False], -0.0)", "f([1], float('nan'))",
      "f([10**400], float('inf'))", "f([10**400], 1e300)"]),
    ("conversion errors", "def f(a, b):\n    return int(a), float(b)\n", ["f(1.5, 2)", "f(float('nan'), 1)", "f(1, 10**400)", "f('12', '1.5')", "f('x', 1)"]),
    ("integer overflow to float", "def f(a, b):\n    return a + b\n", ["f(1.5, 2)", "f(10**400, 1.5)", "f(1.5, 2**63)"]),
    ("small ints are cached", "def f(n):\n    return [(i - 1) is (i - 1) for i in range(-10, n)]\n", ["f(300)"]),
    ("same object stays", "def f(x):\n    y = x\n    items = [x, y]\n    z = items[0]\n    return x is y, z is x, items[0] is items[1], x is (x if x == x else None)\n",
     ["f(1.5)", "f(10**20)", "f(2**40)", "f(1.5)"]),
    ("float floor", "def f(a, b):\n    return a // b, a % b, divmod(a, b)\n", ["f(7.5, 2.0)", "f(-7.5, 2.0)", "f(7.5, -2)", "f(1e300, 1e-300)", "f(0.3, 0.1)", "f(-0.0, 5.0)", "f(1.0, float('inf'))", "f(1.0, 0.0)"]),
    ("pow of floats", "def f(a, b):\n    return a ** b\n", ["f(2.0, 3.0)", "f(2.0, 0.5)", "f(-8.0, 1 / 3)", "f(0.0, -1.0)", "f(1e200, 2.0)", "f(-1.0, 1e300)", "f(2.0, -1074.0)", "f(-2.0, 3.0)"]),
    ("range edges", "def f(a, b, c):\n    out = []\n    for i in range(a, b, c):\n        out.append(i)\n        if len(out) > 5:\n            break\n    return out, range(a, b, c)[-1:], len(range(a, b, c)) if b < 2**62 else None\n",
     ["f(0, 10, 3)", "f(10, 0, -3)", "f(2**63 - 3, 2**63 + 3, 1)", "f(0, 2**70, 2**62)", "f(5, 5, 1)", "f(-2**63, -2**63 + 3, 1)", "f(0, 5, 0)", "f(True, 5, 2)", "f(0.5, 2, 1)"]),
    ("sum and min", "def f(items):\n    return sum(items), min(items), max(items), sum(items, 0.5)\n", ["f([1, 2, 3])", "f([1.5, 2])", "f([2**63, 1])", "f([True])", "f(['a'])", "f([])"]),
    ("augmented with other", "def f(n, x):\n    a = n\n    a += x\n    a -= x\n    a *= x\n    a //= x\n    a %= 7\n    a **= 2\n    a <<= 2\n    a >>= 1\n    a |= 8\n    a &= 31\n    a ^= 3\n    return a\n", ["f(5, 3)", "f(2**62, 9)", "f(5, 2.5)", "f(5, 0)"]),
]


@pytest.mark.parametrize(("source", "calls"), [c[1:] for c in LOOPS], ids=[c[0].replace(" ", "_") for c in LOOPS])
def test_case(source, calls):
    check(source, calls)


def test_digit_boundaries_in_a_loop():
    source = """
def f(start, step, n):
    out = []
    x = start
    for i in range(n):
        x += step
        out.append((x, -x, x - step, x ^ step, x // 3, x % 7, x < start))
    return out
"""
    check(source, [f"f({base + d}, {s}, 4)" for base in (2**30, -(2**30), 2**60, 2**63, -(2**63)) for d in (-2, 0) for s in (1, -1)])


def test_ranges_with_a_step_from_a_variable():
    check(
        """
def walk(start, stop, step):
    seen = []
    for i in range(start, stop, step):
        seen.append(i)
    return seen
def kept(n, step):
    r = range(0, n, step)
    return r, len(r), list(r), [i for i in r]
def strike(n):
    flags = [True] * n
    for i in range(1, n):
        for j in range(i, n, i):
            flags[j] = not flags[j]
    return flags
def nested(n):
    t = 0
    for step in (1, 2, 3, -1, 1, 5, -2):
        for j in range(n, n * 3, step):
            t += j
            if j % 7 == 0:
                t = t * 1.0 if j == 7 else t
        for j in range(n * 3, n, step):
            t -= j * j
    return t
def edge(start, stop, step):
    t = 0
    for i in range(start, stop, step):
        t ^= i
    return t, i
""",
        [
            "walk(0, 10, 3)", "walk(10, 0, -3)", "walk(3, 3, 2)", "walk(5, 3, 2)", "walk(0, 5, 0)",
            "walk(0, 5, True)", "walk(0, 5, 1.0)", "walk(0, 5, 2 ** 70)", "walk(0, 9, 1)",
            "kept(10, 4)", "kept(10, -4)", "kept(10, 0)", "strike(40)", "nested(6)", "nested(300)",
            "edge(2**63 - 9, 2**63 - 1, 3)", "edge(-2**63, -2**63 + 50, 7)", "edge(0, 2**63 - 1, 2**61)",
            "edge(-2**63, 2**63 - 1, 2**62)", "edge(2**63 - 5, 2**63 + 5, 2)",
        ],
        repeat=12,
    )


def test_items_of_one_kind_are_stored_again():
    check(
        """
def store(items, value, n):
    for i in range(n):
        items[i % len(items)] = value
    return items
def flip(items):
    for i in range(len(items)):
        items[i] = not items[i]
    return items
""",
        [
            "store([True, False], False, 9)", "store([True, None, [], 1], True, 9)",
            "store(['a', 'b'], 'c' * 3, 9)", "store([None] * 3, (), 9)", "store([1.5, 2], 2.5, 9)",
            "store([0, 2 ** 80], 2 ** 70, 9)", "flip([True] * 9)", "flip([True, 0, '', None, 5])",
        ],
        repeat=30,
    )


def test_comparison_at_the_edge_of_64_bits():
    """No such number is greater than the greatest: what decides that must have been one."""
    check(
        """
def above():
    return 2 ** 63 - 1 < 2 ** 63
def below():
    return -2 ** 63 > -2 ** 63 - 1
def greatest(a):
    return a <= 2 ** 63 - 1
def sum_is_small(a, b):
    return a + b <= 2 ** 63 - 1
def half_is_small(a, b):
    return (a + b) >> 1 < 2 ** 62
def sums(a, b):
    c = a + b
    d = a * b
    e = c >> 1
    return c <= 2 ** 63 - 1, d >= -2 ** 63, e < 2 ** 62, 2 ** 63 - 1 < b
def loop(a, n):
    out = []
    for i in range(n):
        a += a
        out.append((a <= 2 ** 63 - 1, a - 1 < 2 ** 63 - 1, a >> 3 <= 2 ** 60))
    return out
""",
        [
            "above()", "below()", "greatest(1)", "greatest(2 ** 63)", "sum_is_small(1, 2)", "sum_is_small(2 ** 62, 2 ** 62)",
            "half_is_small(1, 2)", "half_is_small(2 ** 62, 2 ** 62)", "sums(1, 2)", "sums(2 ** 62, 2 ** 62)", "sums(-2 ** 62, 2 ** 62)", "sums(5, 2 ** 70)",
            "loop(1, 80)", "loop(-3, 70)",
        ],
        repeat=12,
    )
