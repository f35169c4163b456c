"""Memory that runs out at any allocation: plain's result or MemoryError, nothing lost, nothing leaked.

Small programs run in child processes in which each allocation in turn fails, alone and with all
that follow (no_memory_child.py). PSYCO_TEST_NO_MEMORY_STEP=1 tries every allocation, not every few.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from no_memory_programs import PROGRAMS

pytest.importorskip("_testcapi")
HERE = Path(__file__).parent
NAMES = list(PROGRAMS)
GROUPS = [NAMES[i::8] for i in range(8)]


def run_child(how, step, names, debug):
    step = os.environ.get("PSYCO_TEST_NO_MEMORY_STEP", step)
    environ = {**os.environ, "PSYCO_DEBUG": os.environ.get("PSYCO_DEBUG") or debug}
    return subprocess.run(
        [sys.executable, HERE / "no_memory_child.py", how, str(step), *names],
        capture_output=True, text=True, env=environ, timeout=600,
    )


def check(done, names):
    assert (done.stdout, done.returncode) == ("", 0), done.stdout + done.stderr
    assert done.stderr.count(" failures\n") == len(names)


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_compiled_code_without_memory(names):
    check(run_child("warm", 3, names, "stress=eager"), names)


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_compiler_without_memory(names):
    check(run_child("cold", 3, names, "stress=eager,verify=each"), names)


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_new_code_without_memory(names):
    check(run_child("full", 3, names, "stress=eager,verify=each"), names)


@pytest.mark.parametrize("name", ["int_sum", "lambdas_made", "generators"])
def test_binding_without_memory(name):
    check(run_child("bind", 11, [name], "stress=eager"), [name])


def test_programs_run_out_of_memory():
    """Or the tests above would show nothing."""
    done = run_child("warm", 3, NAMES[:12], "stress=eager")
    hit = [line for line in done.stderr.splitlines() if not line.endswith(": 0 failures")]
    # From 3.15 on ints up to 1,024 are there already.
    assert len(hit) >= (10 if sys.version_info < (3, 15) else 9), done.stderr
