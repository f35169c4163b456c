"""Exits: every continuation three levels deep, returning and raising, against the plain run."""

import dis
import functools
import gc
import itertools
import sys

import pytest
from psyco import _core


@pytest.fixture(autouse=True)
def only_fake_bodies():
    """Keeps the real compiler out of what these tests stage."""
    _core.set_options({"compile": False})
    yield
    _core.set_options({"compile": True})


LOG = []


class Track:
    """Logs when it dies."""

    def __init__(self, name):
        self.name = name

    def __del__(self):
        LOG.append(("del", self.name))


def seen(tag):
    frame = sys._getframe(1)
    rows = []
    while frame is not None and frame.f_code.co_name != "harness":
        variables = sorted((k, v) for k, v in frame.f_locals.items() if isinstance(v, (int, str)))
        rows.append((frame.f_code.co_name, frame.f_lineno, frame.f_lasti, variables))
        frame = frame.f_back
    LOG.append((tag, rows, _core._test_depth()))


def traceback_of(error):
    tb = error.__traceback__
    rows = []
    while tb:
        rows.append((tb.tb_frame.f_code.co_name, tb.tb_lineno, tb.tb_lasti))
        tb = tb.tb_next
    rows = [r for r in rows if r[0] != "harness"]
    return type(error).__name__, str(error), rows, type(error.__context__).__name__


def source(kinds, handlers, returns):
    lines = []
    for level in range(3):
        signature = "x" if level == 0 or kinds[level - 1] == "push" else "self, x"
        lines += [f"def f{level}({signature}):", "    r = None", f"    t = Track('L{level}')"]
        indent = "    "
        if handlers[level]:
            lines.append("    try:")
            indent = "        "
        if level == 2:
            lines += [indent + s for s in ("y = x + 7", "seen('leaf')", "r = act()")]
        elif kinds[level] == "push":
            lines.append(indent + f"r = (x, f{level + 1}(x), x + 1)")
        else:
            lines.append(indent + f"r = K{level + 1}(x).__class__.__name__")
        if handlers[level] == 1:
            lines += [
                "    except (ValueError, TypeError) as e:",
                f"        log('caught{level}', tbl(e))",
                "        r = 'caught'",
            ]
        if handlers[level] == 2:
            lines += ["    finally:", f"        log('finally{level}', sys.exc_info()[0])"]
        lines += [f"    seen('post{level}')", "    log('r', r)", f"    return {returns[level]}"]
    for level in (1, 2):
        lines += [f"class K{level}:", f"    __init__ = f{level}"]
    return "\n".join(lines) + "\n"


def namespace(text, act):
    space = dict(Track=Track, seen=seen, act=act, sys=sys, tbl=traceback_of)
    space["log"] = lambda *a: LOG.append(a)
    exec(compile(text, "chain.py", "exec"), space)
    return space


def instruction(code, opname, before=None):
    """Code unit of the first `opname` whose predecessors load the name `before`."""
    instructions = list(dis.get_instructions(code))
    for i, x in enumerate(instructions):
        if x.opname == opname:
            near = instructions[max(0, i - 3) : i]
            if before is None or any(y.argval == before for y in near):
                return x.offset // 2
    raise AssertionError((opname, before))


S = lambda i: ("s", i)  # noqa: E731


