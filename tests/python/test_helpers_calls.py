"""Runtime helpers of functions and calls against the interpreter's operations."""

from __future__ import annotations

import copy
import math
import operator
import sys

import pytest
from runtime_helpers import NULL, Number, Plain, Raises, Slotted, helper, outcome, same


def test_functions_and_intrinsics():
    def sample(a, b=2, *, c: int = 3):
        return (a, b, c, closed)

    closed = "cell"
    function = helper("make_function", sample.__code__, globals())
    assert function.__globals__ is globals() and function.__module__ == __name__ and function.__defaults__ is None
    for flag, name in ((1, "__defaults__"), (2, "__kwdefaults__"), (4, "__annotations__"), (8, "__closure__")):
        value = getattr(sample, name)
        count = sys.getrefcount(value)
        assert helper("set_function_attribute", function, value, flag) is None
        assert (getattr(function, name) is value and sys.getrefcount(value) >= count + 1) or flag == 4
    assert function(1) == (1, 2, 3, "cell")
    method = helper("make_method", sample, 7)
    assert method.__self__ == 7 and method.__func__ is sample
    assert helper("intrinsic_1", 5, 5) == 5 and helper("intrinsic_1", True, 5) == 1
    assert helper("intrinsic_1", [1, 2], 6) == (1, 2)
    assert outcome(helper, "intrinsic_1", "s", 5) == ("error", TypeError, "bad operand type for unary +: 'str'")
    assert helper("intrinsic_1", "T", 7).__name__ == "T"
    assert helper("intrinsic_2", "T", lambda: int, 2).__bound__ is int
    error = ExceptionGroup("g", [ValueError(1), TypeError(2)])
    left = error.split(ValueError)[1]
    assert isinstance(helper("intrinsic_2", error, [left], 1), ExceptionGroup)


def call_reference(callable_, self, *args):
    return callable_(*args) if self is NULL else callable_(self, *args)


class BadInit:
    def __init__(self):
        return 5


class WithNew:
    def __new__(cls, *args, **kwargs):
        obj = super().__new__(cls)
        obj.args = args
        return obj

    def __repr__(self):
        return f"WithNew{self.args}"


class Initialised:
    def __init__(self, *args, key=None):
        self.args = (args, key)

    def __repr__(self):
        return f"Initialised{self.args}"


class Callable:
    def __call__(self, *args, **kwargs):
        return ("called", args, kwargs)


class AbstractBase(__import__("abc").ABC):
    def __init__(self):
        pass

    @__import__("abc").abstractmethod
    def missing(self):
        pass


def python_function(a, b=2, *rest, key=None):
    return (a, b, rest, key)


CALLABLES = [python_function, Plain().method, Plain.of_class, Plain.static, len, abs, print, max, sum, isinstance, list.append,
             str.upper, str.split, [3].append, "a,b".split, dict.get, {}.get, int, str, list, dict, type, tuple, range, Plain,
             Raises, BadInit, WithNew, Initialised, Callable(), AbstractBase, object, Slotted, lambda: 1, math.sqrt, 5, None,
             ValueError, property, "x".join, sorted, super, str.__add__, [].__len__, operator.itemgetter(0), Number(1).__add__]
ARGUMENTS = [(), (1,), ([1, 2],), ("abc",), (1, 2), ("a,b", ","), ([], 1), ({}, "k"), (1, 2, 3, 4), (int, object)]


