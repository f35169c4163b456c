"""Calls of compiled functions from interpreted code and from C, which machine code makes by itself."""

import sys
import threading
import weakref

import psyco
import pytest
from differential import check
from psyco import _core

pytestmark = pytest.mark.usefixtures("no_trials")


def calls(function, *arguments, times=640):
    """How many of so many calls entered compiled code, and how many of them C++ had to look at."""
    for _ in range(100):
        function(*arguments)
    before = _core.stats()
    for _ in range(times):
        function(*arguments)
    after = _core.stats()
    return [after[key] - before[key] for key in ("native_calls", "general_calls")]


def made(source, *names):
    """These functions of a module of its own, bound."""
    space = {"__name__": "case"}
    exec(source, space)
    functions = [space[name] for name in names]
    for function in functions:
        psyco.bind(function)
    return functions[0] if len(functions) == 1 else functions


ARGUMENTS = {
    "none": ("def f(): return 5", ()),
    "int": ("def f(a): return a + 1", (7,)),
    "negative int": ("def f(a): return a + 1", (-(2**29),)),
    "zero": ("def f(a): return a - 1", (0,)),
    "float": ("def f(a): return a * 2.0", (1.5,)),
    "object": ("def f(a): return a", ("x",)),
    "three": ("def f(a, b, c): return (c, b, a)", (1, 2.5, [])),
    "default": ("def f(a, b=3): return a + b", (1,)),
    "five": ("def f(a, b, c, d, e): return a + b * c + d + e", (1, 2, 3, 4.0, 5)),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_most_calls_are_made_by_machine_code(name):
    source, arguments = ARGUMENTS[name]
    function = made(source, "f")
    native, general = calls(function, *arguments)
    # The clock is read around one in 64.
    assert native == 640 and general <= 640 / 32


def test_parameters_that_are_left_out():
    function = made("def f(a, b=2, c=3.5): return (a, b, c)", "f")
    for arguments in ((1,), (1, 5), (1, 5, 7.5)):
        assert calls(function, *arguments)[1] <= 20
        assert function(*arguments) == (arguments + (2, 3.5)[len(arguments) - 1 :])
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        function()
    with pytest.raises(TypeError, match="from 1 to 3 positional arguments but 4 were given"):
        function(1, 2, 3.5, 4)
    function.__defaults__ = (4.5,)
    assert function(1, 2) == (1, 2, 4.5)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'b'"):
        function(1)
    function.__defaults__ = None
    with pytest.raises(TypeError, match="missing 2 required positional arguments: 'b' and 'c'"):
        function(1)
    function.__defaults__ = (7, 8, 9.5)
    assert (function(), function(1), function("x")) == ((7, 8, 9.5), (1, 8, 9.5), ("x", 8, 9.5))


def test_a_default_that_is_replaced_lives_as_long_as_the_call():
    class Loud:
        def __del__(self):
            seen.append("gone")

    def replace():
        function.__defaults__ = (None,)
        seen.append("replaced")

    space = {"replace": replace}
    exec("def f(a, b=None):\n    if a: replace()\n    return b is None", space)
    function = space["f"]
    psyco.bind(function)
    for _ in range(20):
        seen = []
        function.__defaults__ = (Loud(),)
        for _ in range(20):
            function(0)
        assert function(1) is False
        assert seen == ["replaced", "gone"]


def test_versions_for_several_types():
    function = made("def f(a): return a + a", "f")
    for argument in (3, 2.5, "ab", (1,)):
        assert calls(function, argument)[1] <= 20
    assert calls(function, 2**50)[1] <= 20
    values = (3, 2.5, "ab", (1,), 2**40, -2**59, 2**60, -2**62, 2**62, 2**63, 2**70)
    assert [function(x) for x in values] == [x + x for x in values]


def test_arguments_and_results_are_the_same_objects():
    check(
        """
def same(a): return a
def number(a): return a + 0
def pair(a, b): return [a, b, a is b]
""",
        ["[same(x) for x in (0, -5, -6, 256, 257, 2**29, 2**30, -2**30, 2**62, -2**63, 2**64, True)]",
         "[number(x) for x in (0, -5, -6, 256, 257, 2**29, 2**30, -2**30, 2**62, -2**63, 2**64, True)]",
         "[number(x) is number(x) for x in (-6, -5, 0, 256)]",
         "(lambda x: same(x) is x)(1000)", "(lambda x: same(x) is x)(1000.5)",
         "(lambda x: pair(x, x))(float('nan'))", "pair([], [])",
         "[number(x) for x in (1.5, -0.0, float('inf'), 1e308)]"],
    )


def test_whatever_is_unlike_most_calls():
    """Names, defaults, too few and too many arguments, subclasses of int."""
    check(
        """
class Int(int):
    def __add__(self, other): return 'mine'
def f(a, b=3): return a + b
def rest(*a, **k): return a, k
def only(a, *, k=4): return a, k
""",
        ["f(1)", "f(1, 2)", "f(1, b=2)", "f(b=1, a=2)", "f()", "f(1, 2, 3)", "f(c=1)", "f(Int(3), 1)", "f(True, 1)",
         "f(*(1, 2))", "f(**{'a': 1})", "rest(1, b=2)", "only(1)", "only(1, k=2)", "only(1, 2)",
         "list(map(f, range(5), range(5)))", "sorted([3, 1, 2], key=lambda x: f(x, 1))"],
    )


def test_tools_see_what_they_see_plainly():
    check(
        """
import sys
def f(a):
    b = a + 1
    return b
def traced(n):
    seen = []
    def tracer(frame, event, arg):
        if frame.f_code is f.__code__:
            seen.append((event, frame.f_lineno - f.__code__.co_firstlineno))
        return tracer
    for i in range(n):
        f(i)
    sys.settrace(tracer)
    try:
        f(1)
    finally:
        sys.settrace(None)
    f(2)
    return seen
def profiled():
    seen = []
    f(3)
    sys.setprofile(lambda frame, event, arg: frame.f_code is f.__code__ and seen.append(event))
    try:
        f(1)
    finally:
        sys.setprofile(None)
    return seen
def monitored(local):
    seen, m = [], sys.monitoring
    m.use_tool_id(2, 'case')
    m.register_callback(2, m.events.PY_START, lambda code, at: code is f.__code__ and seen.append(code.co_name))
    f(1)
    if local:
        m.set_local_events(2, f.__code__, m.events.PY_START)
    else:
        m.set_events(2, m.events.PY_START)
    f(2)
    m.set_local_events(2, f.__code__, 0)
    m.set_events(2, 0)
    m.free_tool_id(2)
    f(3)
    return seen
""",
        ["[f(i) for i in range(200)][-1]", "traced(100)", "profiled()", "monitored(False)", "monitored(True)", "f(4)"],
    )


def test_changed_and_unbound_while_it_runs():
    check(
        """
def other(a): return a * 100
def f(a):
    if a == 9:
        f.__code__ = other.__code__
    return a + 1
def d(a, b=1):
    if a == 9:
        d.__defaults__ = (50,)
    return a + b
""",
        ["[f(i) for i in range(8)]", "(f(9), f(9), f(1))", "[d(i) for i in range(8)]", "(d(9), d(9), d(1))"],
    )
    space = {"psyco": psyco}
    exec("def f(a):\n    if a == 3000: psyco.unbind(f)\n    return a + 1", space)
    function = space["f"]
    psyco.bind(function)
    assert [function(i) for i in range(2990, 3010)] == list(range(2991, 3011))
    assert calls(function, 1)[0] == 0


def test_arguments_live_as_long_as_the_call_and_no_longer():
    class Thing:
        pass

    function = made("def f(things, see): see(things); return 1", "f")
    seen = []

    def once():
        things = [Thing()]
        weakref.finalize(things[0], seen.append, "gone")
        return things.pop()

    for _ in range(50):
        del seen[:]
        function(once(), lambda thing: seen.append("call"))
        assert seen == ["call", "gone"]
    # The caller's own array changes: C passes what only a list holds.
    first = made("def f(a, b): b.clear(); return a", "f")
    for _ in range(50):
        holder = [["kept"]]
        assert first(holder[0], holder) == ["kept"]
    counted = object()
    count = sys.getrefcount(counted)
    for _ in range(50):
        first(counted, [])
    assert sys.getrefcount(counted) == count


def test_a_finaliser_of_an_argument_may_do_away_with_the_code():
    source = "def f(a):\n    return 7"
    for attempt in range(20):
        function = made(source, "f")
        for _ in range(50):
            function(object())

        class Last:
            def __del__(self):
                psyco.unbind(function)
                function.__code__ = (lambda a: 8).__code__

        assert function(Last()) == 7
        assert function(1) == 8


def test_recursion_through_c_ends_as_plainly():
    check(
        """
import sys
def down(n): return max(map(down, (n + 1,)))
def deep():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(300)
    try:
        return down(0)
    except RecursionError as error:
        return str(error)
    finally:
        sys.setrecursionlimit(limit)
def far(n): return 0 if n == 0 else next(map(far, (n - 1,))) + 1
def frames():
    names, frame = [], sys._getframe()
    while frame and frame.f_code.co_name in ('frames', 'outer', 'inner'):
        names.append((frame.f_code.co_name, frame.f_lineno)); frame = frame.f_back
    return names
def inner(a): return frames()
def outer(a): return list(map(inner, (a,)))[0]
def fails(a): return 1 // a
def catches(a):
    try:
        return list(map(fails, (a,)))
    except ZeroDivisionError as error:
        return error
""",
        ["deep()", "far(100)", "outer(1)", "catches(0)", "catches(1)", "fails(0)"],
    )


def test_threads_call_the_same_function():
    function = made("def f(a): return a + 1", "f")
    wrong = []

    def work(base):
        for i in range(20000):
            if function(base + i) != base + i + 1:
                wrong.append(i)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work, args=(k << 20,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not wrong
    assert calls(function, 1)[1] <= 20
    assert _core.stats()["activations"] == 0
