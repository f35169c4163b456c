"""What every generated program begins with: its text is copied, so it may use nothing but the library.

Nothing here may show addresses, times or counts of references: what is printed has to be the same in
every run.
"""

import atexit
import functools
import gc
import inspect
import math
import re
import signal
import sys
import threading
import weakref
from contextlib import contextmanager, suppress

FILE = __file__
total = 0
factor = 2
volatile = 1
names = ["ab", "c", ""]
kept = []  # frames
errors = []  # exceptions, with their tracebacks
waiting = []  # generators in the middle
log = []
observed = []  # code objects with events of their own
undone = []  # how to take back what was done to classes and functions
# Whose references are counted: no constants, as compiled code refers to those.
lasting = [[1, 2, 3], [0.5], " ".join(["some", "text"]), tuple([1, "t"]), {"a": 1}, float("2.5"), int("1" + 25 * "0"), int("1099511627776")]
MISSING = object()
# Observers: the fuzzer in one process leaves them to the interpreter, as what they do is not under test.
PLAIN = {"tell", "show", "attempt", "settle", "described", "shown", "frame_text", "stack_text", "traceback_text", "generator_text", "unraisable", "read_kept",
         "put_global", "put_builtin", "alter", "alter_function", "trace_off", "references"}


def references(things):
    """How many each has."""
    return list(map(sys.getrefcount, things))


# --- What is printed -----------------------------------------------------------------------------


def tell(*parts):
    text = " ".join(map(str, parts))
    print(re.sub(r"(?i)at 0x[0-9a-f]*", "", text) if "0x" in text.lower() else text)


def show(tag, value):
    tell(tag, type(value).__name__, repr(value)[:400])


def attempt(tag, function, *args, **kwargs):
    try:
        show(tag, function(*args, **kwargs))
    except Exception as error:
        lines = []
        tb = error.__traceback__.tb_next
        while tb:
            if tb.tb_frame.f_code.co_filename == FILE:
                lines.append((tb.tb_frame.f_code.co_name, tb.tb_lineno))
            tb = tb.tb_next
        context = type(error.__context__).__name__
        tell(tag, "raised", type(error).__name__, str(error)[:200], lines[:12], len(lines), context)
    finally:
        settle(tag)


def settle(tag):
    """Prints what was gathered and makes things as they were."""
    trace_off()
    if kept:
        tell(tag, "kept", read_kept())
    if errors:
        tell(tag, "errors", [described(error) for error in errors[-4:]], traceback_text(errors[-1]))
    if waiting:
        tell(tag, "waiting", [generator_text(generator) for generator in waiting])
    kept.clear()
    errors.clear()
    waiting.clear()
    while undone:
        function, *args = undone.pop()
        with suppress(AttributeError, TypeError, ValueError):
            function(*args)
    if not gc.isenabled():
        gc.collect(1)  # what the attempt made
    if log:
        tell(tag, "log", len(log), log[:40], log[-4:])
    log.clear()


def described(error):
    parts = []
    while error is not None and len(parts) < 4:
        tb, lines = error.__traceback__, []
        while tb:
            lines.append(tb.tb_lineno)
            tb = tb.tb_next
        notes = getattr(error, "__notes__", "")
        inner = [described(e) for e in getattr(error, "exceptions", ())]
        parts.append(f"{type(error).__name__}{lines[-8:]}{notes or ''}{inner or ''}{error.__suppress_context__:d}")
        error = error.__cause__ or error.__context__
    return "<".join(parts)


def shown(value, depth=1):
    kind = type(value)
    if value is None or kind in (int, float, bool, str):
        return repr(value)[:40]
    if kind in (list, tuple) and depth:
        return f"{kind.__name__}{len(value)}[{', '.join(shown(v, depth - 1) for v in value[:4])}]"
    return kind.__name__


def frame_text(frame):
    if not frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        return f"{frame.f_code.co_name}:{frame.f_lineno}"
    values = [f"{name}={shown(value)}" for name, value in frame.f_locals.items()]
    return f"{frame.f_code.co_name}:{frame.f_lineno}({' '.join(values)})"


def stack_text(frame, most=4):
    parts = []
    while frame and len(parts) < most:
        if frame.f_code.co_filename == FILE:
            parts.append(frame_text(frame))
        frame = frame.f_back
    return "<".join(parts)


def traceback_text(error):
    tb, parts = error.__traceback__, []
    while tb:
        if tb.tb_frame.f_code.co_filename == FILE:
            parts.append(f"{tb.tb_lineno}@{frame_text(tb.tb_frame)}")
        tb = tb.tb_next
    return " ".join(parts[-4:])


