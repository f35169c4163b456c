"""Runtime helpers of iteration, await and matching against the interpreter's operations."""

from __future__ import annotations

import array
import asyncio
import collections
import sys
import types

from runtime_helpers import Number, helper, outcome


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
    assert outcome(helper, "get_awaitable", 5, 0) == (
        "error", TypeError,
        "'int' object can't be awaited" if sys.version_info >= (3, 14) else "object int can't be used in 'await' expression")
    assert outcome(helper, "get_awaitable", 5, 1)[2] == (
        "'async with' received an object from __aenter__ that does not implement __await__: int")
    assert outcome(helper, "get_awaitable", 5, 2)[2] == (
        "'async with' received an object from __aexit__ that does not implement __await__: int")
    told = "__await__() returned non-iterator of type 'int'"
    if sys.version_info >= (3, 15):
        told = f"{__name__}.{BadAwait.__qualname__}.__await__() must return an iterator, not int"
    assert outcome(helper, "get_awaitable", BadAwait(), 0)[2] == told
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
    assert outcome(helper, "match_class", point, 5, (), 0)[2] == (
        "class pattern must refer to a class" if sys.version_info >= (3, 15) else "called match pattern must be a class"
    )
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
