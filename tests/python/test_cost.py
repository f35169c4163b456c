"""What psyco costs programs that gain nothing from it."""
import os
import subprocess
import sys


def run(program, **environ):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PSYCO_")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={**environment, **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_edge_of_the_interpreters_first_chunk_costs_no_page_faults():
    """Plain, a chunk of the data stack is unmapped when the call that began it returns."""
    [faults] = run("""
import resource, psyco
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def leaf(a, b, c):
    return a
def busy():
    for i in range(500):
        leaf(1, 2, 3)
def deep(n):
    if n:
        return deep(n - 1)
    before = faults()
    busy()
    return faults() - before
print(max(deep(n) for n in range(300)))  # the edge falls everywhere
""")
    assert int(faults) < 100


def test_loop_that_runs_now_and_then_keeps_no_function_from_being_measured():
    counts = run("""
import psyco
from collections import deque
from psyco._engine import core
core.watch_all(True)
def visited(n):
    s = 0
    for i in range(n):
        s += i
    return s
def small(x):
    return x
for _ in range(30):
    visited(200)
deque(map(small, range(3000)), 0)
for _ in range(60):
    visited(20)
    deque(map(small, range(60000)), 0)
print(psyco.stats()["unmeasured_calls"], psyco.stats()["loop_entries"])
""", PSYCO_DEBUG="off=sampler")  # which would find neither: they have no part of the time
    unmeasured, loop_entries = map(int, counts)
    assert loop_entries > 0
    assert unmeasured < 600_000  # of 3,600,000


MANY = """
import sys, time, psyco
from psyco._engine import core
mon, others = sys.monitoring, []
mon.use_tool_id(1, 'other')
def other(code, offset):
    others.append(code)
    return mon.DISABLE
mon.register_callback(1, mon.events.PY_START, other)
names = [f'f{i}' for i in range(600)]
for name in names:
    exec(f'''
def {name}(x, y):
    if x > y:
        return [x, y, {name!r}]
    elif x in (1, 2):
        return {{x: y}}
    return [z for z in (x, y) if z]
''')
functions = [globals()[name] for name in names]
watched, functions = functions[:30], functions[30:]
for f in watched:
    mon.set_local_events(1, f.__code__, mon.events.PY_START)
def run(rounds):
    for _ in range(rounds):
        for f in functions:
            f(1, 2)
        call_watched(watched)
def call_watched(fs):  # in a loop of its own: native code does not pass where others watch
    for f in fs:
        f(1, 2)
"""


def test_hot_functions_the_compiler_has_no_time_for_raise_no_events():
    events, calls, compiled, later, heard = map(int, run(MANY + """
core.watch_all(True)
run(220)
before = psyco.stats()
run(1000)
after = psyco.stats()
end = time.process_time() + 20
while psyco.stats()['compiled'] < after['compiled'] + 20 and time.process_time() < end:
    run(10)
core.watch_all(False)
print(after['events'] - before['events'], 1000 * len(names), after['compiled'],
      psyco.stats()['compiled'], len(others))
""", PSYCO_DEBUG="off=sampler"))
    assert events < calls / 6
    assert later >= compiled + 20  # they are heard of again when there is time
    assert heard == 30  # and what somebody else disabled stays so


def test_loops_with_short_loops_in_them_are_compiled_once():
    """At the outermost, though an inner one is hot first; but a long one does not wait for it."""
    lines = run("""
import psyco
from psyco import _core
_core.set_options({'governor': False})
source = '''
def short(n):
    t = 0
    for i in range(n):
        for k in range(4):
            for m in range(3):
                t += m
        for k in range(5):
            t += k
    return t
def long(n):
    t = 0
    for i in range(40):
        for k in range(n if i == 39 else 30):
            t += k
    return t
'''
space = {}
exec(source, space)
def entered(f):
    f = space[f]
    _core.watch_code(f.__code__)
    f(20000)
    return ','.join(v['entry'].split()[-1] for v in _core.report(f)['versions'])
print(entered('short'), entered('long'))
""")
    assert lines == ["4", "13"], lines


def test_functions_called_once_raise_few_events():
    """A function made in a function is installed when it has run; if never again, in vain."""
    once, often = map(int, run("""
import psyco
from psyco import _core
_core.set_options({'governor': False})
def once(n):
    for i in range(n):
        list(map(lambda x: x, (i,)))
def often(n):
    for i in range(n):
        list(map(lambda x: x, (i, i, i, i)))
def events(f):
    for code in f.__code__.co_consts:
        if hasattr(code, 'co_code'):
            _core.watch_code(code)
    before = _core.stats()
    f(5000)
    after = _core.stats()
    return after['events'] - before['events'], after['entries'] - before['entries']
seen, entries = events(often)
assert entries > 10000, entries
print(events(once)[0], seen)
"""))
    assert once < 600 and often > 4000
