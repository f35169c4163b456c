"""Compares generated programs plain and under psyco, for a given time.

    ./dev fuzz [--seconds N] [--seed S] [--count N] [--mode NAME] [--program FILE]

Programs run in batches, one process for each way of running. A difference, a crash or a hang is
reported with its seed and reduced to a small program in the folder `found` (not under version control).
`--seed S --count 1` repeats one; `--program FILE` compares a given file, for example a reduced one.
"""

from __future__ import annotations

import argparse
import collections
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from devtool.reduction import reduce_text
from generate import generate

HERE = Path(__file__).resolve().parent
FOUND = HERE / "found"
MODES = {
    "bound": "",
    "eager": "stress=eager",
    "exit1": "stress=eager,stress=exit:1",
    "exit3": "stress=eager,stress=exit:3",
    "exit7": "stress=eager,stress=exit:7",
    "random": "stress=eager,stress=exit:random",
    "osr": "stress=osr",
    "full": "stress=eager",  # all code of the process: module code too, and this program's own
    "spill": "stress=eager,stress=spill",
}
BATCH = 20
TIME_LIMIT = 60          # seconds for a batch; a plain one takes one or two
PROGRAM_LIMIT = 20
REDUCTION_LIMIT = 120
LONG_LINE = 160


class Failure:
    """A program that behaves differently: how, and in which mode."""

    def __init__(self, seed, mode, kind, detail):
        self.seed, self.mode, self.kind, self.detail = seed, mode, kind, detail


