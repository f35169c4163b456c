"""Each runtime helper against the operation it stands for: result, exception, text, reference counts."""

from __future__ import annotations

import array
import builtins
import collections
import copy
import fractions
import math
import operator
import random
import sys
import types

import pytest
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

BINARY = [operator.add, operator.and_, operator.floordiv, operator.lshift, operator.matmul,
          operator.mul, operator.mod, operator.or_, lambda a, b: a**b, operator.rshift,
          operator.sub, operator.truediv, operator.xor]


def _augmented(symbol):
    space: dict = {}
    exec(f"def f(a, b):\n    a {symbol}= b\n    return a", space)
    return space["f"]


INPLACE = [_augmented(s) for s in ["+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^"]]
COMPARE = [operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge]


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
    assert before == after, (name, args)


def too_big(op, a, b):
    if op is operator.lshift or op == "<<":
        return isinstance(b, int) and b > 1000
    if op == "**":
        return isinstance(b, int) and abs(b) > 300 and not isinstance(a, (float, complex))
    if op in (operator.mul, "*"):
        def big(x):
            return isinstance(x, int) and x > 1000
        return (big(a) and not isinstance(b, (int, float))) or (big(b) and not isinstance(a, (int, float)))
    return False


def test_every_row_is_tested():
    """A new row needs a test here; the names are looked up in this file's text."""
    with open(__file__, encoding="utf-8") as file:
        text = file.read()
    missing = [name for name, *_ in _core._test_helper_rows() if f'"{name}"' not in text]
    assert not missing


@pytest.mark.parametrize("number", range(13))
def test_binary_op(number):
    symbol = ["+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^"][number]
    for a in OPERANDS:
        for b in OPERANDS:
            if too_big(symbol, a, b):
                continue
            check("binary_op", (a, b, number), lambda x, y, _: BINARY[number](x, y))


@pytest.mark.parametrize("number", range(13))
def test_inplace_op(number):
    def fresh(x):
        return type(x)(x) if type(x) in (list, dict, set, ListChild) else x

    symbol = ["+", "&", "//", "<<", "@", "*", "%", "|", "**", ">>", "-", "/", "^"][number]
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


def test_contains():
    for container in ["abc", "", [1, 2.5, "a"], (1, None), {1: 2}, {1, 2}, frozenset("ab"), 5, None, b"ab", range(5)]:
        for item in [1, 2.5, "a", None, [], 97, Number(0)]:
            check("contains", (container, item), lambda c, i: int(i in c))


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


def test_strings():
    def append(a, b):
        return helper("append_string", a, b)

    for a in ["", "a", "abc" * 50, "é", "日本"]:
        for b in ["", "z", "é" * 9, "𝒳"]:
            left = "".join([a, ""])
            before = sys.getrefcount(left), sys.getrefcount(b)
            result = append(left, b)
            assert result == a + b and left == a
            del result
            assert (sys.getrefcount(left), sys.getrefcount(b)) == before
            check("build_string", (a, b, a), lambda *p: "".join(p))
            check("concat_strings", (a, b), lambda x, y: x + y)
    check("build_string", (), lambda: "")
    for value in OPERANDS:
        check("format_simple", (value,), format)
        for spec in ["", "5", ">8", "x", "%d", ".3f"]:
            check("format_with_spec", (value, spec), format)
        for number, function in ((1, str), (2, repr), (3, ascii)):
            check("convert_value", (value, number), lambda v, _, f=function: f(v))


CONTAINERS = [[], [1, 2, 3], (), (1, 2, 3), "abc", "aé日", "", {1: 2, "a": 3, True: 4}, {}, DictChild(), ListChild([1]),
              b"abc", range(5), 5, None, array.array("d", [1.0, 2.0]), collections.deque([1, 2]), list, type]
KEYS = [0, 1, -1, 2, 3, -3, -4, 2**40, -(2**70), True, 1.0, "a", None, slice(1, 2), slice(None, None, -1), [], (1,), int]


def test_subscript():
    for container in CONTAINERS:
        for key in KEYS:
            check("subscript", (container, key), operator.getitem)
            check("binary_op", (container, key, 26), lambda c, k, _: c[k])


