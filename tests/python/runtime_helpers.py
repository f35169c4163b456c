"""Calls a runtime helper and compares it with the operation it stands for: result, exception, text, reference counts."""

from __future__ import annotations

import fractions
import math
import sys

from psyco import _core

MAY_RUN_PYTHON = {name for name, _, python in _core._test_helper_rows() if python}


def helper(name, *arguments):
    """Call the helper; whoever runs Python code must say so in its row."""
    if name in MAY_RUN_PYTHON:
        return _core._test_helper(name, *arguments)
    ran = []
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: ran.append(frame.f_code) if event == "call" else None)
    try:
        return _core._test_helper(name, *arguments)
    finally:
        sys.setprofile(before)
        assert not ran, f"{name} ran {ran}"


NULL = _core._test_helper_null
BIG = 10**30


class Number:
    """Answers to every binary operator, and says how it was asked."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return NotImplemented

    def __hash__(self):
        return 1

    def __repr__(self):
        return f"Number({self.value})"

    def __bool__(self):
        if self.value < 0:
            raise ValueError("no truth")
        return self.value != 0


def _install():
    names = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor", "matmul"]
    for name in names:
        for prefix in ("", "r", "i"):
            def method(self, other, tag=prefix + name):
                return (tag, self.value)
            setattr(Number, f"__{prefix}{name}__", method)


_install()


class IntChild(int):
    def __add__(self, other):
        return "child"

    __radd__ = __add__


class StrChild(str):
    def __eq__(self, other):
        return "strange"

    __hash__ = str.__hash__


class FloatChild(float):
    pass


class ListChild(list):
    def __getitem__(self, key):
        return ("child", key)

    def __iter__(self):
        return iter("xyz")


class DictChild(dict):
    def __missing__(self, key):
        return ("missing", key)


INTS = [0, 1, -1, 2, 7, -7, 255, 256, 257, -5, -6, 2**30 - 1, 2**30, -(2**30), 2**31, 2**60,
        -(2**60) - 1, 2**62, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**64, BIG, -BIG]
FLOATS = [0.0, -0.0, 1.0, -1.5, 2.5, 1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan, 1e16, 2.0**53]
OTHERS = [True, False, None, "", "a", "abc", "é", "日本", b"x", (), (1, 2), [], [1, 2], {}, {1: 2},
          {1, 2}, frozenset({3}), 1j, fractions.Fraction(1, 3), Number(3), Number(-1), IntChild(5),
          StrChild("q"), FloatChild(2.5), ListChild([1]), object, len, "%s-%s", range(3)]
OPERANDS = INTS + FLOATS + OTHERS


def outcome(function, *args):
    try:
        return ("value", function(*args))
    except Exception as error:
        return ("error", type(error), str(error))


def same(a, b):
    """Equal in type and value down to the signs of zeros; NaNs are equal."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (math.isnan(a) and math.isnan(b)) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, int):
        return a == b
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and same(list(a.items()), list(b.items()))
    if isinstance(a, type(iter([]))):
        return True
    return a is b or repr(a) == repr(b)


def check(name, args, reference, *reference_args):
    """The helper and the reference have the same outcome, and the arguments keep their counts."""
    before = [sys.getrefcount(a) for a in args]
    expected = outcome(reference, *(reference_args or args))
    got = outcome(helper, name, *args)
    assert got[0] == expected[0], (name, args, got, expected)
    if got[0] == "error":
        assert got == expected, (name, args)
    else:
        assert same(got[1], expected[1]), (name, args, got, expected)
    del expected, got
    after = [sys.getrefcount(a) for a in args]
    assert before == after, (name, args, before, after)


class Meta(type):
    meta_value = "meta"

    @property
    def meta_property(cls):
        return ("meta property", cls.__name__)


class Descriptor:
    def __get__(self, obj, owner=None):
        return ("got", obj is None)


class DataDescriptor(Descriptor):
    def __set__(self, obj, value):
        obj.__dict__["stored"] = value


class Plain(metaclass=Meta):
    shared = [1]
    number = 5
    mutable = Descriptor()
    data = DataDescriptor()

    def __init__(self):
        self.x = 1
        self.y = "y"

    def method(self, *args):
        return ("method", args)

    @classmethod
    def of_class(cls, *args):
        return ("class", cls.__name__, args)

    @staticmethod
    def static(*args):
        return ("static", args)

    @property
    def prop(self):
        return ("prop", self.x)

    @property
    def failing(self):
        raise AttributeError("inside")


class Slotted:
    __slots__ = ("unset", "x")
    cls_value = 3

    def __init__(self):
        self.x = 1

    def method(self):
        return "slotted"


class Raises:
    def __init__(self, *args):
        raise ValueError(args)
