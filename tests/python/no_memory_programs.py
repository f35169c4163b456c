"""The small programs of test_no_memory.py: by name, the source of a module with `run(things)`.

`things` is a list of four objects of class Thing, which the programs may keep and let go as they
like, but for the list. Each allocates a few dozen times a call, in one way of its own. No class
statement and no locals(): there the interpreter itself crashes when memory is out (3.13.0).
"""

from __future__ import annotations

import textwrap

PRELUDE = """
class Thing:
    def __init__(self, x):
        self.x = x
        self.y = None

    def double(self):
        return self.x * 2

    @property
    def half(self):
        return self.x / 2

    def __add__(self, other):
        return Thing(self.x + other.x)

    def __lt__(self, other):
        return self.x < other.x

    def __getitem__(self, i):
        return self.x * i + 0.5

    def __call__(self, a):
        return a + self.x


class Slotted:
    __slots__ = ("x", "y")

    def __init__(self, x):
        self.x = x


class Manager:
    def __init__(self, log):
        self.log = log

    def __enter__(self):
        self.log.append(1000)
        return self

    def __exit__(self, *error):
        self.log.append(2000)
        return False


class Wrong(Exception):
    pass


def add(a, b):
    return a + b


def pair(a, b):
    return a, b


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def fibf(x):
    return x * 1.5 if x < 2 else fibf(x - 1) + fibf(x - 2)


def third(a, b, c=700, *rest, k=0.25):
    return a + b + c + k + len(rest)
"""

