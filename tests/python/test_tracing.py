"""Tracers, profilers and monitoring tools that begin and end within compiled code."""

from __future__ import annotations

import sys

import psyco
import pytest
from differential import check

TRACED = """
import sys
events = []
def tracer(frame, event, arg):
    if frame.f_code.co_filename == '<case>':
        events.append((frame.f_code.co_name, event, frame.f_lineno))
    return tracer
def switch(on):
    sys.settrace(tracer if on else None)
    if on:
        sys._getframe(1).f_trace = tracer
def g(x):
    y = x * 2
    return y
def f(n):
    del events[:]
    total = 0
    for i in range(n):
        if i == 3:
            switch(True)
        total += g(i)
        if i == 5:
            switch(False)
    return total, list(events)
def profiled(n):
    calls = []
    def profile(frame, event, arg):
        if frame.f_code.co_filename == '<case>':
            calls.append((frame.f_code.co_name, event))
    total = 0
    for i in range(n):
        if i == 3:
            sys.setprofile(profile)
        total += g(i)
        if i == 5:
            sys.setprofile(None)
    return total, calls
"""


def test_settrace_in_the_middle():
    before = sys.gettrace()
    try:
        check(TRACED, ["f(2)", "f(8)", "f(2)"], repeat=4)
    finally:
        sys.settrace(before)


MARKED = """
import functools
import sys
events = []
def tracer(frame, event, arg):
    if frame.f_code.co_name in ("inner", "outer"):
        events.append((frame.f_code.co_name, event, frame.f_lineno))
    return tracer
def mark(i, last, lines):
    if i == last:
        sys.settrace(tracer)
        frame = sys._getframe(1)
        while frame.f_code.co_name != "start":
            frame.f_trace = tracer
            frame.f_trace_lines = lines
            frame = frame.f_back
marker = functools.partial(mark)  # not inlined
def inner(i, last, lines):
    doubled = i * 2
    marker(i, last, lines)
    return doubled + 1
def outer(n, last, lines):
    total = 0
    for i in range(n):
        total += inner(i, last, lines)
        if i == last + 1:
            break
    return total
def start(n, last, lines=True):
    del events[:]
    total = outer(n, last, lines)
    sys.settrace(None)
    return total, list(events)
"""


def test_frames_that_only_a_tracer_has_marked():
    """Nobody holds their objects when the call ends that set f_trace."""
    before = sys.gettrace()
    try:
        check(MARKED, ["start(40, -9)", "start(40, 30)", "start(40, 30, False)", "start(3000, 2990)"], repeat=4)
    finally:
        sys.settrace(before)


STOPPED = """
import sys
seen = []
def f():
    def tracer(frame, event, arg):
        if frame.f_code is f.__code__:
            seen.append((event, frame.f_lineno))
        return tracer
    frame = sys._getframe()
    frame.f_trace = tracer
    frame.f_trace_opcodes = True
    sys.settrace(tracer); here = 1
    there = 2
    sys.settrace(None)
    frame.f_trace = None
    frame.f_trace_opcodes = False
"""


def stops(namespace):
    for _ in range(4):
        namespace["f"]()
    return namespace["seen"]


@pytest.mark.parametrize("everything", [True, False])
def test_tracer_that_stops_at_the_next_instruction(everything, no_trials):
    """As pdb.set_trace() does: our events must not make CPython forget the tracer's."""
    before = sys.gettrace()
    plain, watched = {}, {"__name__": "watched"}
    exec(STOPPED, plain)
    exec(STOPPED, watched)
    try:
        expected = stops(plain)
        if everything:
            psyco.full()
        else:
            exec("import psyco; psyco.jit()", watched)
        assert stops(watched) == expected
        assert [kind for kind, _ in expected].count("opcode") > 20
        # And we count again. When it is compiled depends on what the process has spent on that before.
        exec("def counted(n):\n    for i in range(n): pass", watched)
        before_call = psyco.stats()["events"]
        watched["counted"](50)
        assert psyco.stats()["events"] > before_call
    finally:
        psyco.stop()
        sys.settrace(before)


