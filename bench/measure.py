"""Runs one benchmark program in this process and prints its times as one line of JSON.

    python bench/measure.py PROGRAM CALLS                plain
    python -m psyco bench/measure.py PROGRAM CALLS       under psyco

Times are processor time: on a machine that others use too, what counts is what the program cost.
The whole process is timed by the parent, which sees start-up and compilation as well.
"""

import importlib.util
import json
import sys
import time


def main() -> None:
    path, calls = sys.argv[1], int(sys.argv[2])
    sys.path.insert(0, path.rpartition("/")[0])
    spec = importlib.util.spec_from_file_location("program", path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    times = []
    right = True
    for _ in range(calls):
        start = time.process_time()
        result = program.run(program.SIZE)
        times.append(time.process_time() - start)
        right = right and result == program.EXPECTED
    print(json.dumps({"times": times, "right": right, "result": repr(result)}))


main()
