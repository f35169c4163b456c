"""What reaches into a running loop from outside: threads, signals, limits, the collector."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import threading

import psyco
import pytest
from differential import check

TIME_LIMIT = 20


def bound(source, name="f", **names):
    """A function of a fresh module with everything in it bound; compiled by some quick calls."""
    space = {"__name__": "case", **names}
    exec(compile(source, "<case>", "exec"), space)
    for value in list(space.values()):
        if callable(value) and getattr(value, "__module__", None) == "case":
            psyco.bind(value)
    return space[name], space


def in_time(function, *args):
    """Run in a thread; fail if it does not end."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function(*args)), daemon=True)
    thread.start()
    thread.join(TIME_LIMIT)
    assert not thread.is_alive(), "the loop did not notice"
    assert result, "the loop ended with an exception"
    return result[0]


def from_outside(action, delay=0.05):
    timer = threading.Timer(delay, action)
    timer.start()
    return timer


LOOPS = {
    "a global": ("def f():\n    n = 0\n    while running:\n        n += 1\n    return n\n",
                 lambda s: s.__setitem__("running", False)),
    "a list item": ("def f():\n    n = 0\n    while flags[0]:\n        n += 1\n    return n\n",
                    lambda s: s["flags"].__setitem__(0, False)),
    "a list's length": ("def f():\n    n = 0\n    while len(flags):\n        n += 1\n    return n\n", lambda s: s["flags"].clear()),
    "an attribute": ("def f():\n    n = 0\n    while obj.on:\n        n += 1\n    return n\n", lambda s: setattr(s["obj"], "on", False)),
    "a class attribute": ("def f():\n    n = 0\n    while obj.cls_on:\n        n += 1\n    return n\n",
                          lambda s: setattr(s["K"], "cls_on", False)),
    "a method": ("def f():\n    n = 0\n    while obj.check():\n        n += 1\n    return n\n",
                 lambda s: setattr(s["K"], "check", lambda self: False)),
    "a function": ("def test():\n    return True\ndef f():\n    n = 0\n    while test():\n        n += 1\n    return n\n",
                   lambda s: s.__setitem__("test", lambda: 0)),
    "code of a function": ("def test():\n    return True\ndef f():\n    n = 0\n    while test():\n        n += 1\n    return n\n",
                           lambda s: setattr(s["test"], "__code__", (lambda: False).__code__)),
    "a dict": ("def f():\n    n = 0\n    while not d.get('stop'):\n        n += 1\n    return n\n", lambda s: s["d"].__setitem__("stop", 1)),
    "an infinite for": ("def forever():\n    while True:\n        yield 1\ndef f():\n    n = 0\n    for x in forever():\n        n += x\n        if not running:\n            return n\n",
                        lambda s: s.__setitem__("running", False)),
}


@pytest.mark.parametrize("name", LOOPS, ids=[n.replace(" ", "_").replace("'", "") for n in LOOPS])
def test_other_thread_changes(name):
    source, change = LOOPS[name]
    setup = "class K:\n    cls_on = True\n    def __init__(self):\n        self.on = True\n    def check(self):\n        return self.on\n"
    for _ in range(2):
        f, space = bound(setup + source, running=True, flags=[True], d={})
        space["obj"] = space["K"]()

        def run(f=f, space=space):
            # Started here: on a busy machine the thread may be late.
            timer = from_outside(lambda: change(space))
            turns = f()
            timer.join()
            return turns

        assert in_time(run) > 0