def test_subscript_of_missing_key_keeps_the_key():
    with pytest.raises(KeyError) as info:
        helper("subscript", {}, (1, 2))
    assert info.value.args == ((1, 2),)


def test_store_and_delete_subscript():
    def store(c, k, v):
        c[k] = v

    def delete(c, k):
        del c[k]

    for container in [c for c in CONTAINERS if not isinstance(c, type)]:
        for key in KEYS:
            for name, function, extra in (("store_subscript", store, (["v"],)), ("delete_subscript", delete, ())):
                one, two = copy.copy(container), copy.copy(container)
                expected = outcome(function, one, key, *extra)
                got = outcome(helper, name, two, key, *extra)
                assert got[0] == expected[0] and (got[0] == "value" or got == expected), (container, key)
                assert same(one, two) or one == two


def test_slices():
    bounds = [None, 0, 1, -1, 2, 5, -5, 100, -100, 2**70, -(2**70), "x", 1.5, True]
    for container in ["abcde", "aé日x", [1, 2, 3], (1, 2, 3), b"abc", ListChild([1, 2]), range(5), 5, {}]:
        for start in bounds:
            for stop in bounds:
                check("binary_slice", (container, start, stop), lambda c, a, b: c[a:b])
                check("build_slice", (start, stop, NULL), lambda a, b, _: slice(a, b))

    def store(c, a, b, v):
        c[a:b] = v

    for start in bounds:
        for stop in bounds:
            for value in ([9, 8], "ab", 5):
                one, two = [1, 2, 3], [1, 2, 3]
                expected = outcome(store, one, start, stop, value)
                got = outcome(helper, "store_slice", two, start, stop, value)
                assert got[0] == expected[0] and (got[0] == "value" or got == expected)
                assert one == two
    check("build_slice", (1, 2, 3), slice)


def test_displays():
    for items in [(), (1,), (1, "a", None, [])]:
        check("build_tuple", items, lambda *a: a)
        check("build_list", items, lambda *a: list(a))
        check("build_set", items, lambda *a: set(iter_hashed(a)))
    assert helper("build_tuple") is ()  # noqa: F632
    check("build_map", (1, 2, "a", 3, 1, 4), lambda *a: dict(zip(a[::2], a[1::2])))
    check("build_map", ([], 2), lambda *a: {a[0]: 1})
    check("build_map", (), lambda: {})
    check("build_const_key_map", (("a", "b"), 1, 2), lambda k, *v: dict(zip(k, v)))


def iter_hashed(items):
    for item in items:
        hash(item)
        yield item


def test_filling():
    def run(name, make, args, reference):
        one, two = make(), make()
        counts = [sys.getrefcount(a) for a in args]
        expected = outcome(reference, one, *args)
        got = outcome(helper, name, two, *args)
        assert got[0] == expected[0] and (got[0] == "value" or got[1:] == expected[1:]), (name, args, got, expected)
        assert same(one, two) or one == two
        del one, two, expected, got
        assert counts == [sys.getrefcount(a) for a in args]

    run("list_append", list, ([1],), lambda c, x: c.append(x))
    for value in [[1, 2], (1,), "ab", 5, None, {}, iter([1, 2]), Number(1), range(3), object]:
        def star_list(c, x):
            c[:] = [*c, *x]
        if not hasattr(value, "__next__"):
            run("list_extend", lambda: [0], (value,), star_list)
            run("set_update", lambda: {0}, (value,), lambda c, x: c.update(x))
    for value in [1, "a", [], {}]:
        run("set_add", set, (value,), lambda c, x: c.add(x))
        run("map_add", dict, (value, 5), lambda c, k, v: c.__setitem__(k, v))
    for value in [{1: 2}, [(1, 2)], 5, None, DictChild({3: 4}), types.MappingProxyType({1: 1})]:
        run("dict_update", lambda: {0: 0}, (value,), star_dict)

    def target(**kwargs):
        return kwargs

    def call(c, update, function):
        c.update(target(**c, **update))

    for value in [{"a": 2}, {"b": 1}, 5, [("b", 1)], DictChild({"z": 1})]:
        run("dict_merge", lambda: {"b": 0}, (value, target), call)


