"""What programs see of activations: variables, lines, frames kept, writes; and that assumptions end them."""

import gc
import sys
import threading

import pytest
from psyco import _core
from test_runtime_deopt import S, instruction


@pytest.fixture(autouse=True)
def only_fake_bodies():
    """Keeps the real compiler out of what these tests stage."""
    _core.set_options({"compile": False})
    yield
    _core.set_options({"compile": True})


SOURCE = """
def f(n, cb):
    s = 0
    x = 0.5
    name = 'abc'
    t = (n, 1)
    cb()
    cb()
    return s, x, name, t
"""


def calls(code):
    import dis

    return [i.offset // 2 for i in dis.get_instructions(code) if i.opname == "CALL"]


def native(cb):
    """f as compiled code would run it: values unboxed, t not built, f_locals through stack maps."""
    space = {}
    exec(compile(SOURCE, "visible.py", "exec"), space)
    f = space["f"]
    code = f.__code__
    first, second = calls(code)
    variables = {
        "n": ("obj", S(0), False),
        "cb": ("obj", S(1), False),
        "s": ("int", S(2), None, False),
        "x": ("float", ("x", 5), None, False),
        "name": ("obj", ("o", "abc"), False),
        "t": ("virt", 0),
    }
    values = [variables[v] for v in code.co_varnames]
    virtuals = [("tuple", [("obj", S(0), False), ("int", ("i", 1), None, False)])]

    def record(bci, stack=()):
        frame = {"index": 0, "bci": bci, "locals": values, "stack": list(stack)}
        return {"frames": [frame], "virtuals": virtuals}

    records = [record(first), record(first + 4), record(second), record(second + 4)]
    for k in (1, 3):
        records[k]["frames"][0]["stack"] = [("obj", ("o", None), False)]
    steps = [("arg", S(0), 0), ("arg", S(1), 1), ("int", S(2), 7), ("float", ("x", 5), 2.5)]
    steps += [
        ("call", 0, cb, False, None, 0),
        ("leave?", 1),
        ("call", 2, cb, False, None, 2),
        ("leave?", 3),
        ("exit", 3, None),
    ]
    number = _core._test_install(
        f, {"frames": [code], "spills": 8, "records": records, "steps": steps}
    )
    return f, number


def plain():
    space = {}
    exec(compile(SOURCE, "visible.py", "exec"), space)
    return space["f"]


def clean(variables):
    return {k: v for k, v in dict(variables).items() if k != "cb"}


FINAL = (7, 2.5, "abc", (4, 1))
SEEN = {"n": 4, "s": 7, "x": 2.5, "name": "abc", "t": (4, 1)}


def test_reading():
    log = []

    def cb():
        log.append((clean(sys._getframe(1).f_locals), sys._getframe(1).f_lineno))

    f, number = native(cb)
    state = _core._test_thread_state()
    assert f(4, cb) == FINAL
    assert _core._test_thread_state() == state
    assert log == [(SEEN, 7), (SEEN, 8)]
    assert _core._test_body_state(number)[0][1] == 1  # left behind the first call


def test_not_reading_does_not_leave():
    def cb():
        assert sys._getframe(1).f_code.co_name == "f"

    f, number = native(cb)
    assert f(4, cb) == FINAL
    assert _core._test_body_state(number)[0] == [0, 0, 0, 1]


def test_writing():
    def cb():
        view = sys._getframe(1).f_locals
        view["s"] = 1000
        view["x"] = "other type"

    f, _ = native(cb)
    assert f(4, cb) == (1000, "other type", "abc", (4, 1))


def test_eval_and_locals():
    log = []

    def cb():
        log.append(eval("s + x", {}, sys._getframe(1).f_locals))

    f, _ = native(cb)
    assert f(4, cb) == FINAL
    assert log == [9.5, 9.5]


def test_kept_frame():
    kept = []

    def cb():
        kept.append(sys._getframe(1))
        if len(kept) == 2:
            assert clean(kept[0].f_locals) == SEEN

    f, _ = native(cb)
    assert f(4, cb) == FINAL
    assert kept[0] is kept[1]
    assert clean(kept[0].f_locals) == SEEN
    kept[0].clear()
    assert dict(kept[0].f_locals) == {}


def test_identity():
    seen = []

    def cb():
        seen.append(sys._getframe(1).f_locals["t"])

    f, _ = native(cb)
    result = f(4, cb)
    assert seen[0] is seen[1] is result[3]


def test_exception_has_the_variables():
    def cb():
        raise KeyError("x")

    f, _ = native(cb)
    with pytest.raises(KeyError) as caught:
        f(4, cb)
    rows = []
    tb = caught.tb.tb_next
    while tb:
        rows.append((tb.tb_frame.f_code.co_name, tb.tb_lineno))
        if tb.tb_frame.f_code.co_name == "f":
            assert clean(tb.tb_frame.f_locals) == SEEN
        tb = tb.tb_next
    assert rows == [("f", 7), ("cb", rows[1][1])]


def test_other_thread():
    inside, go = threading.Event(), threading.Event()

    def cb():
        inside.set()
        assert go.wait(10)

    f, _ = native(cb)
    result = []
    thread = threading.Thread(target=lambda: result.append(f(4, cb)))
    thread.start()
    assert inside.wait(10)
    frame = sys._current_frames()[thread.ident]
    while frame.f_code.co_name != "f":
        frame = frame.f_back
    assert clean(frame.f_locals) == SEEN
    frame.f_locals["s"] = 77
    del frame
    go.set()
    thread.join()
    assert result == [(77, 2.5, "abc", (4, 1))]


def test_counts_balance():
    class Thing:
        pass

    thing = Thing()

    def cb():
        dict(sys._getframe(1).f_locals)

    f, _ = native(cb)
    f(thing, cb)
    base = sys.getrefcount(thing)
    for _ in range(50):
        f(thing, cb)
    gc.collect()
    assert sys.getrefcount(thing) == base


# --- inlined frames ------------------------------------------------------------------------------

INLINED = """
def outer(n, cb):
    a = n + 1
    r = inner(a, cb)
    return a, r
def inner(p, cb):
    q = p * 2
    cb()
    cb()
    return q
"""


def inlined(cb):
    space = {}
    exec(compile(INLINED, "inlined.py", "exec"), space)
    outer, inner = space["outer"], space["inner"]
    first, second = calls(inner.__code__)

    def frames(bci, stack=()):
        return [
            {
                "index": 0, "cont": "push", "bci": instruction(outer.__code__, "CALL", "inner"),
                "locals": [("obj", S(0), False), ("obj", S(1), False), ("int", S(2), None, False), None],
            },
            {
                "index": 1, "bci": bci, "function": ("obj", ("o", inner), False), "stack": list(stack),
                "locals": [("int", S(2), None, False), ("obj", S(1), False), ("int", S(3), None, False)],
            },
        ]

    none = ("obj", ("o", None), False)
    records = [
        {"frames": frames(first)}, {"frames": frames(first + 4, [none])},
        {"frames": frames(second)}, {"frames": frames(second + 4, [none])},
    ]
    steps = [("arg", S(0), 0), ("arg", S(1), 1), ("int", S(2), 5), ("int", S(3), 10)]
    steps += [
        ("call", 0, cb, True, None, 0), ("leave?", 1), ("call", 2, cb, True, None, 2), ("leave?", 3),
        ("exit", 3, None),
    ]
    plan = {"frames": [outer.__code__, inner.__code__], "spills": 8, "records": records, "steps": steps}
    return outer, _core._test_install(outer, plan)


def test_inlined_frames_are_there():
    log = []

    def cb():
        frame = sys._getframe(1)
        log.append((frame.f_code.co_name, frame.f_lineno, frame.f_back.f_code.co_name, frame.f_back.f_lineno))

    outer, number = inlined(cb)
    depth = []
    state = _core._test_thread_state()
    assert outer(4, lambda: depth.append(_core._test_depth())) == (5, 10)
    assert _core._test_thread_state() == state
    assert log == [("inner", 8, "outer", 4), ("inner", 9, "outer", 4)]
    assert _core._test_body_state(number)[0] == [0, 0, 0, 1]


def test_inlined_variables_and_writes():
    log = []

    def cb():
        frame = sys._getframe(1)
        log.append((clean(frame.f_locals), clean(frame.f_back.f_locals)))
        frame.f_locals["q"] = "written"
        frame.f_back.f_locals["a"] = "also"

    outer, number = inlined(cb)
    assert outer(4, cb) == ("also", "written")
    assert log[0] == ({"p": 5, "q": 10}, {"n": 4, "a": 5})
    assert log[1] == ({"p": 5, "q": "written"}, {"n": 4, "a": "also"})


def test_inlined_frame_kept_without_reading():
    kept = []

    def cb():
        kept.append(sys._getframe(1))

    outer, number = inlined(cb)
    state = _core._test_thread_state()
    assert outer(4, cb) == (5, 10)
    assert _core._test_thread_state() == state
    assert kept[0] is kept[1]
    assert clean(kept[0].f_locals) == {"p": 5, "q": 10}


def test_inlined_exception():
    def cb():
        raise KeyError("x")

    outer, _ = inlined(cb)
    state = _core._test_thread_state()
    with pytest.raises(KeyError) as caught:
        outer(4, cb)
    rows = []
    tb = caught.tb.tb_next
    while tb:
        rows.append((tb.tb_frame.f_code.co_name, tb.tb_lineno))
        tb = tb.tb_next
    assert rows[:2] == [("outer", 4), ("inner", 8)]
    assert _core._test_thread_state() == state


# --- tools ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["events", "local", "trace"])
def test_a_tool_switched_on_makes_callers_leave(kind):
    mon = sys.monitoring
    if kind == "trace":
        lines = []

        def tracer(frame, event, arg):
            lines.append(frame.f_lineno)
            return tracer

        def start():
            sys._getframe(1).f_trace = tracer
            sys.settrace(tracer)

        f, number = native(start)
        try:
            assert f(4, start) == FINAL
        finally:
            sys.settrace(None)
        assert _core._test_body_state(number)[0][1] == 1
        assert 8 in lines and 9 in lines
        return
    mon.use_tool_id(2, "other")
    try:
        def cb():
            if kind == "events":
                mon.set_events(2, mon.events.LINE)
            else:
                mon.set_local_events(2, sys._getframe(1).f_code, mon.events.LINE)

        f, number = native(cb)
        lines = []
        mon.register_callback(2, mon.events.LINE, lambda code, line: lines.append(line) if code.co_name == "f" else None)
        f, number = native(cb)
        assert f(4, cb) == FINAL
        mon.set_events(2, 0)
        assert _core._test_body_state(number)[0][1] == 1
        assert 9 in lines
    finally:
        mon.free_tool_id(2)