def chain_body(space, kinds, mode, x):
    """A body that has run f0, f1 and f2 up to the innermost instruction, all inlined."""
    functions = [space[f"f{k}"] for k in range(3)]
    codes = [f.__code__ for f in functions]
    steps = [("int", S(0), x)]
    frames = []
    news = {}
    for level, code in enumerate(codes):
        steps.append(("new", S(10 + level), functools.partial(Track, f"L{level}")))
        is_init = level and kinds[level - 1] == "init"
        slots = {"x": ("int", S(0), None, False), "t": ("obj", S(10 + level), True), "r": ("obj", ("o", None), False)}
        if is_init:
            slots["self"] = ("obj", S(20 + level), True)
        names = code.co_varnames
        frame = {
            "index": level,
            "locals": [slots.get(n) for n in names],
            "stack": [],
            "function": ("obj", ("o", functions[level]), False) if level else None,
        }
        if level < 2:
            frame["cont"] = kinds[level]
            if kinds[level] == "push":
                frame["bci"] = instruction(code, "CALL", f"f{level + 1}")
                frame["stack"] = [("int", S(0), None, False)]
            else:
                frame["bci"] = instruction(code, "CALL", f"K{level + 1}")
                cls = space[f"K{level + 1}"]
                news[level + 1] = cls
                frame["stack"] = [("obj", S(20 + level + 1), True)]
        elif mode == "guard":
            # an int nobody has boxed yet; the exit is before `y = x + 7`
            frame["bci"] = instruction(code, "BINARY_OP") - 2
        else:
            frame["bci"] = instruction(code, "CALL", "act")
            y = list(names).index("y")
            frame["locals"][y] = ("int", ("i", x + 7), None, False)
        frames.append(frame)
    for level, cls in news.items():
        steps.append(("new", S(20 + level), functools.partial(cls.__new__, cls)))
    # the drops: an owned value in no slot
    steps.append(("new", S(5), functools.partial(Track, "dropped")))
    drops = [("obj", S(5), True)]
    record = {"frames": frames, "drops": drops}
    return {"frames": codes, "spills": 32, "records": [record], "steps": steps, "codes": codes}


def harness(f, x):
    LOG.clear()
    try:
        result = f(x)
    except Exception as e:
        return "raised", traceback_of(e)
    return "returned", result


HANDLERS = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (2, 1, 0), (2, 2, 2), (0, 0, 1)]


@pytest.mark.parametrize("k0,k1", list(itertools.product(("push", "init"), repeat=2)))
@pytest.mark.parametrize("handlers", HANDLERS)
@pytest.mark.parametrize("action", ["return", "raise"])
@pytest.mark.parametrize("mode", ["guard", "error", "linked"])
def test_three_levels(k0, k1, handlers, action, mode):
    if mode == "error" and action == "return":
        pytest.skip("an error does not return")
    kinds = (k0, k1)
    good = ["None" if k == "init" else "'v'" for k in ("push", *kinds)]
    variants = [good]
    if action == "return":
        variants += [[good[0], "5", good[2]], [good[0], good[1], "6"]]
    for returns in variants:
        def act():
            if action == "raise":
                raise ValueError("from act")
            return "acted"

        text = source(kinds, handlers, returns)
        space = namespace(text, act)
        plain = harness(space["f0"], 41)
        plain_log = list(LOG)
        LOG.clear()

        for _ in range(3):
            space = namespace(text, act)
            body = chain_body(space, kinds, mode, 41)
            if mode == "error":
                body["steps"].append(("exit", 0, functools.partial(ValueError, "from act")))
            elif mode == "linked":
                # the record is that of the call-out, then of the error
                body["steps"].append(("call", 0, act, True, S(6), 0))
                after = dict(body["records"][0])
                frames = [dict(f) for f in after["frames"]]
                frames[-1]["stack"] = [("obj", S(6), True)]
                code = body["codes"][-1]
                frames[-1]["bci"] = instruction(code, "CALL", "act") + 4
                body["records"].append({"frames": frames, "drops": after["drops"]})
                body["steps"].append(("exit", 1, None))
            else:
                body["steps"].append(("exit", 0, None))
            _core._test_install(space["f0"], body)
            LOG.clear()
            state = _core._test_thread_state()
            got = harness(space["f0"], 41)
            log = list(LOG)
            assert _core._test_thread_state() == state
            del body
            if mode != "guard":
                # what the body stood for has not logged
                skip = lambda rows: [r for r in rows if r[0] not in ("leaf",)]  # noqa: E731
                log, want_log = skip(log), skip(plain_log)
            else:
                want_log = plain_log
            want = plain
            deaths = ("del", "dropped")
            log = [r for r in log if r != deaths]
            if mode == "error":
                clean = lambda rows: strip_act(rows)  # noqa: E731
                assert clean(got) == clean(want)
                assert clean(log) == clean(want_log)
            else:
                assert got == want
                assert log == want_log
            assert deaths in LOG


