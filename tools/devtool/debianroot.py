"""A Debian root with an optimised CPython of each version that is served, headers and test suites.

For machines whose own distribution has one version: `./dev interpreters --install` makes the root
(about 1.5 GB, a minute or two, once), `./dev interpreters --run COMMAND` runs a command in it, as
`./dev interpreters --run ./dev test --all-versions`. The checkout is seen there where it is here.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from devtool.console import ROOT, Failure, call, say
from devtool.environment import LINT_NEEDS, NEEDS, apt_install, is_root_on_debian
from devtool.interpreter import VERSIONS, dotted

# New versions come to sid first. That it moves is wanted: so one learns of a new patch release.
SUITE = "sid"
MIRROR = "http://deb.debian.org/debian"
COMPLETE = ".complete"  # in the root: which packages it was completed with


def place() -> Path:
    """Where the root is: PSYCO_DEBIAN_ROOT, or in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("PSYCO_DEBIAN_ROOT") or cache / "psyco" / "debian")


def packages() -> list[str]:
    """All that ./dev wants to find there."""
    names = [f"{prefix}{dotted(version)}{suffix}" for version in VERSIONS for prefix, suffix in
             (("python", "-venv"), ("python", "-dev"), ("libpython", "-testsuite"))]
    return [*names, *(need.package for need in [*NEEDS, *LINT_NEEDS]), "ca-certificates"]


def is_complete(root: Path) -> bool:
    """Whether the root has what this checkout wants."""
    try:
        return (root / COMPLETE).read_text().split() == packages()
    except OSError:
        return False


def _must(command: list[object]) -> None:
    if call(command, stdout=sys.stderr):
        raise Failure(f"failed: {' '.join(map(str, command))}")


def _take_settings(root: Path) -> None:
    """What this machine knows of its network: names, proxies, mirrors, certificates."""
    for name in ("resolv.conf", "pip.conf", "ssl/certs/ca-certificates.crt"):
        if (Path("/etc") / name).exists():
            (root / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path("/etc") / name, root / "etc" / name)
    for file in Path("/etc/apt/apt.conf.d").glob("*"):
        shutil.copyfile(file, root / "etc/apt/apt.conf.d" / file.name)


def install(root: Path) -> None:
    """Make the root, or complete it for versions that are new."""
    if is_complete(root):
        return
    if not is_root_on_debian():
        raise Failure("a Debian root can be made by root on Debian only")
    if not shutil.which("debootstrap"):
        apt_install(["debootstrap"])
    if not (root / "etc/debian_version").exists():
        say(f"making {root}")
        root.parent.mkdir(parents=True, exist_ok=True)
        mirror = os.environ.get("PSYCO_DEBIAN_MIRROR", MIRROR)
        _must(["debootstrap", "--variant=minbase", "--include=ca-certificates",
               SUITE, root, mirror])
    _take_settings(root)
    names = packages()
    say(f"installing {len(names)} packages in {root}")
    script = ("apt-get update -q && DEBIAN_FRONTEND=noninteractive "
              "apt-get install -y -q --no-install-recommends ") + " ".join(names)
    _must(["chroot", root, "sh", "-c", script])
    (root / COMPLETE).write_text("\n".join(names))


def run_inside(root: Path, command: list[str]) -> int:
    """Run *command* in the root; its exit status. The mounts end with it."""
    if not is_complete(root):
        raise Failure(f"{root} is not there or not complete: ./dev interpreters --install")
    within = root / ROOT.relative_to("/")
    within.mkdir(parents=True, exist_ok=True)
    paths = (root / "proc", root / "dev", within, root)
    proc, dev, checkout, new_root = (shlex.quote(str(path)) for path in paths)
    here = shlex.quote(str(ROOT))
    mounts = (f"mount -t proc proc {proc} && mount --rbind /dev {dev} && "
              f"mount --rbind {here} {checkout}")
    enter = f"exec chroot {new_root} sh -c 'cd \"$0\" && exec \"$@\"' {here} {shlex.join(command)}"
    # A namespace of its own: nothing stays mounted, and two may run at once.
    return call(["unshare", "--mount", "--propagation", "private",
                 "sh", "-c", f"{mounts} && {enter}"])
