"""./dev reduce: makes a program small that does not do the same plain and under psyco.

Statements are left out, in halves, quarters and so on of each list of them, and compound ones are
opened, as long as the failure stays of the same kind. The fuzzer reduces what it finds with this.
"""

from __future__ import annotations

import argparse
import ast
import os
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

from devtool.console import Failure
from devtool.environment import Environment

RUN_LIMIT = 20  # seconds for one run of the program


def statement_lists(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Every list of statements in the tree, as (node, field)."""
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements = getattr(node, field, None)
            if isinstance(statements, list) and statements:
                yield node, field


def text_of(tree: ast.AST) -> str | None:
    """Source of the tree, or None if it is no program any more."""
    try:
        text = ast.unparse(ast.fix_missing_locations(tree)) + "\n"
        compile(text, "<reduced>", "exec")
        return text
    except (SyntaxError, ValueError, AttributeError, TypeError):
        return None


def smaller_programs(text: str) -> Iterator[Callable[[], str | None]]:
    """Some statements of one list left out, or a compound statement opened; the largest first.

    What is yielded gives the text, until the next is asked for.
    """
    tree = ast.parse(text)
    places = list(statement_lists(tree))
    places.sort(key=lambda place: -sum(1 for s in getattr(*place) for _ in ast.walk(s)))
    closed = (ast.FunctionDef, ast.ClassDef, ast.ExceptHandler)

    def shown() -> str | None:
        return text_of(tree)

    for node, field in places:
        original = getattr(node, field)
        size = len(original)
        while size:
            for start in range(0, len(original), size):
                rest = original[:start] + original[start + size:]
                if not rest and field == "body":
                    rest = [ast.Pass()]
                    if len(original) == 1 and isinstance(original[0], ast.Pass):
                        continue
                setattr(node, field, rest)
                yield shown
                setattr(node, field, original)
            size //= 2
        for i, statement in enumerate(original):
            inner = getattr(statement, "body", None)
            if isinstance(inner, list) and not isinstance(statement, closed):
                setattr(node, field, original[:i] + inner + original[i + 1:])
                yield shown
                setattr(node, field, original)


def reduce_text(text: str, fails: Callable[[str], bool], limit: float) -> str | None:
    """The smallest program found within *limit* seconds that still fails; None if it does not."""
    end = time.monotonic() + limit
    text = text_of(ast.parse(text)) or text
    if not fails(text):
        return None
    position, smaller = 0, True
    while time.monotonic() < end:
        for number, shown in enumerate(smaller_programs(text)):
            if time.monotonic() > end:
                break
            if number < position:
                continue
            candidate = shown()
            if candidate and len(candidate) < len(text) and fails(candidate):
                # Go on at the same place: what failed to help before it seldom helps now.
                text, position, smaller = candidate, number, True
                break
        else:
            if not smaller:
                break
            position, smaller = 0, False
    return text


def failure_of(python: str, path: Path, arguments: list[str]) -> tuple[int, str] | None:
    """The plain exit status and how psyco goes wrong; None: both ways are the same.

    The status belongs to the failure: a program that no longer gets anywhere plainly is another.
    """
    outcomes: list[tuple[int, bytes] | None] = []
    for under in ([], ["-m", "psyco"]):
        try:
            done = subprocess.run(
                [python, *under, str(path), *arguments], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=RUN_LIMIT, check=False,
            )
            outcomes.append((done.returncode, done.stdout))
        except subprocess.TimeoutExpired:
            outcomes.append(None)
    plain, native = outcomes
    if plain is None or plain == native:  # a program without end shows nothing
        return None
    kind = "hang" if native is None else "crash" if native[0] < 0 else "difference"
    return plain[0], kind


def reduce(env: Environment, options: argparse.Namespace) -> int:
    """Print the reduced program."""
    command = [options.program, *options.arguments]
    if command[0] == "--":
        command = command[1:]
    program, arguments = Path(command[0]), command[1:]
    # Beside the original, so that its imports still work.
    trial = program.with_name(f".{program.stem}-{os.getpid()}.py")
    try:
        failure = failure_of(str(env.python), program, arguments)
        if not failure:
            print("nothing to reduce: the program does the same plain and under psyco")
            return 0

        def fails(text: str) -> bool:
            trial.write_text(text)
            return failure_of(str(env.python), trial, arguments) == failure

        reduced = reduce_text(program.read_text(), fails, options.seconds)
    except (OSError, SyntaxError) as problem:
        raise Failure(f"{program}: {problem}") from problem
    finally:
        trial.unlink(missing_ok=True)
    if reduced is None:
        raise Failure("without its comments and layout the program goes right")
    print(f"# {failure[1]}\n{reduced}", end="")
    return 1
