"""What is done to one function, class or global costs the same, however many there are already."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

THINGS = [
    "functions_that_live", "functions_that_die", "death_beside_others", "unbinding",
    "functions_of_one_module", "death_in_one_module", "stores_while_globals_become_known",
    "classes", "functions_of_one_class", "broken_beside_others", "collections_beside_others", "a_global_assigned",
    "a_class_attribute_assigned", "an_objects_class_assigned", "statistics",
]


@pytest.mark.plain_only
@pytest.mark.no_asan(reason="times")
@pytest.mark.parametrize("name", THINGS)
def test_cost_does_not_grow_with_what_there_is(name):
    """Nor does it shrink where things go: the first and the last quarter of the turns are alike."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PSYCO_")}
    done = subprocess.run(
        [sys.executable, HERE / "growth_child.py", name, "4000"],
        capture_output=True, text=True, env=environ, timeout=300,
    )
    assert done.returncode == 0, done.stderr
    times = json.loads(done.stdout)
    first, last = statistics.median(times[1:6]), statistics.median(times[-5:])
    few = 1  # microsecond: less is lost in the noise
    assert last < 2 * first + few, times
    assert first < 2 * last + few or name.startswith("a"), times  # the first turns of those compile
