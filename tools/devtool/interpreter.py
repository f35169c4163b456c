"""Finds the CPython that psyco is built for, and refuses all others with the reason.

The interpreter is asked about itself (version, build flags, headers) instead of being judged by
its name: a `python3.13` on PATH may be a version manager's shim that cannot run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from devtool.console import Failure

VERSION = (3, 13)
DOTTED = ".".join(map(str, VERSION))

# Runs in the interpreter in question, so it must parse under any Python, 2.7 included.
_PROBE = """
import json, os, sys, sysconfig
config = sysconfig.get_config_var
include = sysconfig.get_path("include") or ""
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "implementation": getattr(getattr(sys, "implementation", None), "name", "cpython"),
    "free_threaded": bool(config("Py_GIL_DISABLED")),
    "debug": hasattr(sys, "gettotalrefcount"),
    "executable": getattr(sys, "_base_executable", None) or sys.executable,
    "headers": os.path.exists(os.path.join(include, "internal", "pycore_frame.h")),
    "optimised": "--enable-optimizations" in (config("CONFIG_ARGS") or ""),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """A CPython that passed the checks."""

    path: Path
    version: str
    headers: bool
    optimised: bool


def inspect_interpreter(path: str) -> Interpreter:
    """Check the interpreter at *path*; Failure says in one line why it will not do."""
    try:
        answer = subprocess.run(
            [path, "-c", _PROBE], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(f"{path} cannot be run: {error}") from None
    try:
        facts = json.loads(answer.stdout)
    except ValueError:
        said = (answer.stderr.strip() or "no output").splitlines()
        # Python puts the point of a traceback last; others begin with it.
        point = said[-1] if said[0].startswith("Traceback") else said[0]
        raise Failure(f"{path} is not a working Python: {point}") from None
    version = ".".join(map(str, facts["version"]))
    needs = f"psyco needs the ordinary CPython {DOTTED}"
    if facts["implementation"] != "cpython":
        raise Failure(f"{path} is {facts['implementation']} {version}; {needs}")
    if tuple(facts["version"][:2]) != VERSION:
        raise Failure(f"{path} is CPython {version}; {needs}")
    if facts["free_threaded"]:
        raise Failure(f"{path} is a free-threaded build of CPython {version}; {needs}")
    if facts["debug"]:
        raise Failure(f"{path} is a debug build of CPython {version}; {needs}")
    return Interpreter(Path(facts["executable"]), version, facts["headers"], facts["optimised"])


def candidates() -> list[str]:
    """Where an interpreter may be, the likeliest first."""
    found = [shutil.which(name) for name in (f"python{DOTTED}", "python3", "python")]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    # Newest patch release first; "3.13.0t" and the like are refused by the check itself.
    patches = sorted(pyenv.glob(f"{DOTTED}*"), key=_patch_number, reverse=True)
    found += [str(version / "bin" / "python") for version in patches]
    found += [f"/usr/bin/python{DOTTED}", f"/usr/local/bin/python{DOTTED}"]
    return list(dict.fromkeys(path for path in found if path and os.path.exists(path)))


def _patch_number(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in folder.name.split("."))


def find_interpreter(explicit: str | None) -> Interpreter | None:
    """The interpreter to use: *explicit* or nothing else, otherwise the first that passes."""
    if explicit:
        path = explicit if os.sep in explicit else shutil.which(explicit)
        if not path or not os.path.exists(path):
            raise Failure(f"--python {explicit}: no such file")
        return inspect_interpreter(path)
    for path in candidates():
        try:
            return inspect_interpreter(path)
        except Failure:
            continue
    return None