def test_call_quiet():
    """The harness sees to it that no Python code runs."""
    def result(call):
        try:
            return call()
        except (TypeError, ValueError, IndexError) as error:
            return type(error), str(error)

    scalars = ["a b", "", "b", " A1 ", 0, 3, -2, True, None, 1.5, b"a", ("a", "b")]
    for owner in (str, int, float, list):
        receivers = {str: ["a b", "", "A1", "\xe9t\xe9"], int: [0, -5, 2**80], float: [1.5, 2.0],
                     list: [[], [1, 2, "x"]]}[owner]
        for name in ("isdigit isupper upper strip split find index count startswith replace partition center zfill "
                     "bit_length bit_count is_integer copy pop reverse").split():
            method = getattr(owner, name, None)
            if type(method) is not type(str.upper):
                continue
            for receiver in receivers:
                for args in [(), *((a,) for a in scalars), ("a", "b"), ("a", 1), (5, "*"), ("a", 0, 2)]:
                    one, two = copy.deepcopy(receiver), copy.deepcopy(receiver)
                    assert same(result(lambda m=method, r=one, a=args: m(r, *a)),
                                result(lambda m=method, r=two, a=args: helper("call_quiet", m, r, *a)))
                    assert same(one, two)
    for function in (ord, chr, hex, bin, oct):
        for arg in ["a", "ab", 65, -1, 2**70, None]:
            assert result(lambda f=function, a=arg: f(a)) == result(
                lambda f=function, a=arg: helper("call_quiet", f, NULL, a))


@pytest.mark.parametrize("row", ["vectorcall", "vectorcall_seen"])
def test_vectorcall(capsys, row):
    for function in CALLABLES:
        for args in ARGUMENTS:
            for self in (NULL, "self", [5]):
                one, two = copy.deepcopy(args), copy.deepcopy(args)
                counts = [sys.getrefcount(a) for a in (function, *two)]
                expected = outcome(call_reference, function, self, *one)
                shown = capsys.readouterr().out
                got = outcome(helper, row, function, self, *two)
                assert capsys.readouterr().out == shown
                assert got[0] == expected[0], (function, self, args, got, expected)
                if got[0] == "error":
                    assert got == expected, (function, self, args)
                else:
                    assert type(got[1]) is type(expected[1])
                    assert same(got[1], expected[1]) or at_object(got[1]) == at_object(expected[1])
                assert same(one, two)
                del got, expected
                if getattr(function, "__name__", "") != "append":
                    assert counts == [sys.getrefcount(a) for a in (function, *two)], (function, self, args)


def at_object(value):
    return repr(value).split(" at 0x")[0]


def test_vectorcall_keywords():
    for function in (python_function, Plain().method, dict, Initialised, WithNew, Callable(), len, int, max, sorted, Plain, 5):
        for names, args in ((("key",), (1, 5)), (("b",), (1, 2)), (("zz",), (1,)), (("base",), ("11", 2)), (("key", "a"), (1, 2))):
            def reference(*_):
                n = len(args) - len(names)
                return function(*args[:n], **dict(zip(names, args[n:])))
            for self in (NULL, "7"):
                def with_self(*_):
                    n = len(args) - len(names)
                    return function(self, *args[:n], **dict(zip(names, args[n:])))
                expected = outcome(reference if self is NULL else with_self)
                got = outcome(helper, "vectorcall_kw", function, self, names, *args)
                assert got[0] == expected[0] and (got[0] == "value" or got == expected), (function, names, args)
                if got[0] == "value":
                    assert at_object(got[1]) == at_object(expected[1])


def test_call_ex():
    for function in (python_function, len, Initialised, Callable(), 5):
        for args in ((1,), [1, 2], "ab", 5, None, iter([1]), {3: 4}):
            for kwargs in (NULL, {}, {"key": 1}, {"other": 2}):
                if hasattr(args, "__next__"):
                    first, second = iter([1]), iter([1])
                else:
                    first = second = args

                def reference(*_):
                    return function(*first) if kwargs is NULL else function(*first, **kwargs)
                expected = outcome(reference)
                got = outcome(helper, "call_ex", function, second, kwargs)
                assert got[0] == expected[0] and (got[0] == "value" or got == expected), (function, args, kwargs)
                if got[0] == "value":
                    assert at_object(got[1]) == at_object(expected[1])
    class Plain:
        def __init__(self):
            raise ValueError

    made = helper("new_instance", Plain)
    assert type(made) is Plain and vars(made) == {}
    assert helper("exit_init_check", None) == 0
    assert outcome(helper, "exit_init_check", 5) == ("error", TypeError, "__init__() should return None, not 'int'")


def test_deep_recursion_through_helpers():
    def down(n):
        return 0 if n == 0 else 1 + helper("vectorcall", down, NULL, n - 1)

    assert down(50) == 50
    with pytest.raises(RecursionError):
        down(10**6)
