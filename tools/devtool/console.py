"""Talking to the person at the terminal, and running other programs.

A Failure is an expected problem (no compiler, no network, a failed step): its text is printed as
one line and ./dev exits with 1. Any other exception is a defect of ./dev and keeps its traceback.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Sequence

ROOT = Path(__file__).resolve().parents[2]


class Failure(Exception):
    """Something the user can put right; the message says what."""


def say(text: str) -> None:
    """Print a progress line; stderr, so that stdout keeps to results."""
    print(f"./dev: {text}", file=sys.stderr, flush=True)


def run(command: Sequence[object], *, what: str, **options: object) -> None:
    """Run *command* with its output shown; Failure names *what* when it does not succeed."""
    status = call(command, **options)
    if status:
        raise Failure(f"{what} failed (exit status {status})")


def call(command: Sequence[object], **options: object) -> int:
    """Run *command* in the project's folder with its output shown; returns its exit status."""
    options.setdefault("cwd", ROOT)
    sys.stdout.flush()
    try:
        return subprocess.run([str(part) for part in command], **options).returncode
    except FileNotFoundError as error:
        raise Failure(f"{command[0]}: not found ({error.strerror})") from None


def capture(command: Sequence[object], **options: object) -> subprocess.CompletedProcess[str]:
    """Run *command* and return what it printed, stdout and stderr apart."""
    options.setdefault("cwd", ROOT)
    try:
        return subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, check=False, **options
        )
    except OSError as error:
        raise Failure(f"{command[0]} cannot be run: {error.strerror}") from None
