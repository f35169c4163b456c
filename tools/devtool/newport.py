"""./dev new port 316: the folder of the next version of CPython, from the newest there is."""

from __future__ import annotations

import re

from devtool.console import ROOT, Failure, say
from devtool.interpreter import VERSIONS, dotted

PORTS = ROOT / "src" / "cpython"
NEXT = """What to do next (docs/adding.md, "A CPython version", says more):
1. Put {version} into VERSIONS of tools/devtool/interpreter.py, SERVED of python/psyco/_engine.py,
   the sentence in python/psyco/__init__.py, PSYCO_SERVED and find_package of CMakeLists.txt,
   requires-python and the classifiers of pyproject.toml. Tests compare them.
2. ./dev build --python {version}: own_objects.h and version.h are where its headers differ.
3. tests/python/test_ports.py: opcodes that nobody translates, cache counts, missing symbols, and
   what goes wrong silently. Then all tests, and the variants eager, exit1, osr and gc."""


def new_port(name: str) -> int:
    """Copy the newest folder to the one called *name*, as 316."""
    found = re.fullmatch(r"v?3\.?(\d\d)", name)
    if not found:
        raise Failure(f"{name} is no version: say 316")
    newest = VERSIONS[-1]
    version = (3, int(found[1]))
    source = PORTS / "v{}{}".format(*newest)
    target = PORTS / "v{}{}".format(*version)
    if target.exists():
        raise Failure(f"{target.relative_to(ROOT)} is there already")
    target.mkdir()
    numbers = [(dotted(each), "0x{:02X}{:02X}0000".format(*each)) for each in (newest, version)]
    for file in sorted(source.iterdir()):
        text = file.read_text()
        for old, new in zip(*numbers):
            text = text.replace(old, new)
        (target / file.name).write_text(text)
    say(f"{target.relative_to(ROOT)} is a copy of {source.relative_to(ROOT)}")
    print(NEXT.format(version=dotted(version)))
    return 0
