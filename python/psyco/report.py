"""Turns what the compiled part knows into text for people.

A report is data from another layer that grows with it: every key may be missing, and what is
there is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import FunctionType
from typing import Any, Optional, TypedDict

from psyco._engine import off_reason


# The types of stats() are evaluated when they are looked at, so they are spelt for older Pythons.
class FunctionStats(TypedDict):
    """What stats() tells of one function that was compiled or refused and still exists."""

    name: str
    file: str
    line: int
    entries: int  # calls and loops entered from interpreted code or C
    events: int  # of monitoring, by which psyco counts, measures and enters loops
    exits: int  # times its code left for the interpreter
    code_bytes: int
    refused: Optional[str]  # noqa: UP045 (why its calls are not compiled)


class _AlwaysThere(TypedDict):
    code_bytes: int  # machine code now
    compile_ms: float  # processor time spent compiling
    covered_share: float  # see psyco.stats
    entries: int
    osr_entries: int
    functions: list[FunctionStats]


class Stats(_AlwaysThere, total=False):
    """What stats() returns. The keys of this class are there unless psyco is off."""

    compiled: int
    recompiled: int
    refused: int
    evicted: int
    compile_ms_worst: float
    compile_ms_p99: float
    events: int  # of sys.monitoring, that psyco counted with
    exits: dict[str, int]  # by reason
    refused_by: dict[str, int]  # by reason
    ops: dict[str, int]  # values of compiled graphs, by operation
    helpers: dict[str, int]
    native_calls: int  # of compiled code by interpreted code and C
    general_calls: int  # of these, the ones that the stub in machine code left to the run time
    interpreted_calls: int
    unmeasured_calls: int
    odd_arguments: int
    no_room: int
    loop_entries: int
    dependencies: int
    activations: int  # of compiled code, running now
    balance: dict[str, float]  # processor time that compiling has cost and compiled code has won


class Explanation:
    """What explain() returns; print it."""

    def __init__(
        self, func: FunctionType, report: dict[str, Any] | None, *, asm: bool = False
    ) -> None:
        self._func = func
        self._asm = asm
        self.report: dict[str, Any] = report or {}

    @property
    def compiled(self) -> bool:
        """Whether there is machine code for the function."""
        return bool(self.report.get("versions"))

    @property
    def exits(self) -> list[dict[str, Any]]:
        """The places where compiled code gave up, with reasons and counts."""
        return list(self.report.get("exits") or ())

    def __str__(self) -> str:
        return format_report(self._func, self.report, asm=self._asm)

    def __repr__(self) -> str:
        state = "compiled" if self.compiled else "not compiled"
        return f"<psyco explanation of {self._func.__qualname__}: {state}>"


NO_LISTING = "no listing of the machine code: set PSYCO_DEBUG=listings before psyco is imported"
# Parts of a version that have their own place in the text, or are too long for it.
_APART = ("exits", "inlined", "ir", "lir", "asm")


def _describe(item: object) -> str:
    if isinstance(item, dict):
        return ", ".join(f"{key} {_describe(value)}" for key, value in item.items())
    if isinstance(item, (list, tuple)):
        return "; ".join(map(_describe, item))
    if isinstance(item, float):
        return f"{item:,.2f}"
    if isinstance(item, int) and not isinstance(item, bool):
        return f"{item:,}"
    return str(item)


def _source(func: FunctionType) -> dict[int, str]:
    """The function's source lines by number, empty when there is no file."""
    import dis
    import linecache

    code = func.__code__
    numbers = [line for _, line in dis.findlinestarts(code) if line]
    if not numbers:
        return {}
    lines = linecache.getlines(code.co_filename, func.__globals__)
    first, last = code.co_firstlineno, max(numbers)
    return {n: lines[n - 1].rstrip() for n in range(first, last + 1) if n <= len(lines)}


def _add(lines: dict[int, list[str]], line: int | None, text: str) -> None:
    """Add a remark to a line, once: several versions say the same."""
    remarks = lines.setdefault(line or 0, [])
    if text not in remarks:
        remarks.append(text)


