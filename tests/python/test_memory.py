"""What one compilation costs in memory and time: both grow with the code, not with its square."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MOST = 100  # MB


def compile_in_child(shape, n):
    """Runs the function `shape` makes of `n` in a child process; what it found out."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PSYCO_")}
    environ["PSYCO_DEBUG"] = "stress=eager"
    done = subprocess.run(
        [sys.executable, HERE / "memory_child.py", shape, str(n)],
        capture_output=True, text=True, env=environ, timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# The first size is compiled; the second one may be refused, but then it says so.
SHAPES = {
    "unpacked": (300, 1500),
    "many_locals": (600, 3000),
    "many_objects": (400, 2500),
    # The limit counts code units, of which an operator takes 6 instead of 2 from 3.14 on.
    "few_locals": (1000 if sys.version_info < (3, 14) else 600, 5000),
    "diamonds": (400, 1500),
    "diamonds_of_locals": (200, 800),
    "returns": (400, 1500),
    "calls": (300, 2000),
    "loops_in_turn": (100, 400),
    "nested_loops": (10, 19),
    "nested_with_and_try": (5, 9),
    "nested_comprehensions": (6, 15),
    "deep_expression": (250, 800),
    "deep_stack": (100, 500),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_of_a_large_function(shape):
    small, large = SHAPES[shape]
    found = compile_in_child(shape, small)
    assert found["compiled"], found
    assert found["megabytes"] < MOST / 2, found
    found = compile_in_child(shape, large)
    assert found["megabytes"] < MOST, found
    assert found["compiled"] or "too much memory" in found["why"] or "size limit" in found["why"], found


@pytest.mark.parametrize("shape", ["many_locals", "unpacked", "loops_in_turn"])
def test_explanation_grows_with_the_code(shape):
    few, many = (compile_in_child(shape, n) for n in (40, 160))
    assert few["compiled"] and many["compiled"]
    assert many["explained"] < 5 * few["explained"]
    assert many["megabytes_to_explain"] < MOST / 10


def test_too_many_variables_is_a_reason():
    found = compile_in_child("unpacked", 1500)
    assert not found["compiled"]
    assert "too many variables" in found["why"]


@pytest.mark.plain_only
@pytest.mark.no_asan(reason="times")
@pytest.mark.parametrize(
    ("shape", "n", "most"),
    [
        ("few_locals", 250, 2.5), ("diamonds", 100, 2.5), ("many_locals", 100, 2.5), ("returns", 100, 2.5),
        # A tuple of all of them is told of by each exit while it is unpacked.
        ("unpacked", 40, 3.1),
    ],
)
def test_time_of_compilation_grows_with_the_code(shape, n, most):
    def milliseconds(size):
        return min(compile_in_child(shape, size)["milliseconds"] for _ in range(3))

    times = [milliseconds(size) for size in (n, 2 * n, 4 * n)]
    ratios = [b / a for a, b in zip(times, times[1:])]
    assert max(ratios) < most, times
