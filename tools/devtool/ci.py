"""./dev ci: everything that must hold before a change lands, and nothing that CI alone can do.

Every step runs even if an earlier one failed, except that nothing runs on a failed build: one
visit should show all there is to mend. The last line is `N passed, N failed`.
"""

from __future__ import annotations

import time
from typing import Callable

from devtool import versions
from devtool.build import build
from devtool.conformance import sample
from devtool.console import ROOT, Failure, call, say
from devtool.environment import Environment
from devtool.lint import check_stubs, lint
from devtool.testing import Count, ir_tests, python_tests, unit_tests
from devtool.variants import VARIANTS, find_variant

FUZZED = 2400  # generated programs, about a minute


class Tally:
    """Adds up the steps and remembers the failed ones."""

    def __init__(self) -> None:
        self.total = Count(0, 0)
        self.failed_steps: list[str] = []

    def step(self, name: str, action: Callable[[], Count | None]) -> bool:
        """Run one step; whether it passed. A step without counts is one passed test."""
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        try:
            count = action() or Count(1, 0)
        except Failure as failure:
            print(failure, flush=True)
            count = Count(0, 1)
        self.total = self.total + count
        if count.failed:
            self.failed_steps.append(name)
        say(f"{name}: {count.passed} passed, {count.failed} failed, "
            f"{time.monotonic() - start:.0f} s")
        return not count.failed


def _fail(failure: Failure) -> None:
    raise failure


def _lint(env: Environment) -> None:
    if failed := lint(env):
        raise Failure(f"lint failed: {', '.join(failed)}")


def _fuzz(env: Environment) -> None:
    # The same programs every time: what fails here has come with a change.
    if call([env.python, ROOT / "tests" / "fuzz", "--part", "inside", "--seed", "1",
             "--count", str(FUZZED), "--reduce", "1"]):
        raise Failure("compiled programs did not do what plain ones do")


def _other_version(tally: Tally, env: Environment) -> None:
    """C++ and IR tests know no version; all that does is run again."""
    version = f"CPython {env.interpreter.version}"
    if not tally.step(f"build for {version}", lambda: build(env, werror=True)):
        return
    tally.step(f"Python tests on {version}", lambda: python_tests(env, ["-q"]))
    tally.step(f"fuzzer on {version}", lambda: _fuzz(env))
    for name in versions.VARIANTS:
        tally.step(f"Python tests on {version}, {name}",
                   lambda name=name: python_tests(env, ["-q"], find_variant(name)))


def ci(env: Environment) -> int:
    """Run all steps; the exit status for ./dev."""
    tally = Tally()
    tally.step("lint", lambda: _lint(env))
    if tally.step("build", lambda: build(env, werror=True)):
        tally.step("stub files", lambda: check_stubs(env))
        tally.step("C++ unit tests", lambda: unit_tests(env))
        tally.step("IR tests", lambda: ir_tests(env) or Count(0, 0))
        tally.step("Python tests", lambda: python_tests(env, [], wheel=True))
        tally.step("fuzzer", lambda: _fuzz(env))
        for variant in VARIANTS:
            tally.step(
                f"Python tests, {variant.name}: {variant.provokes}",
                lambda variant=variant: python_tests(env, ["-q"], variant),
            )
        tally.step("CPython's own tests, a sample", lambda: sample(env))
    try:
        for other in versions.others(env.interpreter.dotted):
            _other_version(tally, other)
    except Failure as failure:  # one that is asked for is missing
        missing = failure
        tally.step("other versions of CPython", lambda: _fail(missing))
    print()
    for name in tally.failed_steps:
        print(f"failed: {name}")
    print(f"{tally.total.passed} passed, {tally.total.failed} failed", flush=True)
    return 1 if tally.failed_steps else 0
