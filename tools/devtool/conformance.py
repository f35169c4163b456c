"""./dev conformance: CPython's own test files, plain against psyco, compared test by test.

The files come with the interpreter (Debian has them in a package of its own), their list is
tests/conformance/files.txt. Each runs in a process of its own in which everything is compiled, and
so does every Python program that a test starts. What plain Python did is kept in the build folder.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from devtool.console import ROOT, Failure, capture
from devtool.environment import Environment, Need, ensure_debian
from devtool.suites import Suite, Verdict, compare, concluded, find_mode, report
from devtool.testing import Count

FOLDER = ROOT / "tests" / "conformance"
RUNNER = FOLDER / "runner.py"
CI_FILES = 20
CI_LIMIT = 600


def all_files() -> list[str]:
    """The names of CPython's test files that must give the same outcomes."""
    return (FOLDER / "files.txt").read_text().split()


def read_skips(text: str) -> dict[str, str]:
    """By id the reason: in the file a reason is a paragraph's first lines, the ids are indented."""
    reasons: dict[str, str] = {}
    reason: list[str] = []
    in_reason = False
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            in_reason = False
        elif line.startswith(" "):
            in_reason = False
            reasons[line.strip()] = " ".join(reason)
        else:
            reason = [*reason, line.strip()] if in_reason else [line.strip()]
            in_reason = True
    return reasons


def all_skips() -> dict[str, str]:
    """By id why it is not compared."""
    return read_skips((FOLDER / "skips.txt").read_text())


def is_skipped(each: str, skips: dict[str, str]) -> bool:
    """Whether the test, or the one that it is a subtest of, is in the list."""
    return each in skips or each.split(" ", 1)[0] in skips


def has_tests(env: Environment) -> bool:
    """Whether the interpreter comes with its tests."""
    return capture([env.interpreter.path, "-c", "import test.test_grammar"]).returncode == 0


def choose(names: list[str], sample: int | None, seed: int) -> list[str]:
    """These files or all, of them a sample or all."""
    known = all_files()
    for name in names:
        if name not in known:
            raise Failure(f"{name} is not in tests/conformance/files.txt")
    files = names or known
    if sample:
        chosen = set(random.Random(seed).sample(files, min(sample, len(files))))
        files = [name for name in files if name in chosen]
    return files


class Files(Suite):
    """CPython's test files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.facts = [path.read_text() for path in (RUNNER, RUNNER.with_name("writer.py"))]

    def command(self, name: str, python: Path, out: Path, done: Path | None) -> list[object]:
        """The command line for a file."""
        return [python, "-X", "faulthandler", RUNNER, name, out, *([done] if done else [])]


def compare_files(env: Environment, files: list[str], modes: list[str], *, jobs: int,
                  limit: float) -> list[Verdict]:
    """Run the files and compare."""
    ensure_debian([Need(f"libpython{env.interpreter.dotted}-testsuite", lambda: has_tests(env))])
    skips = all_skips()
    return compare(env, Files(env.build / "conformance"), files, list(map(find_mode, modes)),
                   jobs=jobs, limit=limit, skips=lambda each: is_skipped(each, skips))


def conformance(env: Environment, options: argparse.Namespace) -> int:
    """Compare what the command line asks for; the exit status."""
    modes = options.mode or ["default", "eager"]
    files = choose(options.files, options.sample, options.seed)
    verdicts = compare_files(env, files, modes, jobs=options.jobs, limit=options.limit)
    return concluded(report(verdicts))


def sample(env: Environment) -> Count:
    """What CI compares: some files, others after each commit."""
    history = capture(["git", "rev-list", "--count", "HEAD"]).stdout.strip()
    seed = int(history) if history.isdigit() else 1
    print(f"./dev conformance --sample {CI_FILES} --seed {seed}", flush=True)
    files = choose([], CI_FILES, seed)
    return report(compare_files(env, files, ["default", "eager"], jobs=2, limit=CI_LIMIT))
