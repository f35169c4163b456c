"""The functions that programs call: what is compiled, and what psyco knows of it.

State lives in three places only: which functions are bound and which code is watched in the
compiled part (`core`), and here who asked for the watching, so that the last one to lose interest
ends it.
"""

from __future__ import annotations

import sys
from _weakref import ref
from types import CodeType, FunctionType, MethodType

from psyco._engine import core
from psyco.errors import CannotCompile
from psyco.errors import error as _error
from psyco.errors import warning as _warning
from psyco.targets import (
    BOTH,
    METHODS,
    callees,
    copy_code,
    describe,
    in_scope,
    namespace_functions,
    nested_code,
    single_function,
    target_functions,
)

# The type checker's word for "only for me"; importing it from typing would cost 6 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from os import PathLike
    from types import FrameType, TracebackType
    from typing import IO, Any, Self, TypeVar, overload

    from psyco.report import Explanation, Stats

    # Whatever holds Python code: functions, methods, static and class methods, classes, modules.
    _Target = TypeVar("_Target")
    _Filter = Callable[[CodeType], object]

DEFAULT_RECURSION = 10


class _Nothing:
    """Stands for an argument that was not given: None is one, and a mistake."""

    def __repr__(self) -> str:
        return "<nothing>"


_NOTHING = _Nothing()


class _Registry:
    """Who asked for what. Owners are ("jit", id of globals) and ("bind", id of function).

    Functions and code objects are known by their id, since code objects are equal when they look
    alike, and not kept alive: the reference that stands for one forgets it when it dies.
    """

    def __init__(self) -> None:
        self.watched: dict[int, tuple[ref[CodeType], set[tuple[str, int]]]] = {}
        self.codes: dict[tuple[str, int], set[int]] = {}  # by owner: what is watched for it
        self.bound: dict[int, ref[FunctionType]] = {}
        # By the copy: itself, the original and, should that die before, its code.
        self.proxies: dict[int, tuple[ref[FunctionType], ref[FunctionType], CodeType]] = {}
        self.refused: dict[int, ref[CodeType]] = {}
        self.filter: _Filter | None = None
        self.everything = False
        self.compiling = True
        self.log: IO[str] | None = None

    def watch(self, code: CodeType, owner: tuple[str, int]) -> None:
        identity = id(code)
        # In this order unwatch() undoes whatever memory sufficed for.
        self.codes.setdefault(owner, set()).add(identity)
        entry = self.watched.get(identity)
        if entry is None:
            entry = (ref(code, lambda _: self.forget_code(identity)), set())
            self.watched[identity] = entry
        if not entry[1]:
            core.watch_code(code)
        entry[1].add(owner)

    def forget_code(self, identity: int) -> None:
        """The code died."""
        entry = self.watched.pop(identity, None)
        for owner in entry[1] if entry else ():
            codes = self.codes[owner]
            codes.discard(identity)
            if not codes:
                del self.codes[owner]

    def unwatch(self, owner: tuple[str, int]) -> None:
        """Withdraw an owner's interest."""
        for identity in list(self.codes.get(owner, ())):
            entry = self.watched.get(identity)
            code = entry[0]() if entry else None
            if entry is None or code is None:
                continue
            if entry[1] <= {owner}:
                core.unwatch_code(code)
                del self.watched[identity]
            else:
                entry[1].discard(owner)
        self.codes.pop(owner, None)

    def unwatch_all(self, kind: str) -> None:
        """Withdraw the interest of all owners of a kind."""
        for owner in [owner for owner in self.codes if owner[0] == kind]:
            self.unwatch(owner)

    def forget_bound(self, identity: int) -> None:
        self.unwatch(("bind", identity))
        self.bound.pop(identity, None)

    def refuse(self, code: CodeType) -> None:
        identity = id(code)
        forget = self.refused.pop
        self.refused[identity] = ref(code, lambda _: forget(identity, None))

    def note(self, text: str) -> None:
        """Write a line to the log, if there is one."""
        if self.log is not None:
            self.log.write(text + "\n")
            self.log.flush()


_state = _Registry()


def _check_rec(rec: object) -> int:
    if isinstance(rec, bool) or not isinstance(rec, int):
        raise TypeError(f"rec must be an int, not {type(rec).__name__}")
    if rec < 0:
        raise ValueError(f"rec must not be negative, but is {rec}")
    return rec


def _location(func: FunctionType) -> str:
    code = func.__code__
    return f"{code.co_filename}:{code.co_firstlineno}: {func.__qualname__}"


