"""Calls of something unknown that turns out to be one of a few functions: each is walked in place."""

import gc
import weakref

import psyco
import pytest
from differential import check

FUNCTIONS = """
def f(a): return a + 1
def g(a): return a * 2.0
def h(a, b=10, *, c=3): return a + b + c
def k(a):
    if a == 900: raise ValueError(a)
    return a - 1
"""

CASES = {
    "in a list": ("""
def total(fs, n):
    t = 0
    for i in range(n): t += fs[i % len(fs)](i)
    return t
""", ["total([f], 500)", "total([f, g], 500)", "total([g, h, f], 500)", "total([f, k], 800)", "total([f, k], 1000)",
      "total([f, len, str.upper], 2)", "total([lambda x: x, f], 500)"]),
    "in a dict and a tuple": ("""
def total(table, n):
    t = 0
    for i in range(n): t += table['fgh'[i % 3]](i)
    return t
""", ["total({'f': f, 'g': g, 'h': h}, 900)", "total({'f': g, 'g': f, 'h': f}, 900)"]),
    "a parameter": ("""
def twice(op, a): return op(op(a))
def total(fs, n):
    t = 0
    for i in range(n): t += twice(fs[i & 1], i)
    return t
""", ["total((f, g), 800)", "total((h, f), 800)", "total((k, f), 1000)"]),
    "attributes": ("""
class Holder:
    def __init__(self, op): self.op = op
def total(holders, n):
    t = 0
    for i in range(n): t += holders[i % 3].op(i)
    return t
""", ["total([Holder(f), Holder(g), Holder(h)], 900)", "total([Holder(f), Holder(k), Holder(f)], 1000)"]),
    "keywords and too few": ("""
def total(fs, n):
    t = 0
    for i in range(n): t += fs[i & 1](i, b=i)
    return t
def wrong(fs, n):
    seen = []
    for i in range(n):
        try:
            seen.append(fs[i & 1]())
        except TypeError as error:
            seen.append(str(error))
    return seen[-2:]
""", ["total([h, h], 500)", "wrong([f, h], 200)"]),
    "exchanged meanwhile": ("""
def total(fs, n):
    global f
    t = 0
    for i in range(n):
        t += fs[i & 1](i)
        if i == n // 2:
            f = fs[0] = g
    return t
def code(fs, n):
    t = 0
    for i in range(n):
        t += fs[i & 1](i)
        if i == n // 2: f.__code__ = (lambda a: a * 7).__code__
    return t
def defaults(fs, n):
    t = 0
    for i in range(n):
        t += fs[i & 1](i)
        if i == n // 2: h.__defaults__ = (1000,)
    return t
""", ["total([f, k], 400)", "total([k, g], 400)", "code([k, g], 400)", "defaults([h, g], 400)"]),
    "seen from within": ("""
import sys
def who(a): return sys._getframe(1).f_code.co_name, sys._getframe().f_lineno, sys._getframe().f_locals['a']
def other(a): return sorted(locals())
def total(fs, n):
    seen = []
    for i in range(n): seen.append(fs[i & 1](i))
    return seen[-4:], len(seen)
""", ["total([who, other], 400)", "total([other, who], 401)"]),
    "recursive": ("""
def down(n): return 0 if n <= 0 else table[n & 1](n - 1) + 1
def step(n): return 0 if n <= 0 else table[n % 3 > 1](n - 2) + 1
table = [down, step]
def deep():
    try:
        return forever(0)
    except RecursionError as error:
        return str(error)
def forever(n): return loop[n & 1](n + 1)
def again(n): return forever(n + 1)
loop = [forever, again]
""", ["[table[i & 1](i) for i in range(100)]", "deep()"]),
}


@pytest.mark.parametrize("name", CASES, ids=[n.replace(" ", "_") for n in CASES])
def test_case(name):
    source, calls = CASES[name]
    check(FUNCTIONS + source, calls, repeat=3)


TOTAL = """
def total(fs, n):
    t = 0
    for i in range(n): t += fs[i % len(fs)](i)
    return t
"""


@pytest.fixture
def world():
    space = {}
    exec(FUNCTIONS + TOTAL, space)
    psyco.bind(space["total"])
    yield space
    psyco.unbind(space["total"])


def run_till_inlined(world, names):
    """Each guard has to fail often before the code is made again without it."""
    functions = [world[name] for name in names]
    for _ in range(40):
        for _ in range(20):
            world["total"](functions, 600)
        report = str(psyco.explain(world["total"]))
        if all(f"inlined {name}\n" in report + "\n" for name in names):
            return
    pytest.fail(report)


@pytest.mark.plain_only
@pytest.mark.usefixtures("no_trials")
def test_up_to_four_functions_are_inlined(world):
    run_till_inlined(world, "fghk")


@pytest.mark.plain_only
@pytest.mark.usefixtures("no_trials")
def test_functions_come_one_after_the_other(world):
    for names in ("f", "fg", "fgh"):
        run_till_inlined(world, names)


@pytest.mark.plain_only
@pytest.mark.usefixtures("no_trials")
def test_functions_die_as_soon_as_nothing_but_code_has_them(world):
    gc.collect()
    gc.disable()
    try:
        run_till_inlined(world, "fgh")
        gone = []
        for name in "fgh":
            weakref.finalize(world[name], gone.append, name)
        for name in "fgh":
            del world[name]
        assert sorted(gone) == ["f", "g", "h"]
    finally:
        gc.enable()


@pytest.mark.plain_only
@pytest.mark.usefixtures("no_trials")
def test_what_has_no_name_is_not_kept():
    source = "def make(n): return lambda a: a + n\n" + TOTAL
    space = {}
    exec(source, space)
    psyco.bind(space["total"])
    gc.collect()
    gc.disable()
    try:
        functions = [space["make"](k) for k in range(3)]
        dead = []
        for each in functions:
            weakref.finalize(each, dead.append, 1)
        each = None
        for _ in range(5):
            assert space["total"](functions, 300) == sum(range(300)) + 300
        functions.clear()
        assert len(dead) == 3
    finally:
        gc.enable()


@pytest.mark.plain_only
@pytest.mark.usefixtures("no_trials")
def test_many_functions_take_few_compilations():
    source = TOTAL + "".join(f"def f{k}(a): return a + {k}\n" for k in range(30))
    space = {}
    exec(source, space)
    psyco.bind(space["total"])
    functions = [space[f"f{k}"] for k in range(30)]
    before = psyco.stats()["compiled"]
    for size in (*range(1, 30), 30, 30, 30):
        for _ in range(3):
            expected = sum(i + i % size for i in range(360))
            assert space["total"](functions[:size], 360) == expected
    assert psyco.stats()["compiled"] - before <= 30 + 12


@pytest.mark.plain_only
@pytest.mark.usefixtures("no_trials")
def test_names_that_keep_changing_take_few_compilations(world):
    functions = [world[name] for name in "fg"]
    before = psyco.stats()["compiled"]
    for i in range(300):
        world["f"] = functions[i & 1]
        assert world["total"](functions, 200) == sum(k * 2.0 if k & 1 else k + 1 for k in range(200))
    assert psyco.stats()["compiled"] - before <= 15
