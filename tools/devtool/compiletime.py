"""./dev bench --compile: what compiling costs, over the benchmark programs.

The unit is one compilation: a function or a loop, the first time or again, refused or not. Time is
processor time; refusals are counted per function that became hot.
"""

from __future__ import annotations

import argparse
import collections
import json
import subprocess

from devtool.bench import BENCH, RUN_LIMIT, load_bars, select
from devtool.console import Failure
from devtool.environment import Environment

P99_BAR = 10.0  # milliseconds
REFUSED_BAR = 1.0  # per cent
NOT_REFUSED = "Slower"  # compiled well enough, and measured


def percentile(ordered: list[float], share: float) -> float:
    """The value below which *share* of the sorted values lie."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def line(name: str, times: list[float], functions: int, refused: int) -> str:
    """One line of the table."""
    if not times:
        return f"{name:24}nothing compiled"
    ordered = sorted(times)
    p50, p99 = percentile(ordered, .5), percentile(ordered, .99)
    return (f"{name:24}{len(ordered):7}{p50:9.2f}{p99:9.2f}{ordered[-1]:9.2f}{functions:11}"
            f"{refused:9}")


def missed_bars(times: list[float], functions: int, refused: int) -> list[str]:
    """The promises these figures break."""
    missed = []
    if not times:
        return ["nothing was compiled"]
    if (p99 := percentile(sorted(times), .99)) > P99_BAR:
        missed.append(f"99 % of the compilations take up to {p99:.1f} ms, not {P99_BAR:g}")
    if refused * 100 > functions * REFUSED_BAR:
        missed.append(f"{refused} of {functions} functions refused, more than {REFUSED_BAR:g} %")
    return missed


def compile_times(env: Environment, options: argparse.Namespace) -> int:
    """Print the table; the exit status for ./dev."""
    paths, _ = select(options.names, load_bars())
    print(f"{'':24}{'number':>7}{'p50 ms':>9}{'p99 ms':>9}{'worst':>9}{'functions':>11}"
          f"{'refused':>9}")
    all_times: list[float] = []
    functions = 0
    reasons: collections.Counter[str] = collections.Counter()
    for path in paths:
        command = [str(env.python), "-m", "psyco", str(BENCH / "compile_times.py"), str(path)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=RUN_LIMIT, check=False
        )
        if done.returncode:
            raise Failure(f"{path.stem}: {(done.stderr.strip() or 'no message').splitlines()[-1]}")
        told = json.loads(done.stdout.splitlines()[-1])
        refused = {k: v for k, v in told["refused"].items() if k != NOT_REFUSED}
        hot = told["compiled"] + sum(refused.values())
        print(line(path.stem, told["times"], hot, sum(refused.values())), flush=True)
        all_times += told["times"]
        functions += hot
        reasons.update(refused)
    print(line("all", all_times, functions, reasons.total()))
    for reason, count in reasons.most_common():
        print(f"refused: {reason} {count}")
    missed = missed_bars(all_times, functions, reasons.total())
    for text in missed:
        print(f"missed: {text}")
    return 1 if missed else 0