def generator_text(generator):
    frame = getattr(generator, "gi_frame", None)
    return frame_text(frame) if frame else "ended"


def unraisable(hooked):
    log.append(f"unraisable {type(hooked.exc_value).__name__} {hooked.exc_value}"[:60])


sys.unraisablehook = unraisable


# --- Observers of frames -------------------------------------------------------------------------


def keep(depth=1):
    kept.append(sys._getframe(depth))
    del kept[:-5]
    return len(kept)


def keep_traceback(error):
    kept.append(error.__traceback__.tb_frame)
    del kept[:-5]
    return error.__traceback__.tb_lineno


def look(depth=1, most=2):
    return stack_text(sys._getframe(depth), most)


def line(depth=1):
    return sys._getframe(depth).f_lineno


def poke(name, value, depth=1):
    frame = sys._getframe(depth)
    if name in frame.f_locals:
        frame.f_locals[name] = value
    return value


# --- Which object is which -------------------------------------------------------------------------


def variable(name, depth=1):
    return sys._getframe(depth).f_locals.get(name)


def handed(v, t, n):
    u = (t, v, t)
    y = (n + 1) * 2**61
    return u, v, t, y > 0


def handed_twice(v, t, n):
    u = (v, t)
    r = handed(u, t, n)
    return r, u, v, r[0][1] is u


def handed_and_read(v, t):
    u = (v, t)
    return u, variable("u"), variable("v"), u


def where(parts, v, t, depth=0):
    if parts is v:
        return "v"
    if parts is t:
        return "t"
    if type(parts) is tuple and depth < 4:
        return [where(part, v, t, depth + 1) for part in parts]
    return 0


def twice_next(thing):
    if hasattr(thing, "__next__"):
        return next(thing, None), next(thing, None)
    return type(thing).__name__


def read_kept():
    return " ".join(stack_text(frame, 2) for frame in kept[-3:])


def clear_kept():
    try:
        kept[-1].clear()
    except (IndexError, RuntimeError) as error:
        return str(error)
    return "cleared"


def hold(generator, steps=1):
    """Keeps a generator that has come some way, and gives what it brought."""
    out = [item for item, _ in zip(generator, range(steps))]
    waiting.append(generator)
    del waiting[:-3]
    return out


def resume(most=3):
    return list(zip(waiting.pop(), range(most))) if waiting else []


# --- Things that happen when something dies ------------------------------------------------------


class Dying:
    def __init__(self, action, *args):
        self.action, self.args = action, args

    def __del__(self):
        self.action(*self.args)


class Mortal:
    def __repr__(self):
        return "Mortal"


def note(*args):
    log.append(" ".join(map(str, args)))


def note_stack(tag):
    log.append(f"{tag} {stack_text(sys._getframe(2), 2)}")


def keep_outer():
    keep(3)


def poke_outer(name, value):
    poke(name, value, 3)


def fail(text):
    raise ValueError(text)


def collect():
    return gc.collect(1)


def watch(thing, tag):
    return weakref.ref(thing, lambda ref: log.append(f"{tag} died {ref() is None}"))


def watch_and(thing, action, *args):
    return weakref.ref(thing, lambda ref: action(*args))


# --- Changes of names, classes and functions -----------------------------------------------------


def bump_total(by):
    global total
    total = (total + by) % 1000003 if isinstance(by, int) else total


def set_factor(value):
    global factor
    factor = value


def set_volatile(value):
    global volatile
    volatile = value


def drop_volatile():
    global volatile
    del volatile


def twist(x):
    return x + 1


def untwist(x):
    return x - 1


def swap_twist():
    global twist, untwist
    twist, untwist = untwist, twist


def put_global(name, value):
    undone.append((globals().__setitem__, name, globals()[name]) if name in globals() else (globals().pop, name, None))
    globals()[name] = value


def put_builtin(name, value):
    space = sys.modules["builtins"].__dict__
    undone.append((space.__setitem__, name, space[name]))
    space[name] = value


def alter(owner, name, value):
    """Sets an attribute of a class, or deletes it; until the attempt is over."""
    old = owner.__dict__.get(name, MISSING)
    try:
        if value is not MISSING:
            setattr(owner, name, value)
        elif old is not MISSING:
            delattr(owner, name)
    except (TypeError, AttributeError) as error:
        return type(error).__name__
    undone.append((delattr, owner, name) if old is MISSING else (setattr, owner, name, old))
    return name


