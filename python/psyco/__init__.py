"""psyco: a just-in-time specialising compiler for stock CPython.

    import psyco
    psyco.jit()            # this module's functions, as soon as they are hot
    psyco.bind(function)   # this one, at its next call
    psyco.full()           # everything hot in the process

or, without touching the program, `python -m psyco program.py`. Where psyco cannot work it warns
once and everything here does nothing, so programs run plainly.
"""

import sys

# What is above the imports must be readable by any Python, the rest of the package by those from
# here on. They run programs plainly and are told why: see _engine.py.
if sys.version_info < (3, 9):  # noqa: UP036
    raise ImportError(
        "psyco is made for the ordinary CPython 3.13, 3.14 or 3.15, and this is Python %d.%d.%d"  # noqa: UP031
        % sys.version_info[:3]
    )

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

if _engine.warnings:
    import warnings

    for _text in _engine.warnings:
        warnings.warn(_text, warning, stacklevel=2)