def test_threads_share_a_loop():
    f, space = bound("""
def f(n, items):
    t = 0
    for i in range(n):
        t += i
        if i % 100 == 0:
            items.append(i)
    return t
""")
    items, results = [], []
    threads = [threading.Thread(target=lambda: results.append(f(20000, items))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(TIME_LIMIT)
    assert results == [sum(range(20000))] * 4 and len(items) == 800


def test_other_threads_are_not_starved():
    f, space = bound("def f():\n    n = 0\n    while running:\n        n += 1\n    return n\n", running=True)
    ticks = []

    def tick():
        for _ in range(20):
            ticks.append(1)
            threading.Event().wait(0.001)
        space["running"] = False

    thread = threading.Thread(target=tick)
    thread.start()
    f()
    thread.join(TIME_LIMIT)
    assert len(ticks) == 20


def test_frames_of_other_threads_are_visible():
    f, space = bound("def f():\n    n = 0\n    while running:\n        n += 1\n    return n\n", running=True)
    thread = threading.Thread(target=f)
    thread.start()
    try:
        threading.Event().wait(0.05)
        frame = sys._current_frames()[thread.ident]
        assert frame.f_code.co_name == "f" and 3 <= frame.f_lineno <= 5
        assert frame.f_locals["n"] >= 0
    finally:
        space["running"] = False
        thread.join(TIME_LIMIT)


@pytest.fixture
def alarm():
    """Sets a handler for SIGALRM and restores what was there."""
    before = signal.getsignal(signal.SIGALRM)

    def install(handler, delay=0.05):
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, delay)

    yield install
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


SPIN = "def f(limit):\n    n = 0\n    while running:\n        n += 1\n        if n > limit:\n            return 'missed'\n    return n\n"


def test_signal_handler_changes_a_global(alarm):
    for _ in range(3):
        f, space = bound(SPIN, running=True)
        alarm(lambda *_: space.__setitem__("running", False))
        assert f(10**11) != "missed"


def test_signal_handler_raises(alarm):
    class Stop(Exception):
        pass

    def handler(number, frame):
        seen.append((frame.f_code.co_name, frame.f_locals["n"] >= 0))
        raise Stop("from handler")

    for _ in range(3):
        seen = []
        f, space = bound(SPIN, running=True)
        alarm(handler)
        with pytest.raises(Stop) as info:
            f(10**11)
        assert seen == [("f", True)]
        lines = [t.lineno for t in info.traceback if t.name == "f"]
        assert lines and 3 <= lines[0] + 1 <= 6


@pytest.fixture
def no_gc_callbacks():
    """An interrupt that arrives in a callback of the collector (hypothesis has one) is lost."""
    callbacks = gc.callbacks[:]
    gc.callbacks.clear()
    yield
    gc.callbacks[:] = callbacks


@pytest.mark.usefixtures("no_gc_callbacks")
def test_keyboard_interrupt_in_a_try():
    # The loop is in a function of its own: its backward jump is outside of any handler in 3.13.
    source = """
def spin(limit):
    n = 0
    while n < limit:
        n += 1
    return n
def f(limit):
    try:
        return spin(limit)
    except KeyboardInterrupt:
        return 'caught'
    finally:
        log.append('finally')
"""
    f, space = bound(source, log=[])
    f(1000)
    timer = from_outside(lambda: signal.raise_signal(signal.SIGINT))
    assert f(10**11) == "caught"
    timer.join()
    assert space["log"] == ["finally", "finally"]


def test_recursion_limit_is_read_each_time():
    check("""
import sys
def f(n):
    return 0 if n == 0 else 1 + f(n - 1)
def tight(n):
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len_of_stack() + 60)
    try:
        return f(n)
    except RecursionError:
        return 'limit'
    finally:
        sys.setrecursionlimit(before)
def len_of_stack():
    f, n = sys._getframe(), 0
    while f:
        f, n = f.f_back, n + 1
    return n
""", ["f(30)", "tight(20)", "tight(500)", "f(200)"])


def test_deep_recursion_through_c():
    """CPython's limit of C recursion is met before the end of the stack, as without psyco."""
    program = """
import sys, psyco
sys.setrecursionlimit(200_000)
def deep(n):
    return max([n - 1], key=deep) if n else 0
def both(n):
    return both(n - 1) if n % 3 else max([n - 1], key=both) if n else 0
for f in deep, both:
    psyco.bind(f)
    f(30)
    for n in (100, 90_000, 100):
        try:
            print(f(n) is not None)
        except RecursionError as error:
            print(type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                          timeout=100, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (
        0, ["True", "RecursionError", "True"] * 2, "")


def test_deep_recursion_in_a_small_thread():
    f, _ = bound("def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\n")
    limit, size = sys.getrecursionlimit(), threading.stack_size(256 * 1024)
    sys.setrecursionlimit(30000)
    try:
        def run():
            try:
                return f(20000)
            except RecursionError:
                return "limit"
        assert in_time(run) in (20000, "limit")
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)


SIGNALLED = """
import contextlib
import ctypes
import signal
library = ctypes.PyDLL(None)  # keeps the GIL and looks at no signals
send = library["raise"]
class Owner:
    send = staticmethod(send)
def handler(*_):
    raise ZeroDivisionError
def caught(call, *args):
    try:
        call(*args, **{})
    except ZeroDivisionError:
        return "inside"
    return "after"
def one(number):
    try:
        send(number)
    except ZeroDivisionError:
        return "inside"
    return "after"
def method(number):
    try:
        Owner.send(number)
    except ZeroDivisionError:
        return "inside"
    return "after"
def guarded(number):
    with contextlib.suppress(ZeroDivisionError):
        send(number)
        return "after"
    return "inside"
def f(which):
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        if which == "caught":
            return caught(send, signal.SIGUSR1)
        return globals()[which](signal.SIGUSR1)
    except ZeroDivisionError:
        return "late"
    finally:
        signal.signal(signal.SIGUSR1, before)
"""


def test_signal_during_a_call_of_c_is_raised_at_that_call():
    check(SIGNALLED, ["f('one')", "f('caught')", "f('method')", "f('guarded')"])


def test_garbage_collection_in_the_loop():
    check("""
import gc
class Node:
    def __init__(self, n):
        self.n = n
        self.me = self
        self.dead = dead
    def __del__(self):
        self.dead.append(self.n)
dead = []
def f(n):
    del dead[:]
    gc.collect()
    total = 0
    for i in range(n):
        total += Node(i).n
        if i == n - 1:
            gc.collect()
    return total, sorted(dead)
""", ["f(3)", "f(10)"])


def test_exit_hooks_and_pending_calls(tmp_path):
    import subprocess

    program = tmp_path / "program.py"
    program.write_text("""
import atexit, threading, psyco
def f(n):
    t = 0
    for i in range(n):
        t += i
    return t
psyco.bind(f)
atexit.register(lambda: print(f'exit {f(10)}\\n', end=''))
threading.Thread(target=lambda: print(f'thread {f(100)}\\n', end=''), daemon=False).start()
print(f'main {f(1000)}\\n', end='')
""")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split("\n"))[1:] == ["exit 45", "main 499500", "thread 4950"]