def alter_function(function, name, value):
    undone.append((setattr, function, name, getattr(function, name)))
    setattr(function, name, value)


class Watched:
    """A data descriptor that keeps what it gets in the instance, under another name."""

    def __init__(self, plain):
        self.plain = plain

    def __get__(self, instance, owner):
        return self.plain if instance is None else instance.__dict__.get("watched", self.plain)

    def __set__(self, instance, value):
        instance.__dict__["watched"] = value


class Lazy:
    """A descriptor that gives way to what it puts into the instance."""

    def __get__(self, instance, owner):
        log.append("lazy")
        instance.__dict__["lazy"] = 5
        return 5


class Meta(type):
    def __call__(cls, *args, **kwargs):
        made = super().__call__(*args, **kwargs)
        cls.made_so_far = cls.__dict__.get("made_so_far", 0) + 1
        return made

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return len(name)

    @property
    def weighty(cls):
        return cls.weight + 1

    def __instancecheck__(cls, instance):
        return type.__instancecheck__(cls, instance) or instance == 3


def new_bump(self, k=1):
    return k - 1


def new_twice(self):
    return 22


def new_length(self):
    return 3


def new_truth(self):
    log.append("truth")
    return False


def new_getattribute(self, name):
    if name == "f":
        return 1.25
    return object.__getattribute__(self, name)


def new_getattr(self, name):
    if name.startswith("__"):
        raise AttributeError(name)
    return 7


def new_setattr(self, name, value):
    log.append(f"set {name}")
    object.__setattr__(self, name, value)


def new_delattr(self, name):
    log.append(f"del {name}")
    object.__delattr__(self, name)


def new_init(self, n, f=1.5):
    self.n, self.f, self.items = 1, f, []


def new_add(self, other):
    return 100


def new_eq(self, other):
    return True


def new_item(self, i):
    if i > 2:
        raise IndexError(i)
    return i + 40


def new_call(self, *args, **kwargs):
    return len(args)


def new_iter(self):
    return iter((4, 5))


def new_format(self, spec):
    return f"<{spec}>"


# --- Numbers and containers with operators of their own ------------------------------------------


class MyInt(int):
    def __add__(self, other):
        return MyInt(int(self) + int(other)) if isinstance(other, int) else NotImplemented

    def __rmul__(self, other):
        return int(self) * 2

    def __lt__(self, other):
        return int(self) <= other

    def __bool__(self):
        return int(self) % 2 == 1

    def __eq__(self, other):
        return int(self) % 8 == other % 8 if isinstance(other, int) else NotImplemented

    __hash__ = int.__hash__

    def __iadd__(self, other):
        return int(self) + other * 2 if isinstance(other, int) else NotImplemented

    def __neg__(self):
        return 1

    def __mod__(self, other):
        return int(self) % other


class MyFloat(float):
    def __radd__(self, other):
        return float(self) + 0.5

    def __mul__(self, other):
        return MyFloat(float(self) * float(other)) if isinstance(other, (int, float)) else NotImplemented

    def __gt__(self, other):
        return True

    def __float__(self):
        return 2.5

    def __abs__(self):
        return -1.0


class MyStr(str):
    def __add__(self, other):
        return str(self)[:3] + "+" + other if isinstance(other, str) else NotImplemented

    def __eq__(self, other):
        return len(self) == len(other) if isinstance(other, str) else NotImplemented

    __hash__ = str.__hash__

    def __getitem__(self, i):
        return "#"

    def __format__(self, spec):
        return f"[{spec}]"


class MyList(list):
    def __getitem__(self, i):
        return 77 if isinstance(i, int) else list.__getitem__(self, i)

    def __len__(self):
        return list.__len__(self) + 1

    def append(self, value):
        list.append(self, 5)

    def __contains__(self, item):
        return True


class MyDict(dict):
    def __missing__(self, key):
        return len(key) if isinstance(key, str) else 0

    def __contains__(self, key):
        return True


class MyTuple(tuple):
    def __getitem__(self, i):
        return 9 if i == 0 else "my"

    def __iter__(self):
        return iter((8, "its"))


