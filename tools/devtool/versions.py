"""The other versions of CPython beside the one that is used: what can be done with each, and is.

A version that is not on the machine is said, and is a failure only where it was asked for:
PSYCO_CI_VERSIONS=3.13,3.14,3.15.
"""

from __future__ import annotations

import os
from typing import Iterator

from devtool.console import Failure, say
from devtool.environment import Environment, prepare
from devtool.interpreter import VERSIONS, dotted, find_version

# Of the stress variants, those that go through what a version may do otherwise: exits, entries into
# loops, reference counts.
VARIANTS = ("eager", "exit1", "osr", "gc")


def others(version: str) -> Iterator[Environment]:
    """Ready environments of all served versions but this one, as far as they are there."""
    wanted = [each for each in os.environ.get("PSYCO_CI_VERSIONS", "").split(",") if each]
    for each in map(dotted, VERSIONS):
        if each == version:
            continue
        if find_version(each):
            yield prepare(each)
        elif each in wanted:
            raise Failure(f"no CPython {each} found, and PSYCO_CI_VERSIONS asks for it")
        else:
            say(f"no CPython {each} found: not tested")
