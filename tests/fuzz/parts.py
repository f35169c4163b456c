"""The prelude in parts, so that a program begins with those that it needs and no others."""

from __future__ import annotations

import ast
import marshal
import re
import types
from pathlib import Path

FILE = "case.py"  # what programs are called, wherever they are
ALWAYS = ("FILE", "PLAIN", "main", "attempt", "show", "tell", "lasting", "unraisable")


def names_in(code, found=None):
    """The names a code object may look up, those in its texts included: they may be evaluated."""
    found = set() if found is None else found
    found.update(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names_in(constant, found)
        elif isinstance(constant, str):
            found.update(re.findall(r"[A-Za-z_]\w*", constant))
        elif isinstance(constant, tuple):
            found.update(each for each in constant if isinstance(each, str))
    return found


def names_bound(statement, modules):
    """What a statement of the prelude defines or changes."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {alias.asname or alias.name for alias in statement.names}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)} - modules


class Part:
    """One statement of the prelude."""

    def __init__(self, statement, text, modules):
        self.text = "\n".join(text.splitlines()[statement.lineno - 1 - len(getattr(statement, "decorator_list", ())):statement.end_lineno])
        self.defines = names_bound(statement, modules)
        code = compile("\n" * (statement.lineno - 1) + self.text, FILE, "exec")
        self.code = marshal.dumps(code)
        self.names = names_in(code)


def parts_of(text):
    tree = ast.parse(text)
    modules = {alias.name for statement in tree.body if isinstance(statement, ast.Import) for alias in statement.names}
    # Without the docstring, and without what a part has from another.
    return [Part(statement, text, modules) for statement in tree.body[1:] if not (isinstance(statement, ast.ImportFrom) and statement.module == "prelude")]


PRELUDE = [part for name in ("prelude.py", "changing.py", "made.py") for part in parts_of((Path(__file__).parent / name).read_text(encoding="utf-8"))]
_definers = {}
for _number, _part in enumerate(PRELUDE):
    for _name in _part.defines:
        _definers.setdefault(_name, []).append(_number)


def _closure(numbers):
    """Those parts and all they need."""
    found, left = set(), list(numbers)
    while left:
        number = left.pop()
        if number not in found:
            found.add(number)
            left += [n for name in PRELUDE[number].names for n in _definers.get(name, ())]
    return frozenset(found)


_closures = [_closure([number]) for number in range(len(PRELUDE))]
_always = _closure(n for name in ALWAYS for n in _definers.get(name, ()))


def needed(code):
    """The numbers of the parts that this code needs, in order."""
    found = set(_always)
    for name in names_in(code):
        for number in _definers.get(name, ()):
            if number not in found:
                found |= _closures[number]
    return sorted(found)