def _not_compiled(report: dict[str, Any], has_code: bool) -> list[str]:
    """Lines that say what has no machine code, and why."""
    if off_reason is not None:
        return [f"  not compiled: psyco is off: {off_reason}"]
    lines = []
    for entry in report.get("why_not") or ():
        what = f"loop at line {entry.get('line', '?')} "
        if entry.get("entry") != "loop":
            what = "calls " if has_code else ""
        lines.append(f"  {what}not compiled: {entry.get('why', 'unknown')}")
    if not lines and not has_code:
        reason = report.get("refused")
        lines.append("  not compiled" + (f": {reason}" if reason else ""))
    return lines


def format_report(func: FunctionType, report: dict[str, Any], *, asm: bool = False) -> str:
    """The text of explain()."""
    code = func.__code__
    name = report.get("name") or func.__qualname__
    file = report.get("file") or code.co_filename
    out = [f"{name} ({file}:{report.get('line') or code.co_firstlineno})"]
    versions = report.get("versions") or []
    out += _not_compiled(report, bool(versions))
    for number, version in enumerate(versions, 1):
        if isinstance(version, dict):
            version = {key: value for key, value in version.items() if key not in _APART}
        out.append(f"  version {number}: {_describe(version)}")

    notes: dict[int, list[str]] = {}
    sources = _source(func)
    for entry in report.get("lines") or ():
        line = entry.get("line") or 0
        notes.setdefault(line, []).extend(map(_describe, entry.get("notes") or ()))
        if entry.get("source") and line not in sources:
            sources[line] = entry["source"].rstrip()
    for entry in report.get("notes") or ():
        _add(notes, entry.get("line"), str(entry.get("note", "")))
    for version in versions:
        for entry in version.get("inlined") or () if isinstance(version, dict) else ():
            why = entry.get("why_not")
            callee = entry.get("name", "?")
            text = f"{callee} not inlined: {why}" if why else f"inlined {callee}"
            if entry.get("function") not in (None, name):  # the line is in an inlined function
                _add(notes, 0, f"line {entry.get('line', '?')}: {text} (in {entry['function']})")
            else:
                _add(notes, entry.get("line"), text)
    exits: dict[int, list[str]] = {}
    for entry in report.get("exits") or ():
        text = f"exit, {_describe(entry.get('count', 0))} times: {entry.get('reason', 'unknown')}"
        if entry.get("function") not in (None, name):
            text += f" (in {entry['function']})"  # inlined: the line is in another function
            _add(exits, 0, f"line {entry.get('line', '?')}: {text}")
        else:
            _add(exits, entry.get("line"), text)

    if notes or exits:
        out.append("")
        for line in sorted({*sources, *notes, *exits}):
            if line:
                out.append(f"{line:>5}  {sources.get(line, '')}".rstrip())
            for text in notes.get(line, []) + exits.get(line, []):
                out.extend(f"         | {part}" for part in text.splitlines())
    if asm:
        listings = [v["asm"] for v in versions if isinstance(v, dict) and v.get("asm")]
        if report.get("asm"):
            listings.append(report["asm"])
        for listing in listings or [NO_LISTING]:
            out += ["", *str(listing).rstrip().splitlines()]
    return "\n".join(out)


def format_stats(stats: Mapping[str, Any], top: int) -> str:
    """The closing table of log() and --stats: totals, then the functions entered most."""
    functions = sorted(
        stats.get("functions") or (), key=lambda f: f.get("entries", 0), reverse=True
    )
    totals = [
        f"{key} {_describe(value)}" for key, value in stats.items()
        if key != "functions" and value not in ({}, [])
    ]
    out = ["psyco: " + "; ".join(totals)]
    if functions and top > 0:
        out.append(f"{'entries':>12} {'exits':>10} {'bytes':>8}  function")
    for entry in functions[: max(0, top)]:
        out.append(
            f"{entry.get('entries', 0):>12,} {entry.get('exits', 0):>10,} "
            f"{entry.get('code_bytes', 0):>8,}  {entry.get('name', '?')} "
            f"({entry.get('file', '?')}:{entry.get('line', '?')})"
        )
    return "\n".join(out)
