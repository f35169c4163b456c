"""Compares generated programs plain and under psyco, for a given time.

    ./dev fuzz [--seconds N | --hours N] [--seed S] [--count N] [--part PART] [--mode NAME] [--production NAME] [--program FILE]

There are three parts. `inside`: programs run plainly and compiled in one process, which is replaced every few hundred
programs (inside.py, worker.py). `tools`: what touches threads and tools, in batches, one process for each way of running.
`exit`: what is alive at the end, a process for each program (process.py). One seed is one program in each part; a failure
is reported with the command that repeats it, and reduced to a small program in the folder `found` (not under version
control). First come the programs of `corpus`, which failed once. `--program FILE` compares a given file in all modes.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import inside
import process
from devtool.reduction import reduce_text
from generate import generate, productions
from modes import INSIDE, MODES

HERE = Path(__file__).resolve().parent
FOUND = HERE / "found"
CORPUS = HERE / "corpus"
PARTS = ("inside", "tools", "exit")
SHARES = {"tools": 0.15, "exit": 0.1}  # of the time; the rest is for programs in one process
BATCH = {"tools": 20, "exit": 5}
REDUCTION_LIMIT = 120


class Session:
    def __init__(self, options):
        self.options = options
        self.server = inside.Server()
        self.programs, self.seconds = collections.Counter(), collections.Counter()
        self.modes, self.written, self.reached = collections.Counter(), collections.Counter(), collections.Counter()
        self.numbers, self.by_name = collections.Counter(), {key: collections.Counter() for key in ("refused_by", "exits", "ops", "helpers")}
        self.failures = []
        self.turn = 0
        self.folder = tempfile.mkdtemp(prefix="fuzz")

    # -- the parts

    def inside(self, first, count):
        """Stints until so many programs have run; a death ends one."""
        last = first + count
        while first < last:
            start = time.monotonic()
            found, summary, begun = inside.stint(first, last - first, self.options.mode)
            self.seconds["inside"] += time.monotonic() - start
            self.programs["inside"] += begun
            if summary:
                self.add(summary)
            for failure in found:
                if self.wanted():
                    failure = inside.isolated(self.server, failure, first, self.options.mode)
                self.report("inside", failure, generate(failure.name, only=self.options.production).whole)
            first += max(1, begun)

    def add(self, summary):
        for name in ("modes", "written", "reached"):
            getattr(self, name).update(summary[name])
        for name in ("programs", "ended", "slow", "sampled", "cpu"):
            self.numbers[name] += summary[name]
        for key, value in summary["stats"].items():
            if key in self.by_name:
                self.by_name[key].update(value)
            elif isinstance(value, (int, float)):
                self.numbers[key] += value

    def tools(self, first, count):
        paths = []
        for seed in range(first, first + count):
            path = Path(self.folder) / f"p{seed}.py"
            path.write_text(generate(seed, "tools").whole, encoding="utf-8")
            paths.append(str(path))
        modes = list(MODES)
        for mode in self.modes_of(modes):
            for failure in process.compare(mode, paths):
                text = Path(failure.name).read_text(encoding="utf-8")
                failure.name = Path(failure.name).stem[1:]
                self.report("tools", failure, text)

    def exit(self, first, count):
        for seed in range(first, first + count):
            text = generate(seed, "exit").whole
            way = list(process.ENDS)[seed % len(process.ENDS)]
            for mode in self.modes_of(["bound", "eager", "exit3"]):
                if failure := process.compare_end(text, way, mode):
                    failure.name = seed
                    self.report("exit", failure, text)

    def modes_of(self, modes):
        """A given program meets every mode; running on, each batch meets the next one."""
        if self.options.mode:
            return [self.options.mode]
        if self.options.count:
            return modes
        self.turn += 1
        return [modes[self.turn % len(modes)]]

    def run_part(self, part, first, count):
        if part == "inside":
            return self.inside(first, count)
        start = time.monotonic()
        getattr(self, part)(first, count)
        self.programs[part] += count
        self.seconds[part] += time.monotonic() - start
        return None

    def run(self):
        """Until the time is up: the part that has had least of its share is next."""
        options = self.options
        parts = [options.part] if options.part else PARTS
        seed = options.seed if options.seed is not None else int(time.time()) % 10**6 * 1000
        print(f"first seed {seed}", flush=True)
        if options.count:
            for part in parts:
                self.run_part(part, seed, options.count)
            return
        end, seeds = time.monotonic() + (options.hours * 3600 if options.hours else options.seconds), dict.fromkeys(parts, seed)
        while time.monotonic() < end:
            spent = sum(self.seconds.values())
            part = next((p for p in parts if p != "inside" and spent and self.seconds[p] < SHARES[p] * spent), parts[0])
            count = inside.STINT if part == "inside" else BATCH[part]
            self.run_part(part, seeds[part], count)
            seeds[part] += count

    def corpus(self):
        """The programs that failed once, in all modes."""
        start, count = time.monotonic(), 0
        for path in sorted(CORPUS.glob("*.py")):
            for failure in failures_of(self.server, path):
                self.report("corpus", failure, None)
            count += 1
        print(f"corpus: {count} programs, {time.monotonic() - start:.0f} s", flush=True)

    # -- what is told

    def wanted(self):
        return len(self.failures) < self.options.reduce

    def report(self, part, failure, text):
        print(f"\n{part} {failure.title}\n{failure.detail}", flush=True)
        if text is not None:
            FOUND.mkdir(exist_ok=True)
            path = FOUND / f"{part}-{failure.name}-{failure.mode}.py"
            reduced = reduce_program(self.server, part, failure, text) if self.wanted() and not failure.before else None
            path.write_text(f"# {part} {failure.title}\n" + (reduced or text), encoding="utf-8")
            note = f"reduced to {len(reduced.splitlines())} lines" if reduced else "not reduced"
            print(f"  {note}: {path}\n  again: ./dev fuzz --part {part} --seed {failure.name} --count 1 --mode {failure.mode}", flush=True)
        self.failures.append((part, failure))

    def summary(self):
        n, total = self.numbers, max(1, self.numbers["programs"])
        for part in PARTS:
            if self.programs[part]:
                print(f"{part}: {self.programs[part]} programs in {self.seconds[part]:.0f} s, {self.programs[part] / self.seconds[part]:.1f} a second")
        if n["programs"]:
            print(f"inside: {n['programs'] / n['cpu']:.1f} programs and {n['compiled'] / n['cpu']:.0f} newly compiled functions and loops a second of processor time; "
                  f"{100 * n['ended'] / total:.1f} % ran to the end, {n['slow']} left out as slow")
            print("modes: " + ", ".join(f"{mode} {count}" for mode, count in self.modes.items()))
            print(f"compiled {n['compiled']:.0f}, again {n['recompiled']:.0f}, entered {n['entries']:.0f} times by call and {n['osr_entries']:.0f} in loops, refused {n['refused']:.0f}")
        for title in ("refused_by", "exits"):
            if counter := self.by_name[title]:
                print(f"{title}: " + ", ".join(f"{k} {v}" for k, v in counter.most_common()))
        if n["programs"]:
            self.tables()
        print(f"{len(self.failures)} failures" + "".join(f"\n  {part} {failure.title}" for part, failure in self.failures))
        nothing = self.programs["inside"] and not n["compiled"]
        if nothing:
            print("nothing was compiled: this run shows nothing about psyco")
        return 1 if self.failures or nothing else 0

    def tables(self):
        for title, table in (("ops", "OP"), ("helpers", "HELPER")):
            text = (HERE.parents[1] / "src" / "ir" / f"{title}.def").read_text(encoding="utf-8")
            rows = re.findall(rf"^{table}\((\w+),", text, re.MULTILINE)
            missing = [name for name in rows if name not in self.by_name[title]]
            print(f"{title}: {len(rows) - len(missing)} of {len(rows)} rows reached; not {', '.join(missing) or 'one missing'}")
        print(f"productions, in {self.numbers['sampled']} programs looked at: how many of them had it in a function that ran compiled")
        print(", ".join(f"{name} {self.reached[name]}" for name in productions()["inside"]))


def reduce_program(server, part, failure, text, limit=REDUCTION_LIMIT):
    """The smallest program found in that time that still fails in the same manner; None if it does not fail alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "program.py"

        def fails(candidate):
            path.write_text(candidate, encoding="utf-8")
            if part == "inside":
                found = [server.failure(file=str(path), mode=failure.mode)]
            elif part == "exit":
                found = [process.compare_end(candidate, list(process.ENDS)[failure.name % len(process.ENDS)], failure.mode)]
            else:
                found = process.compare(failure.mode, [str(path)], process.PROGRAM_LIMIT)
            return any(each and each.kind == failure.kind for each in found)

        return reduce_text(text, fails, limit)