ON_ONE_LINE = """
import sys
mon = sys.monitoring
def leaf(x): return x + 1
def f():
    lines = []
    mon.use_tool_id(3, "test")
    mon.register_callback(3, mon.events.LINE, lambda code, line: lines.append((code.co_name, line)))
    mon.set_events(3, mon.events.LINE)
    leaf(1)
    mon.restart_events()
    leaf(2)
    mon.set_events(3, 0)
    mon.free_tool_id(3)
    return lines
"""


def test_line_events_are_those_of_a_tool_alone():
    if sys.monitoring.get_tool(3) is not None:
        pytest.skip("another tool has id 3")
    plain, watched = {}, {}
    exec(ON_ONE_LINE, plain)
    exec(ON_ONE_LINE, watched)
    expected = plain["f"]()
    try:
        psyco.full()
        for _ in range(300):
            watched["leaf"](0)
        assert [watched["f"]() for _ in range(3)] == [expected] * 3
    finally:
        psyco.stop()


def test_setprofile_in_the_middle():
    before = sys.getprofile()
    try:
        check(TRACED, ["profiled(2)", "profiled(8)", "profiled(2)"], repeat=4)
    finally:
        sys.setprofile(before)


MONITORED = """
import sys
mon = sys.monitoring
lines = []
def on_line(code, line):
    if code.co_filename == '<case>':
        lines.append((code.co_name, line))
def switch(on, what):
    events = mon.events.LINE if on else 0
    if what == 'global':
        mon.set_events(3, events)
    else:
        mon.set_local_events(3, f.__code__, events)
def f(n, what):
    total = 0
    for i in range(n):
        if i == 3:
            switch(True, what)
        total += i
        if i == 5:
            switch(False, what)
    return total
def run(n, what):
    del lines[:]
    mon.use_tool_id(3, 'test')
    mon.register_callback(3, mon.events.LINE, on_line)
    try:
        return f(n, what), list(lines)
    finally:
        mon.set_events(3, 0)
        mon.set_local_events(3, f.__code__, 0)
        mon.register_callback(3, mon.events.LINE, None)
        mon.free_tool_id(3)
"""


INLINED_LOCALLY_WATCHED = """
import sys
mon = sys.monitoring
lines = []
def leaf(x):
    return x * 2
def middle(x, n):  # not inlined itself: it has loops
    total = leaf(x) + n
    for i in range(n):
        total += leaf(i) - x
    for i in range(n):
        total -= leaf(i) + leaf(x)
    return total
def outer(n, on, off):
    total = 0
    for i in range(n):
        if i == on or i == off:
            mon.set_local_events(3, leaf.__code__, mon.events.LINE if i == on else 0)
        total += middle(i, 3)
    return total
def run(n, on, off):
    del lines[:]
    mon.use_tool_id(3, "test")
    mon.register_callback(3, mon.events.LINE, lambda code, line: lines.append((code.co_name, line)))
    try:
        mapped = sum(map(middle, range(n), [2] * n))
        return outer(n, on, off), mapped, lines[:40], len(lines)
    finally:
        if off is not None:
            mon.set_local_events(3, leaf.__code__, 0)
        mon.free_tool_id(3)
"""


def test_code_inlined_in_others_is_watched():
    """However the body that has it inlined is called."""
    if sys.monitoring.get_tool(3) is not None:
        pytest.skip("another tool has id 3")
    check(
        INLINED_LOCALLY_WATCHED,
        ["run(300, -1, -1)", "run(300, 100, 200)", "run(300, 5, None)", "run(300, -1, -1)", "run(300, 0, 1)"],
        repeat=3,
    )


@pytest.mark.parametrize("what", ["global", "local"])
def test_foreign_line_tool_in_the_middle(what):
    if sys.monitoring.get_tool(3) is not None:
        pytest.skip("another tool has id 3")
    check(MONITORED, [f"run(2, '{what}')", f"run(8, '{what}')", f"run(2, '{what}')"], repeat=4)


