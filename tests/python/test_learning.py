"""Where nothing tells the compiler a type, the running code does: it is compiled again for what it met."""

import pytest
from differential import check

import psyco

# What comes out of a dictionary is unknown when the function is compiled at its first call.
CASES = {
    "arithmetic": ("""
def f(d, n):
    t = 0
    for i in range(n):
        t = t + d['x'] * 2 - d['y']
    return t
""", "{'x': 3, 'y': 1}"),
    "floats": ("""
def f(d, n):
    t = 0.0
    for i in range(n):
        t += d['x'] * d['y']
    return t
""", "{'x': 1.5, 'y': 2}"),
    "comparison": ("""
def f(d, n):
    t = 0
    for i in range(n):
        if d['x'] < d['y']:
            t += 1
    return t
""", "{'x': 1, 'y': 2.5}"),
    "subscript": ("""
def f(d, n):
    t = 0
    for i in range(n):
        t += d['l'][i % 3]
        d['l'][i % 3] = i
    return t
""", "{'l': [1, 2, 3]}"),
    "truth": ("""
def f(d, n):
    t = 0
    for i in range(n):
        if d['x']:
            t += 1
        if not d['y']:
            t += 10
    return t
""", "{'x': [1], 'y': 0}"),
    "iteration": ("""
def f(d, n):
    t = 0
    for i in range(n):
        for item in d['l']:
            t += item
    return t
""", "{'l': [1, 2, 3]}"),
    "items": ("""
def f(d, n):
    t = 0
    for i in range(n):
        for key, (a, b) in d.items():
            t += a * b
    return t
""", "{'x': (1, 2), 'y': [3, 4]}"),
    "strings": ("""
def f(d, n):
    t = ''
    for i in range(n):
        t += d['x'] + d['y']
    return t
""", "{'x': 'a', 'y': 'bc'}"),
}
OTHERS = {
    "arithmetic": ["{'x': 10**30, 'y': 2}", "{'x': 1.5, 'y': True}", "{'x': 'a', 'y': 1}"],
    "floats": ["{'x': 2, 'y': 3}", "{'x': None, 'y': 3}", "{'x': float('nan'), 'y': 1j}"],
    "comparison": ["{'x': 'a', 'y': 'b'}", "{'x': 10**20, 'y': 1e20}", "{'x': None, 'y': 1}"],
    "subscript": ["{'l': {0: 1, 1: 2, 2: 3}}", "{'l': (1, 2, 3)}", "{'l': [1, 2.5]}", "{'l': bytearray(b'abc')}"],
    "truth": ["{'x': 0.0, 'y': None}", "{'x': '', 'y': {}}", "{'x': object, 'y': ()}"],
    "iteration": ["{'l': (1.5, 2)}", "{'l': {1: 1}}", "{'l': range(4)}", "{'l': 5}"],
    "items": ["{'x': (1, 2, 3)}", "{'x': iter((1, 2))}", "{'x': (None, 1)}"],
    "strings": ["{'x': 1, 'y': 2}", "{'x': b'', 'y': 'x'}"],
}


def bound(source):
    space = {}
    exec(source, space)
    psyco.bind(space["f"])
    return space["f"]


@pytest.mark.plain_only
@pytest.mark.parametrize("name", CASES)
def test_the_code_is_made_again_for_what_it_met(name):
    source, argument = CASES[name]
    f = bound(source)
    before = psyco.stats()["recompiled"]
    for _ in range(50):
        f(eval(argument), 100)
    assert psyco.stats()["recompiled"] > before
    after = psyco.stats()["recompiled"]
    for _ in range(200):
        f(eval(argument), 100)
    assert psyco.stats()["recompiled"] <= after + 1  # and then stays


@pytest.mark.parametrize("name", CASES)
def test_other_types_afterwards(name):
    source, argument = CASES[name]
    calls = [f"f({argument}, 100)"] * 3
    for other in OTHERS[name]:
        calls += [f"f({other}, 50)"] * 45 + [f"f({argument}, 50)"]
    check(source, calls)


@pytest.mark.plain_only
def test_types_without_a_faster_case_change_nothing():
    f = bound("""
class N:
    def __init__(self, value):
        self.value = value
    def __add__(self, other):
        return N(self.value + other)
def f(d, n):
    t = d['x']
    for i in range(n):
        t = d['x'] + 1
    return t.value
def make():
    return {'x': N(3)}
""")
    make = f.__globals__["make"]
    assert f(make(), 300) == 4
    before = psyco.stats()["recompiled"]
    for _ in range(100):
        assert f(make(), 100) == 4
    assert psyco.stats()["recompiled"] <= before + 1


CHANGING = {
    "its own global": ("""
count = 0
def f(n):
    global count
    for i in range(n):
        count += i
    return count
""", "f(20)"),
    "another's global": ("""
state = 0
def step():
    global state
    state = state + 1
def f(n):
    step()
    return state * n
""", "f(3)"),
    "a module's attribute": ("""
import types
module = types.ModuleType('module')
module.value = 1
def f(n):
    module.value += n
    return module.value
""", "f(2)"),
    "a class attribute": ("""
class C:
    made = 0
    def __init__(self):
        C.made += 1
        self.v = 1
    def get(self):
        return self.v + isinstance(self, C)
def f(n):
    return sum([C().get() for i in range(n)]) + C.made
""", "f(5)"),
}


@pytest.mark.parametrize("name", CHANGING)
def test_what_keeps_changing_is_read_each_time(name):
    source, call = CHANGING[name]
    check(source, [call] * 60)


@pytest.mark.plain_only
@pytest.mark.parametrize("name", CHANGING)
def test_what_keeps_changing_does_not_keep_the_compiler_busy(name):
    source, call = CHANGING[name]
    space = {}
    exec(source, space)
    for value in list(space.values()):
        if callable(value) and getattr(value, "__module__", None) == space.get("__name__"):
            psyco.bind(value)
    psyco.bind(space["f"])
    before = psyco.stats()["compiled"]
    for _ in range(200):
        eval(call, space)
    assert psyco.stats()["compiled"] - before < 30
    assert psyco.explain(space["f"]).compiled
