"""The ways in which CI runs the Python tests. To add one, add a line.

Each is a value of PSYCO_DEBUG: it makes rare paths of the compiler and run time common without
changing what a program may observe, so every test that passes plainly must pass here too. Tests
marked `plain_only` (packaging, layout, timing) are left out: nothing compiled is under test there.
"""

from __future__ import annotations

from typing import NamedTuple


class Variant(NamedTuple):
    """One stress run: its name for --variant, the setting, and what it provokes."""

    name: str
    debug: str
    provokes: str
    gc_threshold: int | None = None


VARIANTS = [
    Variant("exit1", "stress=eager,stress=exit:1", "every guard fails"),
    Variant("exit3", "stress=eager,stress=exit:3", "every third guard fails"),
    Variant("exit7", "stress=eager,stress=exit:7", "every seventh guard fails"),
    Variant("random", "stress=eager,stress=exit:random", "guards fail at random moments"),
    Variant("eager", "stress=eager", "everything is compiled at its first call"),
    Variant("osr", "stress=osr", "loops are entered at their first back edge"),
    Variant("spill", "stress=eager,stress=spill", "every value lives on the stack"),
    Variant("gc", "stress=eager", "the collector runs at nearly every allocation", 1),
    Variant("verify", "stress=eager,verify=each", "graphs are checked after every pass"),
]

# What a hanging test may cost: a run that takes longer than this many seconds has failed.
TIME_LIMIT = 900


def find_variant(name: str) -> Variant | None:
    """The variant called *name*."""
    return next((variant for variant in VARIANTS if variant.name == name), None)
