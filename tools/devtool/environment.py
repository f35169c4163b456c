"""Makes a machine ready: an interpreter, a compiler and its libraries, and a virtual environment.

Each thing is looked for by what it does (a header that is there, a program that runs), never by
package name, so a machine set up by other means is left alone. As root on Debian what is missing
is installed; otherwise the message is the command to type.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from devtool.console import ROOT, Failure, call, capture, say
from devtool.interpreter import ALL, DEFAULT, Interpreter, find_interpreter, inspect_interpreter

REQUIREMENTS = ROOT / "tools" / "requirements.txt"
STAMP = "psyco-dev.json"


@dataclass(frozen=True)
class Environment:
    """A ready interpreter with its virtual environment and build folder."""

    interpreter: Interpreter
    venv: Path
    build: Path

    @property
    def python(self) -> Path:
        """The interpreter inside the virtual environment."""
        return self.venv / "bin" / "python"

    def tool(self, name: str) -> str:
        """The program *name*: the virtual environment's, else the machine's."""
        inside = self.venv / "bin" / name
        return str(inside) if inside.exists() else (shutil.which(name) or name)


# --- Debian packages ---------------------------------------------------------------------------


def works(program: str) -> bool:
    """Whether *program* runs: a version manager's shim may exist and still not work."""
    try:
        return capture([program, "--version"]).returncode == 0
    except Failure:
        return False


def has_header(name: str) -> Callable[[], bool]:
    """A check for a C++ header in the usual places."""
    return lambda: any(
        (Path(folder) / name).exists() for folder in ("/usr/include", "/usr/local/include")
    )


@dataclass(frozen=True)
class Need:
    """One thing the build wants from the machine."""

    package: str  # Debian's name
    present: Callable[[], bool]
    required: bool = True
    pip: str | None = None  # a package of the same use from PyPI, for those who are not root


def compiler_works() -> bool:
    """Whether there is a C++ compiler that CMake will find."""
    return any(works(name) for name in (os.environ.get("CXX"), "c++", "g++", "clang++") if name)


NEEDS = [
    Need("g++", compiler_works),
    Need("cmake", lambda: works("cmake"), pip="cmake"),
    Need("ninja-build", lambda: works("ninja"), pip="ninja"),
    Need("doctest-dev", has_header("doctest/doctest.h")),
    # CMake fetches a pinned copy when the package is absent.
    Need("libxbyak-dev", has_header("xbyak/xbyak.h"), required=False),
    Need("ccache", lambda: works("ccache"), required=False),
]
LINT_NEEDS = [
    Need("clang-format", lambda: works("clang-format")),
    Need("git", lambda: works("git")),
]


