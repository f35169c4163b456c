"""Runtime helpers of attributes, names and cells against the interpreter's operations."""

from __future__ import annotations

import builtins
import collections
import fractions
import math
import sys
import types

import pytest
from psyco import _core
from runtime_helpers import DictChild, NULL, Plain, Slotted, helper, outcome, same


class Hooked(Plain):
    def __getattr__(self, name):
        if name == "really_missing":
            raise AttributeError("hooked " + name)
        return ("hook", name)


class Overridden(Plain):
    def __getattribute__(self, name):
        return ("override", name)


class FromBuiltin(dict):
    z = 9

    def method(self):
        return "dict method"


class Big(Plain):
    def __init__(self):
        super().__init__()
        for i in range(50):
            setattr(self, f"a{i}", i)


class Failure(Exception):
    code = 4


def with_dict():
    obj = Plain()
    obj.__dict__["x"] = "through dict"
    return obj


def with_shadow():
    obj = Plain()
    obj.method = lambda *a: "shadow"
    obj.number = "shadow"
    return obj


def replaced_dict():
    obj = Plain()
    obj.__dict__ = {"x": "replaced", "method": len}
    return obj


OWNERS = [Plain, Slotted, Hooked, Overridden, FromBuiltin, Big, with_dict, with_shadow, replaced_dict,
          lambda: Plain, lambda: Slotted, lambda: int, lambda: type, lambda: math, lambda: sys.modules[__name__],
          lambda: 5, lambda: "s", lambda: [1], lambda: {}, lambda: Failure("e"), lambda: len, lambda: outcome,
          lambda: types.SimpleNamespace(x=1, number=2), lambda: super(Big, Big()), lambda: fractions.Fraction(1, 2)]
NAMES = ["x", "y", "z", "shared", "number", "mutable", "data", "method", "of_class", "static", "prop", "failing", "unset",
         "cls_value", "meta_value", "meta_property", "a7", "a49", "really_missing", "absent", "__class__", "__dict__", "__name__",
         "append", "upper", "real", "args", "code", "pi", "sqrt", "numerator", "__doc__", "__init__", "keys", "bit_length",
         "fromkeys", "__getitem__", "__module__"]


def comparable(value):
    """Bound methods made anew compare by what they bind."""
    if isinstance(value, (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)):
        return (type(value), getattr(value, "__name__", None), repr(getattr(value, "__self__", None))[:20])
    return value


def method_as_attribute(pair):
    function, (self,) = pair
    if self is NULL:
        return function
    return function.__get__(self, type(self))


def test_load_attr_and_method():
    cache_of = {}
    for round_ in range(4):
        for make in OWNERS:
            for name in NAMES:
                obj = make()
                for kind in ("load_attr", "load_method"):
                    # One cache for many types (polymorphic), and one for this owner alone.
                    for key in ((kind, name), (kind, name, make)):
                        cache = cache_of.setdefault(key, _core._test_cache())
                        expected = outcome(getattr, obj, name)
                        got = outcome(helper, kind, obj, name, cache)
                        if kind == "load_method" and got[0] == "value":
                            got = ("value", method_as_attribute(got[1]))
                        if got[0] == "error":
                            assert got == expected, (obj, name, kind)
                        else:
                            assert expected[0] == "value", (obj, name, got, expected)
                            a, b = comparable(got[1]), comparable(expected[1])
                            assert a is b or same(a, b) or a == b, (obj, name, kind, a, b)


def test_attribute_reference_counts():
    for make in (Plain, Slotted, with_dict, Hooked, FromBuiltin, lambda: math, lambda: Plain):
        for name in ("x", "method", "number", "of_class", "pi", "cls_value"):
            obj, cache, method_cache = make(), _core._test_cache(), _core._test_cache()
            if outcome(getattr, obj, name)[0] == "error":
                continue
            for _ in range(3):
                before = sys.getrefcount(obj), sys.getrefcount(getattr(obj, name))
                for _ in range(10):
                    helper("load_attr", obj, name, cache)
                    helper("load_method", obj, name, method_cache)
                assert before == (sys.getrefcount(obj), sys.getrefcount(getattr(obj, name)))


def test_attribute_error_context():
    for name in ("load_attr", "load_method"):
        obj = Slotted()
        with pytest.raises(AttributeError) as info:
            helper(name, obj, "nothing", _core._test_cache())
        assert info.value.name == "nothing" and info.value.obj is obj


def test_caches_notice_class_changes():
    class A:
        value = 1

        def method(self):
            return "old"

    class B(A):
        pass

    cache, methods = _core._test_cache(), _core._test_cache()
    obj = B()

    def both():
        function, (self,) = helper("load_method", obj, "method", methods)
        return helper("load_attr", obj, "value", cache), function(self) if self is not NULL else function()

    for _ in range(3):
        assert both() == (1, "old")
    A.method = lambda self: "new"
    A.value = 2
    for _ in range(3):
        assert both() == (2, "new")
    B.value = property(lambda self: "property")
    assert both() == ("property", "new")
    del B.value
    obj.value = 7
    obj.method = lambda: "instance"
    for _ in range(3):
        assert both() == (7, "instance")
    del obj.value
    del obj.method
    assert both() == (2, "new")
    obj.__dict__["value"] = 8
    assert both() == (8, "new")

    class Other:
        value = 9

        def method(self):
            return "other"

    obj.__class__ = Other
    for _ in range(3):
        assert both() == (8, "other")
    B.__getattr__ = lambda self, name: "hook"
    obj = B()
    del A.value
    for _ in range(3):
        assert both() == ("hook", "new")


