"""Runs a piece of Python plainly and under psyco, in this process, and compares all one can see of it.

A case is the source of a small module and a list of expressions. The module is executed twice, as two
separate worlds; in one of them every function is bound. The expressions are evaluated in turn, each
several times, so that what is bound gets compiled, and later ones meet code made for earlier types.
Compared are results (type, value, NaN, sign of zero, which parts are the same object), exceptions (type,
text, cause and context, function and line of each traceback entry), what was printed, and whether
the objects named in `track` gain or lose references.
"""

from __future__ import annotations

import contextlib
import gc
import inspect
import io
import math
import re
import sys
import textwrap
import types
import warnings
from dataclasses import dataclass, field

import psyco

FILE = "<case>"
REPEAT = 6
MAX_DEPTH = 12
TRACEBACK_ENDS = 8


# --- What is seen of a value ---------------------------------------------------------------------


def describe(value, seen=None, depth=0):
    """A comparable picture of a value. Containers and instances met twice are marked as the same."""
    seen = {} if seen is None else seen
    kind = type(value)
    if value is None or kind in (bool, int, str, bytes, range, slice):
        return (kind.__name__, repr_int(value) if kind is int else repr(value))
    if kind is float:
        return ("float", "nan" if math.isnan(value) else value.hex())
    if kind is complex:
        return ("complex", describe(value.real), describe(value.imag))
    if isinstance(value, type):
        return ("class", value.__qualname__)
    if id(value) in seen:
        return ("same as", seen[id(value)])
    seen[id(value)] = len(seen)
    if depth > MAX_DEPTH:
        return (kind.__qualname__, "...")

    def inner(x):
        return describe(x, seen, depth + 1)

    if isinstance(value, BaseException):
        return (kind.__qualname__, strip(str(value)), [inner(a) for a in value.args])
    if isinstance(value, (list, tuple)):
        picture = [inner(x) for x in value]
    elif isinstance(value, dict):
        picture = [(inner(k), inner(v)) for k, v in value.items()]
    elif isinstance(value, (set, frozenset)):
        picture = sorted(repr(describe(x)) for x in value)
    elif isinstance(value, types.MethodType):
        return ("method", value.__func__.__qualname__, inner(value.__self__))
    elif isinstance(value, (types.FunctionType, types.BuiltinFunctionType)):
        return ("function", value.__qualname__, value.__name__)
    elif isinstance(value, types.CellType):
        return ("cell",)
    elif isinstance(value, (int, float, str)):
        picture = [strip(kind.__mro__[1].__repr__(value))]
    elif kind.__module__ == "case":
        picture = []
    else:
        return (kind.__qualname__, strip(repr(value)))
    state = getattr(value, "__dict__", None)
    state = [(k, inner(v)) for k, v in state.items()] if isinstance(state, dict) else None
    slots = [
        (name, inner(getattr(value, name)))
        for cls in kind.__mro__
        for name in names_of(cls.__dict__.get("__slots__", ()))
        if name not in ("__dict__", "__weakref__") and hasattr(value, name)
    ]
    return (kind.__qualname__, picture, state, slots)


def names_of(slots):
    return (slots,) if isinstance(slots, str) else tuple(slots)


def repr_int(value):
    return hex(value)


def strip(text):
    """Text without addresses."""
    return re.sub(r"0x[0-9a-f]{4,}", "0x", text)


def picture_of_exception(error, *, traceback=True, depth=0):
    """Type, text, traceback entries in the case's own file, and the same of cause and context."""
    if error is None or depth > 4:
        return None
    lines = []
    entry = error.__traceback__
    while entry is not None:
        code = entry.tb_frame.f_code
        if code.co_filename == FILE:
            lines.append((code.co_qualname, entry.tb_lineno))
        entry = entry.tb_next
    if len(lines) > 2 * TRACEBACK_ENDS:
        lines = [*lines[:TRACEBACK_ENDS], len(lines), *lines[-TRACEBACK_ENDS:]]
    group = [picture_of_exception(e, traceback=traceback, depth=depth + 1) for e in getattr(error, "exceptions", ())]
    return (
        type(error).__qualname__,
        strip(str(error)),
        lines if traceback else None,
        picture_of_exception(error.__cause__, traceback=traceback, depth=depth + 1),
        picture_of_exception(error.__context__, traceback=traceback, depth=depth + 1),
        error.__suppress_context__,
        group,
        list(getattr(error, "__notes__", ())),
    )


# --- The two worlds ------------------------------------------------------------------------------