def is_root_on_debian() -> bool:
    """Whether packages can be installed without asking anybody."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages; False (with apt's own messages shown) when that fails."""
    say(f"installing {' '.join(packages)}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    # apt's chatter goes to stderr: stdout belongs to the program or the tests that follow.
    quiet = {"env": environ, "stdout": sys.stderr}
    # A fresh machine has no package lists; a used one need not fetch them again.
    fresh = any(Path("/var/lib/apt/lists").glob("*_Packages*"))
    if fresh and call(install, **quiet) == 0:
        return True
    return call(["apt-get", "update", "-q"], **quiet) == 0 and call(install, **quiet) == 0


def ensure_debian(needs: list[Need]) -> list[str]:
    """Install what is missing; returns what pip has to bring instead."""
    missing = [need for need in needs if not need.present()]
    if not missing:
        return []
    if is_root_on_debian():
        done = apt_install([need.package for need in missing])
        absent = [need.package for need in missing if need.required and not need.present()]
        if absent:
            cause = "apt-get did not provide them" if done else "apt-get failed: no network?"
            raise Failure(f"missing {', '.join(absent)}: {cause}")
        return []
    hard = [need.package for need in missing if need.required and not need.pip]
    if hard:
        raise Failure(f"missing {', '.join(hard)}; install with: sudo apt-get install "
                      + " ".join(need.package for need in missing))
    return [need.pip for need in missing if need.pip]


# --- The interpreter and its virtual environment -----------------------------------------------


def python_packages() -> list[str]:
    """Debian's interpreter and what Debian splits off from it."""
    return [f"python{DEFAULT}", f"python{DEFAULT}-venv", f"python{DEFAULT}-dev"]


def has_ensurepip(python: Path) -> bool:
    """Whether it can make virtual environments: Debian keeps this in a package of its own."""
    return capture([python, "-c", "import ensurepip"]).returncode == 0


def split_off(interpreter: Interpreter) -> list[Need]:
    """What a Debian interpreter needs from packages of its own; nothing for all others."""
    if not str(interpreter.path).startswith("/usr/bin/"):
        return []

    def has_headers() -> bool:
        return interpreter.headers or inspect_interpreter(str(interpreter.path)).headers

    return [Need(f"python{interpreter.dotted}-dev", has_headers),
            Need(f"python{interpreter.dotted}-venv", lambda: has_ensurepip(interpreter.path))]


def choose_interpreter(explicit: str | None) -> Interpreter:
    """The interpreter to build for; installs Debian's when there is none and it can."""
    if not explicit and (settled := _stamped_interpreter()):
        return settled
    found = find_interpreter(explicit)
    if not found and is_root_on_debian():
        apt_install(python_packages())
        found = find_interpreter(None)
    if not found:
        packages = " ".join(python_packages())
        raise Failure(f"no CPython {ALL} found on PATH or under ~/.pyenv/versions; name one "
                      f"with --python PATH, or install Debian's: sudo apt-get install {packages}")
    return found


def _stamped_interpreter() -> Interpreter | None:
    """The interpreter that .venv was made from, if both still work."""
    try:
        stamp = json.loads((ROOT / ".venv" / STAMP).read_text())
        return inspect_interpreter(stamp["interpreter"])
    except (OSError, ValueError, KeyError, Failure):
        return None


def _stamped_version() -> str | None:
    """The minor version that .venv is of."""
    try:
        version = json.loads((ROOT / ".venv" / STAMP).read_text())["version"]
    except (OSError, ValueError, KeyError):
        return None
    return ".".join(version.split(".")[:2])


def place(interpreter: Interpreter) -> tuple[Path, Path]:
    """The folders of *interpreter*: .venv and build/ go to the first one ever used.

    Another one, named with --python, gets folders of its own: going to and fro between two
    interpreters would otherwise reinstall and rebuild everything each time. One of another version
    does so, too, where the first is out of sight (in another root of the same file system).
    """
    first = _stamped_interpreter()
    other = first and first.path != interpreter.path
    if other or _stamped_version() not in (None, interpreter.dotted):
        mark = hashlib.sha256(str(interpreter.path).encode()).hexdigest()[:6]
        suffix = f"-{interpreter.version}-{mark}"
        return ROOT / f".venv{suffix}", ROOT / f"build{suffix}"
    return ROOT / ".venv", ROOT / "build"


def ensure_venv(interpreter: Interpreter, venv: Path, extra: list[str]) -> None:
    """Make the virtual environment and install what the tests need, unless that is done."""
    wanted = {
        "interpreter": str(interpreter.path),
        "version": interpreter.version,
        "requirements": REQUIREMENTS.read_text(),
        "extra": extra,
    }
    stamp = venv / STAMP
    try:
        if json.loads(stamp.read_text()) == wanted and works(str(venv / "bin" / "python")):
            return
    except (OSError, ValueError):
        pass
    say(f"making {venv.name} with CPython {interpreter.version} ({interpreter.path})")
    _make_venv(interpreter, venv)
    python = venv / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
           "-r", REQUIREMENTS, *extra]
    if call(pip, stdout=sys.stderr):
        raise Failure("pip could not install the test tools (its messages are above): no network?")
    path_file = venv / "lib" / f"python{interpreter.dotted}" / "site-packages" / "psyco-dev.pth"
    path_file.write_text(f"{ROOT / 'python'}\n")
    stamp.write_text(json.dumps(wanted, indent=1))


def _make_venv(interpreter: Interpreter, venv: Path) -> None:
    answer = capture([interpreter.path, "-m", "venv", "--clear", venv])
    if answer.returncode:
        sys.stderr.write(answer.stdout + answer.stderr)
        raise Failure(f"{interpreter.path} cannot make a virtual environment")


def prepare(explicit: str | None) -> Environment:
    """Everything that has to be there before a build."""
    interpreter = choose_interpreter(explicit)
    from_pip = ensure_debian(NEEDS + split_off(interpreter))
    if not interpreter.headers:  # unless they have just been installed
        interpreter = inspect_interpreter(str(interpreter.path))
    if not interpreter.headers:
        raise Failure(f"{interpreter.path} has no C headers (Python.h and internal/)")
    venv, build = place(interpreter)
    ensure_venv(interpreter, venv, from_pip)
    return Environment(interpreter, venv, build)
