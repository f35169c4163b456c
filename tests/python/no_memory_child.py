"""Runs programs of no_memory_programs.py with each allocation in turn failing. See test_no_memory.py.

    python no_memory_child.py warm|cold|bind|full STEP NAME...

Every STEP-th allocation fails, alone and then with all that follow:

    warm    while the code, compiled before, runs
    cold    while code bound before is entered and compiled
    bind    while it is bound and compiled
    full    while it is found, instrumented and compiled under full()

Prints a line for each thing that is wrong.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import sys
from types import CodeType, FunctionType

import _testcapi
from no_memory_programs import PROGRAMS

import psyco
from psyco import _core
from psyco.targets import namespace_functions

faulthandler.enable()
MANY = 100_000  # more allocations than any program makes
MARGIN = 3  # a later call may need a few more than the one that is counted
TOLERANCE = 10  # blocks that caches of the interpreter may keep
# What CPython 3.13 itself says in these programs: it loses an error on the way to the caller if
# there is no memory for the caller's frame object.
LOST_ERROR = ("error return without exception set", "returned NULL without setting an exception")
LOSE_ERRORS = {"raised_and_caught"}


def protect(code: CodeType) -> None:
    """Make the code objects within *code* immune to a fault of CPython 3.13.

    The interpreter's MAKE_FUNCTION lets go of the code object twice if there is no memory for the
    function, so that it dies while its function's constants still hold it.
    """
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            ctypes.c_uint32.from_address(id(inner)).value += 1_000_000
            protect(inner)


class Case:
    """One program as a module of its own, its functions bound or not."""

    def __init__(self, source: str, *, bound: bool) -> None:
        self.space: dict = {"__name__": "case"}
        code = compile(source, "<case>", "exec")
        protect(code)
        exec(code, self.space)
        self.things = [self.space["Thing"](1000 * i) for i in range(4)]
        self.run = self.space["run"]
        self.targets = [
            value for value in self.space.values()
            if getattr(value, "__module__", None) == "case" and value.__name__ != "Wrong"
        ]
        self.functions = [
            value for target in self.targets
            for value in (target, *vars(target).values()) if isinstance(value, FunctionType)
        ]
        if bound:
            self.bind()

    def bind(self) -> None:
        for target in self.targets:
            psyco.bind(target)

    def unbind(self) -> None:
        for target in self.targets:
            psyco.unbind(target)

    def bind_and_run(self, things):
        """A call of a program that binds itself."""
        for target in self.targets:
            psyco.bind(target)
        return self.run(things)

    def once(self, run, start: int, stop: int):
        """The result, or the exception, of a call in which allocations start to stop fail."""
        # The free lists are emptied, or most floats and tuples would need no memory.
        taken = [i + 0.5 for i in range(120)], [(i,) for i in range(120)], [[i] for i in range(90)]
        things, result = self.things, None
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

    def allocations(self, run) -> int:
        """How many a call makes."""
        self.counted, self.numbers = run, list(range(MANY + 1))
        self.once(self.run_and_use_up, MANY, 0)
        return MANY - self.number

    def run_and_use_up(self, things):
        """A call, and further allocations until one fails."""
        self.counted(things)
        for self.number in self.numbers:
            object()  # one allocation

    def counts(self) -> list[int]:
        """References to the things, and how many there are."""
        gc.collect()
        kind = self.space["Thing"]
        return [*map(sys.getrefcount, self.things), sum(type(o) is kind for o in gc.get_objects())]


def strip(value):
    return repr(value) if isinstance(value, BaseException) else value


class Sweep:
    """Passes over all allocations of one program."""

    def __init__(self, name: str, how: str, step: int) -> None:
        self.name, self.how, self.step = name, how, step
        self.wanted = repr(strip(self.plain().once(self.plain().run, MANY, 0)))

    def plain(self) -> Case:
        return Case(PROGRAMS[self.name], bound=False)

    def fresh(self) -> Case:
        return Case(PROGRAMS[self.name], bound=self.how in ("warm", "cold"))

    def complain(self, where: str, text: str) -> None:
        print(f"{self.name}: {where}: {text}")

    def may_be(self, got) -> bool:
        if isinstance(got, SystemError) and str(got).endswith(LOST_ERROR):
            return self.name in LOSE_ERRORS
        return got is MemoryError or repr(strip(got)) == self.wanted

    def over(self, case: Case | None) -> int:
        """One pass; returns how many calls ran out of memory. Without a case each has a new one."""
        failures = 0
        counted = case or self.fresh()
        run = counted.bind_and_run if self.how == "bind" else counted.run
        for start in range(1, counted.allocations(run) + MARGIN, self.step):
            for stop in (start + 1, 0):
                failures += self.fail(case or self.fresh(), start, stop)
        return failures

    def fail(self, case: Case, start: int, stop: int) -> bool:
        """Let these allocations fail, see what became of it, and whether there was a failure."""
        where = f"allocation {start}..{stop}"
        before = case.counts()
        failed = False
        for _ in range(1 if self.how == "warm" else 3):
            got = case.once(case.bind_and_run if self.how == "bind" else case.run, start, stop)
            failed |= got is MemoryError
            if not self.may_be(got):
                self.complain(where, f"{strip(got)!r} instead of {self.wanted}")
            got = None
        if (after := case.counts()) != before:
            self.complain(where, f"references {before} became {after}")
        if self.how == "bind":
            self.bind_again(case, where)
        return failed

    def bind_again(self, case: Case, where: str) -> None:
        """What could not be done goes well as soon as there is memory, and is undone."""
        for bound in (False, True, False):
            (case.bind if bound else case.unbind)()
            if not self.may_be(got := case.once(case.run, MANY, 0)):
                self.complain(where, f"{strip(got)!r} instead of {self.wanted}, {bound=}")
            events = [
                sys.monitoring.get_local_events(5, function.__code__) for function in case.functions
            ]
            if {bool(each) for each in events} != {bound}:
                self.complain(where, f"events {events}, {bound=}")
            if not bound and any(map(_core.is_bound, case.functions)):
                self.complain(where, "calls come to psyco still")


def main() -> None:
    """See above."""
    how, step, *names = sys.argv[1:]
    _core.set_options({"governor": False})
    for module in (psyco.api, psyco.targets):
        for function in namespace_functions(vars(module)):
            protect(function.__code__)
    if how == "full":
        for harness in (Case, Sweep):
            psyco.cannotcompile(harness)
        psyco.full()
    for name in names:
        sweep = Sweep(name, how, int(step))
        case = sweep.fresh() if how == "warm" else None
        if case:
            for _ in range(12):
                case.once(case.run, MANY, 0)
        failures = sweep.over(case)
        if case:
            gc.collect()
            before = sys.getallocatedblocks()
            sweep.over(case)
            gc.collect()
            grown = sys.getallocatedblocks() - before
            if grown > TOLERANCE:
                print(f"{name}: {grown} blocks more than before")
        print(f"{name}: {failures} failures", file=sys.stderr)


if __name__ == "__main__":
    main()
