"""Runs one benchmark program under psyco and prints what compiling it cost, as one line of JSON.

    python -m psyco bench/compile_times.py PROGRAM
"""

import importlib.util
import json
import sys

from psyco import _core


def main() -> None:
    path = sys.argv[1]
    sys.path.insert(0, path.rpartition("/")[0])
    spec = importlib.util.spec_from_file_location("program", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    for _ in range(3):
        program.run(program.SIZE)
    stats = _core.stats()
    print(json.dumps({
        "times": _core._test_compile_times(),
        "compiled": stats["compiled"] - stats["recompiled"],
        "refused": stats["refused_by"],
    }))


main()
