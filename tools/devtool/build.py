"""Configures and builds with CMake, then makes the result importable from the source tree."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Sequence

from devtool.console import ROOT, Failure, call, say
from devtool.environment import Environment, works

PACKAGE = ROOT / "python" / "psyco"


def configure(env: Environment, *, werror: bool, options: Sequence[str] = ()) -> None:
    """Run CMake's first half. Cheap when nothing changed, so it is done each time.

    Warnings become errors only when asked: once on they stay on in that build folder, so that
    going back and forth between `ci` and `build` does not compile everything again.
    """
    command = [
        env.tool("cmake"), "-S", ROOT, "-B", env.build, "-G", "Ninja",
        "-DCMAKE_BUILD_TYPE=Release", "-DPSYCO_TESTS=ON", f"-DPython_EXECUTABLE={env.python}",
        f"-DCMAKE_MAKE_PROGRAM={env.tool('ninja')}", *options,
    ]
    if werror:
        command.append("-DPSYCO_WERROR=ON")
    if works("ccache"):
        command.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    log = env.build / "configure.log"
    env.build.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        status = call(command, stdout=output, stderr=output)
    if status:
        sys.stderr.write(log.read_text())
        raise Failure("cmake could not configure the build (its messages are above)")


def build(env: Environment, *, werror: bool = False) -> None:
    """Build everything and put the extension module where `import psyco` finds it."""
    configure(env, werror=werror)
    command = [env.tool("cmake"), "--build", env.build, "-j", str(os.cpu_count() or 1)]
    # Progress is no result: it goes to stderr.
    if call(command, stdout=sys.stderr):
        raise Failure("the build failed (the compiler's messages are above)")
    link_extension(env)
    # As installers do: otherwise, where Python may not write bytecode files or has not yet, every
    # start pays for compiling the package.
    call([env.python, "-m", "compileall", "-q", PACKAGE])


def build_apart(env: Environment, name: str, options: Sequence[str]) -> tuple[Environment, Path]:
    """A build of its own in build-NAME/, and the folder from which Python imports it."""
    own = replace(env, build=env.build.with_name(f"{env.build.name}-{name}"))
    configure(own, werror=False, options=options)
    command = [own.tool("cmake"), "--build", own.build, "-j", str(os.cpu_count() or 1)]
    if call(command, stdout=sys.stderr):
        raise Failure("the build failed (the compiler's messages are above)")
    package = own.build / "python" / "psyco"
    package.mkdir(parents=True, exist_ok=True)
    for old in package.iterdir():
        if old.is_symlink():
            old.unlink()
    for source in [*PACKAGE.glob("*.py*"), *own.build.glob("_core*.so")]:
        (package / source.name).symlink_to(source)
    return own, package.parent


def link_extension(env: Environment) -> Path:
    """Point python/psyco/_core*.so at this environment's build; returns the link."""
    built = sorted(env.build.glob("_core*.so"))
    if len(built) != 1:
        raise Failure(f"{env.build.name}/ holds {len(built)} extension modules instead of one")
    # Those of other versions stay; of this one, what is named otherwise would be found first.
    tag = built[0].name.split("-x86_64")[0]
    for old in PACKAGE.glob(f"{tag}*.so"):
        if old.name != built[0].name:
            old.unlink()
    link = PACKAGE / built[0].name
    target = os.path.relpath(built[0], PACKAGE)
    if not link.is_symlink() or os.readlink(link) != target:
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        say(f"{link.relative_to(ROOT)} -> {target}")
    return link
