"""obj.__class__ = X while compiled code relies on the class of obj.

No watcher of CPython sees it. Compiled code that has guarded a class must not go on with what it knew
when the class changed during one of its call-outs.
"""

from __future__ import annotations

import sys

import class_matrix
import pytest
from differential import check, native_entries

CLASSES = """
import sys, threading, types
class A:
    name = 'A'
    def who(self):
        return 'A.who'
    def __len__(self):
        return 1
class B:
    name = 'B'
    def who(self):
        return 'B.who'
    def __len__(self):
        return 2
class Slow(A):
    name = property(lambda self: 'computed')
    def who(self):
        return 'Slow.who'
class S:
    __slots__ = ('x',)
    def get(self):
        return 'S', self.x
class T:
    __slots__ = ('x',)
    def get(self):
        return 'T', self.x
"""

# Where CPython 3.14 has specialised the attribute of a module it does not see that the class is another.
MODULE_READ = "getattr(box, 'value')" if sys.version_info >= (3, 14) else "box.value"
CASES = {
    "by a callee in mid-loop": ("""
def turn(o, i):
    if i == 20:
        o.__class__ = B
def f(n):
    o = A()
    out = []
    for i in range(n):
        turn(o, i)
        out.append((o.name, o.who(), len(o), isinstance(o, A), isinstance(o, B)))
    return out
""", ["f(40)"]),
    "by the loop itself": ("""
def f(n):
    o = A()
    out = []
    for i in range(n):
        out.append(o.who())
        o.__class__ = (A, B, Slow)[i % 3]
        out.append((o.name, type(o).__name__, o.who()))
    return out
""", ["f(30)"]),
    "through every door": ("""
class Door(A):
    def __setattr__(self, name, value):
        super().__setattr__(name, value)
doors = [
    lambda o, c: setattr(o, '__class__', c),
    lambda o, c: object.__setattr__(o, '__class__', c),
    lambda o, c: object.__dict__['__class__'].__set__(o, c),
    lambda o, c: Door.__setattr__(o, '__class__', c),
    lambda o, c: exec('o.__class__ = c'),
]
def f(door, n):
    o = Door()
    out = []
    for i in range(n):
        out.append(o.who())
        if i == n - 5:
            door(o, Slow)
        out.append((o.who(), o.name))
    return out
""", ["f(doors[0], 30)", "f(doors[1], 30)", "f(doors[2], 30)", "f(doors[3], 30)", "f(doors[4], 30)"]),
    "of an object with slots": ("""
def turn(o, i):
    if i % 7 == 6:
        o.__class__ = S if type(o) is T else T
def f(n):
    o = S()
    o.x = 0
    out = []
    for i in range(n):
        o.x += 1
        turn(o, i)
        out.append(o.get())
    return out
""", ["f(40)"]),
    "of a global object": ("""
it = A()
def f(n):
    out = []
    for i in range(n):
        out.append((it.who(), it.name, len(it)))
    return out
def turn(c):
    it.__class__ = c
""", ["f(20)", "turn(B)", "f(20)", "turn(Slow)", "f(20)", "turn(A)", "f(20)"]),
    "of a global object during the call": ("""
it = A()
def turn(i):
    if i == 10:
        it.__class__ = B
    if i == 25:
        it.__class__ = A
def f(n):
    out = []
    for i in range(n):
        turn(i)
        out.append((it.who(), it.name))
    return out
""", ["f(40)"]),
    "of a module": ("""
class Lazy(types.ModuleType):
    @property
    def value(self):
        return 'property'
    @property
    def other(self):
        return 'no dictionary'
box = types.ModuleType('box')
box.value = 'plain'
def f(n):
    out = []
    for i in range(n):
        out.append((""" + MODULE_READ + """, getattr(box, 'other', None)))
        if i == 12:
            turn(Lazy)
    return out
def turn(c):
    box.__class__ = c
""", ["f(20)", "turn(types.ModuleType)", "f(10)", "turn(Lazy)", "f(10)"]),
    "below several frames": ("""
def turn(o, i):
    if i == 15:
        o.__class__ = B
def deep(o, i):
    turn(o, i)
    return o.who()
def middle(o, i):
    return deep(o, i), o.who(), o.name
def f(n):
    o = A()
    return [(middle(o, i), o.who()) for i in range(n)]
""", ["f(30)"]),
    "by a finaliser": ("""
class Bomb:
    def __init__(self, target):
        self.target = target
    def __del__(self):
        self.target.__class__ = B
def f(n):
    o = A()
    out = []
    for i in range(n):
        bomb = Bomb(o) if i == 12 else None
        bomb = i
        out.append((o.who(), o.name))
    return out
""", ["f(25)"]),
    "refused, and nothing has changed": ("""
def f(n):
    o = A()
    out = []
    for i in range(n):
        try:
            if i % 5 == 0:
                o.__class__ = S if i % 10 else 7
        except TypeError as error:
            out.append(str(error))
        out.append(o.who())
    return out
""", ["f(22)"]),
}


@pytest.mark.parametrize("name", CASES)
def test_class_is_assigned(name):
    source, calls = CASES[name]
    check(CLASSES + source, calls)


def test_by_another_thread():
    check(CLASSES + """
def f(n):
    o = A()
    go, gone = threading.Event(), threading.Event()
    def other():
        go.wait()
        o.__class__ = B
        gone.set()
    thread = threading.Thread(target=other)
    thread.start()
    out = []
    for i in range(n):
        if i == 30:
            go.set()
            gone.wait()
        out.append((o.who(), o.name))
    thread.join()
    return out
""", ["f(60)"])


def test_by_another_thread_while_no_call_is_made():
    """The loop itself gives way only at its polls."""
    check(CLASSES + """
def f():
    o = A()
    stop = []
    def other():
        o.__class__ = B
    thread = threading.Thread(target=other)
    first = o.name
    thread.start()
    turns = 0
    while o.name == 'A':
        turns += 1
    thread.join()
    return first, o.name, o.who()
""", ["f()"])


# Every operation from every origin in these ways; in the others each operation from one origin.
MAIN_WAYS = ("statement", "function", "another name", "method", "property")
CELLS = [("plain", way) for way in class_matrix.WAYS] + [
    (family, way) for family in class_matrix.FAMILIES if family != "plain" for way in ("statement", "function below", "setattr", "setter of a property")
]


@pytest.mark.parametrize(("family", "way"), CELLS)
def test_every_operation_after_every_way(family, way, no_trials):
    pairs = class_matrix.pairs_of(way, family == "plain" and way in MAIN_WAYS)
    before = native_entries()
    check(class_matrix.source(family, way, pairs), class_matrix.calls(pairs))
    assert native_entries() - before > len(pairs)