def _warn(text: str) -> None:
    import os
    import warnings

    if sys.version_info < (3, 12):  # noqa: UP036 (psyco is off there, but programs run)
        warnings.warn(text, _warning, stacklevel=3)
        return
    # Whoever called us, through however many of our own functions.
    warnings.warn(text, _warning, skip_file_prefixes=(os.path.dirname(__file__),))


# --- One function, class or module ---------------------------------------------------------------


def _bind_one(func: FunctionType, rec: int, plain: FunctionType | None = None) -> None:
    """Bind *func* and watch what it calls, except *plain*."""
    identity = id(func)
    if identity not in _state.bound:
        _state.bound[identity] = ref(func, lambda _: _state.forget_bound(identity))
        _state.note(f"bind {_location(func)}")
    core.bind_function(func)
    owner = ("bind", identity)
    # What is written inside the function runs when it runs.
    for code in nested_code(func.__code__):
        _state.watch(code, owner)
    for callee in callees(func, rec):
        if callee is not plain and id(callee.__code__) not in _state.refused:
            _state.watch(callee.__code__, owner)


if TYPE_CHECKING:

    @overload
    def bind(*, rec: int = ...) -> Callable[[_Target], _Target]: ...
    @overload
    def bind(target: _Target, rec: int = ...) -> _Target: ...


def bind(target: Any = _NOTHING, rec: int = DEFAULT_RECURSION) -> Any:
    """Compile *target* at its next call, in place, and return it.

    Functions it calls by name are compiled too when they prove hot, down to *rec* levels. A class
    stands for the methods it defines itself (static and class methods and properties included),
    not for those it inherits; a module for the functions and methods defined in it. Results and
    exceptions stay those of plain Python.

    Works as a decorator, with and without arguments. A class or module without any function of its
    own gives a psyco.warning.

    Raises:
        TypeError: there is no Python code in *target*.
        CannotCompile: cannotcompile() was called for it.

    >>> @bind
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42

    """
    rec = _check_rec(rec)
    if target is _NOTHING:
        return lambda inner: bind(inner, rec)
    functions = target_functions(target, "bind")
    if not functions:
        _warn(f"bind() has no effect: {describe(target)} defines no Python functions of its own")
    if isinstance(target, FunctionType) and id(target.__code__) in _state.refused:
        raise CannotCompile(f"{_location(target)}: cannotcompile() was called for it")
    for func in functions:
        if id(func.__code__) not in _state.refused:
            _bind_one(func, rec)
    return target


def unbind(target: _Target) -> _Target:
    """Undo bind(): *target* is plain again from its next call on. Returns *target*.

    What was never bound is left as it is. What jit(), full() or another bound function covers, too,
    is subject to that as any other function: counted, and compiled when it is hot. Functions made
    by the same `def` share their code: it is compiled as long as one of them is bound.

    >>> @bind
    ... def double(x):
    ...     return 2 * x
    >>> unbind(double)(21)
    42
    """
    for func in target_functions(target, "unbind"):
        if id(func) not in _state.bound:
            continue
        _state.note(f"unbind {_location(func)}")
        core.unbind_function(func)
        _state.forget_bound(id(func))
    return target


def _copy_of(func: FunctionType, code: CodeType) -> FunctionType:
    """A function that is like *func* in everything, with this code."""
    copy = FunctionType(
        code, func.__globals__, func.__name__, func.__defaults__, func.__closure__
    )
    copy.__kwdefaults__ = dict(func.__kwdefaults__) if func.__kwdefaults__ else None
    if getattr(func, "__annotate__", None):  # from 3.14 on; they may not be computable yet
        copy.__annotate__ = func.__annotate__  # type: ignore[attr-defined, unused-ignore]
    else:
        copy.__annotations__ = dict(func.__annotations__)
    copy.__qualname__ = func.__qualname__
    copy.__module__ = func.__module__
    copy.__doc__ = func.__doc__
    if sys.version_info >= (3, 12):  # noqa: UP036 (psyco is off elsewhere, but programs run)
        copy.__type_params__ = func.__type_params__
    copy.__dict__.update(func.__dict__)
    return copy


def proxy(target: _Target, rec: int = DEFAULT_RECURSION) -> _Target:
    """Return a compiled copy of a function or bound method; the original stays plain.

    The copy is a function of its own with the same name, signature, defaults, closure and
    attributes. It pickles as functions do, by name: assign it to the name it carries.

    >>> def double(x):
    ...     return 2 * x
    >>> fast = proxy(double)
    >>> fast(21), fast is double, fast.__name__
    (42, False, 'double')
    """
    rec = _check_rec(rec)
    func = single_function(target, "proxy")
    if id(func.__code__) in _state.refused:
        raise CannotCompile(f"{_location(func)}: cannotcompile() was called for it")
    # A code object of its own: counters and specialisation belong to the code, and the original
    # must notice nothing.
    copy = _copy_of(func, copy_code(func.__code__))
    identity = id(copy)
    forget = _state.proxies.pop
    _state.proxies[identity] = (
        ref(copy, lambda _: forget(identity, None)), ref(func), func.__code__,
    )
    _bind_one(copy, rec, plain=func)
    return _in_place_of(target, copy)


