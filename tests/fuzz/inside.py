"""The parent of worker.py: stints of generated programs, single programs again, and what becomes of failures.

A stint is a process that runs some hundred programs. What differs in it is run again, alone, in a process of its own;
if all is well then, with the programs that ran before it, of which as many are left out as can be.
"""

from __future__ import annotations

import difflib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from modes import mode_of

HERE = Path(__file__).resolve().parent
STINT = 300       # programs
SILENCE = 30      # seconds without a word after which a process hangs
LONG_LINE = 160


def environment(**more):
    environ = {key: value for key, value in os.environ.items() if key != "PSYCO_DEBUG"}
    # Another build, if one is named, before the usual one.
    imports = [environ.get("PYTHONPATH", ""), str(HERE.parents[1] / "python")]
    return environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": os.pathsep.join(each for each in imports if each)} | more


class Worker:
    """A process of worker.py, and those that it forks. Its death is an event like others: {"died": how}."""

    def __init__(self, *arguments):
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        command = [sys.executable, HERE / "worker.py", *map(str, arguments)]
        self.process = subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True)
        self.rest = b""

    def events(self):
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], SILENCE)
            piece = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                break
            *lines, self.rest = (self.rest + piece).split(b"\n")
            yield from map(json.loads, lines)
        if not ready:
            self.kill()
        status = self.process.wait()
        if status or not ready:
            yield {"died": "no end" if not ready else f"exit status {status}", "errors": self.error_text()}

    def kill(self):
        """The whole session: the program that hangs may run in a child."""
        if self.process.returncode is None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")[-1500:]

    def ask(self, **request):
        """The events of the answer to a request."""
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        for event in self.events():
            if "done" in event and not event["done"]:
                return
            yield {"died": f"exit status {event['done']}", "errors": self.error_text()} if "done" in event else event
            if "done" in event or "died" in event:
                return

    def close(self):
        self.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.errors.close()


class Failure:
    """A program that behaves differently: how, and in which mode; *before* are seeds that have to run before it."""

    def __init__(self, name, mode, kind, detail, before=()):
        self.name, self.mode, self.kind, self.detail, self.before = name, mode, kind, detail, list(before)

    @property
    def title(self):
        after = f" after {self.before}" if self.before else ""
        return f"seed {self.name}{after}, mode {self.mode}: {self.kind}"


def difference(expected, got):
    lines = list(difflib.unified_diff(expected.splitlines(), got.splitlines(), "plain", "psyco", lineterm="", n=1))
    pairs = [(a, b) for a, b in zip(expected.splitlines(), got.splitlines()) if a != b]
    if pairs and max(map(len, lines)) > LONG_LINE:
        # Of long lines, what is around the first character that differs.
        at = max(0, len(os.path.commonprefix(pairs[0])) - 60)
        return "\n".join(f"{sign}{text[:30]} ... {text[at:at + LONG_LINE]}" for sign, text in zip("-+", pairs[0]))
    return "\n".join(lines[:12])


def failures(events):
    """Of a run's events, the failures; other events are given to no one."""
    name = mode = None
    plain = False
    for event in events:
        if "plain" in event:
            name, mode, plain = event["plain"], event["mode"], True
        elif "psyco" in event:
            plain = False
        elif "failed" in event:
            yield Failure(event["failed"], mode, event["kind"], difference(event["expected"], event["got"]))
        elif "died" in event:
            kind = "hang" if event["died"] == "no end" else "crash"
            yield Failure(name, mode, f"plain {kind}" if plain else kind, f"{event['died']}\n{event['errors']}")


class Server:
    """Runs single programs, each in a process forked from one that has psyco loaded."""

    def __init__(self):
        self.worker = None

    def events(self, **request):
        if self.worker is None or self.worker.process.poll() is not None:
            self.worker = Worker("serve")
        return list(self.worker.ask(**request))

    def failure(self, **request):
        """The first failure of what is asked for, or None."""
        return next(failures(self.events(**request)), None)

    def close(self):
        if self.worker:
            self.worker.close()


def stint(first, count, mode=None, end=None):
    """Programs in one process until it has ended or died: (failures, summary or None, seeds begun)."""
    worker = Worker("stint", first, count, *([mode] if mode else []))
    found, summary, begun = [], None, 0

    def watched():
        nonlocal summary, begun
        for event in worker.events():
            begun += "plain" in event
            if "end" in event:
                summary = event
            yield event

    try:
        found += failures(watched())
    finally:
        worker.close()
    return found, summary, begun


def isolated(server, failure, first, mode=None, limit=60):
    """The failure again, alone or with few programs before it; as it was, if it does not come again."""
    def ways(seeds):
        return [[seed, mode or mode_of(seed)] for seed in seeds]

    def again(before):
        found = server.failure(seeds=ways([*before, failure.name]))
        return found if found and (found.name, found.kind) == (failure.name, failure.kind) else None

    if found := again([]):
        return found
    before = list(range(first, failure.name))
    if not (found := again(before)):
        return failure
    end = time.monotonic() + limit
    size = max(1, len(before) // 2)
    while time.monotonic() < end:
        for start in range(0, len(before), size):
            fewer = before[:start] + before[start + size:]
            if smaller := again(fewer):
                before, found = fewer, smaller
                break
        else:
            if size == 1:
                break
            size //= 2
    found.before = before
    return found
