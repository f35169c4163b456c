"""Runtime helpers of import, with, except and raise against the interpreter's operations."""

from __future__ import annotations

import builtins
import math
import sys
import threading
import types

import pytest
from psyco import _core
from runtime_helpers import NULL, Raises, helper, outcome


def test_import_star():
    space = {"helper": _core._test_helper, "math": math}
    exec("helper('intrinsic_1', math, 2)", space)
    assert space["pi"] == math.pi and "__name__" not in space


def test_imports():
    space = {"__name__": "test", "__package__": ""}
    names = builtins.__dict__
    assert helper("import_name", "math", space, names, NULL, None, 0) is math
    assert helper("import_name", "os.path", space, names, NULL, None, 0).__name__ == "os"
    assert helper("import_name", "os.path", space, names, NULL, ("join",), 0) is __import__("os").path
    assert outcome(helper, "import_name", "no_such", space, names, NULL, None, 0) == (
        "error", ModuleNotFoundError, "No module named 'no_such'")
    assert outcome(helper, "import_name", "x", space, {}, NULL, None, 0) == ("error", ImportError, "__import__ not found")
    seen = []
    helper("import_name", "m", space, {"__import__": lambda *a: seen.append(a)}, {"l": 1}, ("f",), 2)
    helper("import_name", "m", space, {"__import__": lambda *a: seen.append(a)}, NULL, None, 0)
    assert seen == [("m", space, {"l": 1}, ("f",), 2), ("m", space, None, None, 0)]
    assert helper("import_from", math, "pi") == math.pi

    def reference(module, name):
        sys.modules["psyco_reference"] = module
        try:
            exec(f"from psyco_reference import {name}", {})
        finally:
            del sys.modules["psyco_reference"]

    empty = types.ModuleType("empty")
    filed = types.ModuleType("filed")
    filed.__file__ = "/somewhere/filed.py"
    starting = types.ModuleType("starting")
    starting.__file__ = "/somewhere/starting.py"
    starting.__spec__ = types.SimpleNamespace(_initializing=True)
    unnamed = types.SimpleNamespace()
    for module in (math, empty, filed, starting, unnamed, types.SimpleNamespace(__name__=5)):
        expected = outcome(reference, module, "nothing")
        assert outcome(helper, "import_from", module, "nothing") == expected
    with pytest.raises(ImportError) as info:
        helper("import_from", filed, "nothing")
    error = info.value
    assert (error.name, error.path, error.name_from) == ("filed", "/somewhere/filed.py", "nothing")
    sys.modules["empty.child"] = "the child"
    try:
        assert helper("import_from", empty, "child") == "the child"
    finally:
        del sys.modules["empty.child"]


def test_with():
    class Manager:
        def __enter__(self):
            return "entered"

        def __exit__(self, *args):
            return args

    class NoExit:
        def __enter__(self):
            pass

    class AsyncManager:
        async def __aenter__(self):
            pass

        async def __aexit__(self, *args):
            pass

    class Failing(Manager):
        def __enter__(self):
            raise ValueError("enter")

    manager = Manager()
    box = [manager]  # what it holds is counted alike wherever it is loaded
    count = sys.getrefcount(box[0])
    result, (leave,) = helper("enter_with", manager)
    assert result == "entered" and leave.__self__ is manager
    error = ValueError(1)
    assert helper("with_except_start", leave, error) == (ValueError, error, None)
    try:
        raise error
    except ValueError:
        assert helper("with_except_start", leave, error) == (ValueError, error, error.__traceback__)
    error.__traceback__ = None
    del result, leave
    after = sys.getrefcount(box[0])
    assert after == count

    def reference(value):
        with value:
            pass

    for value in (5, NoExit(), Failing()):
        if sys.version_info < (3, 14):  # from then on it is two instructions
            assert outcome(helper, "enter_with", value) == outcome(reference, value)
    assert outcome(helper, "enter_async_with", 5)[2] == (
        "'int' object does not support the asynchronous context manager protocol")
    entered, (leave,) = helper("enter_async_with", AsyncManager())
    entered.close()
    assert leave.__name__ == "__aexit__"


