"""The compiled part, or a stand-in that does nothing.

Every other module asks for `core` here and never imports _core itself, so that a program using
psyco runs plainly wherever psyco cannot: on another machine, in an interpreter whose inner layout
is not the expected one, or because the user said PSYCO_DISABLE=1.
"""

from __future__ import annotations

import os
import sys

# The type checker's word for "only for me"; importing it from typing would cost 6 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FunctionType
    from typing import Any

    from psyco.report import Stats

# The versions of CPython that psyco can be built for: CMake and pyproject.toml say the same.
SERVED = ((3, 13), (3, 14), (3, 15))


class Off:
    """Takes the place of _core: accepts everything, changes nothing."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def status(self) -> str | None:
        """Why psyco is off."""
        return self._reason

    def bind_function(self, func: FunctionType) -> None:
        """Leave *func* plain."""

    def unbind_function(self, func: FunctionType) -> None:
        """Nothing was bound."""

    def is_bound(self, func: FunctionType) -> bool:
        """No function ever is."""
        return False

    def watch_code(self, code: CodeType) -> None:
        """Count nothing."""

    def unwatch_code(self, code: CodeType) -> None:
        """Nothing was watched."""

    def watch_all(self, on: bool) -> None:
        """Count nothing."""

    def jit_globals(self, globals: dict[str, Any], scope: int) -> None:
        """Leave new functions plain."""

    def jit_scope(self, globals: dict[str, Any]) -> int:
        """Nothing was asked for."""
        return 0

    def jit_nothing(self) -> None:
        """New functions are plain anyway."""

    def set_filter(self, hook: Callable[[CodeType], bool] | None) -> None:
        """There is nothing to filter."""

    def set_options(self, options: dict[str, Any]) -> None:
        """There is nothing to set."""

    def options(self) -> dict[str, Any]:
        """No option has a meaning."""
        return {}

    def stats(self) -> Stats:
        """Zeroes."""
        return {
            "code_bytes": 0, "compile_ms": 0.0, "covered_share": 0.0, "entries": 0,
            "osr_entries": 0, "functions": [],
        }

    def report(self, func: FunctionType) -> dict[str, Any] | None:
        """Nothing is known of any function."""
        return None

    def compile_now(self, func: FunctionType, *args: Any) -> None:
        """Leave *func* plain."""

    def run_alone(self, func: Callable[..., Any], *args: Any) -> Any:
        """Call *func*; the frames below it stay visible."""
        return func(*args)

    def run_file(self, path: str | None, globals: dict[str, Any]) -> None:
        """Run a source file, or None: standard input, in these globals."""
        with open(0 if path is None else path, "rb", closefd=path is not None) as file:
            source = file.read()
        exec(compile(source, path or "<stdin>", "exec", dont_inherit=True), globals)

    def exclude(self, func: FunctionType) -> None:
        """*func* is plain anyway."""

    def forget(self, func: FunctionType) -> None:
        """There is no code to drop."""


# What PSYCO_DISABLE may say, in any case.
_YES = ("1", "true", "yes", "on")
_NO = ("", "0", "false", "no", "off")


def _disabled() -> tuple[bool, list[str]]:
    """Whether the user has turned psyco off, and what is to be told of how he said it."""
    said = os.environ.get("PSYCO_DISABLE", "")
    word = said.strip().lower()
    if word in _YES + _NO:
        return word in _YES, []
    return False, [
        f"PSYCO_DISABLE={said} means nothing and is ignored: "
        "1, true, yes and on turn psyco off, 0, false, no and off do not"
    ]


def _misfit() -> str | None:
    """What is wrong with this interpreter, if it is not one that psyco is made for."""
    kind = sys.implementation.name
    name = {"cpython": "CPython", "pypy": "PyPy"}.get(kind, kind)
    found = "{} {}.{}.{}".format(name, *sys.version_info[:3])
    flags = getattr(sys, "abiflags", "")
    if "t" in flags:
        found = f"a free-threaded build of {found}"
    elif "d" in flags:
        found = f"a debug build of {found}"
    elif kind == "cpython" and sys.version_info[:2] in SERVED:
        return None
    *others, last = ("{}.{}".format(*version) for version in SERVED)
    versions = f"{', '.join(others)} or {last}"
    return f"it is made for the ordinary CPython {versions}, and this is {found}"


def load() -> tuple[Any, str | None, list[str]]:
    """The engine, why it is off (None when it works), and what the user should be told."""
    off, told = _disabled()
    if off:
        return Off("PSYCO_DISABLE is set"), "PSYCO_DISABLE is set", []

    def give_up(reason: str, why: str) -> tuple[Any, str | None, list[str]]:
        return Off(reason), why, [*told, f"psyco is off: {why}; programs run plainly"]

    misfit = _misfit()
    if misfit is not None:
        return give_up(misfit, misfit)
    try:
        import psyco._core  # noqa: F401 (in this form an error names the missing module)
    except ImportError as error:
        return give_up(str(error), f"its compiled part cannot be loaded ({error})")
    compiled = sys.modules["psyco._core"]
    # Sources and build part company when somebody updates only one of them.
    lacking = [name for name in vars(Off) if name[0] != "_" and not hasattr(compiled, name)]
    reason = f"its build lacks {', '.join(lacking)}" if lacking else compiled.status()
    if reason is not None:
        return give_up(reason, reason)
    return compiled, None, told


core: Off  # or what offers the same
core, off_reason, warnings = load()