def strip_act(thing):
    if isinstance(thing, (list, tuple)):
        return type(thing)(strip_act(t) for t in thing if not (isinstance(t, tuple) and t and t[0] == "act"))
    return thing


# The first instruction behind RESUME, which has a cache from 3.15 on.
START = 2 if sys.version_info >= (3, 15) else 1


def one_frame(function, slots, stack, bci, **more):
    return {"frames": [{"index": 0, "bci": bci, "locals": slots, "stack": stack}], **more}


def run_body(function, *args, **plan):
    number = _core._test_install(function, {"frames": [function.__code__], "spills": 32, **plan})
    state = _core._test_thread_state()
    try:
        return function(*args)
    finally:
        assert _core._test_thread_state() == state
        _core._test_uninstall(function)
        _core._test_free_body(number)


def test_values_and_identity():
    def f(a, b, c, d, e, g, h, i):
        return a, b, c, d, e, g, h, (a is b), (c is d), (a is i)

    record = one_frame(
        f,
        [
            ("int", S(0), None, False, 5),
            ("int", S(0), None, False, 5),  # the same object: one box
            ("float", ("x", 3), None, False, 2),
            ("float", ("x", 3), None, False, 2),
            ("bool", S(1)),
            ("int", S(0), S(2), True),  # has its object
            ("obj", ("o", "const"), False),
            ("int", S(0), None, False, 6),  # the same value only
        ],
        [],
        START,
    )
    big = 10**15 + 7
    boxed = 10**17
    result = run_body(
        f, 1, 2, 3, 4, 5, 6, 7, 8,
        records=[record],
        steps=[
            ("int", S(0), big),
            ("float", ("x", 3), 2.5),
            ("int", S(1), 1),
            ("own", S(2), boxed),
            ("exit", 0, None),
        ],
    )
    assert result == (big, big, 2.5, 2.5, True, boxed, "const", True, True, False)
    assert result[5] is boxed


def test_unbound():
    def f(a):
        x = a
        del x
        return x

    record = one_frame(f, [("obj", ("o", 1), False), ("int", S(0), ("i", 1), False)], [], START)
    # x unbound by its box: `x = a` binds it again, then the rest runs
    with pytest.raises(UnboundLocalError):
        run_body(f, 1, records=[record], steps=[("int", S(0), 3), ("exit", 0, None)])


def test_virtual_objects():
    def f(a, b, c, d, e, g, h, i):
        return a, a, b, list(c), list(d), list(e), list(g), h(), i

    items = [1, 2, 3, 4]
    tup = (5, 6, 7)
    integer = lambda v: ("int", ("i", v), None, False)  # noqa: E731
    obj = lambda o: ("obj", ("o", o), False)  # noqa: E731
    virtuals = [
        ("tuple", [integer(1), ("virt", 1), ("obj", S(0), True)]),
        ("tuple", []),
        ("range", [integer(1), integer(10**12), integer(3)]),
        ("range_iter", [integer(5), integer(2), integer(3)]),
        ("count_iter", [integer(5), integer(8)]),
        ("list_iter", [obj(items), integer(1)]),
        ("tuple_iter", [obj(tup), integer(2)]),
        ("bound_method", [obj(lambda self: ("called", self)), obj("me")]),
        ("slice", [integer(1), obj(None), integer(10**13)]),
    ]
    order = [0, 2, 3, 4, 5, 6, 7, 8]
    record = one_frame(f, [("virt", v) for v in order], [], START, virtuals=virtuals)
    owned = object()
    count = sys.getrefcount(owned)
    result = run_body(
        f, *range(8), records=[record], steps=[("own", S(0), owned), ("exit", 0, None)]
    )
    a, a2, b, c, d, e, g, h, i = result
    assert a is a2 and a == (1, (), owned)
    assert b == range(1, 10**12, 3)
    assert (c, d, e, g) == ([5, 7, 9], [5, 6, 7], [2, 3, 4], [7])
    assert h == ("called", "me")
    assert i == slice(1, None, 10**13)
    del result, a, a2
    gc.collect()
    assert sys.getrefcount(owned) == count