class Odd:
    """Compares, counts and stands as an index in its own way."""

    def __init__(self, n):
        self.n = n

    def __repr__(self):  # without an address: it may be printed backwards
        return f"Odd({self.n})"

    def __index__(self):
        return self.n

    def __lt__(self, other):
        return [] if self.n else "yes"

    def __eq__(self, other):
        return NotImplemented

    def __bool__(self):
        if self.n == 3:
            raise ValueError("neither")
        return self.n > 0

    def __len__(self):
        return self.n

    def __radd__(self, other):
        return other + self.n if isinstance(other, (int, float)) else NotImplemented

    def __iadd__(self, other):
        self.n = 4
        return self

    def __sub__(self, other):
        return NotImplemented

    def __divmod__(self, other):
        return self.n, other


# --- Tools ---------------------------------------------------------------------------------------


def tracer(frame, event, arg):
    if frame.f_code.co_filename == FILE and frame.f_code.co_name not in TOOLS:
        log.append(f"{event} {frame.f_code.co_name} {frame.f_lineno}")
        if len(log) > 400:
            del log[40:]
    return tracer


def profiler(frame, event, arg):
    if frame.f_code.co_filename == FILE and frame.f_code.co_name not in TOOLS:
        name = "" if arg is None or not event.startswith("c_") else arg.__name__
        log.append(f"{event} {frame.f_code.co_name} {name}")
        if len(log) > 400:
            del log[40:]


TOOLS = ("trace_on", "trace_off", "settle", "attempt", "main", "show", "tracer", "profiler", "monitored", "<lambda>")
EVENTS = sys.monitoring.events
WANTED = (EVENTS.PY_START, EVENTS.PY_RETURN, EVENTS.LINE, EVENTS.CALL, EVENTS.RAISE, EVENTS.PY_YIELD, EVENTS.PY_RESUME,
          EVENTS.PY_UNWIND, EVENTS.BRANCH, EVENTS.JUMP, EVENTS.STOP_ITERATION, EVENTS.EXCEPTION_HANDLED, EVENTS.RERAISE)


def monitored(code, *rest):
    if code.co_filename == FILE and code.co_name not in TOOLS:
        # Whether code of one line has LINE events depends on the other tools (CPython's own flaw).
        if len({line for *_, line in code.co_lines() if line}) == 1:
            return
        # Exceptions come out of calls of bound functions as out of calls of C: at another offset.
        raised = any(isinstance(r, BaseException) for r in rest)
        log.append(f"{code.co_name} {[r for r in rest if isinstance(r, int) and not raised]}")
        if len(log) > 400:
            del log[40:]


def trace_on(way):
    if way == "trace":
        sys.settrace(tracer)
    elif way == "here":
        frame = sys._getframe(1)
        sys.settrace(tracer)
        frame.f_trace = tracer
    elif way == "profile":
        sys.setprofile(profiler)
    return 1


def trace_off():
    if sys.gettrace():
        sys.settrace(None)
    if sys.getprofile():
        sys.setprofile(None)
    if sys.monitoring.get_tool(2) == FILE:
        sys.monitoring.set_events(2, 0)
        while observed:
            sys.monitoring.set_local_events(2, observed.pop(), 0)
        sys.monitoring.free_tool_id(2)
    return 0


def monitor(number, function=None):
    """Events of one kind: everywhere, or of one function."""
    if sys.monitoring.get_tool(2) is not None:
        return 0
    sys.monitoring.use_tool_id(2, FILE)
    for event in WANTED:
        sys.monitoring.register_callback(2, event, monitored)
    events = WANTED[number % len(WANTED)]
    try:
        if function is None:
            sys.monitoring.set_events(2, events)
        else:
            sys.monitoring.set_local_events(2, function.__code__, events)
            observed.append(function.__code__)
    except ValueError as error:
        return len(str(error))
    return 1


# --- Signals and threads -------------------------------------------------------------------------


def on_signal(number, frame):
    log.append(f"signal {stack_text(frame, 2)}")
    action = on_signal.action
    if action == "raise":
        raise KeyError("signal")
    if action == "keep":
        kept.append(frame)
    elif action is not None:
        frame.f_locals.update({action[0]: action[1]} if action[0] in frame.f_locals else {})


on_signal.action = None
signal.signal(signal.SIGUSR1, on_signal)


def interrupt(action=None):
    if threading.current_thread() is threading.main_thread():
        on_signal.action = action
        signal.raise_signal(signal.SIGUSR1)
    return 1


def in_thread(function, *args):
    out = []

    def body():
        try:
            out.append(function(*args))
        except Exception as error:
            out.append(type(error).__name__)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    return out[0]


