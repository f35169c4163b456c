"""Runtime helpers of operators, truth and boxes against the interpreter's operations."""

from __future__ import annotations

import math
import operator
import random
import sys

import pytest
from psyco import _core
from runtime_helpers import FLOATS, INTS, ListChild, OPERANDS, check, helper, outcome, same

SYMBOLS = ["+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^"]
BINARY = [operator.add, operator.and_, operator.floordiv, operator.lshift, operator.matmul,
          operator.mul, operator.mod, operator.or_, lambda a, b: a**b, operator.rshift,
          operator.sub, operator.truediv, operator.xor]


def _augmented(symbol):
    space: dict = {}
    exec(f"def f(a, b):\n    a {symbol}= b\n    return a", space)
    return space["f"]


INPLACE = [_augmented(s) for s in SYMBOLS]
COMPARE = [operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge]


def too_big(op, a, b):
    if op == "<<":
        return isinstance(b, int) and b > 1000
    if op == "**":
        return isinstance(b, int) and abs(b) > 300 and not isinstance(a, (float, complex))
    if op == "*":
        def big(x):
            return isinstance(x, int) and x > 1000
        return (big(a) and not isinstance(b, (int, float))) or (big(b) and not isinstance(a, (int, float)))
    return False


@pytest.mark.parametrize("number", range(13))
def test_binary_op(number):
    symbol = SYMBOLS[number]
    for a in OPERANDS:
        for b in OPERANDS:
            if too_big(symbol, a, b):
                continue
            check("binary_op", (a, b, number), lambda x, y, _: BINARY[number](x, y))


@pytest.mark.parametrize("number", range(13))
def test_inplace_op(number):
    def fresh(x):
        return type(x)(x) if type(x) in (list, dict, set, ListChild) else x

    symbol = SYMBOLS[number]
    for a in OPERANDS:
        for b in OPERANDS:
            if too_big(symbol, a, b):
                continue
            left, right = fresh(a), fresh(a)
            expected = outcome(INPLACE[number], left, b)
            got = outcome(helper, "binary_op", right, b, 13 + number)
            assert same(expected, got), (a, symbol, b, expected, got)
            assert (got[1] is right) == (expected[1] is left)
            assert same(left, right)


def test_random_ints():
    rng = random.Random(1)
    for _ in range(4000):
        a, b = (rng.randint(-(2**n), 2**n) for n in (rng.choice((3, 29, 30, 31, 59, 61, 63, 70)) for _ in "ab"))
        for number in (0, 1, 2, 5, 6, 7, 10, 11, 12):
            check("binary_op", (a, b, number), lambda x, y, n: BINARY[n](x, y))
        check("binary_op", (a, b % 70, 3), lambda x, y, n: x << y)
        check("binary_op", (a, b % 70, 9), lambda x, y, n: x >> y)


def test_random_floats():
    rng = random.Random(2)
    pool = FLOATS + [rng.uniform(-10, 10) for _ in range(20)] + [rng.uniform(-1e300, 1e300) for _ in range(10)]
    for a in pool:
        for b in pool:
            if b != 0:
                check("mod_float", (a, b), operator.mod)
                check("floordiv_float", (a, b), operator.floordiv)
            got = helper("power_float", a, b)
            expected = outcome(operator.pow, a, b)
            if expected[0] == "error" or isinstance(expected[1], complex):
                assert math.isinf(got) and math.isfinite(a) and math.isfinite(b), (a, b, got)
            else:
                assert same(got, expected[1]), (a, b, got, expected)
                assert not (math.isinf(got) and math.isfinite(a) and math.isfinite(b))


@pytest.mark.parametrize("op", range(6))
def test_compare(op):
    for a in OPERANDS:
        for b in OPERANDS:
            check("compare_op", (a, b, op), lambda x, y, n: COMPARE[n](x, y))
            check("compare_bool", (a, b, op), lambda x, y, n: int(bool(COMPARE[n](x, y))))


def test_compare_identical_nan_is_not_equal():
    nan = math.nan
    assert helper("compare_bool", nan, nan, 2) == 0
    assert helper("contains", [nan], nan) == 1


def test_unary_truth_boxes():
    for a in OPERANDS:
        for op, function in enumerate((operator.neg, operator.invert, operator.pos, operator.not_)):
            if op == 1 and isinstance(a, bool):
                continue  # a DeprecationWarning
            check("unary_op", (a, op), lambda x, n, f=function: f(x))
        check("is_true", (a,), lambda x: int(bool(x)))
    for value in INTS:
        if -(2**63) <= value < 2**63:
            check("box_int", (value,), lambda x: x)
    thing = object()
    assert helper("reference_count", thing, 5) - helper("reference_count", thing, 0) == 5
    assert helper("reference_count", None, 5) == sys.getrefcount(None)
    assert helper("box_int", 7) is 7  # noqa: F632 (the cached object is the point)
    for value in FLOATS:
        check("box_float", (value,), lambda x: x)


def test_unbox_and_slots():
    for value in INTS + [2**63 - 1, -(2**63), 2**63, 2**90]:
        expected = value if -(2**63) <= value < 2**63 else None
        assert _core._test_unbox(value) == expected
    values = [v for v in INTS if -(2**63) <= v < 2**63]
    for old in values:
        for new in values:
            for shared in (False, True):
                box = int(str(old))
                items = [box]
                if not shared:
                    del box
                else:
                    keep = box
                _core._test_update_slot(items, 0, new)
                assert items == [new] and repr(items[0]) == repr(new)
                if shared:
                    assert keep == old
                if -5 <= new <= 256:
                    assert items[0] is int(str(new))
    for shared in (False, True):
        box = float("1.5")
        items = [box]
        keep = box if shared else None
        where = id(box)
        del box
        _core._test_update_slot(items, 0, 2.5)
        assert items == [2.5] and (keep == 1.5 if shared else id(items[0]) == where)
