"""What tools of sys.monitoring are told of compiled functions: the events of plain Python, in its order.

The same program runs in two worlds, plain and bound, both warm. A tool is switched on before a run of
it, or by a call from within, and what the tool is told in the two worlds is compared event by event.
"""

from __future__ import annotations

import subprocess
import sys

import psyco
import pytest
from psyco import _core

mon = sys.monitoring
FILE = "<events>"
NAMES = [
    "PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "CALL", "LINE", "INSTRUCTION", "JUMP", "BRANCH",
    "STOP_ITERATION", "RAISE", "EXCEPTION_HANDLED", "PY_UNWIND", "PY_THROW", "RERAISE", "C_RAISE", "C_RETURN",
]
WITH_CALLS = mon.events.C_RAISE | mon.events.C_RETURN
# Events that one code object can have by itself.
LOCAL = [
    "PY_START", "PY_RESUME", "PY_RETURN", "PY_YIELD", "CALL", "LINE", "INSTRUCTION", "JUMP", "BRANCH",
    "STOP_ITERATION",
]

SOURCE = """
def one_line(x): return x + 1

def helper(x):
    y = x * 2
    return y

def with_default(x, y=3, *, z=1):
    return x + y + z

def collect(*args, **kwargs):
    return len(args) + len(kwargs)

def fail(x):
    if x > 2:
        raise KeyError(x)
    return x

def pass_on(x):
    return fail(x) + 1

def fail_in_c(x):
    return int('x' * x or '1')

def handle(x):
    try:
        return pass_on(x)
    except KeyError as error:
        return len(error.args)
    finally:
        x += 1

def again(x):
    try:
        return pass_on(x)
    except KeyError:
        raise

class Point:
    def __init__(self, x):
        self.x = x
    def method(self, y):
        return self.x + y
    @property
    def twice(self):
        return helper(self.x)
    @staticmethod
    def static(x):
        return helper(x)
    @classmethod
    def make(cls, x):
        return cls(x)
    def __add__(self, other):
        return Point(self.x + other.x)
    def __getitem__(self, i):
        return fail(i)

class Derived(Point):
    def method(self, y):
        return super().method(y) + 1

def recurse(n):
    return n if n < 2 else recurse(n - 1) + recurse(n - 2)

def counted(n):
    for i in range(n):
        yield helper(i)

def loop(n):
    total = 0
    for i in range(n):
        total += helper(i)
        if total > 10:
            total -= 3
    return total

def everything(n, begin):
    t = helper(n) + with_default(n, z=2) + with_default(*[n]) + collect(n, n, k=n)
    p = Point(n)
    begin()
    t += p.method(n) + p.twice + Point.static(n) + Point.make(n).x + (p + p).x
    t += Derived(n).method(1) + recurse(5) + sum(counted(4)) + loop(6) + handle(1) + handle(n)
    t += sum(map(helper, [1, 2])) + max([n, 2], key=helper) + sum(helper(i) for i in range(2))
    for call in (again, pass_on, fail_in_c, p.__getitem__, lambda x: fail(x)):
        try:
            t += call(n)
        except (KeyError, ValueError):
            t += 1
    # No exception out of p[...]: its offset is another one once the interpreter has specialised it.
    return t + p[0] + one_line(t) + [helper(i) for i in range(3)][1]

def raises(n, begin):
    begin()
    return pass_on(n)

def within(n, begin):
    t = 0
    for i in range(6):
        if i == 3:
            begin()
        t += helper(i) + handle(i) + Point(i).method(t)
        try:
            t += again(i)
        except KeyError:
            t += 1
    return t
"""


class World:
    """The program, and what a tool is told of it."""

    def __init__(self, bound):
        self.space = {"__name__": "events"}
        exec(compile(SOURCE, FILE, "exec"), self.space)
        self.functions = [v for v in self.space.values() if getattr(v, "__module__", "") == "events"]
        if bound:
            for function in self.functions:
                psyco.bind(function)
        for _ in range(80):
            self.run("everything", lambda: None)
            self.run("within", lambda: None)
            self.run("raises", lambda: None)
        self.seen = []

    def run(self, name, begin):
        try:
            return self.space[name](4, begin)
        except KeyError as error:
            return repr(error)

    def codes(self):
        found = [self.space[name].__code__ for name in ("everything", "within", "raises", "handle", "loop", "again", "one_line")]
        return [*found, self.space["Point"].__add__.__code__, self.space["counted"].__code__]

    def callback(self, name):
        def told(code, *rest):
            if code.co_filename == FILE:
                self.seen.append((name, code.co_qualname, *map(picture, rest)))
        return told