def test_counts_balance():
    def f(a, b):
        return (a, b, a)

    thing = ["thing"]
    base = sys.getrefcount(thing)
    record = one_frame(
        f, [("obj", S(0), True), ("obj", S(0), True)], [], START, drops=[("obj", S(1), True)]
    )
    for _ in range(50):
        result = run_body(
            f, 1, 2, records=[record],
            steps=[("own", S(0), thing), ("own", S(1), thing), ("exit", 0, None)],
        )
        assert result == (thing, thing, thing)
    del result, record
    gc.collect()
    assert sys.getrefcount(thing) == base


def test_normal_return_and_args():
    def f(a, b=5, *rest, k=7, **kw):
        return "interpreted"

    thing = object()
    codes = []

    def check(args):
        codes.append(args)

    steps = [("arg", S(i), i) for i in range(5)]
    steps += [("poke", check, S(i)) for i in range(5)]
    steps += [("own", S(9), thing), ("return", S(9))]
    count = sys.getrefcount(thing)
    for call, want in [
        (lambda: f(1), [1, 5, 7, (), {}]),
        (lambda: f(1, 2, 3, 4, k=9, z=8), [1, 2, 9, (3, 4), {"z": 8}]),
        (lambda: f(b=3, a=2), [2, 3, 7, (), {}]),
        (lambda: f(*[1, 2], **{"k": 3, "a" + "b": 4}), [1, 2, 3, (), {"ab": 4}]),
    ]:
        codes.clear()
        number = _core._test_install(
            f, {"frames": [f.__code__], "spills": 16, "records": [], "steps": steps}
        )
        assert call() is thing
        assert codes == want
    del number
    for bad in (lambda: f(), lambda: f(1, a=2), lambda: f(1, 2, b=3)):
        with pytest.raises(TypeError) as got:
            bad()
        _core._test_uninstall(f)
        with pytest.raises(TypeError) as want:
            bad()
        assert str(got.value) == str(want.value)
        _core._test_install(f, {"frames": [f.__code__], "spills": 16, "records": [], "steps": steps})
    _core._test_uninstall(f)


def test_function_version_comes_back():
    space = {}
    exec("def f(a): return a\ndef g():\n    return f(1)\n", space)
    f = space["f"]
    version = _core._test_function_version(f)
    assert version
    for _ in range(50):
        space["g"]()
    _core._test_install(
        f, {"frames": [f.__code__], "spills": 1, "records": [], "steps": [("own", S(0), 7), ("return", S(0))]}
    )
    assert _core._test_function_version(f) < 2  # 1: cleared, from 3.14 on
    assert space["g"]() == 7
    _core._test_uninstall(f)
    assert _core._test_function_version(f) == version
    assert space["g"]() == 1


def test_changed_code_uninstalls():
    def f(a):
        return a

    def other(a):
        return "other"

    _core._test_install(
        f, {"frames": [f.__code__], "spills": 1, "records": [], "steps": [("own", S(0), 7), ("return", S(0))]}
    )
    assert f(1) == 7
    f.__code__ = other.__code__
    assert f(1) == "other"


