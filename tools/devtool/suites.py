"""What `./dev conformance` and `./dev ecosystem` share: modes, environments, runs, comparison.

A mode is a way to run programs. Each has a virtual environment of its own in which every Python
process, started by whomever, runs in that mode (tests/conformance/everywhere.py). A run is one
process that writes a JSON line for each test it begins and ends; what two runs wrote is compared
test by test.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Sequence

from devtool.console import ROOT, Failure, capture, say
from devtool.environment import Environment
from devtool.testing import Count
from devtool.variants import VARIANTS, find_variant

EVERYWHERE = ROOT / "tests" / "conformance" / "everywhere.py"
# A process that dies is started again without the test it died in, but not for ever.
MOST_STARTS = 8
# How the process of a run ended is told under this id, beside the tests.
PROCESS = "(the process)"


@dataclass(frozen=True)
class Mode:
    """A way to run programs."""

    name: str
    on: bool = True
    eager: bool = False
    debug: str = ""
    gc_threshold: int | None = None

    @property
    def baseline(self) -> Mode:
        """The plain mode that this one is compared with: the collector runs as often."""
        if self.gc_threshold is None:
            return PLAIN
        return Mode(f"plain-gc{self.gc_threshold}", on=False, gc_threshold=self.gc_threshold)


PLAIN = Mode("plain", on=False)


def mode_names() -> list[str]:
    """What --mode takes."""
    return ["default", *(variant.name for variant in VARIANTS)]


def find_mode(name: str) -> Mode:
    """The mode called *name*: default, eager as the command line's --eager, or a stress variant."""
    if name == "default":
        return Mode(name)
    if name == "eager":
        return Mode(name, eager=True)
    variant = find_variant(name)
    if variant is None:
        raise Failure(f"no mode {name}; there are: {', '.join(mode_names())}")
    return Mode(name, debug=variant.debug, gc_threshold=variant.gc_threshold)


def make_python(env: Environment, folder: Path, mode: Mode, more: Sequence[Path] = ()) -> Path:
    """The interpreter of a virtual environment in which everything runs in *mode*."""
    venv = folder / f"venv-{mode.name}"
    packages = venv / "lib" / f"python{env.interpreter.dotted}" / "site-packages"
    if not (venv / "bin" / "python").exists():
        answer = capture([env.interpreter.path, "-m", "venv", "--clear", "--without-pip", venv])
        if answer.returncode:
            raise Failure(f"no virtual environment could be made: {answer.stderr.strip()}")
    link = packages / "psyco"
    if not link.is_symlink():
        link.symlink_to(ROOT / "python" / "psyco")
    shutil.copy(EVERYWHERE, packages / "psyco_everywhere.py")
    call = (f"import psyco_everywhere; psyco_everywhere.start(on={mode.on}, eager={mode.eager}, "
            f"debug={mode.debug!r}, gc_threshold={mode.gc_threshold})")
    lines = [*map(str, more), call]
    (packages / "psyco_everywhere.pth").write_text("\n".join(lines) + "\n")
    return venv / "bin" / "python"


# --- One run ---------------------------------------------------------------------------------