def test_code_left_in_the_middle_has_no_events_of_the_past():
    # RESUME takes the events of a tool away that no longer wants them; a native call has none.
    check("""
import sys
monitoring, tool = sys.monitoring, 1
seen = []
def event(code, *rest):
    seen.append((code.co_name, rest))
def work(items):
    n = 0
    for x in items:
        n += 1 if x > 2 else 3
    return n
def watched(events, items):
    seen.clear()
    monitoring.use_tool_id(tool, 'case')
    try:
        monitoring.register_callback(tool, monitoring.events.BRANCH, event)
        monitoring.set_events(tool, events)
        n = work(items)
    finally:
        monitoring.set_events(tool, 0)
        monitoring.free_tool_id(tool)
    return n, [rest for name, rest in seen if name == 'work']
def f(odd):
    return work([1, 2, 3]), watched(monitoring.events.BRANCH, [1, 3]), watched(0, [1, odd, 3, 4])
""", ["f(2)", "f(2.5)", "f(2**70)", "f(True)"])


@pytest.mark.parametrize("event", ["PY_UNWIND", "EXCEPTION_HANDLED", "RAISE"])
def test_tool_that_begins_inside_sees_the_exception_out(event):
    """Frames of compiled callers tell a tool of the exception that ends or passes them."""
    source = """
def fail(n, begin):
    x = [n]
    begin()
    return {}['k']
def pass_on(n, begin):
    x = [n]
    return fail(n, begin)
def handle(n, begin):
    try:
        return pass_on(n, begin)
    except KeyError:
        return n
def loop(n, begin):
    for i in range(n):
        try:
            if i == n - 1:
                return pass_on(i, begin)
        except KeyError:
            n += 1
    return n
"""
    mon = sys.monitoring
    number = getattr(mon.events, event)
    runs = []
    for bind in (False, True):
        space = {}
        exec(compile(source, "<events>", "exec"), space)
        if bind:
            for name in ("fail", "pass_on", "handle", "loop"):
                psyco.bind(space[name])
        seen = []

        def begin():
            mon.use_tool_id(2, "test")
            mon.register_callback(2, number, lambda code, offset, error: seen.append(
                (code.co_name, str(error))) if code.co_filename == "<events>" else None)
            mon.set_events(2, number)

        for _ in range(3):
            for name in ("handle", "loop", "pass_on"):
                try:
                    seen.append(space[name](4, begin))
                except KeyError as error:
                    seen.append(repr(error))
                mon.set_events(2, 0)
                mon.register_callback(2, number, None)
                mon.free_tool_id(2)
        runs.append(seen)
    assert runs[0] == runs[1]


# --- Installed by C code -------------------------------------------------------------------------

FROM_C = """
class Starter:
    # Each way to call out of compiled code that ends in code that begins to trace.
    def __init__(self, begin):
        self.begin = begin
    def __add__(self, other):
        self.begin()
        return other
    def __getitem__(self, i):
        self.begin()
        return i
    def __setitem__(self, i, value):
        self.begin()
    def __iter__(self):
        return self
    def __next__(self):
        self.begin()
        return 1
    def __enter__(self):
        self.begin()
    def __exit__(self, *error):
        pass
    def __bool__(self):
        self.begin()
        return True
    def __lt__(self, other):
        self.begin()
        return False
    def __contains__(self, x):
        self.begin()
        return True
    @property
    def attribute(self):
        self.begin()
        return 1
    def __getattr__(self, name):
        self.begin()
        return 1
class Dying:
    def __init__(self, begin):
        self.begin = begin
    def __del__(self):
        self.begin()
def leaf(x):
    return x + 1
def by_call(s):
    s.begin()
    a = leaf(1)
    return a + 1
def by_inlined(s):
    a = by_call(s)
    return a + leaf(a)
def by_operator(s):
    a = s + 1
    return leaf(a)
def by_item(s):
    a = s[2]
    return leaf(a)
def by_store(s):
    s[2] = 3
    return leaf(2)
def by_iteration(s):
    for a in s:
        return leaf(a)
def by_with(s):
    with s:
        a = leaf(1)
    return a
def by_truth(s):
    if s:
        return leaf(1)
def by_comparison(s):
    a = s < 1
    return leaf(1), a
def by_contains(s):
    a = 1 in s
    return leaf(1), a
def by_property(s):
    a = s.attribute
    return leaf(a)
def by_getattr(s):
    a = s.missing
    return leaf(a)
def by_finaliser(s):
    a = Dying(s.begin)
    a = None
    return leaf(1)
def by_map(s):
    a = list(map(lambda x: s.begin(), [1]))
    return leaf(len(a))
def by_loop(s, n=3):
    t = 0
    for i in range(n):
        t += leaf(i)
        if i == 1:
            s.begin()
        t -= 1
    return t
def by_error(s):
    try:
        s.begin()
        {}[s]
    except (KeyError, TypeError):
        return leaf(1)
def by_keywords(s):
    a = dict(x=s.begin())
    return leaf(len(a))
def by_star(s):
    s.begin(*())
    return leaf(1)
"""


