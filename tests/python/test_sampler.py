"""How hot code is found without counting everything, and what deciding about it costs afterwards."""
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.plain_only  # times and counts of the ordinary settings


def run(program, **environ):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PSYCO_")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120,
        env={**environment, **environ},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


LOOPS = """
import os, sys, threading, time, psyco
def total(n):
    s = 0
    for i in range(n):
        s += i
    return s
def small(x):
    return x + 1
def calls(n):
    t = 0
    for i in range(n):
        t = small(t)
    return t
def becomes_native(f=total, n=20000, seconds=20):
    end = time.process_time() + seconds
    while not psyco.explain(f).compiled and time.process_time() < end:
        f(n)
    return psyco.explain(f).compiled
"""


def test_code_that_is_never_hot_raises_few_events():
    program = LOOPS + """
psyco.full()
import argparse, dataclasses, email.message, json, logging, unittest.mock
print(psyco.stats()['events'])
"""
    [events], [all_of_them] = run(program), run(program, PSYCO_DEBUG="off=sampler")
    assert int(events) < int(all_of_them) / 2


def test_hot_loops_and_functions_are_found():
    assert run(LOOPS + """
psyco.full()
print(becomes_native(total), becomes_native(calls))
""") == ["True", "True"]


def test_hot_code_of_other_threads_is_found():
    assert run(LOOPS + """
psyco.full()
found = []
thread = threading.Thread(target=lambda: found.append(becomes_native()))
thread.start()
thread.join()
print(found)
""") == ["[True]"]


def test_without_the_thread_global_events_find_the_same():
    lines = run(LOOPS + """
psyco.full()
print(len(os.listdir('/proc/self/task')), becomes_native())
""", PSYCO_DEBUG="off=sampler")
    assert lines == ["1", "True"]


def test_both_sides_of_a_fork_go_on_sampling_and_no_warning_appears():
    lines = run(LOOPS + """
import warnings
warnings.simplefilter('error')
psyco.full()
assert becomes_native()
pid = os.fork()
ok = becomes_native(calls)
threads = len(os.listdir('/proc/self/task'))
if not pid:
    os._exit(0 if ok and threads == 2 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), ok, threads)
""")
    assert lines == ["0", "True", "2"]


def test_a_child_forked_by_another_thread_ends_with_that_thread_and_counts_by_events():
    lines = run(LOOPS + """
import warnings
warnings.simplefilter("ignore")
psyco.full()
def forks(work):
    def child():
        pid = os.fork()
        if pid:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                done, status = os.waitpid(pid, os.WNOHANG)
                if done:
                    print(status)
                    return
                time.sleep(0.01)
            os.kill(pid, 9)
            print("hangs")
        elif work:
            print(becomes_native(), flush=True)
    thread = threading.Thread(target=child)
    thread.start()
    thread.join()
    sys.stdout.flush()
forks(False)
forks(True)
""")
    assert lines == ["0", "True", "0"]


def test_stop_ends_the_thread_and_an_idle_process_sleeps():
    threads, idle, stopped = run(LOOPS + """
psyco.full()
becomes_native()
threads = len(os.listdir('/proc/self/task'))
before = time.process_time()
time.sleep(2)
idle = time.process_time() - before
psyco.stop()
print(threads, idle, len(os.listdir('/proc/self/task')))
""")
    assert threads == "2" and stopped == "1"
    assert float(idle) < 0.02


def test_signals_are_not_for_the_thread():
    assert run(LOOPS + """
import signal
psyco.full()
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(threading.get_ident()))
for _ in range(50):
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.001)
print(set(got) == {threading.main_thread().ident})
""") == ["True"]


FILTERED = LOOPS + """
from psyco._engine import core
core.set_options({'governor': False})
allowed = []
psyco.setfilter(lambda code: code.co_name in allowed)
core.watch_all(True)
def events(f, n=2000):
    before = psyco.stats()['events']
    f(n)
    return psyco.stats()['events'] - before
for _ in range(20):
    calls(2000)
"""


def test_what_a_filter_excludes_raises_no_events():
    assert run(FILTERED + "print(events(calls) < 5, events(small, 1) < 5)") == ["True", "True"]


def test_another_filter_is_asked_about_what_the_last_one_excluded():
    assert run(FILTERED + """
allowed += ['calls', 'small']
psyco.setfilter(lambda code: code.co_name in allowed)
for _ in range(5):
    calls(2000)
print(psyco.explain(calls).compiled)
""") == ["True"]


def test_runonly_ends_the_events_of_hot_code_until_compiling_goes_on():
    assert run(LOOPS + """
from psyco._engine import core
core.set_options({'governor': False, 'compile': False})
core.watch_all(True)
for _ in range(20):
    calls(2000)
before = psyco.stats()['events']
calls(2000)
quiet = psyco.stats()['events'] - before
core.set_options({'compile': True})
for _ in range(5):
    calls(2000)
print(quiet < 5, psyco.explain(calls).compiled)
""") == ["True", "True"]


def test_the_balance_shows_what_compiling_cost_and_what_it_won():
    compiling, won = map(float, run(LOOPS + """
psyco.full()
end = time.process_time() + 20
while psyco.stats()['balance']['won_ms'] < 20 and time.process_time() < end:
    total(20000)
balance = psyco.stats()['balance']
print(balance['compiling_ms'], balance['won_ms'])
"""))
    assert 0 < compiling < 100
    assert won >= 20
