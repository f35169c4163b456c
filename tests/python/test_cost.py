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