def failures_of(server, path, modes=None):
    """Those of a file, in these modes or in all; `# exit` in its first line: it is looked at when it ends."""
    text = Path(path).read_text(encoding="utf-8")
    if text.startswith("# exit"):
        for way in process.ENDS:
            for mode in modes or ("bound", "eager"):
                if failure := process.compare_end(text, way, mode):
                    yield failure
        return
    for mode in modes or dict.fromkeys(INSIDE):
        if failure := server.failure(file=str(path), mode=mode):
            yield failure


def main(arguments):
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--hours", type=float, help="so long instead")
    parser.add_argument("--seed", type=int, help="the first seed (from the clock)")
    parser.add_argument("--count", type=int, help="so many programs of each part, whatever the time")
    parser.add_argument("--part", choices=PARTS, help="only this part")
    parser.add_argument("--mode", choices=MODES, help="only this way of running (all in turn)")
    parser.add_argument("--production", choices=sorted(productions()["inside"]), help="only small programs of this production, inside")
    parser.add_argument("--program", help="compare this file instead of generated ones")
    parser.add_argument("--reduce", type=int, default=3, help="how many failures to reduce")
    options = parser.parse_args(arguments)
    if options.production:
        options.part = "inside"
        os.environ["FUZZ_PRODUCTION"] = options.production  # for the workers
    session = Session(options)
    try:
        if options.program:
            found = list(failures_of(session.server, Path(options.program).resolve(), [options.mode] if options.mode else None))
            for failure in found:
                print(f"mode {failure.mode}: {failure.kind}\n{failure.detail}")
            print("failed" if found else "no difference")
            return 1 if found else 0
        if not options.count:
            session.corpus()
        session.run()
    finally:
        session.server.close()
        shutil.rmtree(session.folder)
    return session.summary()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