def installers():
    """How C code installs a tracer or profiler: (name, begin(log), end())."""
    import ctypes

    function = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.py_object, ctypes.c_int, ctypes.c_void_p)
    for name in ("PyEval_SetTrace", "PyEval_SetProfile", "PyEval_SetTraceAllThreads", "PyEval_SetProfileAllThreads"):
        setter = getattr(ctypes.pythonapi, name)
        setter.restype = None

        def begin(log, setter=setter):
            def told(obj, frame, what, arg):
                if frame.f_code.co_filename == "<from C>":
                    log.append((frame.f_code.co_name, what, frame.f_lineno, frame.f_lasti, sorted(frame.f_locals)))
                return 0

            log.callback = function(told)
            setter(log.callback, ctypes.py_object(None))

        def end(setter=setter):
            setter(ctypes.cast(None, function), ctypes.py_object(None))

        yield name, begin, end
    try:
        from _testcapi import settrace_to_record
    except ImportError:
        return
    yield "settrace_to_record", settrace_to_record, lambda: sys.settrace(None)


class Log(list):
    callback = None


def from_c(bind, begin, end):
    space = {}
    exec(compile(FROM_C, "<from C>", "exec"), space)
    if bind:
        for value in list(space.values()):
            if getattr(value, "__module__", "") == "builtins" and value is not space["__builtins__"]:
                psyco.bind(value)
    seen = []
    log = None  # none: the same call, which does nothing yet

    def now():
        if log is not None:
            begin(log)

    for name in [name for name in space if name.startswith("by_")]:
        starter = space["Starter"](now)
        for _ in range(40):
            space[name](starter)
        for _ in range(2):
            log = Log()
            try:
                result = space[name](starter)
            finally:
                end()
            # Of settrace_to_record's what is not an object of the run: event and line.
            seen.append((name, result, [e if e.__class__ is tuple and len(e) == 5 else e[:2] for e in log]))
            log = None
    return seen


@pytest.mark.parametrize("how", [name for name, *_ in installers()])
def test_tracers_that_c_code_installs(how, no_trials):
    begin, end = next((begin, end) for name, begin, end in installers() if name == how)
    before = sys.gettrace(), sys.getprofile()
    try:
        plain, native = from_c(False, begin, end), from_c(True, begin, end)
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    for expected, got in zip(plain, native, strict=True):
        assert expected == got
        assert len(expected[2]) >= 2, expected[0]


COVERED = """
def leaf(x):
    if x > 2:
        return x
    return -x
def work(n, begin):
    t = 0
    for i in range(n):
        if i == 2:
            begin()
        t += leaf(i)
    return t
"""


def test_tracer_from_c_in_other_threads(no_trials):
    """All threads are traced from now on, also those that compiled code is running in."""
    import threading

    name, begin, end = next(each for each in installers() if each[0] == "PyEval_SetTraceAllThreads")
    runs = []
    for bind in (False, True):
        space, go, done = {}, threading.Event(), threading.Event()
        exec(compile(COVERED, "<from C>", "exec"), space)
        if bind:
            psyco.bind(space["leaf"])
            psyco.bind(space["work"])
        log = Log()

        def wait():
            go.set()  # noqa: B023
            done.wait(30)  # noqa: B023

        done.set()
        for _ in range(100):
            space["work"](5, wait)
        go.clear()
        done.clear()
        thread = threading.Thread(target=space["work"], args=(5, wait))
        thread.start()
        go.wait(30)
        begin(log)
        done.set()
        thread.join()
        end()
        runs.append([e for e in log if e[0] in ("leaf", "work")])
    assert runs[0] == runs[1]
    assert len(runs[0]) > 10
