"""./dev bench applications: whole processes of real programs, plain against psyco.

The programs are the rows of bench/applications/table.py. Their packages are installed once, into a
virtual environment of their own beside the build, from the package index, in the versions that the
table pins. Plain and psyco take turns; what is compared is the processor time of whole processes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from devtool.console import ROOT, Failure, call, capture, say
from devtool.environment import Environment, works
from devtool.statistics import Interval, geomean, median_interval

FOLDER = ROOT / "bench" / "applications"
RUN_LIMIT = 300  # seconds for one process
FLOOR, FLOOR_SHORT = 0.98, 0.97  # of programs that take half a second or more, and of shorter ones
MEAN = 1.05
MEMORY_MB, MEMORY_SHARE = 10, 0.05  # what psyco may add to the resident memory


@dataclass
class Measured:
    """One program at one size: seconds and kilobytes of each process, in pairs."""

    name: str
    size: int
    plain: list[float] = field(default_factory=list)
    psyco: list[float] = field(default_factory=list)
    plain_kb: list[int] = field(default_factory=list)
    psyco_kb: list[int] = field(default_factory=list)
    profile: str = ""
    wrong: str = ""

    def interval(self) -> Interval:
        """How many times faster: median of the pairs, and its interval."""
        return median_interval([a / b for a, b in zip(self.plain, self.psyco)])

    def floor(self) -> float:
        """What it must reach."""
        return FLOOR if min(self.plain) >= 0.5 else FLOOR_SHORT

    def added_mb(self) -> float:
        """Resident memory under psyco less that without, in MB."""
        return (min(self.psyco_kb) - min(self.plain_kb)) / 1024

    def faults(self) -> list[str]:
        """What is not as it must be."""
        if self.wrong:
            return [f"WRONG: {self.wrong}"]
        found = []
        if self.interval().high < self.floor():
            found.append(f"BELOW {self.floor():g}")
        if self.added_mb() > MEMORY_MB + MEMORY_SHARE * min(self.plain_kb) / 1024:
            found.append(f"MEMORY +{self.added_mb():.0f} MB")
        return found


def load_table() -> ModuleType:
    """bench/applications/table.py, which is data of bench/, not of this tool."""
    spec = importlib.util.spec_from_file_location("applications_table", FOLDER / "table.py")
    table = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = table
    spec.loader.exec_module(table)
    return table


def prepare_packages(env: Environment, table: ModuleType) -> Path:
    """A virtual environment with all packages and a path to psyco; its interpreter."""
    key = hashlib.sha256(" ".join([*table.PINNED, *table.FROM_SOURCE]).encode()).hexdigest()[:16]
    venv = env.build / "applications"
    stamp, python = venv / "installed", venv / "bin" / "python"
    if not (stamp.exists() and stamp.read_text() == key):
        say(f"installing {len(table.PINNED)} packages into {venv.relative_to(ROOT)}, once")
        if call([env.python, "-m", "venv", "--clear", venv]):
            raise Failure("the virtual environment for the applications could not be made")
        command = [python, "-m", "pip", "install", "-q", "--no-deps",
                   "--no-binary", ",".join(table.FROM_SOURCE), *table.PINNED]
        if call(command, stdout=sys.stderr):
            raise Failure("pip could not install the applications (its messages are above)")
        stamp.write_text(key)
    found = capture([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    Path(found.stdout.strip(), "psyco.pth").write_text(f"{ROOT / 'python'}\n")
    return python


# --- One process ---------------------------------------------------------------------------------


class Runner:
    """Starts processes of one interpreter on one core."""

    def __init__(self, python: Path, core: int, debug: str) -> None:
        self._python, self._core, self._debug = str(python), core, debug

    def environ(self, seed: int, psyco: bool) -> dict[str, str]:
        """Both halves of a pair hash strings the same way, the next pair another way."""
        environ = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONDONTWRITEBYTECODE": "1"}
        environ.pop("PSYCO_DEBUG", None)
        if psyco and self._debug:
            environ["PSYCO_DEBUG"] = self._debug
        return environ

    def command(self, arguments: list[str]) -> list[str]:
        """The interpreter with *arguments*, on the core."""
        return ["taskset", "-c", str(self._core), self._python, *arguments]

    def __call__(self, arguments: list[str], seed: int, psyco: bool) -> tuple[float, int, str]:
        """Run python with *arguments*: seconds of processor time, peak kilobytes, output."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                self.command(arguments), env=self.environ(seed, psyco), cwd=FOLDER,
                stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            output.seek(0)
            errors.seek(0)
            text, complaint = output.read().decode(), errors.read().decode(errors="replace")
        if status:
            last = (complaint.strip() or "no message").splitlines()[-1]
            raise Failure(f"exit status {process.returncode}: {last}")
        if "psyco is off" in complaint:
            raise Failure(complaint.strip().splitlines()[0])
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss, text


