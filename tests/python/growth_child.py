"""Does one thing again and again and prints what a turn took, by twentieth, in microseconds.

    python growth_child.py NAME COUNT
"""

from __future__ import annotations

import gc
import json
import sys
import time

import psyco
from psyco import _core

PARTS = 20


def compiled(source, name="f", space=None):
    """The function of that name, compiled."""
    space = {} if space is None else space
    exec(source, space)
    f = psyco.bind(space[name])
    assert f(1) == f(1)
    return f


def measured(count, turn):
    turns = count // PARTS
    times = []
    for part in range(PARTS):
        start = time.process_time()
        for i in range(part * turns, (part + 1) * turns):
            turn(i)
        times.append((time.process_time() - start) / turns * 1e6)
    return times


def functions_that_live(count):
    kept = []
    return measured(count, lambda i: kept.append(compiled(f"def f(a): return a + {i}")))


def functions_that_die(count):
    return measured(count, lambda i: compiled(f"def f(a): return a + {i}"))


def death_beside_others(count):
    kept = []
    functions_that_live_in(kept, count)
    return measured(count, lambda i: kept.pop().__globals__.clear())


def functions_that_live_in(kept, count):
    for i in range(count):
        kept.append(compiled(f"def f(a): return a + {i}"))


def unbinding(count):
    kept = []
    functions_that_live_in(kept, count)
    return measured(count, lambda i: psyco.unbind(kept.pop()))


def module_of(count):
    space = {}
    return space, lambda i: compiled(f"g{i} = {i}\ndef f{i}(a): return a + g{i}", f"f{i}", space)


def functions_of_one_module(count):
    _, turn = module_of(count)
    return measured(count, turn)


def death_in_one_module(count):
    space, make = module_of(count)
    for i in range(count):
        make(i)
    return measured(count, lambda i: space.pop(f"f{i}"))


def stores_while_globals_become_known(count):
    """A store of one that nobody knows."""
    space, make = module_of(count)

    def turn(i):
        for k in range(20):
            space["unknown"] = k

    times = []
    for part in range(PARTS):
        for i in range(part * count // PARTS, (part + 1) * count // PARTS):
            make(i)
        times += measured(200, turn)[-1:]
    return times


def classes(count):
    kept = []

    def turn(i):
        space = {}
        exec("class C:\n  def __init__(self): self.x = 1\n  def m(self, a): return self.x + a\n", space)
        kept.append(psyco.bind(space["C"]))
        assert space["C"]().m(1) == space["C"]().m(1) == 2

    return measured(count, turn)


def functions_of_one_class(count):
    class C:
        def m(self):
            return 1

    kept, c = [], C()

    def turn(i):
        space = {"c": c}
        kept.append(compiled("def f(a): return c.m() + a", space=space))

    return measured(count, turn)


def beside_more_and_more(count, turn):
    """Before each part functions are made that live."""
    kept, times = [], []
    for _ in range(PARTS):
        functions_that_live_in(kept, count // PARTS)
        times += measured(PARTS * 20, turn)[10:11]
    return times


def broken_beside_others(count):
    def turn(i):
        f = compiled("g = 1\ndef f(a): return a + g")
        f.__globals__["g"] = 2
        assert f(1) == 3

    return beside_more_and_more(count, turn)


def collections_beside_others(count):
    """Of young objects, when something was compiled since the last one."""
    def turn(i):
        compiled("def f(a): return a")
        gc.collect(0)

    return beside_more_and_more(count, turn)


def a_global_assigned(count):
    f = compiled("g = 1\ndef f(a): return a + g")

    def turn(i):
        f.__globals__["g"] = i
        assert f(1) == i + 1

    return measured(count, turn)


def a_class_attribute_assigned(count):
    class C:
        def m(self):
            return 1

    f, c = compiled("def f(c): return c if c == 1 else c.m()"), C()

    def turn(i):
        C.k = i
        assert f(c) == 1

    return measured(count, turn)


def an_objects_class_assigned(count):
    class A:
        def m(self):
            return 0

    class B:
        def m(self):
            return 1

    f, c = compiled("def f(c): return c if c == 1 else c.m()"), A()

    def turn(i):
        c.__class__ = B if i % 2 else A
        assert f(c) == i % 2

    return measured(count, turn)


def statistics(count):
    """Beside so many functions, for each of them."""
    kept, times = [], []
    for _ in range(PARTS):
        functions_that_live_in(kept, count // PARTS)
        start = time.process_time()
        for _ in range(5):
            psyco.stats()
        times.append((time.process_time() - start) / len(kept) * 1e6)
    return times


def main():
    _core.set_options({"governor": False})
    print(json.dumps(globals()[sys.argv[1]](int(sys.argv[2]))))


if __name__ == "__main__":
    main()