def star_dict(c, x):
    merged = {**c, **x}
    c.clear()
    c.update(merged)


def test_len_and_unpack():
    for value in OPERANDS:
        check("get_len", (value,), len)

    def two(x):
        a, b = x
        return (0, [b, a])

    def none(x):
        [] = x
        return (0, [])

    def starred(x):
        a, *b, c = x
        return (0, [c, b, a])

    values = [(1, 2), [1, 2], "ab", {1: 2, 3: 4}, (1,), [], (1, 2, 3), 5, None, range(2), ListChild([1, 2]), Number(1), b"ab"]
    for value in values:
        check("unpack_sequence", (value, 2), lambda v, n: two(v))
        check("unpack_sequence", (value, 0), lambda v, n: none(v)[0])
        check("unpack_ex", (value, 1, 1), lambda v, a, b: starred(v))
    assert helper("unpack_sequence", list(range(300)), 300)[1] == list(range(299, -1, -1))


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


def test_import_star():
    space = {"helper": _core._test_helper, "math": math}
    exec("helper('intrinsic_1', math, 2)", space)
    assert space["pi"] == math.pi and "__name__" not in space


def call_reference(callable_, self, *args):
    return callable_(*args) if self is NULL else callable_(self, *args)


class Raises:
    def __init__(self, *args):
        raise ValueError(args)


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


def test_iteration():
    def generator():
        yield 1
        yield 2
        return "ignored"

    def failing():
        yield 1
        raise KeyError("k")

    class Old:
        def __getitem__(self, i):
            if i > 2:
                raise IndexError
            return i * 10

    class Stops:
        def __iter__(self):
            return self

        def __next__(self):
            raise StopIteration(5)

    makers = [lambda: [1, 2], lambda: (1, 2), lambda: range(3), lambda: range(10, 0, -3), lambda: range(2**70, 2**70 + 2), lambda: "ab",
              lambda: {1: 2}, lambda: {1: 2}.items(), lambda: {1}, generator, failing, Old, Stops, lambda: zip([1], [2]),
              lambda: map(int, "12"), lambda: enumerate("a"), lambda: 5, lambda: None, lambda: iter([]), lambda: Number(1),
              lambda: reversed([1, 2]), lambda: b"ab", lambda: map(len, [1])]

    def drain(value):
        items = []
        it = helper("get_iter", value)
        while True:
            item = helper("iter_next", it)
            if item is NotImplemented:
                break
            items.append(item)
        assert helper("iter_next", it) is NotImplemented
        return items

    for make in makers:
        assert outcome(drain, make()) == outcome(list, make()) or outcome(drain, make())[0] == "error"
        if outcome(list, make())[0] == "error":
            assert outcome(drain, make()) == outcome(lambda x: [i for i in x], make())
    items = [1]
    it = iter(items)
    count = sys.getrefcount(items)
    assert helper("iter_next", it) == 1
    items.append(2)
    assert helper("iter_next", it) == 2 and helper("iter_next", it) is NotImplemented
    assert sys.getrefcount(items) == count - 1  # an exhausted iterator lets go of its list
    items.append(3)
    assert helper("iter_next", it) is NotImplemented and list(it) == []


def test_virtual_iterators():
    kinds = {"RangeIter": 1, "CountIter": 2, "Range": 3, "ListIter": 4, "TupleIter": 5}

    def make(kind, *fields):
        return helper("make_iterator", kinds[kind], *fields)

    assert list(make("RangeIter", 5, 2, 3)) == [5, 7, 9]
    assert list(make("RangeIter", 5, -2, 3)) == [5, 3, 1]
    assert list(make("CountIter", 3, 6)) == [3, 4, 5]
    assert list(make("CountIter", 8, 6)) == []
    assert make("Range", 1, 10, 3) == range(1, 10, 3)
    assert list(make("ListIter", [1, 2, 3], 1)) == [2, 3]
    assert list(make("TupleIter", (1, 2, 3), 3)) == []


