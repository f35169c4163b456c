"""./dev bench: plain CPython against psyco, and whether the project's promises hold.

Each measurement is a pair of fresh processes on one core, plain and psyco in turn, so that both
halves of a ratio meet the same machine. Steady state is the fastest of the later calls of run()
in one process; "cold" is a whole process that calls it once, start-up and compilation included.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import importlib.util
import json
import os
import platform
import re
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Callable

from devtool.console import ROOT, Failure, capture
from devtool.environment import Environment
from devtool.statistics import Interval, geomean, median_interval

BENCH = ROOT / "bench"
PROGRAMS = BENCH / "programs"
RUN_LIMIT = 300  # seconds for one process


@dataclass
class Series:
    """The pairs of one measurement: seconds plain and under psyco."""

    plain: list[float] = field(default_factory=list)
    psyco: list[float] = field(default_factory=list)

    def ratios(self) -> list[float]:
        """How many times faster, pair by pair."""
        return [a / b for a, b in zip(self.plain, self.psyco)]

    def interval(self) -> Interval:
        """The median ratio and its interval."""
        return median_interval(self.ratios())


@dataclass
class Result:
    """All about one program."""

    name: str
    group: str
    bar: float
    steady: Series = field(default_factory=Series)
    cold: Series = field(default_factory=Series)
    wrong: str = ""

    def undecided(self) -> bool:
        """Whether more pairs could still change the verdict."""
        if self.wrong or not self.steady.plain:
            return False
        interval = self.steady.interval()
        return interval.low < self.bar <= interval.high

    def verdict(self) -> str:
        """"ok", or what is wrong."""
        if self.wrong:
            return f"WRONG: {self.wrong}"
        return "ok" if self.steady.interval().high >= self.bar else f"BELOW {self.bar:g}"


def load_bars() -> ModuleType:
    """The table of bars, which is data of bench/, not of this tool."""
    spec = importlib.util.spec_from_file_location("bars", BENCH / "bars.py")
    bars = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bars)
    return bars


def program_group(path: Path) -> str:
    """The GROUP a program declares; programs without one are only parts of others."""
    found = re.search(r'^GROUP = "(\w+)"', path.read_text(), re.MULTILINE)
    return found.group(1) if found else ""


# --- One process ---------------------------------------------------------------------------------


class Runner:
    """Starts processes on one core and measures the processor time of each."""

    def __init__(self, env: Environment, core: int, python: str = "") -> None:
        self._python = python or str(env.python)
        self._core = core

    def __call__(self, arguments: list[str], seed: int) -> tuple[float, str]:
        """Run python with *arguments*; (seconds of processor time, stdout)."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        # The same hash seed for both halves of a pair, another for the next pair: layout effects
        # of string hashing are noise to be averaged, not a bias of the run.
        environ = {**os.environ, "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(
            [self._python, *arguments], env=environ, capture_output=True, text=True,
            timeout=RUN_LIMIT, check=False,
            preexec_fn=lambda: os.sched_setaffinity(0, {self._core}),
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            raise Failure(f"exit status {done.returncode}: {last}")
        if "psyco is off" in done.stderr:
            raise Failure(done.stderr.strip().splitlines()[0])
        used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return used, done.stdout


def measure_steady(run: Runner, path: Path, calls: int, seed: int, under: list[str]) -> float:
    """The best later call of one process; Failure when the checksum is wrong."""
    _, output = run([*under, str(BENCH / "measure.py"), str(path), str(calls)], seed)
    told = json.loads(output)
    if not told["right"]:
        raise Failure(f"checksum {told['result']}")
    return min(told["times"][1:] or told["times"])


def measure_cold(run: Runner, path: Path, seed: int, under: list[str]) -> float:
    """A whole process with one call."""
    used, output = run([*under, str(BENCH / "measure.py"), str(path), "1"], seed)
    if not json.loads(output)["right"]:
        raise Failure("checksum wrong in the first call")
    return used


def add_pair(series: Series, seed: int, measure: Callable[[list[str]], float]) -> None:
    """Measure both ways, in alternating order, and keep the pair only when both succeeded."""
    ways = [[], ["-m", "psyco"]]
    times = {}
    for under in ways if seed % 2 else ways[::-1]:
        times[bool(under)] = measure(under)
    series.plain.append(times[False])
    series.psyco.append(times[True])


# --- A whole run ---------------------------------------------------------------------------------


def measure_program(run: Runner, path: Path, bar: float, options: argparse.Namespace) -> Result:
    """All pairs of one program."""
    result = Result(path.stem, program_group(path), bar)
    try:
        pair = 0
        while pair < options.pairs or (pair < options.max_pairs and result.undecided()):
            pair += 1
            steady = functools.partial(measure_steady, run, path, options.calls, pair)
            add_pair(result.steady, pair, steady)
            if not options.no_cold and pair <= options.pairs:
                add_pair(result.cold, pair, functools.partial(measure_cold, run, path, pair))
    except (Failure, subprocess.TimeoutExpired, ValueError) as problem:
        result.wrong = str(problem)
    return result


def measure_example(
    run: Runner, name: str, arguments: list[str], how: str, bar: float, options: argparse.Namespace
) -> Result:
    """Whole processes of an example; its outputs must be the same both ways."""
    result = Result(name, "examples", bar)
    program = [str(ROOT / "examples" / arguments[0]), *arguments[1:]]
    fast = ["-m", "psyco", *program] if how == "-m" else [*program, how]
    outputs = set()

    def measure(under: list[str]) -> float:
        used, output = run(fast if under else program, len(result.steady.plain))
        outputs.add(output)
        if len(outputs) > 1:
            raise Failure("the outputs differ")
        return used

    try:
        pair = 0
        while pair < options.pairs or (pair < options.max_pairs and result.undecided()):
            pair += 1
            add_pair(result.steady, pair, measure)
    except (Failure, subprocess.TimeoutExpired) as problem:
        result.wrong = str(problem)
    return result


def select(names: list[str], bars: ModuleType) -> tuple[list[Path], list[str]]:
    """The programs and examples that *names* mean; all programs when there are none."""
    available = {p.stem: p for p in sorted(PROGRAMS.glob("*.py")) if program_group(p)}
    if not names:
        return list(available.values()), []
    paths, examples = [], []
    for name in names:
        name = name.removesuffix(".py")
        chosen = [e for e in bars.EXAMPLES if name in ("examples", e.split()[0])]
        of_group = [p for p in available.values() if program_group(p) == name]
        if name in available:
            paths.append(available[name])
        elif of_group or chosen:
            paths += of_group
            examples += chosen
        else:
            raise Failure(f"no benchmark {name}; there are: {', '.join(available)}, examples")
    return paths, examples


def describe_machine(env: Environment) -> dict[str, object]:
    """What a number is worth nothing without."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = re.search(r"model name\s*:\s*(.+)", text)
        processor = model.group(1) if model else platform.processor()
    except OSError:
        processor = platform.processor()
    version = capture([env.python, "-VV"]).stdout.strip()
    try:
        commit = capture(["git", "rev-parse", "HEAD"]).stdout.strip()
    except Failure:  # unpacked from an archive, on a machine without git
        commit = ""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": version,
        "python_optimised": env.interpreter.optimised,
        "load": os.getloadavg()[0],
        "commit": commit,
    }


def summarise(results: list[Result], bars: ModuleType, complete: bool) -> list[str]:
    """Print the geometric means and return the bars that are missed."""
    missed = [f"{r.name}: {r.verdict()}" for r in results if r.verdict() != "ok"]
    good = {r.name: r for r in results if not r.wrong}
    print()
    for group in dict.fromkeys(r.group for r in results):
        members = [r for r in good.values() if r.group == group]
        if not members:
            continue
        steady = geomean([r.steady.interval().median for r in members])
        high = geomean([min(r.steady.interval().high, 1e6) for r in members])
        line = f"{group:24}{steady:9.2f}   geometric mean of {len(members)}"
        if all(r.cold.plain for r in members):
            line += f", cold {geomean([r.cold.interval().median for r in members]):.2f}"
        print(line)
        bar = bars.GROUPS.get(group)
        # A group's mean is judged only when all its programs were measured.
        if complete and bar and high < bar:
            missed.append(f"geometric mean of {group}: {steady:.2f}, below {bar:g}")
    if complete:
        for kind, names in bars.KINDS.items():
            best = max((good[n].steady.interval().high for n in names if n in good), default=0.0)
            if best < bars.BEST:
                missed.append(f"no {kind} program reaches {bars.BEST:g}")
    return missed


def report_line(result: Result) -> str:
    """One line of the table."""
    if result.wrong:
        return f"{result.name:24}{'':42}{result.verdict()}"
    low, middle, high = result.steady.interval()
    text = (f"{result.name:24}{middle:9.2f}  [{low:7.2f},{high:7.2f}]"
            f"{min(result.steady.plain) * 1000:10.1f}{min(result.steady.psyco) * 1000:10.1f}")
    cold = f"{result.cold.interval().median:8.2f}" if result.cold.plain else f"{'':8}"
    return f"{text}{cold}   {result.verdict()}"


def bench(env: Environment, options: argparse.Namespace) -> int:
    """Measure, print, store; the exit status for ./dev."""
    bars = load_bars()
    if options.pairs < 1 or options.calls < 1:
        raise Failure("--pairs and --calls must be at least 1")
    paths, examples = select(options.names, bars)
    cores = sorted(os.sched_getaffinity(0))
    core = cores[-1] if options.core is None else options.core
    if core not in cores:
        raise Failure(f"--core {core}: this process may use {cores}")
    machine = describe_machine(env)
    print(f"{machine['python']}\n{machine['processor']}, core {core}, load {machine['load']:.2f}")
    if not env.interpreter.optimised:
        print("(not configured with --enable-optimizations; Debian optimises in its own way)")
    print(f"\n{'':24}{'ratio':>9}  {'95 % interval':^17}{'plain ms':>10}{'psyco ms':>10}"
          f"{'cold':>8}")
    run = Runner(env, core)
    results = []
    for path in paths:
        bar = bars.PROGRAMS.get(path.stem, bars.FLOOR)
        results.append(measure_program(run, path, bar, options))
        print(report_line(results[-1]), flush=True)
    for name in examples:
        arguments, how, bar = bars.EXAMPLES[name]
        results.append(measure_example(run, name, arguments, how, bar, options))
        print(report_line(results[-1]), flush=True)
    missed = summarise(results, bars, complete=not options.names)
    if options.json:
        stored = {"machine": machine, "results": [asdict(result) for result in results],
                  "missed": missed}
        Path(options.json).write_text(json.dumps(stored, indent=1) + "\n")
    for line in missed:
        print(f"missed: {line}", file=sys.stdout)
    print(f"{len(results)} measured, {len(missed)} bars missed")
    return 1 if missed else 0