def _in_place_of(target: _Target, other: FunctionType) -> _Target:
    """What *target* is around its function, around *other*."""
    made: object = other
    if isinstance(target, MethodType):
        made = MethodType(other, target.__self__)
    elif isinstance(target, (staticmethod, classmethod)):
        made = type(target)(other)
    return made  # type: ignore[return-value]


def unproxy(target: _Target) -> _Target:
    """Return the original function or method behind a proxy.

    Raises:
        psyco.error: *target* was not made by proxy().

    >>> def double(x):
    ...     return 2 * x
    >>> unproxy(proxy(double)) is double
    True

    """
    func = single_function(target, "unproxy")
    entry = _state.proxies.get(id(func))
    if entry is None or entry[0]() is not func:
        raise _error(f"{describe(target)} is not a proxy; unproxy() takes what proxy() returned")
    original = entry[1]()
    if original is None:  # it died, so nobody can tell that this is another one
        original = _copy_of(func, entry[2])
        _state.proxies[id(func)] = (entry[0], ref(original), entry[2])
    return _in_place_of(target, original)


def cannotcompile(target: Any) -> None:
    """Never compile *target*, nor inline it; code it already has is dropped.

    >>> def plain(x):
    ...     return x
    >>> cannotcompile(plain)
    """
    for func in target_functions(target, "cannotcompile"):
        _state.refuse(func.__code__)
        _state.forget_bound(id(func))
        core.unbind_function(func)
        core.exclude(func)


def setfilter(func: _Filter | None) -> _Filter | None:
    """Ask *func* before a code object is compiled; what it refuses stays plain.

    *func* gets the code object and returns true to allow it. Functions named by bind() are not
    asked about, their callees are. None allows everything. Returns the filter set before.

    >>> setfilter(lambda code: code.co_filename.endswith("spam.py"))
    >>> setfilter(None)  # doctest: +ELLIPSIS
    <function <lambda> at ...>
    """
    if func is not None and not callable(func):
        raise TypeError(f"setfilter() takes a callable or None, not {describe(func)}")
    before, _state.filter = _state.filter, func
    _install_filter()
    return before


def _install_filter() -> None:
    """Tell the compiled part whom to ask; nobody as long as nobody objects."""
    core.set_filter(_allows if _state.filter is not None else None)


def _allows(code: CodeType) -> bool:
    return _state.filter is None or bool(_state.filter(code))


# --- Modules and processes -----------------------------------------------------------------------


def _caller(depth: int) -> FrameType:
    return sys._getframe(depth + 1)


def jit() -> None:
    """Compile what proves hot in the calling module.

    Acts on the functions and methods defined in that module, before or after this call, and on
    its own top-level loops. Other modules are not touched.

    >>> jit()
    """
    _set_compiling(True)
    frame = _caller(1)
    if frame.f_code.co_flags & 0x2 == 0:  # no CO_NEWLOCALS: the module's own code is running
        _state.watch(frame.f_code, ("jit", id(frame.f_globals)))
    _jit_namespace(frame.f_globals, BOTH)


def _jit_namespace(namespace: dict[str, Any], scope: int) -> None:
    before = core.jit_scope(namespace)
    scope |= before
    owner = ("jit", id(namespace))
    for func in namespace_functions(namespace, scope):
        code = func.__code__
        _state.watch(code, owner)
        for inner in nested_code(code):
            if in_scope(inner.co_qualname, scope):
                _state.watch(inner, owner)
    core.jit_globals(namespace, scope)
    if scope != before:
        _state.note(f"jit {namespace.get('__name__')}")


def _jit_methods(namespace: dict[str, Any]) -> None:
    """What `from psyco.classes import *` does to the importing module."""
    _jit_namespace(namespace, METHODS)


def full() -> None:
    """Compile what proves hot anywhere in the process, the standard library included.

    >>> full()
    >>> stop()
    """
    _state.everything = True
    _set_compiling(True)
    core.watch_all(True)
    _state.note("full")


def profile() -> None:
    """Compile what a profile shows to be hot: the same as full().

    Both names exist because old programs use both. Here full() too is guided by counts, since
    compiling what runs once never pays.

    >>> profile()
    >>> stop()
    """
    full()


def background() -> None:
    """Compile what a profile shows to be hot, unobtrusively: the same as full().

    >>> background()
    >>> stop()
    """
    full()


