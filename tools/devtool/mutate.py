"""./dev mutate: plants defects in the compiler, one at a time, and sees whether the tests notice.

All defects are in one build (src/support/mutants.h says which there are); PSYCO_MUTANT chooses one
at run time. A mutant is killed by the first suite that fails, the cheapest first. One that survives
shows a test that is missing, unless it changes nothing: those are listed in EQUIVALENT, with why.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Iterator

from devtool.build import build_apart
from devtool.console import ROOT, Failure, say
from devtool.environment import Environment
from devtool.interpreter import VERSIONS

# Seconds; a mutant that makes the tests hang is noticed too. Once it is known how long a suite
# takes by itself, several times that are enough.
SUITE_LIMIT = 900
SLOWED, LEAST = 4, 60

# Mutants that no program can tell from the compiler, and why.
EQUIVALENT: dict[str, str] = {
    "swap-stack:Resume": "the operand stack is empty there",
    "swap-locals:Intrinsic2": "its helpers fail only for want of memory",
    "swap-stack:Intrinsic2": "its helpers fail only for want of memory",
    "bci:Intrinsic2": "its helpers fail only for want of memory",
    "swap-locals:SetFunctionAttr": "its helper cannot fail, and what it drops lives on",
    "swap-stack:SetFunctionAttr": "its helper cannot fail, and what it drops lives on",
    "bci:SetFunctionAttr": "its helper cannot fail, and what it drops lives on",
    "heap:Constant": "nothing is ever written there",
    "swap-locals:MakeFunction": "its helper fails only for want of memory; nobody looks then",
}


# --- Which there are -----------------------------------------------------------------------------


def call_end(text: str, start: int) -> int:
    """The offset behind the parenthesis that closes the one opened first after *start*."""
    depth = 0
    for at in range(text.index("(", start), len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if not depth:
            return at + 1
    return len(text)


# Emissions whose value nobody uses; terminators cannot be left out.
_DROPPABLE = re.compile(
    r"\b(?:f\.)?(guard\(Op::|emit\((?:Op|ir::Op)::(?:Guard|CheckIndex|Retain|Release|CheckLeave"
    r"|Poll|Store|Update))"
)
_ASSUMPTION = re.compile(r"\b(?:f\.)?assume\(Assumption::")
_OWNED = re.compile(r"(?<!::)\bmark_owned\(")
_RELEASE = re.compile(r"\bPy_(?:X?DECREF|CLEAR|X?SETREF)\(")
# What machine code calls, and what exits do; the rest of the run time begins and ends with psyco.
_RELEASING = ["arithmetic", "attributes", "calls", "cells", "containers", "deopt", "entry",
              "exceptions", "imports", "iteration", "materialize", "names", "native_calls"]


def files_of_frontend() -> list[Path]:
    """What makes the graph."""
    return sorted((ROOT / "src" / "frontend").rglob("*.cpp"))


def call_sites(pattern: re.Pattern[str], files: list[Path]) -> Iterator[str]:
    """FILE:FIRST-LAST of each call in these files that *pattern* finds."""
    for path in files:
        text = path.read_text()
        for found in pattern.finditer(text):
            first = text.count("\n", 0, found.start()) + 1
            last = text.count("\n", 0, call_end(text, found.start())) + 1
            yield f"{path.relative_to(ROOT)}:{first}-{last}"


def table_rows(table: str, macro: str) -> list[list[str]]:
    """The first columns of each row of a table under src/."""
    row = re.compile(rf'^{macro}\((\w+),\s*("[^"]*"|\w+),\s*(\w+),\s*(\w+)', re.MULTILINE)
    return [list(found.groups()) for found in row.finditer((ROOT / "src" / table).read_text())]


def neutral_rows() -> list[tuple[str, str]]:
    """Name and flags of the neutral instructions that compiled code does itself.

    An instruction that is an exit has no state but that of the exit, and those that only a later
    version has are left to its own tests.
    """
    folder = ROOT / "src" / "cpython"
    first = "v{}{}".format(*VERSIONS[0])
    rows = re.findall(r"^NEUTRAL\((\w+),[^,]+,[^,]+,\s*([\w|]+),",
                      (folder / "neutral.def").read_text(), re.MULTILINE)
    tables = [folder / "bytecodes.def", folder / first / "own_bytecodes.def"]
    there = set(re.findall(r"\w+", "".join(table.read_text() for table in tables)))
    lowered = "".join(path.read_text() for path in files_of_frontend())
    exits = re.findall(r"void lower_(\w+)\(.*\{ f\.deopt\(", lowered)
    return [(name, flags) for name, flags in rows if name in there and name not in exits]


def asked(kind: str, *functions: str) -> list[str]:
    """What the sources ask about by name under this kind, themselves or by these functions."""
    calls = "|".join([rf'chosen\("{kind}", ', *(rf'{name}\([^";]*' for name in functions)])
    question = re.compile(rf'(?:{calls})"([\w-]+)"')
    text = "".join(p.read_text() for p in sorted((ROOT / "src").rglob("*.cpp")))
    return list(dict.fromkeys(question.findall(text)))


def all_mutants() -> dict[str, list[str]]:
    """By kind, what PSYCO_MUTANT may name."""
    ops = table_rows("ir/ops.def", "OP")
    helpers = table_rows("ir/helpers.def", "HELPER")
    leaving = [name for name, flags in neutral_rows() if set("RPS") & set(flags)]
    dropping = [name for name, flags in neutral_rows() if "P" in flags]
    graph = (ROOT / "src/ir/graph.h").read_text()
    heaps = re.search(r"enum class Heap.*?\{(.*?)\}", graph, re.S)
    classes = re.findall(r"^\s*(\w+),", heaps.group(1), re.MULTILINE)
    stored = set(re.findall(r"(?:store|place)->heap = Heap::(\w+)", "".join(
        p.read_text() for p in (ROOT / "src" / "frontend" / "lower").glob("*.cpp"))))
    virtuals = re.search(r"enum class VirtualKind.*?\{(.*?)\}", graph, re.S).group(1)
    frontend = files_of_frontend()
    releasing = [ROOT / "src" / "runtime" / f"{name}.cpp" for name in _RELEASING]
    return {
        "drop": list(dict.fromkeys(call_sites(_DROPPABLE, frontend))),
        "assume": list(dict.fromkeys(call_sites(_ASSUMPTION, frontend))),
        "unowned": list(dict.fromkeys(call_sites(_OWNED, frontend))),
        "release": list(dict.fromkeys(call_sites(_RELEASE, releasing))),
        "unchecked": ["AddInt", "SubInt", "MulInt"],
        "effect": [name for name, _, _, effects in ops if effects not in ("Pure", "Control")],
        "helper": [name for name, _, _, effects in helpers if effects in ("Python", "Writes")],
        "owned": [name for name, _, result, _ in helpers if result == "Owned"],
        "swap-stack": leaving,
        "swap-locals": leaving,
        "bci": leaving,
        "after-stack": dropping,
        "after-locals": dropping,
        "after-bci": dropping,
        "heap": [name for name in classes if name in stored],
        "rule": asked("rule"),
        "record": asked("record", "swap_two", "turn_ownership"),
        "virtual": re.findall(r"^\s*(\w+),", virtuals, re.MULTILINE),
        "entry": ["Type", "Same", "Null", "Int", "Float"],
        "watch": asked("watch"),
    }


def draw(count: int, seed: int) -> list[str]:
    """So many different mutants; each kind is equally likely, so that small ones are not lost."""
    there = {
        kind: [f"{kind}:{name}" for name in names if f"{kind}:{name}" not in EQUIVALENT]
        for kind, names in all_mutants().items()
    }
    chance = random.Random(seed)
    drawn: list[str] = []
    while len(drawn) < count and any(there.values()):
        kind = chance.choice([kind for kind in sorted(there) if there[kind]])
        drawn.append(there[kind].pop(chance.randrange(len(there[kind]))))
    return drawn


# --- Killing them --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suite:
    """One way of noticing."""

    name: str
    command: list[str]
    debug: str = ""
    limit: float = SUITE_LIMIT


# Where the differential tests are: seconds, and most mutants end there. Those that have noticed
# most come first.
QUICK = ["mutants", "ownership", "leaks", "numbers", "calls", "control", "objects", "frames",
         "bytecodes", "operators", "descriptors", "construct", "globals", "class_assignment",
         "identity", "helpers*"]


def suites(env: Environment) -> list[Suite]:
    """All of them, the cheapest first."""
    pytest = [str(env.python), "-m", "pytest", "-q", "-x", "-m", "not plain_only",
              "-p", "no:cacheprovider"]
    cases = sorted((ROOT / "tests" / "ir").glob("**/*.ir"))
    quick = [str(path.relative_to(ROOT)) for name in QUICK
             for path in sorted(ROOT.glob(f"tests/python/test_{name}.py"))]
    rest = [f"--ignore={path}" for path in quick]
    fuzz = [str(env.python), str(ROOT / "tests" / "fuzz"), "--part", "inside", "--seed", "1",
            "--count", "300", "--reduce", "0"]
    return [
        Suite("IR tests", [str(env.build / "psyco-opt"), *map(str, cases)]),
        Suite("C++ tests", [str(env.build / "psyco_unit")]),
        Suite("plain", [*pytest, *quick]),
        Suite("verifier", [*pytest, *quick], "stress=eager,verify=each"),
        Suite("exit1", [*pytest, *quick], "stress=eager,stress=exit:1"),
        Suite("exit3", [*pytest, *quick], "stress=eager,stress=exit:3"),
        Suite("other Python tests", [*pytest, *rest, "tests/python"]),
        Suite("fuzzer", fuzz),
    ]


@dataclass
class Verdict:
    """What became of one mutant."""

    mutant: str
    killer: str = ""  # "suite: test"
    met: bool = False  # some test reached it

    def line(self) -> str:
        """For the table."""
        if self.killer:
            return f"{self.mutant:62} killed    {self.killer}"
        return f"{self.mutant:62} SURVIVED  {'' if self.met else 'no test reaches it'}"


def first_failure(suite: Suite, environ: dict[str, str]) -> str | None:
    """Run the suite; what failed first, or None."""
    process = subprocess.Popen(
        suite.command, cwd=ROOT, env={**environ, "PSYCO_DEBUG": suite.debug}, text=True,
        errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=suite.limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return f"no end within {suite.limit:.0f} s"
    if not process.returncode:
        return None
    found = re.search(r"^FAILED \S*?([\w.]+::\S+)|^ERROR (\S+)|TEST CASE:\s*(.+)|case: (.+)",
                      output, re.MULTILINE)
    return next(filter(None, found.groups())) if found else f"exit status {process.returncode}"


def try_mutant(mutant: str, chain: list[Suite], environ: dict[str, str]) -> Verdict:
    """Run the suites until one fails."""
    verdict = Verdict(mutant)
    with tempfile.TemporaryDirectory() as folder:
        met = Path(folder) / "met"
        chosen = {**environ, "PSYCO_MUTANT": mutant, "PSYCO_MUTANT_MET": str(met)}
        for suite in chain:
            failure = first_failure(suite, chosen)
            verdict.met = met.exists()
            if failure is not None:
                verdict.killer = f"{suite.name}: {failure}"
                break
    return verdict


# --- The build with mutants ----------------------------------------------------------------------


def build_mutants(env: Environment) -> tuple[Environment, dict[str, str]]:
    """A build of its own, and the environment in which Python imports it."""
    own, package = build_apart(env, "mutants", ["-DPSYCO_MUTANTS=ON"])
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PSYCO_")}
    return own, {**environ, "PYTHONPATH": str(package)}


def mutate(env: Environment, options: argparse.Namespace) -> int:
    """Draw mutants and try them; exit status 1 when one survives."""
    if options.list:
        for kind, names in all_mutants().items():
            print(*(f"{kind}:{name}" for name in names), sep="\n")
        return 0
    own, environ = build_mutants(env)
    chain = suites(own)
    mutants = options.mutant or draw(options.count, options.seed)
    if not options.no_baseline:
        chain = [timed(suite, environ) for suite in chain]

    def tried(mutant: str) -> Verdict:
        start = time.monotonic()
        verdict = try_mutant(mutant, chain, environ)
        print(f"{verdict.line()}  ({time.monotonic() - start:.0f} s)", flush=True)
        return verdict

    # Each suite is a process on one core.
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        verdicts = list(pool.map(tried, mutants))
    survivors = sum(not verdict.killer for verdict in verdicts)
    print(f"{len(mutants) - survivors} killed, {survivors} survived")
    return 1 if survivors else 0


def timed(suite: Suite, environ: dict[str, str]) -> Suite:
    """The suite, run without a mutant: what fails by itself would kill everything."""
    say(f"{suite.name}, without a mutant")
    start = time.monotonic()
    if failure := first_failure(suite, environ):
        raise Failure(f"{suite.name} fails without a mutant: {failure}")
    return replace(suite, limit=max(LEAST, SLOWED * (time.monotonic() - start)))