def measure(run: Runner, name: str, size: int, pairs: int, under: list[str]) -> Measured:
    """All pairs of one program at one size."""
    result = Measured(name, size)
    program = [f"{name}.py", str(size)]
    try:
        run(program, 0, False)  # fills the caches of the disk and of bytecode
        for pair in range(pairs):
            outputs = {}
            for psyco in (False, True) if pair % 2 else (True, False):
                start = ["-m", "psyco", *under] if psyco else []
                seconds, kilobytes, outputs[psyco] = run([*start, *program], pair + 1, psyco)
                (result.psyco if psyco else result.plain).append(seconds)
                (result.psyco_kb if psyco else result.plain_kb).append(kilobytes)
            if steady(outputs[False]) != steady(outputs[True]):
                raise Failure("the outputs differ")
    except (Failure, OSError) as problem:
        result.wrong = str(problem)
    return result


def steady(output: str) -> str:
    """An output without what a program prints about the time it took."""
    return re.sub(r"\d+\.\d+s\b", "?s", output)


# --- Where the time goes -------------------------------------------------------------------------


def profile(run: Runner, result: Measured, under: list[str]) -> str:
    """Shares of compiled code, psyco's own, the interpreter's loop and other C, by sampling."""
    if not works("perf"):
        return "(no perf here: no profile)"
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        command = run.command(["-m", "psyco", *under, f"{result.name}.py", str(result.size)])
        subprocess.run(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-o", data, *command],
            env=run.environ(1, True), cwd=FOLDER, capture_output=True, check=False,
        )
        told = subprocess.run(
            ["perf", "report", "-q", "-i", data, "--sort", "dso,symbol", "--stdio"],
            capture_output=True, text=True, check=False,
        ).stdout
    shares = {"compiled": 0.0, "psyco": 0.0, "interpreter": 0.0, "C": 0.0}
    for percent, place, symbol in re.findall(r"^\s*([\d.]+)%\s+(\S+)\s+(.*)$", told, re.MULTILINE):
        if ("psyco" in place and "_core" not in place) or "memfd" in place or "[unknown]" in place:
            kind = "compiled"
        elif "_core" in place:
            kind = "psyco"
        else:
            kind = "interpreter" if "_PyEval_EvalFrameDefault" in symbol else "C"
        shares[kind] += float(percent)
    return ", ".join(f"{kind} {share:.1f} %" for kind, share in shares.items())


# --- A whole run ---------------------------------------------------------------------------------


def line_of(result: Measured) -> str:
    """One line of the table."""
    start = f"{result.name:20}{result.size:>8}"
    if result.wrong:
        return f"{start}  {result.faults()[0]}"
    low, middle, high = result.interval()
    return (f"{start}{middle:8.3f}  [{low:5.3f},{high:6.3f}]{min(result.plain):8.2f}"
            f"{min(result.psyco):8.2f}{result.added_mb():+8.1f}   "
            f"{', '.join(result.faults()) or 'ok'}   {result.profile}")


def applications(env: Environment, options: argparse.Namespace) -> int:
    """Measure and print; the exit status for ./dev."""
    table = load_table()
    rows = {row.name: row for row in table.APPLICATIONS}
    for name in options.names:
        if name not in rows:
            raise Failure(f"no application {name}; there are: {', '.join(rows)}")
    python = prepare_packages(env, table)
    core = max(os.sched_getaffinity(0)) if options.core is None else options.core
    run = Runner(python, core, options.debug)
    under = shlex.split(options.under)
    print(f"{'':28}{'ratio':>8}  {'95 % interval':^14}{'plain s':>8}{'psyco s':>8}{'MB':>8}")
    results = []
    for name in options.names or rows:
        row = rows[name]
        for size in {"short": [row.short], "long": [row.long]}.get(options.size, row[2:]):
            result = measure(run, name, size, options.pairs, under)
            if options.profile and not result.wrong:
                result.profile = profile(run, result, under)
            print(line_of(result), flush=True)
            results.append(result)
    return summary(results)


def summary(results: list[Measured]) -> int:
    """The closing lines; the exit status."""
    ratios = [result.interval().median for result in results if not result.wrong]
    mean = geomean(ratios) if ratios else 0.0
    bad = [result for result in results if result.faults()]
    print(f"\ngeometric mean {mean:.3f} (at least {MEAN}), lowest {min(ratios, default=0):.3f}")
    print(f"{len(results)} measured, {len(bad)} not as they must be")
    return 1 if bad or mean < MEAN else 0
