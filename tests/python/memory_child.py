"""Compiles one large function and prints what that took, as JSON. See test_memory.py.

    python memory_child.py SHAPE N
"""

from __future__ import annotations

import json
import resource
import sys
import warnings

import psyco
from psyco import _core

sys.setrecursionlimit(20000)


def names(n, prefix="x"):
    return [f"{prefix}{i}" for i in range(n)]


def lines(*parts):
    return "def f(k=3):\n" + "".join(f"  {line}\n" for part in parts for line in part)


def unpacked(n):
    all_names = ", ".join(names(n))
    return lines([f"x{i} = {i}" for i in range(n)], [f"[({all_names}) for {all_names} in (range({n}),)]", "return x0"])


def many_locals(n):
    return lines([f"x{i} = k * {i}" for i in range(n)], ["return " + " + ".join(names(n)[:200])])


def many_objects(n):
    return lines([f"x{i} = [k]" for i in range(n)], ["return " + " + ".join(f"len({x})" for x in names(n)[:200])])


def few_locals(n):
    return lines(["a = b = c = 1"], [f"a = b * {i} + c; b = a % 1000 + k; c = c ^ b" for i in range(n)], ["return a, b, c"])


def diamonds(n):
    return lines(["r = 0"], [f"r = r + {j} if r % 3 == {j % 3} else r - k" for j in range(n)], ["return r"])


def diamonds_of_locals(n):
    return lines(
        ["r = 0"], [f"x{i} = k + {i}" for i in range(n)],
        [line for j in range(n) for line in (f"if r % 3 == {j % 3}: x{j} = r + 1", f"r = r + x{j}")], ["return r"],
    )


def returns(n):
    return lines(["r = 0"], [line for j in range(n) for line in (f"if k == {j + 4}: return [{j}]", "r += k")], ["return r"])


def calls(n):
    return "def g(x): return x + 1\n" + lines(["a = 0"], [f"a = g(a) + len([a, {i}])" for i in range(n)], ["return a"])


def loops_in_turn(n):
    return lines(["r = 0"], [f"for i{j} in range(3): r += i{j} * k" for j in range(n)], ["return r"])


def nested_loops(n):
    loops = ["  " * i + f"for i{i} in range({2 if i < 3 else 1}):" for i in range(n)]
    return lines(["r = 0"], loops, ["  " * n + "r += k", "return r"])


def nested_with_and_try(n):
    head, tail = [], []
    for i in range(n):
        head += ["    " * i + "with nullcontext():", "    " * i + "  try:"]
        tail += ["    " * i + f"  except KeyError: r += {i}"]
    return "from contextlib import nullcontext\n" + lines(["r = 0"], head, ["    " * n + "r += k"], tail[::-1], ["return r"])


def nested_comprehensions(n):
    inner = "k"
    for i in range(n):
        inner = f"[{inner} for i{i} in range(1)]"
    return lines([f"return {inner}"])


def deep_expression(n):
    return lines(["a = 1.5", "return a + k" + " * 1.0 + k" * n])


def deep_stack(n):
    return lines(["a = 1.5", "return g(" + ", ".join(f"a * {i} + k" for i in range(n)) + ")"]) + "def g(*a): return len(a)\n"


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    shape, n = sys.argv[1], int(sys.argv[2])
    space = {"__name__": "case"}
    exec(globals()[shape](n), space)
    f = space["f"]
    plain = f()
    _core.set_options({"governor": False})
    warnings.simplefilter("ignore")
    for value in list(space.values()):
        if getattr(value, "__module__", None) == "case":
            psyco.bind(value)
    before = peak()
    for _ in range(4):
        assert repr(f()) == repr(plain)
    after, stats = peak(), psyco.stats()
    explained = str(psyco.explain(f))
    told = peak()
    print(json.dumps({
        "megabytes": after - before,
        "milliseconds": stats["compile_ms"],
        "compiled": stats["compiled"] > 0 and "not compiled" not in explained.splitlines()[0],
        "why": explained[:400],
        "megabytes_to_explain": told - after, "explained": len(explained),
    }))


if __name__ == "__main__":
    main()
