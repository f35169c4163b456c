"""The ways of running that are compared with plain Python: the name of each and its setting, as in PSYCO_DEBUG.

Those of a process of its own are all of them; in one process those run that keep to the program under test.
"""

from __future__ import annotations

MODES = {
    "bound": "",
    "eager": "stress=eager",
    "exit1": "stress=eager,stress=exit:1",
    "exit3": "stress=eager,stress=exit:3",
    "exit7": "stress=eager,stress=exit:7",
    "random": "stress=eager,stress=exit:random:{seed}",
    "osr": "stress=osr",
    "spill": "stress=eager,stress=spill",
    "verify": "stress=eager,verify=each",
    "full": "stress=eager",  # all code of the process: module code too, and the fuzzer's own
}
# In one process: those that keep to the program under test, each as often as that.
INSIDE = [name for name, times in {"bound": 1, "eager": 3, "exit1": 3, "exit3": 3, "exit7": 3, "random": 3, "osr": 3, "spill": 2, "verify": 1}.items() for _ in range(times)]
ONLY_LOOPS = ("osr",)  # calls are not compiled: loops are entered in the middle


def setting(mode, seed=1):
    """The text for PSYCO_DEBUG, or for the option of that name."""
    return MODES[mode].format(seed=seed % 1000 + 1)


def mode_of(seed):
    """The mode of a program of that seed in one process."""
    return INSIDE[seed % len(INSIDE)]