def seen_from_thread(ident, most=2):
    # Where the starting thread stands in in_thread itself is a matter of time.
    frame = sys._current_frames()[ident]
    while frame and frame.f_code is not in_thread.__code__:
        frame = frame.f_back
    return stack_text(frame.f_back, most) if frame else ""


# --- What is called in many ways -----------------------------------------------------------------


def drive(generator):
    out = []
    try:
        out.append(next(generator))
        out.append(generator.send(2))
        out.append(generator.throw(ValueError("thrown")))
        generator.close()
    except (StopIteration, ValueError) as error:
        out.append(len(str(error)))
    return out


def drive_coroutine(coroutine, most=30):
    out = []
    try:
        for _ in range(most):
            out.append(coroutine.send(None))
        coroutine.close()
    except StopIteration as end:
        out.append(end.value)
    return out


class Await:
    def __init__(self, *values):
        self.values = values

    def __await__(self):
        for value in self.values:
            yield value
        return len(self.values)


class AsyncManager:
    def __init__(self, swallow=False):
        self.swallow = swallow

    async def __aenter__(self):
        return await Await(1)

    async def __aexit__(self, kind, value, tb):
        await Await("out")
        return self.swallow and kind is ValueError


class AsyncCounter:
    def __init__(self, n):
        self.n = n

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.n <= 0:
            raise StopAsyncIteration
        self.n -= 1
        return await Await(self.n)


async def async_count(n):
    for i in range(n):
        await Await(i)
        yield i


def passed_on(function):
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


def watched(function):
    def wrapper(first, *args, limit=3, **kwargs):
        kwargs.pop("nothing", None)
        if len(args) > limit:
            note(args, sorted(kwargs))
        return function(first, *args, **kwargs)

    return wrapper


def spread(*args, **more):
    return len(args) * 100 + len(more)


def many(a, /, b=2, *rest, c=3, d, **more):
    return a, b, rest, c, d, sorted(more)


def defaulted(a, b=[], *, c=1):  # noqa: B006
    b.append(a)
    del b[:-3]
    return len(b) + c


def defaulted_otherwise(a, b=(), *, c=5):
    return a, b, c


def only_keywords(*, left=1, right):
    return left - right


# What calls functions made for it: others each time, of the same code or not, with cells or without.


def sum_of(function, items):
    found = 0
    for item in items:
        found += function(item)
        divmod(item, 7)
    return found


def sum_quietly(function, items):
    found = 0
    for item in items:
        found += function(item)
    return found


def chosen(function, items):
    return [item for item in items if function(item)]


def twice(function, item):
    return function(function(item))


def after(first, second):
    return lambda item: second(first(item))


def last_of(functions, items):
    found = None
    for item in items:
        for function in functions:
            found = function(item)
    return found


class Way:
    def __init__(self, function):
        self.function = function

    def run(self, items):
        found = 0
        for item in items:
            found += self.function(item)
        return found

    def __call__(self, item):
        return self.function(item) + 1


def sink(n):
    return 0 if n <= 0 else 1 + sink(n - 1)


def endless(depth, n=0):
    depth[0] += 1
    return endless(depth, n + 1) + 1


def endless_pair(depth):
    depth[0] += 1
    return endless_other(depth)


def endless_other(depth):
    try:
        return endless_pair(depth)
    finally:
        depth[0] += 1


class Endless:
    def __init__(self, depth):
        self.depth = depth

    def __getattr__(self, name):
        self.depth[0] += 1
        return self.missing


class Manager:
    def __init__(self, log, swallow=False):
        self.log = log
        self.swallow = swallow

    def __enter__(self):
        self.log.append("in")
        return self

    def __exit__(self, kind, value, tb):
        self.log.append(kind.__name__ if kind else "out")
        return self.swallow and kind is not None and issubclass(kind, ValueError)


class Observer:
    """Looks at frames from __enter__ and __exit__."""

    def __enter__(self):
        log.append(look(2, 1))
        return 4

    def __exit__(self, kind, value, tb):
        log.append(f"{look(2, 1)} {kind.__name__ if kind else '-'} {tb.tb_lineno if tb else 0}")
        return kind is ValueError


class BadExit:
    def __enter__(self):
        return self

    def __exit__(self, *what):
        raise RuntimeError("exit")


@contextmanager
def managed(items):
    items.append(1)
    try:
        yield len(items)
    except ValueError:
        items.append(2)
    finally:
        items.append(3)


def count_up(start, stop, step=1):
    i = start
    while i < stop:
        got = yield i
        i += step if got is None else got


def pairs(items):
    for a in items:
        yield a, items
    return len(items)