def execute(mode, paths, limit):
    """Run programs in one process. {path: result}, and (path, what happened) if it died."""
    environ = dict(os.environ)
    environ.pop("PSYCO_DEBUG", None)
    if mode != "plain" and MODES[mode]:
        environ["PSYCO_DEBUG"] = MODES[mode]
    environ["PYTHONHASHSEED"] = "0"
    # Another build, if one is named, before the usual one.
    imports = [environ.get("PYTHONPATH", ""), str(HERE.parents[1] / "python")]
    environ["PYTHONPATH"] = os.pathsep.join(each for each in imports if each)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        report.touch()
        command = [sys.executable, HERE / "child.py", mode if mode in ("plain", "full") else "bound", report, *paths]
        died, error = None, b""
        try:
            done = subprocess.run(command, env=environ, timeout=limit, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            error = done.stderr
            if done.returncode:
                died = f"exit status {done.returncode}"
        except subprocess.TimeoutExpired as expired:
            died, error = f"no end within {limit} s", expired.stderr or b""
        results, running = {}, None
        for line in report.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                break
            if "start" in entry:
                running = entry["start"]
            else:
                results[entry["end"]] = entry
                running = None
    if died:
        return results, (running, f"{died}\n{error.decode(errors='replace')[-1500:]}")
    return results, None


def compare(mode, paths, limit=TIME_LIMIT):
    """(path, kind, detail) for each that differs, and the results of the bound run."""
    plain, plain_death = execute("plain", paths, limit)
    if plain_death and plain_death[0] is None:
        raise SystemExit(f"the plain run failed: {plain_death[1]}")
    left = [p for p in paths if p in plain]
    found, results = [], {}
    while left:
        some, death = execute(mode, left, limit)
        results.update(some)
        for path in left:
            if path in some and some[path]["output"] != plain[path]["output"]:
                found.append((path, "difference", difference(plain[path]["output"], some[path]["output"])))
            elif path in some and "Internal" in some[path]["stats"].get("refused_by", {}):
                found.append((path, "internal limit", "a function was refused for no fault of its own"))
        if not death:
            break
        path, what = death
        if path is None:
            found.append((left[-1], "crash at exit or start", what))
            break
        kind = "hang" if what.startswith("no end") else "crash"
        if kind == "hang" and len(left) > 1:
            # Slow as a batch, or really without end?
            alone, again = execute(mode, [path], PROGRAM_LIMIT)
            results.update(alone)
            if again:
                found.append((path, kind, again[1]))
            elif alone[path]["output"] != plain[path]["output"]:
                found.append((path, "difference", difference(plain[path]["output"], alone[path]["output"])))
        else:
            found.append((path, kind, what))
        left = left[left.index(path) + 1:]
    return found, results, plain


def difference(expected, got):
    lines = list(difflib.unified_diff(expected.splitlines(), got.splitlines(), "plain", "psyco", lineterm="", n=1))
    pairs = [(a, b) for a, b in zip(expected.splitlines(), got.splitlines()) if a != b]
    if pairs and max(map(len, lines)) > LONG_LINE:
        # Of long lines, what is around the first character that differs.
        at = max(0, len(os.path.commonprefix(pairs[0])) - 60)
        return "\n".join(f"{sign}{text[:30]} ... {text[at:at + LONG_LINE]}" for sign, text in zip("-+", pairs[0]))
    return "\n".join(lines[:12])


# --- Reduction -----------------------------------------------------------------------------------


def reduce_program(text, mode, kind, limit=REDUCTION_LIMIT):
    """The smallest program found in that time that still fails in the same manner; None if it does not fail alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"

        def fails(candidate):
            path.write_text(candidate, encoding="utf-8")
            try:
                found, _, _ = compare(mode, [str(path)], PROGRAM_LIMIT)
            except SystemExit:
                return False
            return any(k == kind for _, k, _ in found)

        return reduce_text(text, fails, limit)


# --- The session ---------------------------------------------------------------------------------


class Session:
    def __init__(self, options):
        self.options = options
        self.programs = self.ended = 0
        self.numbers = collections.Counter()
        self.by_name = {key: collections.Counter() for key in ("refused_by", "exits", "ops", "helpers")}
        self.modes = collections.Counter()
        self.failures = []

    def batch(self, seeds, mode, folder):
        paths = []
        for seed in seeds:
            path = Path(folder) / f"p{seed}.py"
            path.write_text(generate(seed), encoding="utf-8")
            paths.append(str(path))
        found, results, plain = compare(mode, paths)
        self.programs += len(paths)
        self.modes[mode] += len(paths)
        self.ended += sum(r["ended"] for r in plain.values())
        for result in results.values():
            for key, value in result["stats"].items():
                if key in self.by_name:
                    self.by_name[key].update(value)
                elif isinstance(value, (int, float)):
                    self.numbers[key] += value
        for path, kind, detail in found:
            self.report(Failure(Path(path).stem[1:], mode, kind, detail), Path(path).read_text(encoding="utf-8"))

    def report(self, failure, text):
        print(f"\nseed {failure.seed}, mode {failure.mode}: {failure.kind}\n{failure.detail}", flush=True)
        FOUND.mkdir(exist_ok=True)
        path = FOUND / f"{failure.seed}-{failure.mode}.py"
        reduced = None
        if len(self.failures) < self.options.reduce:
            reduced = reduce_program(text, failure.mode, failure.kind)
        path.write_text(f"# seed {failure.seed}, mode {failure.mode}: {failure.kind}\n" + (reduced or text), encoding="utf-8")
        note = f"reduced to {len(reduced.splitlines())} lines" if reduced else "not reduced"
        print(f"  {note}: {os.path.relpath(path)}", flush=True)
        self.failures.append(failure)

    def summary(self):
        share = 100 * self.ended / max(1, self.programs)
        print(f"\n{self.programs} programs ({share:.1f} % ran to the end), " + ", ".join(f"{m} {n}" for m, n in self.modes.items()))
        native = self.numbers.get("compiled", 0)
        print(f"code objects compiled {native:.0f}, again {self.numbers.get('recompiled', 0):.0f}, entered {self.numbers.get('entries', 0):.0f} "
              f"times by call and {self.numbers.get('osr_entries', 0):.0f} in loops, refused {self.numbers.get('refused', 0):.0f}")
        for title in ("refused_by", "exits"):
            if counter := self.by_name[title]:
                print(f"{title}: " + ", ".join(f"{k} {v}" for k, v in counter.most_common()))
        for title, table in (("ops", "OP"), ("helpers", "HELPER")):
            text = (HERE.parents[1] / "src" / "ir" / f"{title}.def").read_text(encoding="utf-8")
            rows = re.findall(rf"^{table}\((\w+),", text, re.MULTILINE)
            missing = [name for name in rows if name not in self.by_name[title]]
            print(f"{title}: {len(rows) - len(missing)} of {len(rows)} rows reached; not {', '.join(missing) or 'one missing'}")
        if not native:
            print("nothing was compiled: this run shows nothing about psyco")
        print(f"{len(self.failures)} failures" + "".join(f"\n  seed {f.seed} mode {f.mode}: {f.kind}" for f in self.failures))
        return 1 if self.failures or not native else 0


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, help="the first seed (from the clock)")
    parser.add_argument("--count", type=int, help="so many programs, whatever the time")
    parser.add_argument("--mode", choices=MODES, help="only this way of running (all in turn)")
    parser.add_argument("--program", help="compare this file instead of generated ones")
    parser.add_argument("--reduce", type=int, default=3, help="how many failures to reduce")
    options = parser.parse_args(arguments)
    session = Session(options)
    modes = [options.mode] if options.mode else list(MODES)
    if options.program:
        return compare_file(options.program, modes)
    seed = options.seed if options.seed is not None else int(time.time()) % 10**6 * 1000
    print(f"first seed {seed}", flush=True)
    end, turn, stop = time.monotonic() + options.seconds, 0, seed + options.count if options.count else None
    folder = tempfile.mkdtemp(prefix="fuzz")
    try:
        while (stop is None and time.monotonic() < end) or (stop is not None and seed < stop):
            seeds = range(seed, min(seed + BATCH, stop) if stop else seed + BATCH)
            # A given program meets every mode; running on, each batch meets the next one.
            for mode in modes if stop else [modes[turn % len(modes)]]:
                session.batch(seeds, mode, folder)
            seed, turn = seeds.stop, turn + 1
    finally:
        shutil.rmtree(folder)
    return session.summary()


def compare_file(path, modes):
    failed = 0
    for mode in modes:
        found, _, _ = compare(mode, [str(Path(path).resolve())], PROGRAM_LIMIT)
        for _, kind, detail in found:
            failed = 1
            print(f"mode {mode}: {kind}\n{detail}")
    print("failed" if failed else "no difference")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
