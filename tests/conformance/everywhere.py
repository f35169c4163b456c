"""Turns psyco on in every Python process of one virtual environment, children included.

./dev puts this module into the environment's site-packages, with a line in a .pth file that calls
start(). So it needs neither an argument nor an environment variable, and works under -I, -E and
with an environment that a test has emptied. Processes started with -S, and other interpreters than
the main one, stay plain.
"""

import os
import sys


def start(*, on: bool, eager: bool, debug: str, gc_threshold: int | None) -> None:
    """Compile everything from here on, as `python -m psyco` does."""
    import _interpreters

    if gc_threshold is not None:
        import gc

        gc.set_threshold(gc_threshold)
    if not on or _interpreters.get_current()[0] != _interpreters.get_main()[0]:
        return
    # The engine reads it once, at import; the program's own environment stays as it was.
    before = os.environ.get("PSYCO_DEBUG")
    os.environ["PSYCO_DEBUG"] = debug
    import psyco
    from psyco._engine import core

    if before is None:
        del os.environ["PSYCO_DEBUG"]
    else:
        os.environ["PSYCO_DEBUG"] = before
    if core.status() is not None:
        sys.exit(f"psyco is off: {core.status()}")
    if eager:
        core.set_options({"eager": True})
    psyco.full()