@dataclass
class World:
    """The case's module, executed."""

    bound: bool
    space: dict = field(default_factory=dict)
    output: io.StringIO = field(default_factory=io.StringIO)
    functions: list = field(default_factory=list)

    def functions_of(self):
        """Everything with Python code that the module's names lead to."""
        found = []
        for value in list(self.space.values()):
            if (isinstance(value, types.FunctionType) and value.__code__.co_filename == FILE) or (isinstance(value, type) and value.__module__ == "case"):
                found.append(value)
        return found

    def load(self, source, prepare):
        module = types.ModuleType("case")
        self.space = module.__dict__
        self.space["psyco_case_module"] = module
        if prepare:
            self.space.update(prepare())
        with contextlib.redirect_stdout(self.output):
            exec(compile(source, FILE, "exec", dont_inherit=True), self.space)
        if self.bound:
            for target in self.functions_of():
                # A class of data has no Python code.
                with warnings.catch_warnings(category=psyco.warning, action="ignore"):
                    psyco.bind(target)
                    self.functions.append(target)

    def close(self):
        for target in self.functions:
            with contextlib.suppress(TypeError):
                psyco.unbind(target)
        sys.modules.pop("case", None)

    def evaluate(self, expression, traceback):
        with contextlib.redirect_stdout(self.output):
            try:
                value = eval(expression, self.space)
            except BaseException as error:
                picture = ("raised", picture_of_exception(error, traceback=traceback))
                # Locals of the frames must not live on into the next evaluation.
                error.__traceback__ = error.__context__ = error.__cause__ = None
                return picture
            return ("returned", describe(value))

    def counts(self, names):
        return [sys.getrefcount(self.space[name]) for name in names]


def source_of(subject):
    """The source of a function (without its decorators), or the text itself."""
    if isinstance(subject, str):
        return textwrap.dedent(subject)
    lines = textwrap.dedent(inspect.getsource(subject)).splitlines()
    while not lines[0].startswith(("def ", "class ", "async def ")):
        lines.pop(0)
    return "\n".join(lines) + "\n"


def check(subject, calls, *, repeat=REPEAT, prepare=None, track=(), traceback=True, state=(), leaks=False):
    """Fail unless the case is the same plainly and under psyco.

    *subject*: source text, or a function. *calls*: expressions, text. *prepare*: called once for each
    world, gives names for it. *track*: names of objects whose reference counts must keep step.
    *state*: names of globals to compare at the end. *leaks*: look for memory that is not given back. Returns the plain outcomes.
    """
    source = source_of(subject)
    calls = [calls] if isinstance(calls, str) else list(calls)
    plain, native = World(bound=False), World(bound=True)
    collecting = gc.isenabled()
    gc.disable()  # both worlds share the collector: its moments must not decide
    try:
        outcomes = []
        for world in (plain, native):
            world.load(source, prepare)
            results = []
            for expression in calls:
                for turn in range(repeat):
                    results.append((expression, turn, world.evaluate(expression, traceback)))
            results.extend((name, "state", describe(world.space.get(name))) for name in state)
            outcomes.append(results)
        for expected, got in zip(*outcomes, strict=True):
            assert expected == got, difference(source, expected, got)
        plain_out, native_out = plain.output.getvalue(), native.output.getvalue()
        assert plain_out == native_out, f"printed differently by\n{source}"
        if leaks:
            compare_blocks(source, plain, native, calls, traceback)
        if track:
            compare_counts(source, plain, native, calls, track, traceback)
        return [outcome for _, _, outcome in outcomes[0]]
    finally:
        plain.close()
        native.close()
        if collecting:
            gc.enable()


def compare_counts(source, plain, native, calls, track, traceback):
    """Both worlds are warm: from now on the counts of each move alike.

    A compilation takes references for good, and stress may call for one at any time; what an
    evaluation loses or keeps shows in every round.
    """
    for _ in range(4):
        changes = []
        for world in (plain, native):
            before = world.counts(track)
            for expression in calls * 3:
                world.evaluate(expression, traceback)
            after = world.counts(track)
            changes.append([b - a for a, b in zip(before, after, strict=True)])
        if changes[0] == changes[1]:
            return
    raise AssertionError(
        f"references of {track} change by {changes[1]} instead of {changes[0]}\n{source}"
    )


LEAK_ROUNDS = 40


def compare_blocks(source, plain, native, calls, traceback):
    """Both worlds are warm: evaluating again and again must not fill the memory more in one than in the other."""
    extra = []
    for _ in range(3):  # tables that grow now and then are no leak
        grown = [blocks_gained(world, calls, traceback) for world in (plain, native)]
        extra.append(grown[1] - grown[0])
        if extra[-1] < LEAK_ROUNDS * 3 // 4:
            return
    raise AssertionError(f"{LEAK_ROUNDS} rounds leave {min(extra)} blocks of memory behind\n{source}")


def blocks_gained(world, calls, traceback):
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(LEAK_ROUNDS):
        for expression in calls:
            world.evaluate(expression, traceback)
    gc.collect()
    return sys.getallocatedblocks() - before


def difference(source, expected, got):
    lines = "\n".join(f"{i:3} {line}" for i, line in enumerate(source.splitlines(), 1))
    return f"\n{lines}\n{expected[0]}, evaluation {expected[1]}\n  plain: {expected[2]}\n  psyco: {got[2]}"


def native_entries():
    """How often compiled code has been entered so far in this process."""
    figures = psyco.stats()
    return figures.get("entries", 0) + figures.get("osr_entries", 0)
