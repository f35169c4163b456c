"""./dev dump and ./dev bisect: looking into the compiler from outside.

Settings of PSYCO_DEBUG used: `dump=PHASE` prints graphs to stderr; `off=PASS` leaves a pass out;
`fuel=PASS:N` allows a pass N rewrites. Functions are chosen by `python -m psyco --only FILE` and
listed by `--list FILE`.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Callable, Sequence

from devtool.console import ROOT, Failure, say
from devtool.environment import Environment

PIPELINE = ROOT / "src" / "passes" / "pipeline.def"
RUN_LIMIT = 300  # seconds; a program that hangs has gone wrong too


def with_debug(setting: str) -> dict[str, str]:
    """The environment with *setting* added to PSYCO_DEBUG."""
    before = os.environ.get("PSYCO_DEBUG")
    return {**os.environ, "PSYCO_DEBUG": f"{before},{setting}" if before else setting}


def dump(env: Environment, options: argparse.Namespace) -> int:
    """Run the program with its graphs shown."""
    program = [options.program, *options.arguments]
    with tempfile.TemporaryDirectory() as folder:
        only = []
        if options.function:
            listing = Path(folder) / "only"
            listing.write_text(f"{options.function}\n")
            only = ["--only", str(listing)]
        command = [str(env.python), "-m", "psyco", *only, *program]
        environ = with_debug(f"dump={options.phase}")
        return subprocess.run(command, env=environ, check=False).returncode


# --- Searching -----------------------------------------------------------------------------------


def minimise(items: Sequence[str], fails: Callable[[Sequence[str]], bool]) -> list[str]:
    """A small subset of *items* for which *fails* still holds (Zeller's ddmin).

    One-minimal: taking any single item away makes the failure go away. *fails* must hold for
    all of *items*.
    """
    current = list(items)
    parts = 2
    while len(current) >= 2:
        size = -(-len(current) // parts)
        chunks = [current[i : i + size] for i in range(0, len(current), size)]
        smaller = next((chunk for chunk in chunks if fails(chunk)), None)
        if smaller is not None:
            current, parts = smaller, 2
            continue
        rests = ([x for other in chunks if other is not chunk for x in other] for chunk in chunks)
        smaller = next((rest for rest in rests if fails(rest)), None) if len(chunks) > 2 else None
        if smaller is not None:
            current, parts = smaller, max(parts - 1, 2)
        elif parts < len(current):
            parts = min(len(current), parts * 2)
        else:
            break
    return current


def first_failing(fails: Callable[[int], bool], limit: int = 1 << 20) -> int | None:
    """The smallest n for which fails(n), fails being monotonic; None if there is none below."""
    high = 1
    while not fails(high):
        high *= 2
        if high > limit:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return high


def pass_names() -> list[str]:
    """The passes, as the compiler's own table lists them."""
    if not PIPELINE.exists():
        return []
    return re.findall(r"^\s*PASS\((\w+)", PIPELINE.read_text(), re.MULTILINE)


class Suspect:
    """A program that goes wrong under psyco, run again and again with other settings."""

    def __init__(self, env: Environment, command: list[str], folder: Path) -> None:
        self._python = str(env.python)
        self._command = command
        self._folder = folder
        self.plain = self._outcome([])

    def _outcome(self, options: list[str], setting: str = "") -> tuple[int, bytes] | None:
        environ = with_debug(setting) if setting else dict(os.environ)
        command = [self._python, *options, *self._command]
        try:
            done = subprocess.run(
                command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL, timeout=RUN_LIMIT, check=False,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.returncode, done.stdout

    def wrong(self, functions: Sequence[str] | None = None, setting: str = "") -> bool:
        """Whether psyco, compiling just *functions*, gives anything but the plain outcome."""
        options = ["-m", "psyco"]
        if functions is not None:
            listing = self._folder / "only"
            listing.write_text("".join(f"{name}\n" for name in functions))
            options += ["--only", str(listing)]
        return self._outcome(options, setting) != self.plain

    def compiled(self) -> list[str]:
        """The functions compiled when nothing is restricted."""
        listing = self._folder / "compiled"
        listing.touch()
        self._outcome(["-m", "psyco", "--list", str(listing)])
        return list(dict.fromkeys(listing.read_text().splitlines()))


def bisect(env: Environment, options: argparse.Namespace) -> int:
    """Narrow a wrong run down: functions, then passes, then rewrites."""
    command = [options.program, *options.arguments]
    if command[0] == "--":
        command = command[1:]
    with tempfile.TemporaryDirectory() as folder:
        suspect = Suspect(env, command, Path(folder))
        if not suspect.wrong():
            print("nothing to find: the program does the same plain and under psyco")
            return 0
        functions = suspect.compiled()
        if not functions:
            raise Failure("it goes wrong, but no function was compiled: not the compiler's doing")
        say(f"{len(functions)} functions compiled")
        if not suspect.wrong(functions):
            raise Failure("with the same functions compiled it goes right: it depends on timing")
        guilty = minimise(functions, suspect.wrong)
        print("functions: " + ", ".join(guilty))
        for name in pass_names():
            if suspect.wrong(guilty, f"off={name}"):
                continue
            print(f"pass: {name} (without it the program goes right)")
            count = first_failing(lambda n, name=name: suspect.wrong(guilty, f"fuel={name}:{n}"))
            if count:
                print(f"rewrite: number {count} of {name}")
                print(f"look at it: ./dev dump --phase {name} " + " ".join(command))
            return 1
        print("pass: none alone (it goes wrong with each of them off)")
        return 1