def test_async_helpers():
    import asyncio

    async def coroutine():
        return 1

    @types.coroutine
    def old_style():
        yield

    class Awaitable:
        def __await__(self):
            return iter([])

    class BadAwait:
        def __await__(self):
            return 5

    class AsyncIter:
        def __aiter__(self):
            return self

        def __anext__(self):
            return Awaitable()

    class BadNext(AsyncIter):
        def __anext__(self):
            return 5

    class NotIter:
        def __aiter__(self):
            return 5

    one = coroutine()
    assert helper("get_awaitable", one, 0) is one
    one.close()
    assert outcome(helper, "get_awaitable", 5, 0) == ("error", TypeError, "object int can't be used in 'await' expression")
    assert outcome(helper, "get_awaitable", 5, 1)[2] == (
        "'async with' received an object from __aenter__ that does not implement __await__: int")
    assert outcome(helper, "get_awaitable", 5, 2)[2] == (
        "'async with' received an object from __aexit__ that does not implement __await__: int")
    assert outcome(helper, "get_awaitable", BadAwait(), 0)[2] == "__await__() returned non-iterator of type 'int'"
    assert list(helper("get_awaitable", Awaitable(), 0)) == []

    async def busy():
        await asyncio.sleep(0)

    task = busy()
    task.send(None)
    assert outcome(helper, "get_awaitable", task, 0) == ("error", RuntimeError, "coroutine is being awaited already")
    task.close()
    it = AsyncIter()
    assert helper("get_aiter", it) is it
    assert outcome(helper, "get_aiter", 5)[2] == "'async for' requires an object with __aiter__ method, got int"
    assert outcome(helper, "get_aiter", NotIter())[2] == (
        "'async for' received an object from __aiter__ that does not implement __anext__: int")
    assert list(helper("get_anext", it)) == []
    assert outcome(helper, "get_anext", 5)[2] == "'async for' requires an iterator with __anext__ method, got int"
    assert outcome(helper, "get_anext", BadNext())[2] == "'async for' received an invalid object from __anext__: int"

    async def agen():
        yield 1

    gen = agen()
    assert type(helper("get_anext", gen)).__name__ == "async_generator_asend"
    generator = (i for i in [1])
    assert helper("get_yield_from_iter", generator, 0) is generator
    assert list(helper("get_yield_from_iter", [1, 2], 0)) == [1, 2]
    one = coroutine()
    assert helper("get_yield_from_iter", one, 0x80) is one
    assert outcome(helper, "get_yield_from_iter", one, 0)[2] == (
        "cannot 'yield from' a coroutine object in a non-coroutine generator")
    one.close()
    list(old_style())


def test_matching():
    class Point:
        __match_args__ = ("x", "y")

        def __init__(self):
            self.x, self.y = 1, 2

    point = Point()
    assert helper("match_class", point, Point, ("y",), 1) == (1, 2)
    assert helper("match_class", point, Point, ("z",), 0) is None
    assert helper("match_class", 5, Point, (), 0) is None
    assert helper("match_class", 5, int, (), 1) == (5,)
    assert outcome(helper, "match_class", point, Point, (), 3)[1] is TypeError
    assert outcome(helper, "match_class", point, 5, (), 0)[2] == "called match pattern must be a class"
    assert helper("match_keys", {"a": 1, "b": 2}, ("a",)) == (1,)
    assert helper("match_keys", {"a": 1}, ("z",)) is None
    assert outcome(helper, "match_keys", {"a": 1}, ("a", "a"))[1] is ValueError
    for value in (1, "s", b"b", [], (), {}, set(), range(3), collections.deque(), types.MappingProxyType({}), array.array("i")):
        def kind(v):
            match v:
                case [*_]:
                    return 1, 0
                case {}:
                    return 0, 1
            return 0, 0
        assert (helper("match_sequence", value), helper("match_mapping", value)) == kind(value)


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
    count = sys.getrefcount(manager)
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
    assert sys.getrefcount(manager) == count

    def reference(value):
        with value:
            pass

    for value in (5, NoExit(), Failing()):
        assert outcome(helper, "enter_with", value) == outcome(reference, value)
    assert outcome(helper, "enter_async_with", 5)[2] == (
        "'int' object does not support the asynchronous context manager protocol")
    entered, (leave,) = helper("enter_async_with", AsyncManager())
    entered.close()
    assert leave.__name__ == "__aexit__"


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
