"""The child of os.fork has one thread. What others were doing, compiled, is over, as in plain Python."""

import subprocess
import sys
import textwrap

PRELUDE = """
import os, sys, threading, time, warnings, weakref
warnings.simplefilter("ignore")
import psyco
from psyco import _core

def constant():
    return 1

waiting, go = threading.Semaphore(0), threading.Event()

def wait(n):
    kept = [n]
    total = constant()
    for i in range(n):
        total += i
        if i == n - 1:
            waiting.release()
            go.wait()
    return total, kept

def outer(n):
    name = "outer"
    return wait(n), name

for function in (constant, wait, outer):
    psyco.bind(function)
go.set()
for n in range(3):
    outer(100)
    waiting.acquire()
go.clear()
threads = [threading.Thread(target=outer, args=(1000,)) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    waiting.acquire()
time.sleep(0.1)
assert _core.stats()["activations"] >= 3
"""
CODA = """
def in_child():
    try:
        child()
        sys.stdout.flush()
    except BaseException as error:
        print(repr(error), flush=True)
    os._exit(0)

if not (pid := os.fork()):
    in_child()
print("status", os.waitpid(pid, 0)[1])
go.set()
for thread in threads:
    thread.join()
print("activations", _core.stats()["activations"])
"""


def run(code, debug="stress=eager"):
    text = PRELUDE + textwrap.dedent(code) + CODA
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60,
        env={"PSYCO_DEBUG": debug},
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["status 0", "activations 0"], done.stdout
    return lines[:-2]


def test_activations_of_other_threads_are_gone():
    assert run("""
        def child():
            print(_core.stats()["activations"])
            go.set()
            for i in range(3):
                later = threading.Thread(target=outer, args=(i,))
                later.start()
                later.join()
            print(_core.stats()["activations"], outer(0))
    """) == ["0", "0 ((1, [0]), 'outer')"]


def test_what_their_code_embeds_dies_with_it():
    assert run("""
        dead = weakref.ref(constant)
        def child():
            global constant
            del constant
            for i in range(100):
                pass
            print(dead())
    """) == ["None"]


def test_frames_that_somebody_keeps_show_their_variables():
    assert run("""
        frames = sys._current_frames()
        frame = next(frames[t.ident] for t in threads)
        while frame.f_code is not wait.__code__:
            frame = frame.f_back
        def child():
            print(len(sys._current_frames()), frame.f_locals, frame.f_back.f_locals)
    """) == ["1 {'n': 1000, 'kept': [1000], 'total': 499501, 'i': 999} {'n': 1000, 'name': 'outer'}"]


def test_the_forking_thread_goes_on():
    assert run("""
        def deep(n):
            if n:
                return deep(n - 1)
            here = "here"
            if not os.fork():
                print(_core.stats()["activations"] > 0, sorted(locals()), flush=True)
                return 5
            os.wait()
            os._exit(0)
        psyco.bind(deep)
        def child():
            print(deep(3))
    """) == ["True ['here', 'n']", "5"]