def test_store_attr():
    class WithSetattr(Plain):
        def __setattr__(self, name, value):
            object.__setattr__(self, name, ("set", value))

    class Closed:
        __slots__ = ("x",)

        @property
        def y(self):
            return 1

    for make in (Plain, Slotted, WithSetattr, Closed, with_dict, with_shadow, replaced_dict, Hooked, Big, FromBuiltin,
                 lambda: types.SimpleNamespace(), lambda: types.ModuleType("m"), lambda: 5, lambda: Failure()):
        for name in ("x", "y", "fresh", "number", "prop", "data", "unset", "__class__"):
            cache = _core._test_cache()
            for _ in range(4):
                one, two = make(), make()
                value = ["value"]
                count = sys.getrefcount(value)
                expected = outcome(setattr, one, name, value)
                got = outcome(helper, "store_attr", two, name, value, cache)
                assert got[0] == expected[0] and (got[0] == "value" or got == expected), (make, name)
                if expected[0] == "value":
                    assert same(outcome(getattr, one, name), outcome(getattr, two, name))
                    assert list(getattr(one, "__dict__", {})) == list(getattr(two, "__dict__", {}))
                del one, two, expected, got
                assert sys.getrefcount(value) == count
    cache = _core._test_cache()
    obj = Plain()
    for i in range(20):
        assert helper("store_attr", obj, "counter", i, cache) == 0 and obj.counter == i
    names = list(obj.__dict__)
    assert names == ["x", "y", "counter"]


def test_store_runs_finaliser_after_the_store():
    class Watch:
        def __init__(self, owner):
            self.owner = owner

        def __del__(self):
            seen.append(self.owner.x)

    for cls in (Plain, Slotted):
        seen = []
        obj, cache = cls(), _core._test_cache()
        for i in range(4):
            obj.x = Watch(obj)
            helper("store_attr", obj, "x", i, cache)
        assert seen == [0, 1, 2, 3]


def test_delete_attr():
    for name in ("x", "absent", "method", "prop"):
        one, two = Plain(), Plain()
        assert outcome(delattr, one, name)[0:2] == (
            "value", None) if outcome(helper, "delete_attr", two, name)[0] == "value" else True
        one, two = Plain(), Plain()
        expected, got = outcome(delattr, one, name), outcome(helper, "delete_attr", two, name)
        assert expected[0] == got[0] and (got[0] == "value" or got == expected)
        assert one.__dict__ == two.__dict__


def test_super():
    class Child(Plain):
        number = 6

        def method(self):
            return "child"

        @classmethod
        def of_class(cls):
            return "child"

    obj = Child()
    for name in ("method", "number", "of_class", "static", "prop", "absent", "x"):
        for self in (obj, Child):
            def reference(*_):
                return getattr(super(Child, self), name)
            expected = outcome(reference)
            for two in (0, 1):
                got = outcome(helper, "load_super_attr", super, Child, self, name, two)
                compare_loaded(got, expected)
                got = outcome(helper, "load_super_method", super, Child, self, name, two)
                if got[0] == "value":
                    got = ("value", method_as_attribute(got[1]))
                compare_loaded(got, expected)
    expected = outcome(lambda: super(Child, 5).method)
    assert outcome(helper, "load_super_attr", super, Child, 5, "method", 1) == expected
    assert outcome(helper, "load_super_attr", super, 5, obj, "method", 1) == outcome(lambda: super(5, obj).method)
    called = []

    def replaced(*args):
        called.append(args)
        return "abc"

    assert helper("load_super_attr", replaced, Child, obj, "upper", 1)() == "ABC"
    function, (self,) = helper("load_super_method", replaced, Child, obj, "upper", 0)
    assert function() == "ABC" and self is NULL and called == [(Child, obj), ()]


def compare_loaded(got, expected):
    assert got[0] == expected[0]
    if got[0] == "error":
        assert got == expected
    else:
        a, b = comparable(got[1]), comparable(expected[1])
        assert a is b or a == b or same(a, b), (a, b)


