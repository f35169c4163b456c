"""What a compiled function makes and gives up is gone when it is done, on every way: no call leaves an object behind.

Blocks of memory are counted over many calls. One object that is never given back, of whatever kind, is as many
blocks as there were calls.
"""

from __future__ import annotations

import gc
import sys
import types

import psyco
import pytest
from test_mutants import DROPPING, EXPRESSIONS, PRELUDE, STATEMENTS

CALLS = 60
pytestmark = pytest.mark.filterwarnings("ignore:bind")  # of classes without functions

MORE = {
    "initialiser that returns something": "Returns(p)",
    "initialiser that raises": "Raises(p)",
    "initialiser of one of two classes": "[Returns, Raises][len(a) - 1](p)",
    "initialiser of another": "[Returns, Raises][len(a)](p)",
    "property of one of two": "[o.x for o in (Setter(), Other())]",
    "initialiser without its argument": "Returns()",
    "initialiser with too many": "Returns(p, q, r)",
    "keyword nobody knows": "plain(k=[p])",
    "keyword twice": "plain(p, a=[p])",
    "star of no iterable": "plain(*p)",
    "double star of no mapping": "plain(**[p])",
    "double star with a number": "plain(**{p: [q]})",
    "defaults and keywords": "plain([p], b=[q])",
    "more arguments than wanted": "plain([p], [q], [r])",
    "property": "Setter().x[0]",
    "item of a class": "Items()[p, q]",
    "slice of a class": "Items()[p:q]",
    "operators of a class": "(Items() + [p], Items() == [q], -Items())",
    "long number": "(10**30 + p, (p + 2**70) // 3, float(p + 10**30))",
    "format with a spec": "f'{[p]!r:>20} {p + 10**20:x}'",
    "slices": "([p, q, r][1:], 'text'[p:], (p, q)[-1:], [p, q][:1])",
    "unpacked and built": "[*[p], *(q, [r])] + [*{p: q}]",
    "comprehensions": "([[x] for x in [p, q]], {(x,) for x in 'abc'}, {x: [x] for x in 'ab'})",
    "generator": "list((x, [p]) for x in [p, q])",
    "closure": "[g(r) for g in [lambda z: (z, [p])]]",
    "bound method": "[p].append(Items().method)",
    "super": "Child().method([p])",
    "wrapper": "wrapper([p], k=[q])",
}
MORE_PRELUDE = """
class Returns:
    def __init__(self, a): return [a]
class Raises:
    def __init__(self, a): raise ValueError([a])
def plain(a, b=None): return [a, b]
class Setter:
    @property
    def x(self): return [[1], self]
    @x.setter
    def x(self, value): self.y = [value]
class Other:
    @property
    def x(self): raise ValueError([self])
class Items:
    def __getitem__(self, key): return [key]
    def __add__(self, other): return [other]
    def __eq__(self, other): return [other]
    def __neg__(self): return [1]
    def __setitem__(self, key, value): self.key = [key, value]
    def __delitem__(self, key): self.key = [key]
    def __iadd__(self, other): return [self, other]
    def method(self, a): return [a, self]
class Child(Items):
    def method(self, a): return super().method([a])
class Manager:
    def __init__(self, keeps=False): self.keeps = keeps
    def __enter__(self): return [self]
    def __exit__(self, *a): return self.keeps
def deep(a, n): return [deep([a], n - 1)] if n else a
def wrapper(*args, **kwargs): return plain(*args, *kwargs.values())
"""
MORE_STATEMENTS = {
    "setter": "o = Setter(); o.x = [p]",
    "setter that raises": "Other().x = [p]",
    "item set": "Items()[p] = [q]",
    "item deleted": "del Items()[p]",
    "augmented": "t = Items(); t += [p]; t = [p]; t += [q]; t *= 2",
    "slice set": "t = [p, q, r]; t[1:] = [[p]]; del t[:1]; t[[p]] = 1",
    "cells": "c = [p]; g = lambda: c; c = [q]; g(); del c; g()",
    "import": "import collections.abc as m; from os import path as m; from math import nothing_of_that_name",
    "manager": "with Manager(): a = [q]",
    "manager and an exception": "with Manager(): raise KeyError([p])",
    "manager that keeps it": "with Manager(True): raise KeyError([p])",
    "exception of an exception": "try: raise KeyError([p])\n        except KeyError as e: raise ValueError([q]) from e",
    "annotated": "class K: x: int = [p]",
    "match": "match [p, {q: [r]}]:\n            case [w, {'q': [x]}]: a = [w, x]",
    "recursive": "a = deep([p], 5)",
}
FUNCTION = """
def f(p, q, r):
    a = [p]
    b = p + 1
    u = z = 1
    try:
        {}
    except Exception as error:
        return str(error), a
    return a, b
"""


def blocks(function, *args):
    """How many more there are after many calls."""
    for _ in range(CALLS):
        function(*args)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(CALLS):
        function(*args)
    gc.collect()
    return sys.getallocatedblocks() - before


def leaves_nothing(source, name, *args):
    space = {"__name__": "case"}
    exec(source, space)
    for value in list(space.values()):
        if isinstance(value, (type, types.FunctionType)) and value.__module__ == "case":
            psyco.bind(value)
    # A cache may fill, what the engine learns may take some: not as many as there are calls.
    assert any(blocks(space[name], *args) < CALLS // 2 for _ in range(3))


@pytest.mark.parametrize("what", [*EXPRESSIONS, *STATEMENTS, *MORE, *MORE_STATEMENTS])
def test_a_call_leaves_nothing_behind(what):
    text = {**STATEMENTS, **MORE_STATEMENTS}.get(what) or f"a = {EXPRESSIONS.get(what) or MORE[what]}"
    leaves_nothing(PRELUDE + "class C(Base): pass\n" + MORE_PRELUDE + FUNCTION.format(text), "f", 3, "q", None)


@pytest.mark.parametrize("what", DROPPING)
def test_a_loop_leaves_nothing_behind(what):
    leaves_nothing(f"""
class D:
    def __init__(self, tag): self.tag = tag
    def __getitem__(self, k):
        if k in (0, 1): return k + 5
        raise IndexError
    def __add__(self, other): return [other]
    def __neg__(self): return [1]
    def __len__(self): return 3
    def __enter__(self): return self
    def __exit__(self, *a): return None
    def __contains__(self, other): return True
    def keys(self): return [0, 1]
class D2(Exception): pass
class O: pass
def passed(a, b): return b
def f(n):
    o, items, d = O(), [0], {{}}
    for i in range(n):
        for j in ['a', 'b']:
            {DROPPING[what]}
""", "f", 3)
