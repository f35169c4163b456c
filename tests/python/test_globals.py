"""Globals: constants under a watcher while they do not change, numbers in the dictionary's table when they do."""

import subprocess
import sys

import pytest
from differential import check

FUNCTIONS = {
    "counter": ("""
n = 0
def f(k):
    global n
    for i in range(k):
        n += i
    return n
""", ["f(20)", "f(3)"]),
    "float": ("""
x = 0.5
def f(k):
    global x
    for i in range(k):
        x = x * 1.5 - i
    return x
""", ["f(20)"]),
    "held elsewhere": ("""
n = 10**6
kept = []
def f(k):
    global n
    for i in range(k):
        kept.append(n)
        n += 1
    return kept, n
""", ["f(20)"]),
    "type changes": ("""
n = 0
def f(k):
    global n
    for i in range(k):
        n = n + i if i != 7 else n / 2
        if i == 11:
            n = str(n)
            n = int(float(n))
    return n
""", ["f(20)"] * 30),
    "big": ("""
n = 2**61
def f(k):
    global n
    for i in range(k):
        n += n // 3
    return n
""", ["f(10)", "f(10)"]),
    "deleted": ("""
n = 0
def g(i):
    if i == 5:
        del globals()['n']
def f(k):
    global n
    n = 0
    for i in range(k):
        g(i)
        n += 1
    return n
""", ["f(4)", "f(10)"] * 20),
    "defined anew": ("""
n = 0
def f(k):
    global n
    for i in range(k):
        n += 1
        if i % 5 == 2:
            globals()['name%d' % n] = i
    return n
""", ["f(40)"]),
    "becomes a builtin": ("""
len = lambda x: 5
def f(k):
    global len
    t = 0
    for i in range(k):
        t += len('ab')
        if i == 3:
            del len
        if i == 6:
            len = lambda x: 7
    return t
""", ["f(12)"] * 20),
    "read by another": ("""
n = 0
def g():
    return n * 2
def f(k):
    global n
    t = 0
    for i in range(k):
        n += i
        t += g()
    return t, n
""", ["f(20)", "g()"]),
    "written by a callee": ("""
n = 0
def g(i):
    global n
    n += i
    return n
def f(k):
    t = n
    for i in range(k):
        g(i)
        t += n
    return t, n
""", ["f(20)", "g(1)", "f(3)"]),
    "written behind its back": ("""
n = 0
def f(k):
    global n
    for i in range(k):
        n += 1
        if i == 9:
            globals()['n'] = 1000
        if i == 12:
            globals().update(n=2.5)
    return n
""", ["f(20)"] * 20),
    "raises": ("""
n = 3
def f(k):
    global n
    for i in range(k):
        n -= 1
        t = 6 // n
    return t
""", ["f(3)", "f(9)", "n"]),
    "compared": ("""
n = 0
def f(k):
    global n
    last = n
    same = 0
    for i in range(k):
        n = i + 300
        same += n is last
        last = n
        same += n is last
    return same, n
""", ["f(20)"]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_globals_of_functions(name):
    source, calls = FUNCTIONS[name]
    check(source, calls * 4)


PROGRAM = """
import sys
total, x, half = 0, 1.0, 7
for i in range(3000):
    total += i * half % 11
    x = x * 1.0001 + i
    if i % 1000 == 999:
        print(total, x.hex(), i)
words = {}
for k in range(2000):
    w = 'w%d' % (k % 17)
    words[w] = words.get(w, 0) + 1
print(sorted(words.items()))
def scale(v):
    return v * factor
factor = 2
t = 0
for i in range(2000):
    t += scale(i)
    if i == 1500:
        factor = 2.5
        def scale(v):
            return v - factor
print(t)
for i in range(3000):
    if i == 2500:
        del total
        try:
            total += 1
        except NameError as e:
            print(e)
        total = 'text'
    elif i < 2500:
        total += 1
print(total, i)
range_ = range
for i in range_(2000):
    if i == 1200:
        globals()['fresh'] = i
        range = None
print(fresh, range)
n = 27
steps = 0
while n != 1:
    n = 3 * n + 1 if n & 1 else n >> 1
    steps += 1
print(steps)
big = 1
for i in __builtins__.range(200):
    big *= 3
    big += i
print(big)
space = {'n': 5}
code = compile('for i in range(1500):\\n    n += i\\n', 'inner', 'exec')
for other in (space, {'n': 0.5}, {'n': 'x'}):
    try:
        exec(code, other)
        print(other['n'])
    except TypeError as e:
        print(e)
for i in [1] * 2000:
    n += i
    if n == 1500:
        1 / 0
"""


@pytest.mark.parametrize("options", [[], ["--eager"]])
def test_loops_of_a_program(tmp_path, options):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    plain = subprocess.run([sys.executable, path], capture_output=True, text=True)
    fast = subprocess.run([sys.executable, "-m", "psyco", *options, path], capture_output=True, text=True)
    assert "ZeroDivisionError" in plain.stderr
    assert (fast.stdout, fast.stderr, fast.returncode) == (plain.stdout, plain.stderr, plain.returncode)


WATCHED = """
n = 0
def watch():
    _testcapi.watch_dict(watcher, globals())
def f(k):
    global n
    for i in range(k):
        n += 1
        if i == 50:
            watch()
    return n
"""


@pytest.mark.plain_only
def test_another_watcher_sees_each_store():
    _testcapi = pytest.importorskip("_testcapi")
    import psyco

    space = {"_testcapi": _testcapi, "watcher": _testcapi.add_dict_watcher(0)}
    try:
        exec(WATCHED, space)
        psyco.bind(space["f"])
        space["f"](40)
        before = len(_testcapi.get_dict_watcher_events())
        assert space["f"](100) == 140
        events = [e for e in _testcapi.get_dict_watcher_events()[before:] if e.startswith("mod:n:")]
        assert events == [f"mod:n:{i}" for i in range(92, 141)]
    finally:
        _testcapi.clear_dict_watcher(space["watcher"])


def test_a_builtin_that_keeps_changing():
    check("""
import builtins
def f(k):
    t = 0
    for i in range(k):
        builtins.odd = i
        t += odd
    return t
""", ["f(20)", "f(3)"] * 30)


LOOPS = """
import psyco, random
psyco.full()
squares = [v * v for v in range(5)]
total = 0
for i in range(5000):
    x = random.random()
    total += 1 if x >= 0 else 5
for i in range(5000):
    if i == 2000:
        fresh = i
    total += i % 3
exits = psyco.stats()["exits"]
print(total, sum(exits.values()), exits)
"""


@pytest.mark.plain_only
def test_loops_of_a_module_stay_native(tmp_path):
    """Its comprehensions and the names that it defines meanwhile do not make its loops leave each time."""
    path = tmp_path / "loops.py"
    path.write_text(LOOPS)
    out = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True).stdout.split(maxsplit=2)
    assert int(out[0]) == 10000 - 1 and int(out[1]) < 50, out