def test_retire_tells_to_leave():
    def f(a):
        b = a
        return ("left", b)

    numbers = []
    record = one_frame(f, [("obj", S(0), False), ("obj", ("o", 9), False)], [], START + 2)
    plan = {
        "frames": [f.__code__],
        "spills": 4,
        "records": [record],
        "steps": [
            ("arg", S(0), 0),
            ("leave?", 0),
            ("call", 0, lambda: _core._test_retire(numbers[0]), False, None, 0),
            ("leave?", 0),
            ("return", S(1)),
        ],
    }
    numbers.append(_core._test_install(f, plan))
    assert f("x") == ("left", 9)
    assert _core._test_body_state(numbers[0]) == ([1], 0, True)
    assert f("x") == ("left", "x")  # no valid version: interpreted
    _core._test_uninstall(f)


def test_recursion_limit():
    """Native frames near the limit give way to the interpreter, which raises at the usual depth."""
    space = {}
    exec("def f(n):\n    return 1 + f(n + 1)\n", space)
    f = space["f"]
    depths = []

    def deepest():
        depths.clear()
        try:
            f(0)
        except RecursionError as e:
            tb, n = e.__traceback__, 0
            while tb:
                tb, n = tb.tb_next, n + 1
            return n, str(e)

    plain = deepest()
    record = one_frame(f, [("obj", S(0), False)], [], START)
    _core._test_install(
        f,
        {"frames": [f.__code__], "spills": 4, "records": [record], "steps": [("arg", S(0), 0), ("exit", 0, None)]},
    )
    assert deepest() == plain
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(100_000)
        state = _core._test_thread_state()
        assert deepest()[1] == plain[1]
        now = _core._test_thread_state()
        assert now == state
    finally:
        sys.setrecursionlimit(limit)
    _core._test_uninstall(f)


def test_recursion_through_c_ends_where_it_does_in_plain():
    """A call that has exited takes as many levels of C as one of the interpreter."""
    import threading

    space = {}
    exec("def f(n):\n    return 1 + through(n + 1)\n", space)
    f = space["f"]
    space["through"] = functools.lru_cache(maxsize=None)(f)

    def deepest():
        try:
            f(0)
        except RecursionError as error:
            tb, n = error.__traceback__, 0
            while tb:
                tb, n = tb.tb_next, n + 1
            return n

    def both():
        depths.append(deepest())
        record = one_frame(f, [("obj", S(0), False)], [], START)
        _core._test_install(
            f,
            {"frames": [f.__code__], "spills": 4, "records": [record], "steps": [("arg", S(0), 0), ("exit", 0, None)]},
        )
        state = _core._test_thread_state()
        depths.append(deepest())
        assert _core._test_thread_state() == state
        _core._test_uninstall(f)

    depths = []
    limit = sys.getrecursionlimit()
    old = threading.stack_size(64 * 1024 * 1024)  # CPython's limit comes first, not the stack's end
    sys.setrecursionlimit(100_000)
    try:
        thread = threading.Thread(target=both)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(old)
    plain, exited = depths
    if sys.version_info < (3, 14):
        assert abs(exited - plain) <= 2
    else:  # no levels are counted there: the stack itself is the limit, and native frames need more of it
        assert plain / 8 < exited <= plain


def test_deep_recursion_in_a_small_thread():
    import threading

    space = {}
    exec("def f(n):\n    return n and 1 + f(n - 1)\n", space)
    f = space["f"]
    record = one_frame(f, [("obj", S(0), False)], [], START)
    _core._test_install(
        f,
        {"frames": [f.__code__], "spills": 4, "records": [record], "steps": [("arg", S(0), 0), ("exit", 0, None)]},
    )
    limit = sys.getrecursionlimit()
    old = threading.stack_size(256 * 1024)
    result = []
    try:
        sys.setrecursionlimit(200_000)
        thread = threading.Thread(target=lambda: result.append(f(50_000)))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(old)
        sys.setrecursionlimit(limit)
    assert result == [50_000]
    _core._test_uninstall(f)