def test_special_methods():
    class Manager:
        def __enter__(self):
            return "entered"

        @staticmethod
        def __exit__(*args):
            return args

        __aenter__ = 5

        @property
        def __aexit__(self):
            raise ValueError("aexit")

    manager = Manager()
    manager.__enter__ = None  # not looked at
    enter, (this,) = helper("load_special", manager, 0)
    assert enter is Manager.__enter__ and this is manager
    leave, (this,) = helper("load_special", manager, 1)
    assert leave(1, 2) == (1, 2) and this is NULL
    assert helper("load_special", manager, 2)[0] == 5
    assert outcome(helper, "load_special", manager, 3) == ("error", ValueError, "aexit")
    lock = threading.Lock()
    enter, (this,) = helper("load_special", lock, 0)
    assert enter is type(lock).__enter__ and this is lock

    def reference():
        with 5:
            pass

    if sys.version_info >= (3, 14):
        assert outcome(helper, "load_special", 5, 1) == outcome(reference)
    else:
        assert outcome(helper, "load_special", 5, 0) == outcome(reference)


def test_exceptions():
    error = KeyError("k")
    for match in (KeyError, LookupError, ValueError, (ValueError, KeyError), ()):
        assert helper("check_exc_match", error, match) == isinstance(error, match)

    def bad(kind):
        try:
            raise KeyError("k")
        except kind:
            pass

    for kind in (5, (ValueError, 5), "s", None):
        try:
            bad(kind)
        except TypeError as expected:
            assert outcome(helper, "check_exc_match", error, kind) == ("error", TypeError, str(expected))
    group = ExceptionGroup("g", [ValueError(1), KeyError(2)])
    status, (rest, match) = helper("check_eg_match", group, ValueError)
    assert status == 0 and [type(e) for e in rest.exceptions] == [KeyError] and [type(e) for e in match.exceptions] == [ValueError]
    status, (rest, match) = helper("check_eg_match", group, OSError)
    assert match is None and repr(rest) == repr(group)
    status, (rest, match) = helper("check_eg_match", ValueError(3), ValueError)
    assert rest is None and isinstance(match, ExceptionGroup)
    assert outcome(helper, "check_eg_match", group, ExceptionGroup)[1] is TypeError
    helper("pop_except", None)  # a match becomes the handled exception

    previous = helper("push_exc_info", error)
    try:
        assert sys.exception() is error
        assert previous is None
        inner = ValueError("inner")
        before = helper("push_exc_info", inner)
        assert before is error and sys.exception() is inner
        helper("pop_except", before)
        assert sys.exception() is error
    finally:
        helper("pop_except", previous)
    assert sys.exception() is None


def test_raise():
    class Strange(Exception):
        def __new__(cls, *args):
            return 5

    def plain(exception, cause):
        if cause is NULL:
            raise exception
        raise exception from cause

    for exception in (ValueError, ValueError("x"), KeyError, 5, "s", None, int, Strange, Raises):
        for cause in (NULL, None, TypeError, TypeError("c"), 5, Strange):
            expected = outcome(plain, exception, cause)
            got = outcome(helper, "raise_varargs", exception, cause)
            assert got == expected, (exception, cause)
            try:
                helper("raise_varargs", exception, cause)
            except BaseException as error:
                try:
                    plain(exception, cause)
                except BaseException as reference:
                    assert type(error.__cause__) is type(reference.__cause__)
                    assert error.__suppress_context__ == reference.__suppress_context__
    handled = KeyError("handled")
    try:
        raise handled
    except KeyError:
        with pytest.raises(ValueError, match="later") as info:
            helper("raise_varargs", ValueError("later"), NULL)
    assert info.value.__context__ is handled
