"""./dev run: one program twice, plain and under psyco, as two processes.

What the program writes to stdout is its result and must not differ; timings belong on stderr.
"""

from __future__ import annotations

import difflib
import subprocess
import sys
import time
from dataclasses import dataclass

from devtool.environment import Environment


@dataclass(frozen=True)
class Outcome:
    """What one process did."""

    seconds: float
    status: int
    output: bytes


def run_once(command: list[str]) -> Outcome:
    """Run a program to its end with its stdout kept; stdin and stderr stay the terminal's."""
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    return Outcome(time.perf_counter() - start, done.returncode, done.stdout)


def difference(plain: Outcome, psyco: Outcome) -> str | None:
    """How the two differ in what counts, or None."""
    if plain.status != psyco.status:
        return f"exit status {plain.status} plain, {psyco.status} under psyco"
    if plain.output == psyco.output:
        return None
    texts = [outcome.output.decode(errors="replace").splitlines() for outcome in (plain, psyco)]
    lines = list(difflib.unified_diff(*texts, "plain", "psyco", lineterm="", n=1))
    if not lines:  # the bytes differ in ways that lines do not show
        return "stdout differs in line ends or undecodable bytes"
    return "stdout differs:\n" + "\n".join(lines[:40])


def compare(env: Environment, program: str, arguments: list[str], pairs: int = 1) -> int:
    """Run the pair, report, and return the exit status for ./dev."""
    python = str(env.python)
    best: dict[str, float] = {}
    for number in range(pairs):
        plain = run_once([python, program, *arguments])
        psyco = run_once([python, "-m", "psyco", program, *arguments])
        if number == 0:
            sys.stdout.write(plain.output.decode(errors="replace"))
        if problem := difference(plain, psyco):
            print(f"DIFFERENT: {problem}")
            return 1
        for name, outcome in (("plain", plain), ("psyco", psyco)):
            best[name] = min(best.get(name, outcome.seconds), outcome.seconds)
    print(f"plain {best['plain']:8.3f} s")
    print(f"psyco {best['psyco']:8.3f} s")
    print(f"ratio {best['plain'] / best['psyco']:8.2f}   same output "
          f"({len(plain.output)} bytes), exit status {plain.status}")
    return 0
