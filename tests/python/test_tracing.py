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
def test_tracer_that_stops_at_the_next_instruction(everything):
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
