"""./dev ecosystem: packages' own tests, plain against psyco, compared test by test.

tests/ecosystem/packages.py is the table. Each package is installed once, with pip, into a virtual
environment below the build folder; its tests run from a copy of its source distribution, or as
installed. Needs the package index, so it is no part of CI.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tarfile
from pathlib import Path
from types import ModuleType

from devtool.console import ROOT, Failure, call, capture, say
from devtool.environment import Environment
from devtool.suites import Suite, compare, concluded, find_mode, report

FOLDER = ROOT / "tests" / "ecosystem"
RUNNER = FOLDER / "runner.py"


def load_table() -> ModuleType:
    """The table of packages, which is data of tests/, not of this tool."""
    spec = importlib.util.spec_from_file_location("packages", FOLDER / "packages.py")
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    return table


class Packages(Suite):
    """The packages of the table, installed where they are wanted."""

    def __init__(self, env: Environment) -> None:
        self.table = load_table()
        self.rows = {row.name: row for row in self.table.PACKAGES}
        self.folder = env.build / "ecosystem"
        self._venv = self.folder / "packages"
        self.packages = [self._venv / "lib" / f"python{env.interpreter.dotted}" / "site-packages"]
        self.facts = [RUNNER.read_text(), (FOLDER / "packages.py").read_text()]
        if not (self._venv / "bin" / "pip").exists():
            answer = capture([env.interpreter.path, "-m", "venv", "--clear", self._venv])
            if answer.returncode:
                raise Failure(f"no virtual environment could be made: {answer.stderr.strip()}")

    def _pip(self, command: str, *arguments: object) -> None:
        pip = [self._venv / "bin" / "python", "-m", "pip", command, "--quiet",
               "--disable-pip-version-check", *arguments]
        if call(pip, stdout=sys.stderr):
            raise Failure(f"pip {command} {' '.join(map(str, arguments))} failed (its messages are "
                          "above): no network?")

    def _source(self, name: str) -> Path:
        return self.folder / "sources" / f"{name}-{self.rows[name].version}"

    def install(self, name: str) -> None:
        """Install a package and what its tests want, unless that is done."""
        row = self.rows[name]
        stamp = self._venv / "installed" / name
        wanted = repr((self.table.TOOLS, row))
        if stamp.exists() and stamp.read_text() == wanted:
            return
        say(f"installing {name} {row.version}")
        pinned = f"{name}=={row.version}"
        self._pip("install", *self.table.TOOLS, pinned, *row.more)
        if self.table.INSTALLED not in row.arguments:
            self._unpack(name, pinned)
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(wanted)

    def _unpack(self, name: str, pinned: str) -> None:
        target = self._source(name)
        archives = self.folder / "archives" / name
        shutil.rmtree(archives, ignore_errors=True)
        shutil.rmtree(target, ignore_errors=True)
        self._pip("download", "--no-deps", "--no-binary", ":all:", "--dest", archives, pinned)
        [archive] = archives.iterdir()
        with tarfile.open(archive) as file:
            file.extractall(archives / "inside")
        [inside] = (archives / "inside").iterdir()
        target.parent.mkdir(exist_ok=True)
        inside.rename(target)

    def prepare(self, name: str, folder: Path) -> None:
        """A fresh copy of the source distribution: tests write into it."""
        if self.table.INSTALLED not in self.rows[name].arguments:
            shutil.copytree(self._source(name), folder, symlinks=True, dirs_exist_ok=True)

    def command(self, name: str, python: Path, out: Path, done: Path | None) -> list[object]:
        """The command line for a package."""
        return [python, "-X", "faulthandler", RUNNER, out, done or "-", *self.rows[name].arguments]


def ecosystem(env: Environment, options: argparse.Namespace) -> int:
    """Compare what the command line asks for; the exit status."""
    packages = Packages(env)
    for name in options.names:
        if name not in packages.rows:
            raise Failure(f"{name} is not in tests/ecosystem/packages.py")
    names = options.names or list(packages.rows)
    for name in names:
        packages.install(name)
    modes = [find_mode(name) for name in options.mode or ("default", "eager")]
    verdicts = compare(env, packages, names, modes, jobs=options.jobs, limit=options.limit)
    return concluded(report(verdicts))
