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

# Each has a folder src/cpython/vNNN. The first is what is used where nobody asks for another.
VERSIONS = ((3, 13), (3, 14), (3, 15))


def dotted(version: tuple[int, ...]) -> str:
    """A minor version as programs are named after it."""
    return ".".join(map(str, version[:2]))


DEFAULT = dotted(VERSIONS[0])
ALL = " or ".join((", ".join(map(dotted, VERSIONS[:-1])), dotted(VERSIONS[-1])))

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

    @property
    def dotted(self) -> str:
        """Its minor version, as `3.13`."""
        return ".".join(self.version.split(".")[:2])


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
    needs = f"psyco needs the ordinary CPython {ALL}"
    if facts["implementation"] != "cpython":
        raise Failure(f"{path} is {facts['implementation']} {version}; {needs}")
    if tuple(facts["version"][:2]) not in VERSIONS:
        raise Failure(f"{path} is CPython {version}; {needs}")
    if facts["free_threaded"]:
        raise Failure(f"{path} is a free-threaded build of CPython {version}; {needs}")
    if facts["debug"]:
        raise Failure(f"{path} is a debug build of CPython {version}; {needs}")
    return Interpreter(Path(facts["executable"]), version, facts["headers"], facts["optimised"])


def candidates(version: str = DEFAULT) -> list[str]:
    """Where an interpreter of *version* may be, the likeliest first."""
    found = [shutil.which(name) for name in (f"python{version}", "python3", "python")]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    # Newest patch release first; "3.13.0t" and the like are refused by the check itself.
    patches = sorted(pyenv.glob(f"{version}*"), key=_patch_number, reverse=True)
    found += [str(folder / "bin" / "python") for folder in patches]
    found += [f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"]
    return list(dict.fromkeys(path for path in found if path and os.path.exists(path)))


def _patch_number(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in folder.name.split("."))


def find_version(version: str) -> Interpreter | None:
    """The first interpreter of this minor version that passes."""
    for path in candidates(version):
        try:
            found = inspect_interpreter(path)
        except Failure:
            continue
        if found.dotted == version:
            return found
    return None


def find_interpreter(explicit: str | None) -> Interpreter | None:
    """The one *explicit* names by path or by version, or else the first version that is there."""
    if explicit in map(dotted, VERSIONS):
        if found := find_version(explicit):
            return found
        raise Failure(f"--python {explicit}: no CPython {explicit} found")
    if explicit:
        path = explicit if os.sep in explicit else shutil.which(explicit)
        if not path or not os.path.exists(path):
            raise Failure(f"--python {explicit}: no such file")
        return inspect_interpreter(path)
    return next(filter(None, map(find_version, map(dotted, VERSIONS))), None)


def interpreters() -> int:
    """Print what there is of each version, and why others on this machine will not do."""
    missing = 0
    for version in map(dotted, VERSIONS):
        found = find_version(version)
        missing += found is None
        if found:
            lacks = "" if found.headers else ", without C headers"
            print(f"{version}: {found.path} ({found.version}{lacks})")
        else:
            print(f"{version}: not found")
        for path in candidates(version):
            try:
                inspect_interpreter(path)
            except Failure as failure:
                print(f"  refused: {failure}")
    return 1 if missing else 0