@dataclass
class Run:
    """What became of the tests of one file or package."""

    outcomes: dict[str, str] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0  # processor time

    def save(self, path: Path) -> None:
        """Keep it, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")
        new.write_text(json.dumps(vars(self), indent=0))
        new.replace(path)

    @staticmethod
    def load(path: Path) -> Run | None:
        """What save() kept, if it did."""
        try:
            return Run(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None


def clean_environ() -> dict[str, str]:
    """The caller's environment without what changes how Python programs run."""
    environ = {name: value for name, value in os.environ.items()
               if not name.startswith(("PYTHON", "PSYCO", "VIRTUAL_ENV", "PYTEST"))}
    # Sets have the same order in each process, so that tests do the same work in the same order.
    return {**environ, "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it has started; first so that it says where it is."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGABRT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _status(command: Sequence[object], prepare: Callable[[Path], None], log: Path,
            limit: float) -> str:
    """Run the command in a folder of its own; how it ended, in words."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, \
            log.open("ab") as output:
        prepare(Path(folder))
        process = subprocess.Popen(
            [str(part) for part in command], cwd=folder, env=clean_environ(),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            return "timed out"
        finally:
            _end(process)
    if status >= 0:
        return f"status {status}"
    return f"died by {signal.Signals(-status).name}"


def _read(path: Path, run: Run) -> str | None:
    """Add what a process wrote; the test in which it stopped, or "" if it came to its end."""
    running = None
    ended = False
    for line in path.read_text().splitlines() if path.exists() else ():
        what = json.loads(line)
        if "end" in what:
            run.seconds += what["end"]
            ended = True
        elif "start" in what:
            running = what["start"]
        else:
            run.outcomes[what["id"]] = what["outcome"]
            if what["detail"]:
                run.details[what["id"]] = what["detail"]
            if what["id"] == running:
                running = None
    return "" if ended else running


class Suite:
    """Tests that go by a name, and how to run them; what a subclass says of them."""

    folder: Path  # for environments and results
    facts: object = None  # on which outcomes depend, beside the interpreter
    packages: Sequence[Path] = ()  # folders with what the tests import

    def command(self, name: str, python: Path, out: Path, done: Path | None) -> Sequence[object]:
        """The command line; it writes *out* and leaves out the tests whose ids *done* holds."""
        raise NotImplementedError

    def prepare(self, name: str, folder: Path) -> None:
        """Put into the folder what the tests want to find there."""


def run_to_end(suite: Suite, name: str, python: Path, log: Path, limit: float) -> Run:
    """Run the tests; a process that dies is followed by another, for the tests that are left."""
    run = Run()
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    out, done = log.with_suffix(".jsonl"), log.with_suffix(".done")
    for start in range(MOST_STARTS):
        out.unlink(missing_ok=True)
        done.write_text(json.dumps(sorted(run.outcomes)))
        command = suite.command(name, python, out, done if start else None)
        status = _status(command, lambda folder: suite.prepare(name, folder), log, limit)
        running = _read(out, run)
        if not running:
            run.outcomes[PROCESS] = status if running == "" else f"{status}, not at its end"
            break
        run.outcomes[running] = status
    out.unlink(missing_ok=True)
    done.unlink(missing_ok=True)
    return run


class Runs:
    """Runs a suite, and keeps what plain runs gave for as long as the interpreter is the same."""

    def __init__(self, env: Environment, suite: Suite, modes: Sequence[Mode], limit: float) -> None:
        self._suite, self._limit = suite, limit
        suite.folder.mkdir(parents=True, exist_ok=True)
        wanted = {mode.name: mode for mode in [*modes, *(mode.baseline for mode in modes)]}
        self._pythons = {name: make_python(env, suite.folder, mode, suite.packages)
                         for name, mode in wanted.items()}
        stat = env.interpreter.path.stat()
        facts = (env.interpreter.path, env.interpreter.version, stat.st_size, stat.st_mtime_ns,
                 suite.facts)
        self._key = hashlib.sha256(repr(facts).encode()).hexdigest()[:8]
        self._locks: dict[Path, threading.Lock] = {}

    def _run(self, name: str, mode: Mode, path: Path) -> Run:
        log = path.with_suffix(".log")
        run = run_to_end(self._suite, name, self._pythons[mode.name], log, self._limit)
        run.save(path)
        return run

    def plain(self, name: str, mode: Mode) -> Callable[[int], Run]:
        """The plain runs of a name."""
        def get(number: int) -> Run:
            path = self._suite.folder / f"{mode.name}-{self._key}" / f"{name}.{number}.json"
            with self._locks.setdefault(path, threading.Lock()):
                return Run.load(path) or self._run(name, mode, path)
        return get

    def other(self, name: str, mode: Mode) -> Callable[[int], Run]:
        """The runs of a name in a mode, made anew."""
        return lambda number: self._run(
            name, mode, self._suite.folder / mode.name / f"{name}.{number}.json")


# --- Comparison ------------------------------------------------------------------------------


@dataclass
class Verdict:
    """Two modes compared over one file or package."""

    name: str
    mode: str
    same: int = 0
    skipped: int = 0  # in the list of skips
    flaky: list[str] = field(default_factory=list)  # not the same in two plain runs
    unsteady: list[str] = field(default_factory=list)  # differed in one of two runs
    differ: list[str] = field(default_factory=list)
    plain_seconds: float = 0.0
    seconds: float = 0.0
    told: dict[str, str] = field(default_factory=dict)  # by id: both outcomes, the traceback


def differences(plain: Run, other: Run) -> list[str]:
    """Ids whose outcomes are not the same."""
    ids = list(dict.fromkeys([*plain.outcomes, *other.outcomes]))
    return [each for each in ids if plain.outcomes.get(each) != other.outcomes.get(each)]


def is_death(outcome: str | None) -> bool:
    """Whether a process died or hung: once is enough."""
    return outcome is not None and outcome.startswith(("died", "timed out"))


def judge(name: str, mode: Mode, plain: Callable[[int], Run], other: Callable[[int], Run],
          skips: Callable[[str], bool] = lambda _: False) -> Verdict:
    """Compare; what differs is run again both ways, to know what is not the same each time.

    *plain* and *other* give the run of a number, 1 or 2.
    """
    first, ours = plain(1), other(1)
    verdict = Verdict(name, mode.name, plain_seconds=first.seconds, seconds=ours.seconds)
    if not first.outcomes.keys() - {PROCESS}:
        # Nothing is the same as nothing, and shows nothing.
        verdict.differ.append(PROCESS)
        verdict.told[PROCESS] = f"no test ran, plainly as well: {first.outcomes.get(PROCESS)}"
        return verdict
    found = differences(first, ours)
    verdict.skipped = sum(map(skips, {*first.outcomes, *ours.outcomes}))
    different = [each for each in found if not skips(each)]
    verdict.same = len(first.outcomes.keys() | ours.outcomes.keys()) - verdict.skipped
    verdict.same -= len(different)
    if not different:
        return verdict
    second, again = plain(2), other(2)
    flaky, twice = set(differences(first, second)), set(differences(second, again))
    for each in different:
        before, after = first.outcomes.get(each), ours.outcomes.get(each)
        detail = ours.details.get(each) or first.details.get(each) or ""
        verdict.told[each] = f"plain: {before}; {mode.name}: {after}\n{detail}"
        if is_death(after) and not is_death(before):
            verdict.differ.append(each)
        elif each in flaky:
            verdict.flaky.append(each)
        elif each in twice:
            verdict.differ.append(each)
        else:
            verdict.unsteady.append(each)
    return verdict


def compare(env: Environment, suite: Suite, names: Sequence[str], modes: Sequence[Mode], *,
            jobs: int, limit: float,
            skips: Callable[[str], bool] = lambda _: False) -> list[Verdict]:
    """Run all names in all modes and compare, *jobs* at a time."""
    runs = Runs(env, suite, modes, limit)

    def one(name: str, mode: Mode) -> Verdict:
        verdict = judge(name, mode, runs.plain(name, mode.baseline), runs.other(name, mode), skips)
        say(f"{name} {mode.name}: {verdict.same} the same, {len(verdict.differ)} differ")
        return verdict

    with ThreadPoolExecutor(jobs) as pool:
        tasks = [pool.submit(one, name, mode) for name in names for mode in modes]
        return [task.result() for task in tasks]


def table(verdicts: Sequence[Verdict]) -> str:
    """A line for each verdict."""
    width = max((len(verdict.name) for verdict in verdicts), default=4)
    rows = [f"{'':{width}}  {'mode':8} {'same':>6} {'differ':>6} {'unsteady':>8} {'flaky':>5} "
            f"{'skip':>4} {'plain s':>8} {'s':>8} {'ratio':>5}"]
    for v in verdicts:
        ratio = f"{v.seconds / v.plain_seconds:.2f}" if v.plain_seconds and v.seconds else ""
        rows.append(
            f"{v.name:{width}}  {v.mode:8} {v.same:6} {len(v.differ):6} {len(v.unsteady):8} "
            f"{len(v.flaky):5} {v.skipped:4} {v.plain_seconds:8.2f} {v.seconds:8.2f} {ratio:>5}"
        )
    return "\n".join(rows)


def report(verdicts: Sequence[Verdict]) -> Count:
    """Print the table and what differs; tests that are not the same each time do not count."""
    print(table(verdicts))
    for verdict in verdicts:
        for kind, ids in (("flaky, plainly as well", verdict.flaky),
                          ("differed once in two runs", verdict.unsteady)):
            for each in ids:
                told = verdict.told[each].splitlines()[0]
                print(f"{kind}: {verdict.name} {verdict.mode}: {each}: {told}")
    for verdict in verdicts:
        for each in verdict.differ:
            print(f"\ndiffers: {verdict.name} {verdict.mode}: {each}\n{verdict.told[each]}")
    return Count(sum(v.same for v in verdicts), sum(len(v.differ) for v in verdicts))


def concluded(count: Count) -> int:
    """Print the last line; the exit status."""
    print(f"{count.passed} passed, {count.failed} failed", flush=True)
    return 1 if count.failed or not count.passed else 0
