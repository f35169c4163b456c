"""Interpreters with locks of their own run beside the one that psyco lives in."""

import subprocess
import sys

RACE = '''
import _interpreters, sys, threading, psyco
CODE = """
import sys
def read(n):
    for _ in range(n):
        sys._getframe().f_locals
read(60_000)
"""
def deep(n, call):
    return n and 1 + call(n - 1, call)
psyco.bind(deep)
sys.setrecursionlimit(20_000)
def other():
    _interpreters.exec(_interpreters.create(), CODE)
    done.append(1)
done = []
threads = [threading.Thread(target=other) for _ in range(2)]
for t in threads: t.start()
# The memory of compiled calls comes and goes meanwhile.
while len(done) < 2: assert deep(1000, deep) == 1000
for t in threads: t.join()
print("fine")
'''


def test_variables_read_in_another_interpreter():
    """The reader of f_locals there does not look at the compiled calls here."""
    done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr[:2000]
