"""bytes, bytearray and array.array: items without objects, ranges of stores, iteration."""
from array import array

import psyco
import pytest
from differential import check
from psyco import _core

ARRAYS = """
from array import array
def make(code, items=(3, 1, 2)):
    return array(code, items)
def load(a, i):
    return a[i]
def store(a, i, x):
    a[i] = x
    return a[i], list(a)
def swap(a):
    for i in range(len(a) // 2):
        a[i], a[-i - 1] = a[-i - 1], a[i]
    return list(a)
def total(a):
    t = a[0]
    for i in range(1, len(a)):
        t += a[i]
    return t
"""

LIMITS = {
    "b": (-128, 127),
    "B": (0, 255),
    "h": (-(2**15), 2**15 - 1),
    "H": (0, 2**16 - 1),
    "i": (-(2**31), 2**31 - 1),
    "I": (0, 2**32 - 1),
    "l": (-(2**63), 2**63 - 1),
    "L": (0, 2**64 - 1),
    "q": (-(2**63), 2**63 - 1),
    "Q": (0, 2**64 - 1),
}


@pytest.mark.parametrize("code", LIMITS)
def test_integer_arrays(code):
    low, high = LIMITS[code]
    values = [low, low + 1, 0, 1, high - 1, high]
    check(
        ARRAYS,
        [f"[load(make('{code}', {values}), i) for i in range(-6, 6)]", f"load(make('{code}'), 6)"]
        + [f"store(make('{code}'), 1, {x})" for x in [*values, low - 1, high + 1, 2**70, True]]
        + [f"store(make('{code}'), -4, 0)", f"store(make('{code}'), 0, 1.5)"]
        + [f"swap(make('{code}', {values}))", f"total(make('{code}', {values}))"],
        repeat=4,
    )


def test_float_arrays():
    check(
        ARRAYS,
        [
            "[load(make('d', (0.5, -0.0, float('nan'))), i) for i in (0, 1, 2, -1)]",
            "store(make('d'), 2, 1.5)",
            "store(make('d'), 2, 7)",
            "store(make('d'), 2, 2 ** 62 + 1)",
            "store(make('d'), 2, 10 ** 400)",
            "store(make('d'), 2, 'x')",
            "store(make('f'), 2, 0.1)",
            "swap(make('d', range(9)))",
            "total(make('d', range(9)))",
            "total(make('f', range(9)))",
        ],
    )


def test_kinds_of_items_change():
    """The same code meets arrays of other kinds, and lists, after it was compiled."""
    check(
        ARRAYS,
        [
            f"total({container})"
            for container in ("make('d')", "make('i')", "make('d')", "[1, 2]", "b'abc'", "'abc'",
                              "bytearray(b'abc')", "make('q')", "(1.5, 2)", "make('d')")
        ],
        repeat=40,
    )


BYTES = """
def load(data, i):
    return data[i]
def store(data, i, x):
    data[i] = x
    return data
def walk(data):
    t = 0
    for byte in data:
        t = t * 31 + byte & 0xffff
    return t
def pairs(data):
    return [(a, b) for a in data for b in data if a < b]
def identical(data):
    return data[0] is data[1], [x is y for x, y in zip(data, data)]
"""


def test_bytes():
    data = [f"{kind}(range({n}))" for kind in ("bytes", "bytearray") for n in (0, 3, 256)]
    check(
        BYTES,
        [f"[load({d}, i) for i in (0, 2, -1, -3)]" for d in data]
        + [f"load({d}, 256)" for d in data]
        + [f"load({d}, 1.0)" for d in data]
        + [f"walk({d})" for d in data]
        + ["pairs(b'bca')", "pairs(bytearray(b'cab'))", "identical(b'aab')"]
        + [
            f"store(bytearray(b'abc'), {i}, {x})"
            for i, x in ((0, 1), (-1, 255), (1, 256), (1, -1), (3, 0), (0, True), (0, 2**80),
                         (0, None), (0, 1.0), (-4, 5))
        ]
        + ["store(b'abc', 0, 1)"],
        repeat=8,
    )


def test_bytearray_changes_while_it_is_walked():
    check(
        """
def grow(data, limit):
    seen = []
    for byte in data:
        seen.append(byte)
        if len(data) < limit:
            data.append(byte + 1)
    return seen, len(data)
def shrink(data):
    seen = []
    for byte in data:
        seen.append(byte)
        if byte % 3 == 0:
            del data[-1]
    return seen
def rewrite(data):
    seen = []
    for i, byte in enumerate(data):
        data[-1] = byte ^ 0x55
        data[i] = data[-1]
        seen.append(data[i])
    return seen, bytes(data)
def resized_in_a_call(data, action):
    t = 0
    for i in range(6):
        t += data[i]
        if i == 3:
            action(data)
        t += data[i]
    return t
def clear(data):
    data.clear()
def double(data):
    data.extend(data * 50)
""",
        [
            "grow(bytearray(b'ab'), 40)",
            "shrink(bytearray(range(30)))",
            "rewrite(bytearray(range(20)))",
            "resized_in_a_call(bytearray(range(9)), double)",
            "resized_in_a_call(bytearray(range(9)), clear)",
        ],
        repeat=10,
    )


def test_iterators_leave_compiled_code():
    """An exit in the middle of a loop makes the iterator; the interpreter goes on with it."""
    check(
        """
def mixed(data, n):
    seen = []
    t = 1
    for byte in data:
        t = t * (byte + n)
        seen.append(t)
    return seen
def stops(data, at):
    for byte in data:
        if byte == at:
            raise ValueError(at)
    return None
def nested(data):
    out = []
    for x in data:
        for y in data:
            out.append(x // (y - 2) if y != 2 else x * 2 ** 60)
    return out
def long_loop(data):
    t = 0
    for byte in data:
        t += byte
    return t
""",
        [
            f"{call.format(data)}"
            for data in ("bytes(range(1, 40))", "bytearray(range(1, 40))")
            for call in ("mixed({}, 1)", "mixed({}, 1.5)", "stops({}, 7)", "stops({}, 77)",
                         "nested({})", "long_loop({} * 500)")
        ],
    )


def test_buffer_held_by_somebody():
    """Elements may be stored while a memoryview is alive; a resize is refused as ever."""
    check(
        """
def run(n):
    data = bytearray(8)
    view = memoryview(data)
    for i in range(n):
        data[i & 7] = i & 255
        view[(i + 1) & 7] = data[i & 7] ^ 1
    try:
        data.append(1)
    except BufferError as error:
        return bytes(view), str(error)
""",
        ["run(5)", "run(300)"],
    )


def test_constant_indices_beyond_any_address():
    """The access stays behind its guard, which always fails."""
    space = {}
    exec("""
def f(items, text, n):
    t = 0
    for i in range(n):
        try: t += items[2**40]
        except IndexError: t += 1
        try: t += items[-2**62]
        except IndexError: t += 10
        try: items[2**33] = 5
        except IndexError: t += 100
        try: t += text[2**35]
        except IndexError: t += 1000
    return t
""", space)
    psyco.bind(space["f"])
    for items in ([1, 2], array("q", [1, 2]), array("d", [1.0]), bytearray(b"ab")):
        assert space["f"](items, b"abc", 200) == 1111 * 200
    assert _core.report(space["f"])["refused"] is None