class _RunOnly:
    """Ends runonly() at the end of a with block."""

    def __init__(self, before: bool) -> None:
        self._before = before

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _set_compiling(self._before)

    def __repr__(self) -> str:
        return "<psyco runs what is compiled and compiles nothing more>"


def runonly() -> _RunOnly:
    """Go on running what is compiled, but compile nothing more.

    Useful after a warm-up phase, where the time of compiling would disturb. jit(), full() or
    profile() end it; so does the end of the block when it is used in a with statement.

    >>> with runonly():
    ...     sum(range(10))
    45
    """
    mode = _RunOnly(_state.compiling)
    _set_compiling(False)
    return mode


def _set_compiling(on: bool) -> None:
    if on != _state.compiling:
        _state.compiling = on
        core.set_options({"compile": on})
        _state.note("compiling on" if on else "compiling off")


def stop() -> None:
    """End all automatic compilation: jit(), psyco.classes, full(), profile().

    What was compiled on their behalf runs plainly again, from its next call on; bind() and proxy()
    remain in effect. runonly() is for who wants to keep what is compiled.

    >>> stop()
    """
    _state.everything = False
    core.watch_all(False)
    core.jit_nothing()
    _state.unwatch_all("jit")
    _state.note("stop")


# --- Looking inside ------------------------------------------------------------------------------


def stats() -> Stats:
    """Figures of the compiler so far.

    The keys are those of psyco.report.Stats, among them `code_bytes` (machine code now),
    `compile_ms` (processor time spent compiling, ms), `covered_share` (the part, 0 to 1, of the
    time since the import of psyco in which some call or loop that runs compiled was under way, with
    all that it called, interpreted, C or waiting: how much of the program psyco has taken over, not
    how much of its time is spent in machine code), and `functions`, a list of dictionaries, one per
    function that was compiled or refused and still exists: `name`, `file`, `line`, `entries` (calls
    and loops entered from interpreted code or C), `events` (of monitoring, by which psyco counts,
    measures and enters loops), `exits` (times its code left for the interpreter), `code_bytes`, and
    `refused` (why its calls are not compiled, or None). While psyco is off only the most important
    are there.

    >>> stats()['code_bytes'] >= 0
    True
    """
    return core.stats()


def explain(target: Any, *, asm: bool = False) -> Explanation:
    """What became of a function: the level of each value, the guards, the exits and their reasons.

    Where its calls or a loop are not compiled it says why: who refused, what was measured, how hot
    they are by now.

    print() the result to read it; it also has `.compiled`, `.exits` and `.report`. With *asm* the
    text ends with the machine code, if PSYCO_DEBUG=listings was set when psyco was imported.

    >>> def untouched():
    ...     pass
    >>> explain(untouched).compiled
    False
    """
    from psyco.report import Explanation

    func = single_function(target, "explain")
    return Explanation(func, core.report(func), asm=asm)


def log(logfile: str | PathLike[str] = "", mode: str = "w", top: int = 10) -> None:
    """Write to a file what psyco is told, and at the end of the process what came of it.

    Without a name the file is the main program's with `.log-psyco` appended. *mode* "a" appends.
    *top* is how many functions the closing table lists.

    >>> import os, tempfile
    >>> log(os.path.join(tempfile.mkdtemp(), "program.log"), top=5)
    """
    if mode not in ("w", "a"):
        raise ValueError(f'mode must be "w" or "a", not {mode!r}')
    if isinstance(top, bool) or not isinstance(top, int):
        raise TypeError(f"top must be an int, not {type(top).__name__}")
    if top < 0:
        raise ValueError(f"top must not be negative, but is {top}")
    import atexit
    import os
    import time

    path = os.fspath(logfile) if hasattr(logfile, "__fspath__") else logfile
    if not isinstance(path, str):
        raise TypeError(f"logfile must be a str or a path, not {type(logfile).__name__}")

    from psyco.report import format_stats

    if not path:
        main = getattr(sys.modules.get("__main__"), "__file__", None) or "psyco"
        path = main.removesuffix(".py") + ".log-psyco"
    # Open until the process ends, on purpose; the log before goes on when this one cannot be.
    opened = open(path, mode, encoding="utf-8")  # noqa: SIM115
    if _state.log is not None:
        _state.log.close()
    _state.log = opened
    reason = core.status()
    _state.note(f"psyco log of {time.strftime('%Y-%m-%d %H:%M:%S')}: {' '.join(sys.argv)}")
    _state.note("psyco is on" if reason is None else f"psyco is off: {reason}")

    def finish() -> None:
        if _state.log is opened:
            _state.note(format_stats(core.stats(), top))
            _state.log = None
        opened.close()

    atexit.register(finish)
