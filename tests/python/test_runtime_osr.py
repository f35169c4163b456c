"""Taking over running loops: redirects to any instruction, exceptions, tools, counting."""

import dis
import gc
import operator
import random
import sys
import traceback

import pytest
from psyco import _core


@pytest.fixture(autouse=True)
def only_fake_bodies():
    """Keeps the real compiler, and the measuring of loops, out of what these tests stage."""
    governor = _core.options()["governor"]
    _core.set_options({"compile": False, "governor": False})
    yield
    _core.set_options({"compile": True, "governor": governor})


NULL = _core._test_null()
mon = sys.monitoring


CURSOR = 2 if sys.version_info >= (3, 15) else 1  # slots of a loop's cursor; the iterator is the deepest

BY_ZERO = "division by zero" if sys.version_info >= (3, 14) else "integer division or modulo by zero"


def instructions(code):
    return [i for i in dis.get_instructions(code) if i.opname != "CACHE"]


def loops(code):
    """(head unit, unit behind the loop's exit with the iterator still there) of each `for`."""
    found = []
    listed = instructions(code)
    by_offset = {i.offset: i for i in listed}
    for i in listed:
        if i.opname == "JUMP_BACKWARD":
            head = by_offset[i.argval]
            out = None
            if head.opname == "FOR_ITER":
                out = head.argval // 2 + 1
            found.append((i.argval // 2, out))
    return found


def variable(code, name):
    return list(code.co_varnames).index(name)


def install(code, target, planner, depth):
    body = {
        "frames": [code],
        "spills": code.co_nlocals + len(code.co_cellvars + code.co_freevars) + code.co_stacksize,
        "records": [{}],
        "steps": [("loop", planner)],
        "depth": depth,
    }
    number = _core._test_install_loop(code, target, body)
    _core.watch_code(code)
    return number


def remove(code, number):
    _core.unwatch_code(code)
    _core._test_free_body(number)


def make(text, name="f", **more):
    space = dict(more)
    exec(compile(text, "osr.py", "exec"), space)
    return space[name]


SUM = """
def f(n):
    total = 0
    for i in range(n):
        total += i * 3
    return total, i
"""


def sum_planner(code, out):
    total, i = variable(code, "total"), variable(code, "i")

    def plan(local, stack, target):
        for local[i] in stack[-CURSOR]:
            local[total] += local[i] * 3
        return local, stack, out

    return plan


def test_loop_exit():
    f = make(SUM)
    want = f(1000)
    code = f.__code__
    [(head, out)] = loops(code)
    number = install(code, head, sum_planner(code, out), CURSOR)
    state = _core._test_thread_state()
    assert f(1000) == want
    assert f(1) == (0, 0) and f(2) == (3, 1)
    assert _core._test_thread_state() == state
    assert _core._test_body_state(number)[1] == 0
    remove(code, number)


def outcome(f, *args):
    try:
        return "returned", f(*args)
    except Exception as e:
        rows = []
        tb = e.__traceback__.tb_next
        while tb:
            rows.append((tb.tb_frame.f_code.co_name, tb.tb_lineno, tb.tb_lasti, tb.tb_frame.f_lineno))
            tb = tb.tb_next
        return "raised", type(e), str(e), type(e.__context__), rows


RAISING = {
    "no handler": """
def f(data):
    out = 0
    for d in data:
        out += 100 // d
    return out
""",
    "handler elsewhere": """
def f(data):
    out = 0
    try:
        out = 1
    except KeyError:
        out = 2
    for d in data:
        out += 100 // d
    return out
""",
    "except": """
def f(data):
    out = 0
    for d in data:
        try:
            out += 100 // d
        except ZeroDivisionError as e:
            out += 1000
            kept = type(e.__traceback__).__name__, e.__traceback__.tb_lineno
    return out, kept
""",
    "finally": """
def f(data):
    out = []
    for d in data:
        try:
            out.append(100 // d)
        finally:
            out.append("done")
    return out
""",
    "with": """
def f(data):
    out = 0
    for d in data:
        with suppress(ZeroDivisionError):
            out += 100 // d
    return out
""",
    "around": """
def f(data):
    try:
        out = 0
        for d in data:
            out += 100 // d
        return out
    except ZeroDivisionError:
        return "caught", out, d
""",
    "nested": """
def f(data):
    out = []
    for k in range(2):
        try:
            for d in data:
                try:
                    out.append(100 // d)
                finally:
                    out.append(d)
        except ZeroDivisionError:
            out.append(k)
    return out
""",
}
# In `with` the block's stack entries lie between iterator and operands.


@pytest.mark.parametrize("name", RAISING)
def test_exception_in_a_loop(name):
    """The division of the second item raises natively; the rest is the interpreter's."""
    from contextlib import suppress

    text = RAISING[name]
    data = [1, 0, 5]
    want = outcome(make(text, suppress=suppress), data)
    f = make(text, suppress=suppress)
    code = f.__code__
    where = next(i.offset // 2 for i in instructions(code) if i.opname == "BINARY_OP" and i.argrepr == "//")
    loop = [(h, o) for h, o in loops(code) if o is not None]
    fitting = [h for h, o in loop if h <= where < o]
    head = max(fitting)
    depth = CURSOR * {"nested": 2}.get(name, 1)
    d = variable(code, "d")

    def plan(local, stack, target):
        # one iteration has run; the next one begins, raises in the middle of its division
        try:
            local[d] = next(stack[-CURSOR])
        except StopIteration:
            return local, stack, dict(loop)[head]
        if local[d] == 0:
            if name == "with":
                exit_method = suppress(ZeroDivisionError)
                exit_method.__enter__()
                stack.append(exit_method.__exit__)
                if sys.version_info >= (3, 14):
                    stack.append(NULL)
            out = local[variable(code, "out")]
            if isinstance(out, list):
                stack += [out.append, NULL]
            else:
                stack.append(out)
            stack += [100, local[d]]
            try:
                100 // local[d]
            except ZeroDivisionError as e:
                error = e.with_traceback(None)
            return local, stack, where, error
        # go on at the beginning of the body
        body = where_body(code, head)
        stack.append(local[d])
        return local, stack, body

    number = install(code, head, plan, depth)
    state = _core._test_thread_state()
    for _ in range(3):
        assert outcome(f, data) == want
        assert _core._test_thread_state() == state
    assert _core._test_body_state(number)[0][0] >= 3
    remove(code, number)


def test_handler_at_the_loop_head_only():
    """The copy of a finally block before a return has no handler, the loop around it has."""
    text = """
def f(data, zero):
    try:
        for d in data:
            if d == 9:
                return d
    finally:
        d = 100 // zero
"""
    want = outcome(make(text), [1, 2, 9, 4], 0)
    f = make(text)
    code = f.__code__
    [(head, out)] = [x for x in loops(code) if x[1]]
    _, handlers = _core._test_decode(code)
    covered = lambda unit: any(h[0] <= unit < h[1] for h in handlers)  # noqa: E731
    divisions = [i.offset // 2 for i in instructions(code) if i.opname == "BINARY_OP"]
    where = next(u for u in divisions if not covered(u))
    assert covered(head)

    def plan(local, stack, target):
        for local[variable(code, "d")] in stack[-CURSOR]:
            if local[variable(code, "d")] == 9:
                break
        return local, [9, 100, 0], where, ZeroDivisionError(BY_ZERO)

    number = install(code, head, plan, CURSOR)
    state = _core._test_thread_state()
    for _ in range(3):
        assert outcome(f, [1, 2, 9, 4], 0) == want
        assert _core._test_thread_state() == state
    remove(code, number)


def where_body(code, head):
    """The instruction behind the FOR_ITER at `head`."""
    listed = instructions(code)
    at = next(k for k, i in enumerate(listed) if i.offset // 2 == head)
    return listed[at + 1].offset // 2


def test_generator_loop():
    f = make("def f(n):\n    for i in range(n):\n        yield i * 2\n    yield 'end'\n")
    code = f.__code__
    want = list(f(6))
    [(head, out)] = loops(code)
    calls = []

    def plan(local, stack, target):
        calls.append(1)
        try:
            local[variable(code, "i")] = next(stack[-CURSOR])
        except StopIteration:
            return local, stack, out
        stack.append(local[variable(code, "i")])
        return local, stack, where_body(code, head)

    number = install(code, head, plan, CURSOR)
    assert list(f(6)) == want and calls
    remove(code, number)


def test_module_level_loop():
    code = compile("total = 0\nfor i in range(50):\n    total += i\nafter = total\n", "mod.py", "exec")
    [(head, out)] = loops(code)
    space = {}

    def plan(local, stack, target):
        for i in stack[-CURSOR]:
            space["total"] += i
            space["i"] = i
        return local, stack, out

    number = install(code, head, plan, CURSOR)
    exec(code, space)
    assert (space["total"], space["after"], space["i"]) == (1225, 1225, 49)
    remove(code, number)


def test_tools_keep_native_code_out():
    f = make(SUM)
    code = f.__code__
    want = f(10)
    [(head, out)] = loops(code)
    number = install(code, head, sum_planner(code, out), CURSOR)

    def entered():
        return _core._test_body_state(number)[0][0]

    assert f(10) == want and entered() == 1
    lines = []
    sys.settrace(lambda frame, event, arg: (lines.append(frame.f_lineno), sys._getframe().f_back and None)[1])
    try:
        assert f(10) == want
    finally:
        sys.settrace(None)
    assert entered() == 1
    mon.use_tool_id(2, "other")
    try:
        mon.set_events(2, mon.events.LINE)
        assert f(10) == want and entered() == 1
        mon.set_events(2, 0)
        assert f(10) == want and entered() == 2
        mon.set_local_events(2, code, mon.events.LINE)
        assert f(10) == want and entered() == 2
        mon.set_local_events(2, code, 0)
        assert f(10) == want and entered() == 3
    finally:
        mon.free_tool_id(2)
    remove(code, number)


def test_finaliser_in_a_loop_is_monitored():
    """Python code that the loop runs sees tracing on, as anywhere."""
    f = make(SUM)
    code = f.__code__
    [(head, out)] = loops(code)
    inner = make(SUM)
    inner_code = inner.__code__
    hits = []
    inner_number = install(
        inner_code, loops(inner_code)[0][0],
        lambda local, stack, t: (hits.append(1), sum_planner(inner_code, loops(inner_code)[0][1])(local, stack, t))[1],
        CURSOR,
    )
    base = sum_planner(code, out)

    def plan(local, stack, target):
        assert inner(10) == (135, 9)
        return base(local, stack, target)

    number = install(code, head, plan, CURSOR)
    assert f(10) == (135, 9)
    assert hits
    remove(code, number)
    remove(inner_code, inner_number)


# --- fuzz: a small bytecode interpreter stops after a random number of instructions --------------

FUZZ = """
def f(n, m, lst):
    t = 0
    k = 0
    for i in range(n):
        t += i * 3 - (k * 2 + m)
        j = 0
        while j < 5:
            if t % 3 == 1:
                t = t + (j, i)[j & 1] * (m + 1)
            elif t % 7 == 2:
                j += 1
                continue
            j += 1
            if t > 10**9: break
        else:
            t += 2
        for x in lst:
            k = k + x * (t % 11) - (1 if x > 2 else 0)
            if k > 1000: k -= 990
        t += sum([y + k for y in lst if y != i])
    return t, k, i, j
"""
OPS = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "%": operator.mod, "&": operator.and_,
    "**": operator.pow, "+=": operator.add, "-=": operator.sub,
}
CMP = {"<": operator.lt, "==": operator.eq, ">": operator.gt, "!=": operator.ne}


class Unsupported(Exception):
    pass


def step(listed, index, pc, L, S):
    i = listed[index[pc]]
    op = i.opname
    after = listed[index[pc] + 1].offset
    op = op.replace("_BORROW", "")  # 3.14
    if op in ("NOP", "EXTENDED_ARG", "RESUME", "NOT_TAKEN"):
        return after
    if op in ("LOAD_FAST", "LOAD_FAST_CHECK"):
        S.append(L[i.arg])
    elif op == "LOAD_FAST_LOAD_FAST":
        S += [L[i.arg >> 4], L[i.arg & 15]]
    elif op == "LOAD_FAST_AND_CLEAR":
        S.append(L[i.arg])
        L[i.arg] = NULL
    elif op in ("LOAD_CONST", "LOAD_SMALL_INT"):
        S.append(i.argval)
    elif op == "STORE_FAST":
        L[i.arg] = S.pop()
    elif op == "STORE_FAST_LOAD_FAST":
        L[i.arg >> 4] = S.pop()
        S.append(L[i.arg & 15])
    elif op == "STORE_FAST_STORE_FAST":
        L[i.arg >> 4] = S.pop()
        L[i.arg & 15] = S.pop()
    elif op == "BINARY_OP":
        b, a = S.pop(), S.pop()
        S.append(a[b] if i.argrepr == "[]" else OPS[i.argrepr](a, b))
    elif op == "BINARY_SUBSCR":
        b, a = S.pop(), S.pop()
        S.append(a[b])
    elif op == "COMPARE_OP":
        b, a = S.pop(), S.pop()
        S.append(CMP[i.argrepr.replace("bool(", "").rstrip(")")](a, b))
    elif op == "POP_JUMP_IF_FALSE":
        return i.argval if S.pop() is False else after
    elif op == "POP_JUMP_IF_TRUE":
        return i.argval if S.pop() is True else after
    elif op in ("JUMP_FORWARD", "JUMP_BACKWARD"):
        return i.argval
    elif op == "BUILD_LIST" and i.arg == 0:
        S.append([])
    elif op == "BUILD_TUPLE":
        made = tuple(S[-i.arg :])
        del S[-i.arg :]
        S.append(made)
    elif op == "LIST_APPEND":
        value = S.pop()
        S[-i.arg].append(value)
    elif op == "SWAP":
        S[-1], S[-i.arg] = S[-i.arg], S[-1]
    elif op == "COPY":
        S.append(S[-i.arg])
    elif op in ("POP_TOP", "END_FOR"):
        S.pop()
    elif op == "POP_ITER":
        del S[-CURSOR:]
    elif op == "GET_ITER":
        S += [iter(S.pop()), NULL][:CURSOR]
    elif op == "FOR_ITER":
        try:
            S.append(next(S[-CURSOR]))
        except StopIteration:
            return i.argval + 2  # POP_TOP, with the iterator still there
    else:
        raise Unsupported(op)
    return after


def fuzz_planner(code, rng, longest, exits):
    listed = instructions(code)
    index = {i.offset: k for k, i in enumerate(listed)}

    def plan(L, S, target):
        pc = target * 2
        for _ in range(rng.randrange(1, longest)):
            try:
                pc = step(listed, index, pc, L, S)
            except Unsupported:
                break
        while listed[index[pc] - 1].opname == "EXTENDED_ARG":
            pc = listed[index[pc] - 1].offset
        exits[pc] = exits.get(pc, 0) + 1
        return L, S, pc // 2

    return plan


def depths(code):
    """Stack depth at each loop head."""
    rows, _ = _core._test_decode(code)
    known, todo = {0: 0}, [0]
    while todo:
        i = todo.pop()
        row = rows[i]
        after = known[i] - row[8] + row[9]
        goals = []
        if row[7] >= 0:
            goals.append((row[7], after - (row[0] == "ForIter")))
        if row[0] not in ("Jump", "LoopBack", "Return", "Raise", "Reraise"):
            goals.append((i + 1, after))
        for goal, depth in goals:
            if goal not in known:
                known[goal] = depth
                todo.append(goal)
    return {rows[i][4]: d for i, d in known.items()}


@pytest.mark.parametrize("part", range(4))
def test_fuzz(part):
    args, other = (40, 7, [1, 2, 3, 4, 5]), (40, 7, (5, 1, 3))
    plain = make(FUZZ)
    want, want_other = plain(*args), plain(*other)
    exits = {}
    blocks = None
    for seed in range(part * 60, part * 60 + 60):
        f = make(FUZZ)
        code = f.__code__
        rng = random.Random(seed)
        longest = rng.choice((3, 10, 60, 400))
        plan = fuzz_planner(code, rng, longest, exits)
        at = depths(code)
        numbers = [install(code, head, plan, at[head]) for head, _ in loops(code)]
        assert f(*args) == want, seed
        assert f(*other) == want_other, seed
        for number in numbers:
            remove(code, number)
        del plan, f, code
        if seed % 60 == 20:
            gc.collect()
            blocks = sys.getallocatedblocks()
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 200
    assert sum(exits.values()) > 1000 and len(exits) > 40


def test_counts_balance():
    f = make("def f(n, thing):\n    for i in range(n):\n        x = thing\n    return i\n")
    code = f.__code__
    [(head, out)] = loops(code)
    thing = object()
    x, i = variable(code, "x"), variable(code, "i")

    def plan(local, stack, target):
        for local[i] in stack[-CURSOR]:
            local[x] = local[variable(code, "thing")]
        return local, stack, out

    number = install(code, head, plan, CURSOR)
    f(5, thing)
    base = sys.getrefcount(thing)
    for _ in range(100):
        assert f(5, thing) == 4
    assert sys.getrefcount(thing) == base
    remove(code, number)


def test_traceback_of_caller_is_right():
    f = make(RAISING["no handler"])
    code = f.__code__
    [(head, out)] = loops(code)
    where = next(i.offset // 2 for i in instructions(code) if i.opname == "BINARY_OP" and i.argrepr == "//")

    def plan(local, stack, target):
        stack += [local[variable(code, "out")], 100, 0]
        return local, stack, where, ZeroDivisionError("native")

    number = install(code, head, plan, CURSOR)
    try:
        f([1, 2, 3])
    except ZeroDivisionError as e:
        summary = traceback.extract_tb(e.__traceback__)
    assert [row.lineno for row in summary][1:] == [5]
    assert len(summary) == 2
    remove(code, number)