def test_globals():
    space = {"a": 1, "shadowed": 2, "__builtins__": builtins}
    builtin_space = {"b": 3, "shadowed": 4}
    caches = {}

    def load(name, g=space, b=builtin_space):
        cache = caches.setdefault((name, id(g)), _core._test_cache())
        return outcome(helper, "load_global", g, b, name, cache)

    for _ in range(3):
        assert load("a") == ("value", 1)
        assert load("b") == ("value", 3)
        assert load("shadowed") == ("value", 2)
        assert load("none") == ("error", NameError, "name 'none' is not defined")
    space["b"] = 10
    assert load("b") == load("b") == ("value", 10)
    del space["b"]
    assert load("b") == load("b") == ("value", 3)
    del space["shadowed"]
    assert load("shadowed") == load("shadowed") == ("value", 4)
    space["".join(["shad", "owed"])] = 7  # the key is no interned string
    assert [load("shadowed") for _ in range(3)] == [("value", 7)] * 3
    del space["shadowed"]
    assert load("shadowed") == load("shadowed") == ("value", 4)
    space["a"] = 5
    assert load("a") == ("value", 5)
    builtin_space["b"] = 30
    assert load("b") == ("value", 30)
    for i in range(100):
        space[f"n{i}"] = i
        assert load("b") == ("value", 30) and load("a") == ("value", 5)
    builtin_space.clear()
    assert load("b")[0] == "error"
    with pytest.raises(NameError) as info:
        helper("load_global", space, builtin_space, "zz", _core._test_cache())
    assert info.value.name == "zz"

    odd = DictChild({"a": 6})
    assert load("a", odd) == ("value", 6)
    assert load("q", odd, DictChild()) == ("value", ("missing", "q"))
    value = ["v"]
    space["value"] = value
    count = sys.getrefcount(value)
    for _ in range(5):
        load("value")
    assert sys.getrefcount(value) == count
    assert helper("store_global", space, "new", 1) == 0 and space["new"] == 1
    assert helper("delete_global", space, "new") == 0 and "new" not in space
    assert outcome(helper, "delete_global", space, "new") == ("error", NameError, "name 'new' is not defined")


def test_names_in_namespaces():
    g, b = {"g": 1}, {"b": 2}
    for space in ({"l": 0}, DictChild({"l": 0}), collections.ChainMap({"l": 0})):
        assert helper("load_name", space, g, b, "l") == 0
        if not isinstance(space, DictChild):
            assert helper("load_name", space, g, b, "g") == 1
            assert helper("load_name", space, g, b, "b") == 2
            assert outcome(helper, "load_name", space, g, b, "n") == ("error", NameError, "name 'n' is not defined")
            assert helper("load_from_dict_or_globals", space, g, b, "g") == 1
            assert outcome(helper, "load_from_dict_or_globals", space, g, b, "n")[2] == "name 'n' is not defined"
        assert helper("store_name", space, "s", 5) == 0 and space["s"] == 5
        assert helper("delete_name", space, "s") == 0
        assert outcome(helper, "delete_name", space, "s") == ("error", NameError, "name 's' is not defined")
        assert helper("load_locals", space) is space
        if isinstance(space, DictChild):
            continue  # it answers with __missing__
        assert helper("setup_annotations", space) == 0 and space["__annotations__"] == {}
        space["__annotations__"]["k"] = 1
        assert helper("setup_annotations", space) == 0 and space["__annotations__"] == {"k": 1}
    assert outcome(helper, "load_name", NULL, g, b, "n") == ("error", SystemError, "no locals found")
    assert outcome(helper, "store_name", NULL, "n", 1) == ("error", SystemError, "no locals found when storing 'n'")
    assert outcome(helper, "delete_name", NULL, "n") == ("error", SystemError, "no locals when deleting 'n'")
    assert outcome(helper, "load_locals", NULL) == ("error", SystemError, "no locals found")
    assert outcome(helper, "setup_annotations", NULL)[1] is SystemError
    assert helper("load_build_class", builtins.__dict__) is builtins.__build_class__
    assert outcome(helper, "load_build_class", {}) == ("error", NameError, "__build_class__ not found")


def test_cells():
    def outer():
        free = 1

        def inner():
            local = free
            cell_local = local

            def innermost():
                return cell_local
            return innermost
        return inner

    code = outer().__code__
    names = list(code.co_varnames + code.co_cellvars + code.co_freevars)
    assert names == ["local", "innermost", "cell_local", "free"] or set(names) >= {"cell_local", "free"}
    all_names = ["local", "innermost", "cell_local", "free"]
    cell = helper("make_cell", NULL)
    local_text = "cannot access local variable '{}' where it is not associated with a value"
    free_text = "cannot access free variable '{}' where it is not associated with a value in enclosing scope"
    for index, name in enumerate(all_names):
        text, kind = (free_text, NameError) if name == "free" else (local_text, UnboundLocalError)
        for call in (("load_cell", cell, code, index), ("delete_cell", cell, code, index), ("raise_unbound", code, index),
                     ("load_from_dict_or_deref", {}, cell, code, index)):
            assert outcome(helper, *call) == ("error", kind, text.format(name)), call
    value = ["v"]
    count = sys.getrefcount(value)
    assert helper("store_cell", cell, value) is None
    assert helper("load_cell", cell, code, 0) is value is cell.cell_contents
    assert helper("load_from_dict_or_deref", {}, cell, code, 3) is value
    assert helper("load_from_dict_or_deref", {"free": 5}, cell, code, 3) == 5
    assert helper("delete_cell", cell, code, 0) == 0
    assert sys.getrefcount(value) == count
    assert helper("make_cell", value).cell_contents is value
    assert sys.getrefcount(value) == count
