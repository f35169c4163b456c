"""What psyco costs programs that gain nothing from it."""
import os
import subprocess
import sys


def run(program):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PSYCO_")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
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
""")
    unmeasured, loop_entries = map(int, counts)
    assert loop_entries > 0
    assert unmeasured < 600_000  # of 3,600,000
