"""Runs generated programs in one process, plainly or with everything bound; one JSON line for each.

    child.py plain|bound|full REPORT PROGRAM...

Each program is executed as a module of its own; main() is called a few times, so that what its first
call made hot runs compiled in the later ones.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import sys
import traceback
import types

CALLS = 3


def figures():
    import psyco

    return psyco.stats()


def flat(before, after):
    """What was added to the numbers of psyco.stats()."""
    result = {}
    for key, value in after.items():
        old = before.get(key, {} if isinstance(value, dict) else 0)
        if isinstance(value, dict):
            result[key] = {k: v - old.get(k, 0) for k, v in value.items() if v != old.get(k, 0)}
        elif isinstance(value, (int, float)):
            result[key] = value - old
    return result


def run(path, bind):
    module = types.ModuleType("case")
    space = module.__dict__
    space["__file__"] = path
    output = io.StringIO()
    ended = True
    gc.enable()  # whatever the last program has done
    with contextlib.redirect_stdout(output):
        try:
            with open(path, encoding="utf-8") as file:
                exec(compile(file.read(), path, "exec"), space)
            if bind is not None:
                for value in list(space.values()):
                    if isinstance(value, types.FunctionType) or (isinstance(value, type) and value.__module__ == "case"):
                        with contextlib.suppress(TypeError):
                            bind(value)
            for _ in range(CALLS):
                space["main"]()
        except Exception as error:
            ended = False
            print("uncaught", type(error).__name__, error)
            for entry in traceback.extract_tb(error.__traceback__):
                if entry.filename == path:
                    print(entry.name, entry.lineno)
    return output.getvalue(), ended


def main(mode, report, *programs):
    bind = None
    if mode == "bound":
        import psyco

        bind = psyco.bind
    elif mode == "full":
        import psyco

        psyco.full()
    gc.freeze()  # collections are of what the programs make
    with open(report, "a", encoding="utf-8") as file:
        for path in programs:
            # The last start without an end names the program that killed the process.
            file.write(json.dumps({"start": path}) + "\n")
            file.flush()
            before = figures() if mode != "plain" else {}
            output, ended = run(path, bind)
            added = flat(before, figures()) if mode != "plain" else {}
            file.write(json.dumps({"end": path, "output": output, "ended": ended, "stats": added}) + "\n")
            file.flush()


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
