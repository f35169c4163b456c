"""Programs that need processes of their own: plainly in one, under psyco in another.

Programs with tools or threads run in batches, child.py running them one after the other. What a program leaves for
the end of the process is seen when it ends: such programs run alone, and the files they write are compared too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from inside import Failure, difference, environment
from modes import MODES, setting

HERE = Path(__file__).resolve().parent
TIME_LIMIT = 60          # seconds for a batch; a plain one takes one or two
PROGRAM_LIMIT = 20
ENDS = {                 # ways to start a program that is looked at when it ends
    "main": ["-m", "psyco", "{path}"],
    "imported": ["-c", "exec(__import__('os').environ['FIRST']); import case"],  # one text, for tracebacks show it
}


def execute(mode, paths, limit):
    """Run programs in one process. {path: result}, and (path, what happened) if it died."""
    environ = environment(PSYCO_DEBUG="" if mode == "plain" else setting(mode))
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
    """A failure for each program that differs, named by its path."""
    plain, plain_death = execute("plain", paths, limit)
    if plain_death:
        yield Failure(plain_death[0], mode, "plain crash", plain_death[1])
    left = [p for p in paths if p in plain]
    while left:
        some, death = execute(mode, left, limit)
        for path in left:
            if path not in some:
                continue
            if some[path]["output"] != plain[path]["output"]:
                yield Failure(path, mode, "difference", difference(plain[path]["output"], some[path]["output"]))
            elif "Internal" in some[path]["stats"].get("refused_by", {}):
                yield Failure(path, mode, "internal limit", "a function was refused for no fault of its own")
        if not death:
            return
        path, what = death
        if path is None:
            yield Failure(left[-1], mode, "crash at exit or start", what)
            return
        if what.startswith("no end") and len(left) > 1:
            yield from compare(mode, [path], PROGRAM_LIMIT)  # slow as a batch, or really without end?
        else:
            yield Failure(path, mode, "hang" if what.startswith("no end") else "crash", what)
        left = left[left.index(path) + 1:]


def outcome(arguments, text, debug, first):
    """All that is left of a process that ran the program: its output, its status and its files."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.py"
        path.write_text(text, encoding="utf-8")
        command = [sys.executable, *(each.format(path="case.py") for each in arguments)]
        try:
            done = subprocess.run(command, env=environment(PSYCO_DEBUG=debug, FIRST=first, PYTHONWARNINGS="ignore", PYTHONDONTWRITEBYTECODE="1"), cwd=folder, capture_output=True, timeout=PROGRAM_LIMIT, check=False)
        except subprocess.TimeoutExpired:
            return None, "no end"
        files = {each.name: each.read_text(encoding="utf-8") for each in sorted(Path(folder).iterdir()) if each != path and each.is_file()}
        parts = [done.stdout.decode(), done.stderr.decode().replace(folder, ""), f"status {done.returncode}", *(f"file {name}: {content!r}" for name, content in files.items())]
        return done.returncode, "\n".join(parts)


def compare_end(text, way, mode):
    """The failure of a program that is looked at when it ends, or None."""
    start = ENDS[way]
    _, plain = outcome([each for each in start if each not in ("-m", "psyco")], text, "", "")
    status, native = outcome(start, text, setting(mode), "import psyco; psyco.full()")
    if native == plain:
        return None
    kind = "hang" if status is None else "crash" if status < 0 else "difference"
    return Failure(way, mode, kind, difference(plain, native))


def modes_outside():
    return list(MODES)