def chained(n):
    yield from count_up(0, n)
    yield from range(n)


def stubborn(n):
    i = 0
    while i < n:
        try:
            yield i
        except ValueError:
            i += 10
        except GeneratorExit:
            log.append(f"closed {i}")
            return
        finally:
            log.append(f"left {i}")
        i += 1


def group(*kinds):
    return ExceptionGroup("g", [kind(i) for i, kind in enumerate(kinds)])


# --- Objects of which identity, class and fields matter ------------------------------------------


class Pair:
    def __init__(self, left, right):
        self.left, self.right = left, right

    def same(self):
        return self.left is self.right


def same(first, *others):
    return all(other is first for other in others)


def identity(thing):
    return thing


def passing(thing, x, by):
    y = x + by
    return y, thing


class First:
    shared = 1

    def __init__(self, n):
        self.n = n

    @property
    def what(self):
        return "first"

    @property
    def kind(self):
        return type(self)

    @kind.setter
    def kind(self, cls):
        self.__class__ = cls

    def become(self, cls):
        self.__class__ = cls

    def tell(self):
        return 1, self.n

    def __add__(self, other):
        return "first +"

    def __getitem__(self, i):
        if i > 3:
            raise IndexError(i)
        return i

    def __len__(self):
        return 1

    def __call__(self):
        return "called first"

    def __eq__(self, other):
        return other == 3

    def __hash__(self):
        return 1

    def __str__(self):
        return "a first"

    @classmethod
    def made(cls):
        return cls.__name__

    @staticmethod
    def fixed():
        return "fixed first"


class Second(First):
    shared = 2

    @property
    def what(self):
        return "second"

    @what.setter
    def what(self, value):
        self.n = value

    def tell(self):
        return 2, self.n, super().tell()

    def __add__(self, other):
        return self.n

    def __getitem__(self, i):
        if i > 1:
            raise IndexError(i)
        return "second", i

    def __setitem__(self, i, value):
        self.n = i, value

    def __len__(self):
        return 0

    def __call__(self):
        return "called second"

    def __lt__(self, other):
        return "less"

    def __neg__(self):
        return "minus"

    def __contains__(self, item):
        return True

    def __str__(self):
        return "a second"

    @staticmethod
    def fixed():
        return "fixed second"


class Third:
    """Of another layout: objects of the others cannot become one."""

    __slots__ = ("n",)


def become(thing, cls):
    thing.__class__ = cls


def become_both(one, other, cls):
    one.__class__ = First
    note(type(other).__name__)
    other.__class__ = cls


class Named:
    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner):
        return self if instance is None else self.name


# --- What is caught around calls -----------------------------------------------------------------


class Wrong(Exception):
    def __init__(self, value):
        super().__init__(value, "wrong")
        self.value = value


class Small(Wrong):
    pass


class Large(Wrong):
    pass


def checked(value, limit):
    if value < 0:
        raise Small(value)
    if value > limit:
        raise Large(value) from None
    return value


def deeper(depth, limit):
    return checked(limit - 3, limit) if depth <= 0 else deeper(depth - 1, limit) + 1


def looked_up(table, key):
    return table[key]


def stepped(iterator):
    return next(iterator)


def called(function, value):
    return function(value)


class Counting:
    def __init__(self, n):
        self.n = n

    def __iter__(self):
        return self

    def __next__(self):
        if self.n <= 0:
            raise StopIteration(self.n)
        self.n -= 1
        return self.n


# --- What is alive at exit -----------------------------------------------------------------------

alive = []


class Farewell:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        print("farewell", self.name)


def opened(name, number):
    file = open(name, "w")
    file.write(f"{number}\n")
    return file


def leaving(number):
    try:
        yield number
    finally:
        print("left", number)


def leave(status):
    raise SystemExit(status)


# --- Tools written in C --------------------------------------------------------------------------


callbacks = []  # C code that is called by the interpreter


def trace_from_c(events):
    """The recorder of _testcapi does not do: it takes the missing result of a call that raises for an object."""
    from ctypes import PYFUNCTYPE, c_int, c_void_p, py_object, pythonapi

    def record(events, frame, what, arg):
        events.append((what, frame.f_lineno))
        return 0

    callbacks.append(PYFUNCTYPE(c_int, py_object, py_object, c_int, c_void_p)(record))
    pythonapi.PyEval_SetTrace(callbacks[-1], py_object(events))
    del callbacks[:-2]


def events_text(events):
    return [event[:2] for event in events][:80]