BODIES = {
    # --- numbers, and where they need an object
    "int_sum": """
        total = 0
        for i in range(12):
            total = total + i * 1000
        return total
    """,
    "ints_kept": """
        kept = []
        for i in range(12):
            kept.append(i * 1000)
        return kept
    """,
    "floats_kept": """
        kept = []
        x = 0.5
        for i in range(12):
            x = x * 1.5
            kept.append(x)
        return kept
    """,
    "int_grows_big": """
        n = 1 << 58
        for i in range(12):
            n = n + n
        return n
    """,
    "number_changes_type": """
        total = 0
        for x in (1000, 2.5, 3000, 4.5, 10 ** 20, 6.5):
            total = total + x
        return total
    """,
    "box_at_a_loops_edge": """
        last = None
        for i in range(12):
            last = i * 1000 if i % 3 else last
            if i == 5:
                last = (last, i)
        return last
    """,
    "two_boxes_at_an_edge": """
        a = b = None
        for i in range(12):
            a, b = b, i * 1000
            if a is None:
                a = 2.5
        return a, b
    """,
    "boxes_shared_at_an_edge": """
        x = y = 0
        seen = []
        for i in range(12):
            x = i * 1000
            y = x if i % 2 else y
            seen.append(x is y)
        return x, y, seen
    """,
    "float_or_none": """
        best = None
        for i in range(12):
            x = (i * 7 % 5) * 0.25
            if best is None or x > best:
                best = x
        return best
    """,
    "while_with_boxes": """
        i = 0
        out = ()
        while i < 9:
            i += 1
            out = out + (i * 1000,)
        return out
    """,
    "division_and_powers": """
        out = []
        for i in range(1, 10):
            out.append((i * 1000) // 7 + (i ** 3) / 4 - (i % 3) * 300)
        return out
    """,
    "comparisons_of_boxes": """
        out = []
        for i in range(10):
            out.append((i * 1000 in out, i * 0.5 < 2.25))
        return out
    """,
    # --- containers
    "nested_lists": """
        return [[i * j * 100 for j in range(4)] for i in range(4)]
    """,
    "dict_of_numbers": """
        d = {}
        for i in range(12):
            d[i * 1000] = i * 0.5
        return d
    """,
    "dict_counts": """
        d = {}
        for word in "a b c a b a d e f a".split():
            d[word] = d.get(word, 300) + 1
        return d
    """,
    "set_of_tuples": """
        s = set()
        for i in range(10):
            s.add((i * 300, i % 3))
        return s
    """,
    "slices": """
        line = list(range(300, 320))
        out = []
        for i in range(5):
            out.append(line[i:i + 3])
            line[i] = line[i] + 1000
        return out, line
    """,
    "items_in_place": """
        xs = [0.5] * 8
        ns = [300] * 8
        for i in range(8):
            xs[i] = xs[i - 1] + i
            ns[i] = ns[i - 1] * 3
        return xs, ns
    """,
    "unpacking": """
        out = []
        for a, (b, *c) in [(i * 300, (i, i + 1, i + 2)) for i in range(6)]:
            out.append((c, b, a))
        return out
    """,
    "strings": """
        s = ""
        for i in range(10):
            s = s + str(i * 1000) + f"<{i * 0.5:.2f}>"
        return s, s[3:9], s.split("<")
    """,
    "text_of_characters": """
        out = []
        for c in "hello wörld":
            out.append(c + c.upper())
        return "".join(out)
    """,
    "bytes_read": """
        total = 300
        out = bytearray()
        for b in b"some bytes":
            total += b
            out.append(b)
        return total, bytes(out)
    """,
    "comprehensions": """
        return [x * 300 for x in range(5)], {x: x * 0.5 for x in range(5)}, {x * 1000 for x in range(5)}
    """,
    # --- what is virtual until somebody needs it
    "tuple_round_a_loop": """
        p = (0, 1)
        for i in range(12):
            p = (p[1], p[0] + p[1] * 300)
        return p
    """,
    "nested_tuple_at_a_loops_edge": """
        p = None
        for i in range(8):
            p = (i * 1000, (i * 2000, i * 0.5), (things, (i * 3000,)))
        return p[0], p[1], p[2][1]
    """,
    "nested_tuple_at_a_join": """
        out = []
        for i in range(8):
            if i % 2:
                p = (i * 1000, (i * 2000, (i * 0.5,)))
            else:
                p = [i]
            out.append(p)
        return out
    """,
    "tuple_escapes_sometimes": """
        kept = []
        for i in range(12):
            t = (i * 1000, i)
            if i % 4 == 0:
                kept.append(t)
        return kept
    """,
    "iterators_pass_on": """
        out = []
        it = iter([300, 400, 500, 600, 700])
        for x in it:
            out.append(x)
            if x == 500:
                out.append(list(it))
        return out
    """,
    "ranges": """
        rs = [range(i, i * 300, 7) for i in range(4)]
        return [len(r) for r in rs], rs
    """,
    "enumerate_and_zip": """
        out = []
        for i, (a, b) in enumerate(zip([300, 400, 500], [0.5, 1.5, 2.5])):
            out.append(a * i + b)
        return out
    """,
    "bound_methods": """
        out = []
        push = out.append
        for thing in things:
            m = thing.double
            push(m() * 1000)
        return out
    """,
    # --- calls
    "inlined_calls": """
        total = 0
        out = []
        for i in range(10):
            total = add(total, i * 1000)
            out.append(pair(total, i))
        return out
    """,
    "calls_with_keywords": """
        out = []
        for i in range(8):
            out.append(third(i, b=1000, k=i * 0.5))
            out.append(third(i, 2, 3, 4, 5))
        return out
    """,
    "recursion": """
        def fact(n):
            return 1 if n < 2 else n * fact(n - 1)
        return [fact(n) for n in (5, 10, 25)]
    """,
    "native_recursion": """
        return fib(9) * 1000, fibf(7.0)
    """,
    "star_arguments": """
        def call(f, *args, **kw):
            return f(*args, **kw)
        return [call(third, i, 300, k=i * 0.5) for i in range(6)]
    """,
    "builtins_called": """
        xs = [i * 300 for i in range(8)]
        return max(xs), min(xs), sum(xs), len(xs), sorted(xs, reverse=True), abs(-xs[3]), divmod(xs[5], 7)
    """,
    "key_functions": """
        return sorted([(i * 7 % 5, i * 300) for i in range(8)], key=lambda t: (t[0], -t[1]))
    """,
    # --- closures
    "lambdas_made": """
        fs = [lambda x, i=i: x + i * 1000 for i in range(6)]
        return [f(i) for i, f in enumerate(fs)]
    """,
    "nonlocal_counter": """
        count = 300

        def up(by):
            nonlocal count
            count += by
            return count
        return [up(i * 1000) for i in range(8)], count
    """,
    "cells_in_a_loop": """
        out = []
        for i in range(6):
            x = i * 1000
            out.append((lambda: x)())
        return out
    """,
    # --- objects
    "instances_made": """
        kept = []
        for i in range(8):
            t = Thing(i * 1000)
            t.y = i * 0.5
            kept.append(t.x + t.y)
        return kept
    """,
    "instances_kept": """
        kept = [Thing(i * 300) for i in range(6)]
        return [t.x for t in kept], sorted(t.half for t in kept)
    """,
    "slotted_instances": """
        total = 0
        for i in range(8):
            s = Slotted(i * 1000)
            s.y = (s.x, i)
            total += s.x + s.y[0]
        return total
    """,
    "attributes_change": """
        a, b = things[0], things[1]
        for i in range(8):
            a.y = i * 1000
            b.y = a.y * 0.5
            a.y = b.y + a.y
        out = a.y, b.y
        a.y = b.y = None
        return out
    """,
    "operators_of_classes": """
        t = things[0]
        for i in range(5):
            t = t + things[i % 4]
        return t.x, things[1] < things[2], t[3], t(1000)
    """,
    "properties": """
        return [thing.half * 1000 for thing in things]
    """,
    "things_handed_round": """
        a, b, c, d = things
        for i in range(8):
            a, b, c, d = d, a, b, c
            e = [a, (b, i * 1000), {"c": c}]
        return e[0].x, e[1][0].x, e[1][1], e[2]["c"].x
    """,
    "a_linked_list": """
        head = None
        for thing in things:
            head = (thing, head)
        out = []
        while head:
            thing, head = head
            out.append(thing.x * 1000)
        return out
    """,
    # --- exceptions
    "caught_in_a_loop": """
        out = []
        for i in range(6):
            try:
                out.append(1000 // (i % 3))
            except ZeroDivisionError as e:
                out.append(str(e))
        return out
    """,
    "raised_and_caught": """
        def check(i):
            if i % 2:
                raise Wrong(i * 1000)
            return i
        out = []
        for i in range(6):
            try:
                out.append(check(i))
            except Wrong as e:
                out.append(e.args)
        return out
    """,
    "missing_keys": """
        d = {300: 1}
        out = []
        for i in range(6):
            try:
                out.append(d[i * 100])
            except KeyError:
                d[i * 100] = i * 1000
        return out, d
    """,
    "finally_runs": """
        log = []
        for i in range(5):
            try:
                log.append(i * 1000)
            finally:
                log.append(i * 0.5)
        return log
    """,
    "with_statements": """
        log = []
        for i in range(4):
            with Manager(log) as m:
                m.log.append(i * 1000)
        return log
    """,
    # --- generators, and the frames that are looked at
    "generators": """
        def numbers(n):
            for i in range(n):
                yield i * 1000
        return list(numbers(6)), sum(x * 0.5 for x in numbers(5))
    """,
    "yield_from": """
        def inner(n):
            yield from range(n * 300, n * 300 + 3)
            return n
        def outer():
            for i in range(3):
                r = yield from inner(i)
                yield (r, i)
        return list(outer())
    """,
    "matching": """
        out = []
        for item in [(300, 0.5), {"k": 1000}, [1, 2, 3], "text", Wrong(2000)]:
            match item:
                case (a, b) if isinstance(a, int):
                    out.append(b + a)
                case {"k": k}:
                    out.append(k * 1000)
                case [first, *rest]:
                    out.append((rest, first))
                case Wrong():
                    out.append(item.args)
                case _:
                    out.append(item)
        return out
    """,
    "globals_written": """
        global counter
        counter = 300
        for i in range(8):
            counter = counter + i * 1000
        return counter
    """,
    "branches_meet": """
        out = []
        for i in range(9):
            if i % 3 == 0:
                x = i * 1000
            elif i % 3 == 1:
                x = i * 0.5
            else:
                x = (i, i * 300)
            out.append(x)
        return out
    """,
    "nested_loops": """
        best = (0, 0)
        for i in range(4):
            row = []
            for j in range(4):
                v = i * j * 300
                if v > best[0]:
                    best = (v, row)
                row.append(v)
        return best
    """,
}

PROGRAMS = {
    name: PRELUDE + "\n\ndef run(things):" + textwrap.indent(textwrap.dedent(body), "    ")
    for name, body in BODIES.items()
}
