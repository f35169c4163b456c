"""Runs programs of no_memory_programs.py with each allocation in turn failing. See test_no_memory.py.

    python no_memory_child.py warm|cold STEP NAME...

warm: the code is compiled before. cold: it is compiled while allocations fail. Every STEP-th
allocation fails, alone and then with all that follow. Prints a line for each thing that is wrong.
"""

from __future__ import annotations

import faulthandler
import gc
import sys

import _testcapi
from no_memory_programs import PROGRAMS

import psyco
from psyco import _core

faulthandler.enable()
QUIET = 40  # as many indices in a row without a failure: no allocation is left
LIMIT = 3000
TOLERANCE = 10  # blocks that caches of the interpreter may keep


class Case:
    """One program as a module of its own, its functions bound or not."""

    def __init__(self, source: str, *, bound: bool) -> None:
        self.space: dict = {"__name__": "case"}
        exec(compile(source, "<case>", "exec"), self.space)
        self.things = [self.space["Thing"](1000 * i) for i in range(4)]
        self.run = self.space["run"]
        if bound:
            for value in list(self.space.values()):
                if getattr(value, "__module__", None) == "case" and value.__name__ != "Wrong":
                    psyco.bind(value)

    def once(self, start: int, stop: int):
        """The result, or the exception, of a call in which allocations start to stop fail."""
        # The free lists are emptied, or most floats and tuples would need no memory.
        taken = [i + 0.5 for i in range(120)], [(i,) for i in range(120)], [[i] for i in range(90)]
        run, things, result = self.run, self.things, None
        set_nomemory, restore = _testcapi.set_nomemory, _testcapi.remove_mem_hooks
        try:
            set_nomemory(start, stop)
            result = run(things)
        except MemoryError:
            restore()
            return MemoryError
        except BaseException as error:
            restore()
            return error
        finally:
            restore()
        del taken
        return result

    def counts(self) -> list[int]:
        """References to the things, and how many there are."""
        gc.collect()
        kind = self.space["Thing"]
        return [*map(sys.getrefcount, self.things), sum(type(o) is kind for o in gc.get_objects())]


def indices(step: int):
    """The (start, stop) to try; send True when an allocation failed."""
    quiet, start = 0, 1
    while quiet < QUIET and start < LIMIT:
        hit = yield start, start + 1
        hit = (yield start, 0) or hit
        quiet = 0 if hit else quiet + step
        start += step


def sweep(name: str, case: Case | None, step: int, wanted) -> int:
    """One pass over all allocations; returns how many calls ran out of memory.

    Without a case there is a new one for each allocation.
    """
    cold = case is None
    failures = 0
    tries = indices(step)
    start, stop = next(tries)
    while True:
        if cold:
            case = Case(PROGRAMS[name], bound=True)
        before = case.counts()
        failed = False
        for _ in range(3 if cold else 1):
            got = case.once(start, stop)
            if got is MemoryError:
                failed = True
            elif repr(strip(got)) != wanted:
                print(f"{name}: allocation {start}..{stop}: {strip(got)!r} instead of {wanted}")
            got = None
        failures += failed
        if (after := case.counts()) != before:
            print(f"{name}: allocation {start}..{stop}: references {before} became {after}")
        try:
            start, stop = tries.send(failed)
        except StopIteration:
            return failures


def strip(value):
    return repr(value) if isinstance(value, BaseException) else value


def main() -> None:
    """See above."""
    how, step, *names = sys.argv[1:]
    cold = how == "cold"
    _core.set_options({"governor": False})
    for name in names:
        wanted = repr(strip(Case(PROGRAMS[name], bound=False).once(1 << 30, 0)))
        case = None if cold else Case(PROGRAMS[name], bound=True)
        for _ in range(0 if cold else 12):
            case.once(1 << 30, 0)
        failures = sweep(name, case, int(step), wanted)
        if not cold:
            gc.collect()
            before = sys.getallocatedblocks()
            sweep(name, case, int(step), wanted)
            gc.collect()
            grown = sys.getallocatedblocks() - before
            if grown > TOLERANCE:
                print(f"{name}: {grown} blocks more than before")
        print(f"{name}: {failures} failures", file=sys.stderr)


if __name__ == "__main__":
    main()
