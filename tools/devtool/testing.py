"""The three kinds of tests: C++ unit tests, IR text tests, Python tests.

Each runner shows the tool's own output and returns a Count. A runner that reports no test at all
has failed: a suite that silently vanished must not look like one that passed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple

from devtool.console import ROOT, Failure, say
from devtool.environment import Environment, works
from devtool.variants import TIME_LIMIT, Variant

SLOWER = 4  # what sanitizers cost


class Count(NamedTuple):
    """Tests of one run."""

    passed: int
    failed: int

    def __add__(self, other: Count) -> Count:  # type: ignore[override]
        return Count(self.passed + other.passed, self.failed + other.failed)


def judged(count: Count, status: int) -> Count:
    """*count* made consistent with the exit status: a crash, or no test at all, is a failure."""
    if (status and not count.failed) or not (count.passed or count.failed):
        return Count(count.passed, count.failed + 1)
    return count


def shown(command: list[object], environ: dict[str, str] | None = None) -> tuple[str, int]:
    """Run a test program with its output shown as it comes, and return that output too."""
    text: list[str] = []
    with subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, env=environ, text=True, errors="replace",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout:
            sys.stdout.write(line)
            text.append(line)
    sys.stdout.flush()
    return "".join(text), process.returncode


def unit_tests(env: Environment, environ: dict[str, str] | None = None) -> Count:
    """The C++ tests (doctest)."""
    program = env.build / "psyco_unit"
    if not program.exists():
        raise Failure(f"{program.relative_to(ROOT)} was not built")
    text, status = shown([program, "--no-colors=true"], {**os.environ, **(environ or {})})
    found = re.search(r"test cases:\s*\d+\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed", text)
    return judged(Count(*map(int, found.groups())) if found else Count(0, 0), status)


def ir_tests(env: Environment, *, accept: bool = False) -> Count | None:
    """The tests of IR text in, IR text out; None while the tool that runs them is not built."""
    program = env.build / "psyco-opt"
    files = sorted((ROOT / "tests" / "ir").glob("**/*.ir"))
    if not program.exists():
        if files:
            raise Failure("tests/ir has tests, but psyco-opt was not built")
        return None
    options = ["--accept"] if accept else []
    failed = [path for path in files if shown([program, *options, path])[1]]
    for path in failed:
        print(f"failed: {path.relative_to(ROOT)}")
    return Count(len(files) - len(failed), len(failed))


def python_tests(
    env: Environment, arguments: list[str], variant: Variant | None = None, *, wheel: bool = False,
    sanitizers: dict[str, str] | None = None,
) -> Count:
    """The Python tests, plainly or under one stress variant; with *wheel* a wheel is built too.

    *sanitizers*: what `sanitized` says is to be set.
    """
    environ = {**os.environ, **(sanitizers or {})}
    if wheel:
        environ["PSYCO_TEST_WHEEL"] = "1"
        if works("ccache"):
            environ["CMAKE_CXX_COMPILER_LAUNCHER"] = "ccache"
    environ.pop("PSYCO_DISABLE", None)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command: list[object] = [env.python, "-m", "pytest", "--junitxml", report]
        if not any(option.startswith(("-n", "-s", "--pdb", "-p")) for option in arguments):
            command += ["-n", str(min(4, os.cpu_count() or 1))]
        if variant:
            environ["PSYCO_DEBUG"] = variant.debug
            if variant.gc_threshold is not None:
                environ["PSYCO_TEST_GC_THRESHOLD"] = str(variant.gc_threshold)
        if variant or sanitizers:
            command += ["-m", "not plain_only" + (" and not no_asan" if sanitizers else "")]
        limit = TIME_LIMIT * (SLOWER if sanitizers else 1)
        status = _limited([*command, *arguments], environ, limit)
        count = _read_report(report)
    return judged(count, status)


def _limited(command: list[object], environ: dict[str, str], limit: int) -> int:
    """Run pytest in a process group of its own and end the whole group when time is up."""
    process = subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, env=environ, start_new_session=True
    )
    try:
        return process.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        say(f"the tests ran longer than {limit} s and were stopped")
        os.killpg(process.pid, 9)
        process.wait()
        return 124
    except KeyboardInterrupt:
        os.killpg(process.pid, 2)
        process.wait()
        raise


def _read_report(path: Path) -> Count:
    try:
        suites = list(ElementTree.parse(path).getroot().iter("testsuite"))
    except (OSError, ElementTree.ParseError):
        return Count(0, 0)
    total, bad, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites for name in names)
        for names in (("tests",), ("failures", "errors"), ("skipped",))
    )
    return Count(max(0, total - bad - skipped), bad)