def picture(value):
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, BaseException):
        return repr(value)
    return getattr(value, "__qualname__", type(value).__qualname__)


@pytest.fixture(scope="module", params=[False, True], ids=["default", "eager"])
def worlds(request):
    before = _core.options()
    if request.param:
        _core.set_options({"eager": True})
    made = World(False), World(True)
    yield made
    for function in made[1].functions:
        psyco.unbind(function)
    _core.set_options({key: before[key] for key in ("governor", "loop_threshold", "call_threshold")})


def events_of(names):
    number = 0
    for name in names:
        number |= getattr(mon.events, name)
    return number | mon.events.CALL | WITH_CALLS if number & WITH_CALLS else number


def watch(world, names, tool, where, when, run):
    """The events that the tool is told of one run."""
    if mon.get_tool(tool) is not None:
        pytest.skip(f"tool id {tool} is taken")
    events = events_of(names)
    del world.seen[:]
    mon.use_tool_id(tool, "test")
    for name in names:
        mon.register_callback(tool, getattr(mon.events, name), world.callback(name))

    def switch(on):
        if where == "global":
            mon.set_events(tool, events if on else 0)
            return
        for code in world.codes():
            mon.set_local_events(tool, code, events & ~WITH_CALLS if on else 0)

    try:
        if when == "before":
            switch(True)
        result = world.run(run, (lambda: switch(True)) if when == "within" else lambda: None)
    finally:
        switch(False)
        for name in names:
            mon.register_callback(tool, getattr(mon.events, name), None)
        mon.free_tool_id(tool)
    return [result, *world.seen]


def difference(plain, native):
    at = next((i for i, (a, b) in enumerate(zip(plain, native, strict=False)) if a != b), min(len(plain), len(native)))
    return f"{len(plain)} and {len(native)} events, at {at}\nplain: {plain[at:at + 6]}\npsyco: {native[at:at + 6]}"


def compare(worlds, *case):
    plain, native = (watch(world, *case) for world in worlds)
    if plain != native:
        pytest.fail(difference(plain, native))
    return plain


@pytest.mark.parametrize("run", ["everything", "within", "raises"])
@pytest.mark.parametrize("when", ["before", "within"])
@pytest.mark.parametrize("names", [*([name] for name in NAMES), NAMES], ids=[*NAMES, "all"])
def test_global_events(worlds, names, when, run):
    compare(worlds, names, 2, "global", when, run)


@pytest.mark.parametrize("run", ["everything", "within", "raises"])
@pytest.mark.parametrize("when", ["before", "within"])
@pytest.mark.parametrize("names", [*([name] for name in LOCAL), [*LOCAL, "C_RAISE", "C_RETURN"]], ids=[*LOCAL, "all"])
def test_local_events(worlds, names, when, run):
    compare(worlds, names, 2, "local", when, run)


@pytest.mark.parametrize("where", ["global", "local"])
@pytest.mark.parametrize("tool", [0, 1, 2, 3, 4])
def test_every_tool_id(worlds, tool, where):
    names = NAMES if where == "global" else [*LOCAL, "C_RAISE", "C_RETURN"]
    for when in ("before", "within"):
        told = compare(worlds, names, tool, where, when, "everything")
        assert len(told) > 100


def test_exception_into_interpreted_code_that_called_before_there_was_a_tool():
    """Its C code tells where it stands, and has called compiled code as it calls C: at the call's end."""
    told = []
    for bind in (False, True):
        world = World(False)
        exec(compile("def around(n, begin):\n    return raises(n, begin)\n", FILE, "exec"), world.space)
        if bind:
            psyco.bind(world.space["raises"])
            psyco.bind(world.space["pass_on"])
        for _ in range(80):
            world.run("raises", lambda: None)
        names = ["RAISE", "PY_UNWIND", "PY_RETURN", "EXCEPTION_HANDLED"]
        told.append(watch(world, names, 2, "global", "within", "around"))
        psyco.unbind(world.space["raises"])
        psyco.unbind(world.space["pass_on"])
    plain, native = told
    assert [event[:2] for event in plain] == [event[:2] for event in native]
    apart = [(a, b) for a, b in zip(plain, native, strict=True) if a != b]
    assert [(a[:2], b[2] - a[2]) for a, b in apart] == [(("RAISE", "around"), 8), (("PY_UNWIND", "around"), 8)]


