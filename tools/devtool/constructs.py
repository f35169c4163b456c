"""./dev bench constructs: one construct of the language a loop, plain against psyco.

The loops are the functions of bench/constructs.py. Each runs in processes of its own, plain, under
psyco and, if asked for, under PyPy in turn; what counts is the least processor time of an iteration
over all of them.
"""

from __future__ import annotations

import argparse
import json
import math
import os

from devtool.bench import Runner
from devtool.console import ROOT, Failure
from devtool.environment import Environment
from devtool.statistics import geomean

PROGRAM = str(ROOT / "bench" / "constructs.py")
SECONDS = "0.3"  # of each process
EMPTY = 0.3  # ns: shorter iterations are loops that vanished, and count as this long
MEAN, FLOOR = 5.0, 0.98
SEED = 1  # of the hashing of strings


def constructs(env: Environment, options: argparse.Namespace) -> int:
    """Measure and print; the exit status for ./dev."""
    core = max(os.sched_getaffinity(0)) if options.core is None else options.core
    run = Runner(env, core)
    known = run([PROGRAM], SEED)[1].split()
    for name in options.names:
        if name not in known:
            raise Failure(f"no construct {name}; there are: {', '.join(known)}")
    engines: dict[str, tuple[Runner, list[str]]] = {"plain": (run, []),
                                                    "psyco": (run, ["-m", "psyco"])}
    if options.pypy:
        engines["pypy"] = (Runner(env, core, options.pypy), [])
    print(f"{'ns an iteration':28}" + "".join(f"{engine:>10}" for engine in engines) + "   ratio")
    gains, behind, wrong = [], [], 0
    for name in options.names or known:
        least = dict.fromkeys(engines, math.inf)
        results = {}
        for _ in range(max(1, options.pairs)):
            for engine, (runner, under) in engines.items():
                told = json.loads(runner([*under, PROGRAM, "--run", name, SECONDS], SEED)[1])
                least[engine] = min(least[engine], max(told["least"], EMPTY))
                results[engine] = told["result"]
        gains.append(least["plain"] / least["psyco"])
        remark = f"{gains[-1]:8.2f}"
        if options.pypy:
            behind.append(least["psyco"] / least["pypy"])
            remark += f"   {behind[-1]:.1f} times PyPy's"
        if results["plain"] != results["psyco"]:
            wrong += 1
            remark += f"   WRONG: {results['psyco']}, plain {results['plain']}"
        print(f"{name:28}" + "".join(f"{least[engine]:10.1f}" for engine in engines) + remark,
              flush=True)
    mean, slow = geomean(gains), sum(gain < FLOOR for gain in gains)
    print(f"\n{len(gains)} constructs, geometric mean {mean:.2f} (at least {MEAN}), {slow} below "
          f"{FLOOR}, {wrong} wrong")
    if behind:
        print(f"PyPy {geomean([gain * far for gain, far in zip(gains, behind)]):.2f}; more than "
              f"twice behind it in {sum(far > 2 for far in behind)}")
    return 1 if wrong or slow or (mean < MEAN and not options.names) else 0
