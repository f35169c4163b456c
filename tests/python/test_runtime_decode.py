"""The decoder over the whole standard library: total, and with the stack effects of CPython itself."""

import dis
import os
import pathlib
import sys
import types
import warnings

import pytest
from psyco import _core

LIB = pathlib.Path(os.__file__).parent


def code_objects(code):
    todo = [code]
    while todo:
        code = todo.pop()
        yield code
        todo.extend(c for c in code.co_consts if isinstance(c, types.CodeType))


def sources(limit=None):
    files = sorted(LIB.rglob("*.py"))
    files = [f for f in files if "site-packages" not in f.parts and "lib2to3" not in f.parts]
    if limit:
        files = files[:: max(1, len(files) // limit)]
    for file in files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
        except (SyntaxError, ValueError, UnicodeDecodeError):
            continue


def check(code):
    decoded = _core._test_decode(code)
    assert decoded is not None, code
    rows, handlers = decoded
    raws = {}
    for i, row in enumerate(rows):
        raws.setdefault(row[5], []).append((i, row))
    instructions = [x for x in dis.get_instructions(code) if x.opname != "EXTENDED_ARG"]
    assert [x.offset // 2 for x in instructions] == sorted(raws)
    first_index = {}
    for bci, group in raws.items():
        first_index[bci] = group[0][0]
    for x, following in zip(instructions, [*instructions[1:], None]):
        group = raws[x.offset // 2]
        net = sum(row[9] - row[8] for _, row in group)
        # stack_effect's own view of FOR_ITER's jump differs by version; compare the fall-through.
        effect = dis.stack_effect(x.opcode, x.arg, jump=False)
        if x.opname == "RETURN_VALUE":
            effect = -1  # 3.14 counts what the caller gets
        assert net == effect, (x, group)
        assert group[0][1][10] == 1 and group[-1][1][11] == 1
        assert all(row[10] == 0 for _, row in group[1:])
        assert group[0][1][4] == x.start_offset // 2
        assert _core._test_entry_unit(code, x.offset // 2) == x.start_offset // 2
        if following is not None:
            assert group[0][1][6] == following.start_offset // 2
        target = group[-1][1][7]
        if x.jump_target is not None and x.opname != "END_ASYNC_FOR":  # there for tools only (3.14)
            goal = rows[target]
            if x.opname == "FOR_ITER":
                assert goal[5] == x.jump_target // 2 + 1 and goal[0] == "Pop"
            else:
                assert goal[4] == x.jump_target // 2
            assert rows[target][10] == 1
            assert rows[target][14] == 1
        else:
            assert target == -1
        for _, row in group:
            if row[0] in ("LoadConst",) and x.opname in ("LOAD_CONST", "RETURN_CONST"):
                assert row[3] is x.argval or row[3] == x.argval or row[3] != row[3]
            if row[0] in ("LoadAttr", "LoadGlobal", "LoadMethod", "StoreAttr", "LoadName", "LoadSuper"):
                assert row[3] == x.argval
    parsed = [(e.start // 2, e.end // 2, e.target // 2, e.depth, int(e.lasti))
              for e in dis._parse_exception_table(code)]
    assert [(h[0], h[1], h[2], h[4], h[5]) for h in handlers] == parsed
    for h in handlers:
        assert rows[h[3]][4] == h[2]
    return len(rows)


def test_standard_library():
    limit = None if os.environ.get("PSYCO_FULL_TESTS") else 120
    count = 0
    for module in sources(limit):
        for code in code_objects(module):
            count += check(code)
    assert count > 50_000


def flow(code):
    """Abstract depths along all edges agree and stay within co_stacksize."""
    rows, handlers = _core._test_decode(code)
    depth = {0: 0}
    todo = [0]

    def reach(index, d):
        if index not in depth:
            depth[index] = d
            todo.append(index)
        assert depth[index] == d, (code, rows[index], d, depth[index])

    terminal = {"Jump", "LoopBack", "Return", "Raise", "Reraise"}
    while todo:
        i = todo.pop()
        row = rows[i]
        d = depth[i]
        assert d >= row[8], row
        after = d - row[8] + row[9]
        assert after <= code.co_stacksize + 1
        for h in handlers:
            if h[0] <= row[5] < h[1]:
                if h[4] > d:  # 3.15: the end of a generator expression, whose cursor is gone
                    assert row[0] in ("Pop", "LoadConst", "Return")
                    continue
                reach(h[3], h[4] + h[5] + 1)
        if row[7] >= 0:
            reach(row[7], after - (row[0] == "ForIter"))
        if row[0] not in terminal:
            reach(i + 1, after)


def test_depths_agree():
    for module in sources(40):
        for code in code_objects(module):
            flow(code)


def test_specialised_and_cold():
    namespace = {}
    exec(
        "def f(a, b, flag):\n"
        "    x = a + b\n"
        "    if flag:\n"
        "        x = x * b\n"
        "    return x\n",
        namespace,
    )
    f = namespace["f"]
    for _ in range(100):
        f(1.5, 2.5, False)
    rows, _ = _core._test_decode(f.__code__)
    binaries = [r for r in rows if r[0] == "Binary"]
    assert dis._all_opname[binaries[0][12]] == "BINARY_OP_ADD_FLOAT"
    assert binaries[0][13] == 4
    assert binaries[1][12] == 0 and binaries[1][13] == 1


def test_instrumented_code_decodes_the_same():
    namespace = {}
    exec("def f(n):\n    s = 0\n    for i in range(n):\n        s += i\n    return s\n", namespace)
    f = namespace["f"]
    before = [r[:12] for r in _core._test_decode(f.__code__)[0]]
    mon = sys.monitoring
    mon.use_tool_id(3, "test")
    try:
        events = mon.events
        mon.set_local_events(3, f.__code__, events.LINE | events.JUMP | events.INSTRUCTION | events.PY_START)
        f(3)
        rows = _core._test_decode(f.__code__)[0]
        assert [r[:12] for r in rows] == before
        assert all(r[12] == 0 for r in rows)
        for r in rows:
            assert _core._test_entry_unit(f.__code__, r[5]) == r[4]
    finally:
        mon.set_local_events(3, f.__code__, 0)
        mon.free_tool_id(3)


def test_refuses_other_objects():
    with pytest.raises(TypeError):
        _core._test_decode(42)