# --- Tools that programs use ---------------------------------------------------------------------


def profiled(world, run):
    """What cProfile counts of a run that it is switched on in the middle of."""
    import cProfile

    profile = cProfile.Profile()
    try:
        world.run(run, profile.enable)
    finally:
        profile.disable()
    return sorted(
        (entry.code.co_qualname, entry.callcount, entry.reccallcount,
         sorted((call.code if isinstance(call.code, str) else call.code.co_qualname, call.callcount)
                for call in entry.calls or ()))
        for entry in profile.getstats()
        if not isinstance(entry.code, str) and entry.code.co_filename == FILE
    )


@pytest.mark.parametrize("run", ["everything", "within", "raises"])
def test_profile(worlds, run):
    if mon.get_tool(mon.PROFILER_ID) is not None:
        pytest.skip("a profiler is running")
    plain, native = (profiled(world, run) for world in worlds)
    assert plain == native
    assert run == "raises" or len(plain) > 4


def stepped(world, run):
    """What a debugger sees that steps from where it was called."""
    import bdb

    seen = []

    class Debugger(bdb.Bdb):
        def user_line(self, frame):
            note("line", frame)
            self.set_step()

        def user_return(self, frame, value):
            note("return", frame)
            self.set_step()

        def user_exception(self, frame, error):
            note(error[0].__name__, frame)
            self.set_step()

    def note(what, frame):
        if frame.f_code.co_filename == FILE:
            seen.append((what, frame.f_code.co_qualname, frame.f_lineno, sorted(frame.f_locals)))

    debugger = Debugger()
    try:
        world.run(run, lambda: debugger.set_trace())
    finally:
        sys.settrace(None)
    return seen


@pytest.mark.parametrize("run", ["everything", "within", "raises"])
def test_debugger(worlds, run):
    before = sys.gettrace()
    try:
        plain, native = (stepped(world, run) for world in worlds)
    finally:
        sys.settrace(before)
    if plain != native:
        pytest.fail(difference(plain, native))
    assert len(plain) > 4


def test_functions_are_native_again_afterwards():
    """With their version, which calls of them are specialised by."""
    space = {}
    exec(compile("def f(x):\n    return x + 1\ndef g(x):\n    return f(x)\n", "<events>", "exec"), space)
    f = psyco.bind(space["f"])
    for _ in range(3):
        f(1)

    def entered():
        before = psyco.stats()["native_calls"]
        f(1)
        return psyco.stats()["native_calls"] - before

    assert entered() == 1
    mon.use_tool_id(2, "test")
    try:
        for on, off in ((lambda: mon.set_events(2, mon.events.RAISE), lambda: mon.set_events(2, 0)),
                        (lambda: mon.set_local_events(2, space["g"].__code__, mon.events.CALL),
                         lambda: mon.set_local_events(2, space["g"].__code__, 0))):
            for _ in range(3):
                on()
                assert entered() == 0
                assert _core.is_bound(f)
                off()
                assert entered() == 1
        # Bound meanwhile, unbound meanwhile, and a code object that takes its events with it.
        mon.set_local_events(2, space["g"].__code__, mon.events.CALL)
        psyco.unbind(f)
        psyco.bind(f)
        assert entered() == 0
        del space["g"]
        assert entered() == 1
    finally:
        mon.free_tool_id(2)
        psyco.unbind(f)
    assert _core._test_function_version(f) != 0


EARLIER = """
import sys
mon = sys.monitoring
seen = []
def leaf(x):
    return x * 2
def caller(n):
    return [leaf(i) for i in range(n)]
mon.use_tool_id(2, "earlier")
mon.register_callback(2, mon.events.LINE, lambda code, line: seen.append(line))
mon.set_local_events(2, leaf.__code__, mon.events.LINE)
import psyco
psyco._engine.core.set_options({"governor": False})
psyco.bind(caller)
for _ in range(50):
    caller(4)
print(len(seen), set(seen))
"""


def test_a_tool_that_was_there_before_psyco():
    done = subprocess.run([sys.executable, "-c", EARLIER], capture_output=True, text=True, check=True)
    assert done.stdout == "200 {6}\n"
