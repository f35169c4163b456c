"""What the engine itself tells: stats() of each function and explain() of each line."""

import gc
import subprocess
import sys
import time

import psyco
import pytest

pytestmark = pytest.mark.plain_only  # stress makes exits of its own


class Point:
    def __init__(self, x):
        self.x = x


def make():
    """A function of its own each time, so that tests do not see each other's code."""
    space = {}
    exec(compile("""
def total(n, point):
    sum = 0
    half = 0.5
    for i in range(n):
        sum += i
        half = half * 0.5 + point.x
    return sum, half
""", "<total>", "exec"), space)
    return psyco.bind(space["total"])


def figures(name):
    return [f for f in psyco.stats()["functions"] if f["name"] == name and f["file"] == "<total>"]


def test_stats_tell_entries_and_exits_of_each_function():
    total = make()
    point = Point(1.0)
    for _ in range(10):
        total(50, point)
    [one] = figures("total")
    assert one["line"] == 2 and one["entries"] == 10 and one["exits"] == 0
    assert one["code_bytes"] > 0 and one["refused"] is None
    for _ in range(3):
        with pytest.raises(TypeError):
            total(50, Point(None))
    [one] = figures("total")
    assert one["entries"] >= 11 and one["exits"] >= 1
    before = one
    psyco.unbind(total)
    del total
    gc.collect()
    assert before not in figures("total")  # they go with the code


def test_stats_tell_who_was_refused_and_why():
    @psyco.bind
    def gen(n):
        yield n

    assert list(gen(1)) == [1]
    [one] = [f for f in psyco.stats()["functions"] if f["name"].endswith("who_was_refused_and_why.<locals>.gen")]
    assert one["entries"] == 0 and "generators" in one["refused"] and __file__ in one["refused"]


def test_stats_tell_who_was_refused_without_trials_too(no_trials):
    @psyco.bind
    def gen(n):
        yield n

    assert list(gen(1)) == [1]
    [one] = [f for f in psyco.stats()["functions"] if f["name"].endswith("without_trials_too.<locals>.gen")]
    assert "generators" in one["refused"]


def test_explain_tells_who_was_excluded(no_trials):
    excluded, filtered = make(), make()
    psyco.unbind(filtered)
    psyco.cannotcompile(excluded)
    psyco.setfilter(lambda code: code.co_name != "total")
    psyco.full()
    try:
        for function in (excluded, filtered):
            for _ in range(3):
                function(100000, Point(1.0))
            explanation = psyco.explain(function)
            assert not explanation.compiled
            assert "not compiled: excluded by cannotcompile or a filter" in str(explanation)
    finally:
        psyco.stop()
        psyco.setfilter(None)


def test_a_loop_that_comes_to_its_return_says_so(no_trials):
    total = make()
    psyco.unbind(total)
    psyco.full()
    try:
        total(1000000, Point(1.0))
    finally:
        psyco.stop()
    explanation = psyco.explain(total)
    assert [v["entry"] for v in explanation.report["versions"]] == ["loop at line 5"]
    assert "came to a return" in str(explanation)
    assert {e["kind"] for e in explanation.exits} <= {"LoopDone", "Poll"}


def test_explain_tells_what_was_not_inlined_and_why():
    space = {}
    exec(compile("""
def down(n):
    return 0 if n < 1 else down(n - 1) + 1
def rest(*args, **named):
    return 1
def calls(n, given=[2]):
    total = 0
    for i in range(n):
        total += down(3)
        total += rest(1, k=2)
        total += down(*given)
    return total
""", "<calls>", "exec"), space)
    calls = psyco.bind(space["calls"])
    assert [calls(20) for _ in range(3)] == [120] * 3
    notes = {(n["line"], n["function"], n["name"], n["why_not"]) for n in psyco.explain(calls).report["versions"][0]["inlined"]}
    assert notes >= {
        (9, "calls", "down", None),
        (3, "down", "down", "it is recursive"),
        (10, "calls", "rest", "its parameters do not follow from the keywords"),
        (11, "calls", "down", "what it is given by * or ** is not known"),
    }
    assert {function for _, function, _, _ in notes} == {"calls", "down"}
    text = str(psyco.explain(calls))
    assert "| line 3: down not inlined: it is recursive (in down)" in text
    assert "| rest not inlined: its parameters do not follow from the keywords" in text


def test_share_of_time_native():
    total, point = make(), Point(0.25)
    total(10, point)

    def share(action, seconds):
        before, began = psyco.stats()["covered_share"], time.perf_counter()
        while time.perf_counter() < began + seconds:
            action()
        return before, psyco.stats()["covered_share"]

    before, after = share(lambda: total(20000, point), 0.3)
    assert 0 <= before < after <= 1
    before, after = share(lambda: sum(range(1000)), 0.3)
    assert 0 <= after < before


SHARE = """
import time
began = time.perf_counter()
import psyco
from psyco import _core
_core.set_options({"governor": False})

def short(n):
    return call(n) if n else 0
def call(n):  # interpreted
    return short(n - 1)
psyco.cannotcompile(call)
psyco.bind(short)

def covered():
    return psyco.stats()["covered_share"] * (time.perf_counter() - began)

for _ in range(40):
    short(2)
# One of 64 entries is that of a whole call, at each distance from the multiples of 64.
factors = []
for _ in range(64):
    short(0)
    before, spent = covered(), 0
    for _ in range(128):
        start = time.perf_counter()
        short(63)
        spent += time.perf_counter() - start
    factors.append((covered() - before) / spent)
print(sorted(factors)[0], sorted(factors)[-1])
"""


def test_share_of_calls_that_enter_themselves_again():
    done = subprocess.run([sys.executable, "-c", SHARE], capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[1]) < 16, done.stdout


def test_explain_tells_levels_and_guards_of_each_line():
    total = make()
    for _ in range(3):
        total(50, Point(1.0))
    report = psyco.explain(total).report
    notes = {line["line"]: line["notes"] for line in report["lines"]}
    loop, addition = (" / ".join(notes[line]) for line in (5, 6))
    assert "sum: int64" in loop and "half: float64" in loop and "point: object" in loop
    assert "virtual range iterator" in loop
    # Other lines tell of the variables in them.
    assert "sum: int64" in addition and "half" not in addition
    assert "guards, " in addition and "an integer left 64 bits" in addition
    assert "of another type" in str(notes)
    text = str(psyco.explain(total))
    assert "sum: int64" in text and "guards, 1: an integer left 64 bits" in text
    psyco.unbind(total)


def test_a_name_that_is_no_text():
    space = {}
    exec("""
def g(x):
    return x + 1
def f(n):
    t = 0
    for i in range(n):
        t += g(i)
    return t
""", space)
    space["g"].__qualname__ = "\ud800"
    psyco.bind(space["f"])
    assert space["f"](100) == 5050
    assert "inlined ?" in str(psyco.explain(space["f"]))
