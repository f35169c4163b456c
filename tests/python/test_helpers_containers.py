"""Runtime helpers of strings, subscripts, displays and unpacking against the interpreter's operations."""

from __future__ import annotations

import array
import collections
import copy
import operator
import sys
import types

import pytest
from runtime_helpers import DictChild, ListChild, NULL, Number, OPERANDS, check, helper, outcome, same


def test_contains():
    for container in ["abc", "", [1, 2.5, "a"], (1, None), {1: 2}, {1, 2}, frozenset("ab"), 5, None, b"ab", range(5)]:
        for item in [1, 2.5, "a", None, [], 97, Number(0)]:
            check("contains", (container, item), lambda c, i: int(i in c))


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
        check("build_set", items, lambda *a: eval("{" + "".join(f"a[{i}], " for i in range(len(a))) + "*()}"))
    assert helper("build_tuple") is ()  # noqa: F632
    check("build_map", (1, 2, "a", 3, 1, 4), lambda *a: dict(zip(a[::2], a[1::2])))
    check("build_map", ([], 2), lambda *a: {a[0]: 1})
    check("build_map", (), lambda: {})
    check("build_const_key_map", (("a", "b"), 1, 2), lambda k, *v: dict(zip(k, v)))


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
