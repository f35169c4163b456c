"""psyco: a just-in-time specialising compiler for stock CPython.

    import psyco
    psyco.jit()            # this module's functions, as soon as they are hot
    psyco.bind(function)   # this one, at its next call
    psyco.full()           # everything hot in the process

or, without touching the program, `python -m psyco program.py`. Where psyco cannot work it warns
once and everything here does nothing, so programs run plainly.
"""

from __future__ import annotations

from psyco import _engine
from psyco.api import (
    background,
    bind,
    cannotcompile,
    explain,
    full,
    jit,
    log,
    profile,
    proxy,
    runonly,
    setfilter,
    stats,
    stop,
    unbind,
    unproxy,
)
from psyco.errors import CannotCompile, error, warning

__version__ = "0.1.0"

__all__ = [
    "CannotCompile",
    "background",
    "bind",
    "cannotcompile",
    "error",
    "explain",
    "full",
    "jit",
    "log",
    "profile",
    "proxy",
    "runonly",
    "setfilter",
    "stats",
    "stop",
    "unbind",
    "unproxy",
    "warning",
]

if _engine.announce:
    import warnings

    warnings.warn(
        f"psyco is off: {_engine.off_reason}; programs run plainly", warning, stacklevel=2
    )
