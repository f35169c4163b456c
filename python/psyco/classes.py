"""`from psyco.classes import *` compiles the methods of the importing module's classes.

Classes defined before and after that line count alike, as soon as their methods prove hot. The
line works in every module that has it: `__all__` is computed anew for each importer, since a
module attribute would be read once and tell nothing about who asks.
"""

from __future__ import annotations

import sys

# The type checker's word for "only for me"; importing it from typing would cost 6 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    __all__: list[str] = []


def __getattr__(name: str) -> list[str]:
    if name != "__all__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    frame = sys._getframe(1)
    # The star is legal at a module's top level only; anybody else who reads __all__ (a
    # documentation tool, a completer) just looks.
    if frame.f_code.co_name == "<module>" and frame.f_locals is frame.f_globals:
        from psyco.api import _jit_methods

        _jit_methods(frame.f_globals)
    return []
