"""The process's own memory runs out: malloc fails, not only CPython's allocators."""

import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.plain_only,  # its children have settings of their own
    pytest.mark.no_asan(reason="the sanitizer itself needs the address space"),
]
LIMIT = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (300 << 20, 300 << 20))\n"
PROGRAMS = {
    "exits that were never taken before": LIMIT + """
def fill():
    kept = []
    x = 0.0
    while True:
        x += 1.5
        kept.append((x, x * 2))
for i in range(6):
    try:
        fill()
    except MemoryError:
        print("MemoryError", i, flush=True)
""",
    "functions to compile": LIMIT + """
source = '''
def f{0}(n):
    t = 0
    for i in range(n):
        t += i * {0} % 7
    return t
'''
hog, total = [], 0
try:
    while True:
        hog.append(bytearray(1 << 16))
except MemoryError:
    pass
del hog[-5:]
for j in range(100):
    space = {}
    exec(source.format(j), space)
    total += space[f"f{j}"](20000)
hog.clear()
print(total)
""",
}


@pytest.mark.parametrize("mode", [[], ["--eager"]], ids=["sampled", "eager"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_memory_of_the_process_runs_out(name, mode):
    def run(options):
        done = subprocess.run([sys.executable, *options, "-c", PROGRAMS[name]], capture_output=True,
                              text=True, timeout=120, check=False)
        return done.returncode, done.stdout

    plain = run([])
    assert plain[0] == 0
    assert run(["-m", "psyco", *mode]) == plain
