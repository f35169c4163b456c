"""At exit everything dies as in plain Python: what is held, what files contain, in which order.

Each program runs in a process of its own, plain and under psyco, and is compared as a whole: output,
exit status, files. Destructors write to the file descriptor, since sys.stdout may be gone by then.
The programs collect garbage before they get hot: what is young when the collector comes is put in
another order if something that runs holds it.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# How a program starts psyco: its first line, what it says once its functions exist, options of the
# interpreter, environment.
FULL = "import psyco; psyco.full()"
WAYS = {
    "launcher": ("", "", ["-m", "psyco"], {}),
    "eager": ("", "", ["-m", "psyco", "--eager"], {}),
    "full": (FULL, "", [], {}),
    "counted launcher": ("", "", ["-m", "psyco"], {"PSYCO_DEBUG": "off=governor"}),
    "counted full": (FULL, "", [], {"PSYCO_DEBUG": "off=governor"}),
    "jit": ("import psyco; psyco.jit()", "", [], {}),
    "bind": ("import psyco", "for each in (fill, Loud, Holder, Node, with_defaults, closure): psyco.bind(each)",
             [], {}),
    "classes": ("import psyco; from psyco.classes import *", "", [], {}),
    "stress": (FULL, "", [], {"PSYCO_DEBUG": "stress=eager"}),
    "off": ("", "", ["-m", "psyco"], {"PSYCO_DISABLE": "1"}),
}

LOUD = '''
import atexit, contextvars, csv, functools, gc, gzip, os, shelve, signal, sys, tempfile, threading, time, weakref, zipfile

def say(text, write=os.write):
    write(1, (text + "\\n").encode())

def tell_compiled():
    """How much was compiled, where the test looks for it."""
    if psyco := sys.modules.get("psyco"):
        with open("compiled", "w") as file:
            file.write(str(psyco.stats().get("compiled", 0)))

class Loud:
    """Says when it dies."""
    uses = 0
    def __init__(self, name):
        self.name = name
    def use(self, n):
        Loud.uses += 1
        return len(self.name) + n
    def __del__(self, say=say):
        say("del " + self.name)
'''

KINDS = LOUD + '''
_under = Loud("_under")
text = open("text.txt", "w")
binary = open("binary.bin", "wb")
table_file = open("table.csv", "w", newline="")
table = csv.writer(table_file)
packed = gzip.open("packed.gz", "wt")
archive = zipfile.ZipFile("archive.zip", "w")
temporary = tempfile.NamedTemporaryFile(dir=".", prefix="named-")
folder = tempfile.TemporaryDirectory(dir=".", prefix="folder-")
shelf = shelve.open("shelf", writeback=True)
instance = Loud("instance")
in_list = [Loud("in a list"), {"k": Loud("in a dict")}]

class Holder:
    attribute = Loud("class attribute")
    items = [Loud("in a class attribute")]
    def method(self, n, default=Loud("default of a method")):
        return default.use(n) + self.attribute.use(n)
    @staticmethod
    def static(n, default=Loud("default of a static method")):
        return default.use(n)
    @property
    def prop(self):
        return Holder.attribute.use(1)

def with_defaults(n, default=Loud("default"), *, key=Loud("keyword default")):
    return default.use(n) + key.use(n)

def make_closure():
    cell = Loud("in a cell")
    def inner(n):
        return cell.use(n)
    return inner
closure = make_closure()

def generate(name):
    try:
        yield from range(1000000)
    finally:
        say("finally of " + name)
generator = generate("generator")

local = threading.local()
local.value = Loud("thread local")
variable = contextvars.ContextVar("variable")
variable.set(Loud("context variable"))
@functools.lru_cache
def cached(n):
    return Loud("in a cache") if n == 1 else n
bound = Loud("behind a bound method").use
partial = functools.partial(with_defaults, default=Loud("in a partial"))
cycle = Loud("in a cycle")
cycle.me = cycle
with_defaults.attribute = Loud("attribute of a function")
watched = Loud("with a finaliser")
weakref.finalize(watched, say, "finalize at exit")
late = Loud("with a finaliser that is not for exit")
weakref.finalize(late, say, "finalize").atexit = False

def fill(n):
    total = 0
    for i in range(n):
        print(i, file=text)
        binary.write(b"x")
        table.writerow([i, i + 1])
        packed.write("y")
        temporary.write(b"t")
        shelf[str(i % 5)] = i
        total += instance.use(i) + in_list[0].use(i) + in_list[1]["k"].use(i) + _under.use(i)
        total += with_defaults(i) + closure(i) + next(generator) + local.value.use(i)
        total += variable.get().use(i) + bound(i) + partial(i) + cycle.use(i) + watched.use(i)
        total += len(cached(1).name) + with_defaults.attribute.use(i) + late.use(i)
        total += holder.method(i) + holder.static(i) + holder.prop + Holder.items[0].use(i)
    return total
holder = Holder()
archive.writestr("a.txt", "text" * 100)

class Node:
    def __init__(self, n):
        self.n = n
        self.below = None if n == 0 else Node(n - 1)
    def total(self):
        return self.n + (self.below.total() if self.below else 0)
gc.collect()
#BIND
result = 0
for _ in range(60):
    result += fill(10) + Node(20).total()
say(str(result))
text.flush()
text.write("the end")
def last(n, keep=Loud("default of the last")):
    s = 0
    while n:
        n -= 1
        s += keep.use(n)
    return s
result = last(3000)
tell_compiled()
'''


def contents(path):
    """What is in a file that a program has made."""
    if path.suffix == ".gz":
        return path.read_bytes()[8:]  # behind the time
    dated = path.suffix == ".zip" or path.name.startswith("shelf")
    return path.stat().st_size if dated else path.read_bytes()


def run(folder, source, options=(), environment=None, imported=False):
    """Everything there is to see of a run of the program."""
    folder.mkdir()
    (folder / "program.py").write_text(source)
    (folder / "start.py").write_text("import program\n")
    environ = {**os.environ, **(environment or {}), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *options, "start.py" if imported else "program.py"], cwd=folder,
        env=environ, capture_output=True, text=True, timeout=120, check=False,
    )
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name not in ("program.py", "start.py", "compiled"):
            files[path.name] = contents(path) if path.is_file() else "folder"
    errors = done.stderr.replace(str(folder), "folder")
    return done.returncode, done.stdout.splitlines(), errors, files


def run_way(folder, source, way, imported=False):
    first, bind, options, environment = WAYS[way]
    whole = first + source.replace("#BIND", bind)
    seen = run(folder, whole, options, environment, imported)
    told = folder / "compiled"
    # By sampling, what runs as briefly as here is not always found.
    if way not in ("off", "launcher", "full") and told.exists():
        assert int(told.read_text()) > 0, "nothing was compiled"
    return seen


@pytest.fixture(scope="module")
def plain_kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return {
        imported: run(folder / str(imported), KINDS, imported=imported)
        for imported in (False, True)
    }


@pytest.mark.parametrize("imported", [False, True])
def test_plain_python_closes_everything(plain_kinds, imported):
    """What the other runs are compared with."""
    status, lines, errors, files = plain_kinds[imported]
    assert (status, errors) == (0, "")
    assert len(lines) == 24
    assert sorted(files) == ["archive.zip", "binary.bin", "packed.gz", "shelf", "table.csv", "text.txt"]
    assert files["text.txt"].endswith(b"the end")


@pytest.mark.parametrize("imported", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_everything_dies(plain_kinds, tmp_path, way, imported):
    assert run_way(tmp_path / "world", KINDS, way, imported) == plain_kinds[imported]


# ---- ways to end

BUSY = LOUD + '''
first = Loud("first")
file = open("file.txt", "w")
held = [Loud("in a list")]
def work(n, default=Loud("default")):
    total = 0
    for i in range(n):
        total += first.use(i) + default.use(i) + held[0].use(i)
        if i % 100 == 0: file.write("x")
    return total
def deep(n): return work(10) if n == 0 else deep(n - 1) + 1
gc.collect()
for _ in range(30):
    work(1000)
    deep(5)
tell_compiled()
'''

LEAVE = '''
def leave(n, keep=Loud("keep")):
    mine = Loud("mine")
    for i in range(n):
        work(3)
        if i == 5000: {}
gc.collect()
leave(10000)
'''

ENDS = {
    "daemon threads": '''
def forever(ready, default=Loud("of the daemon")):
    while True:
        work(50)
        ready.set()
        time.sleep(0.0005)
file = open(os.devnull, "w")
for _ in range(3):
    ready = threading.Event()
    threading.Thread(target=forever, args=(ready,), daemon=True).start()
    ready.wait()
time.sleep(0.3)
''',
    "a daemon thread's local": '''
local = threading.local()
def forever(ready):
    local.value = Loud("local")
    while True:
        work(5)
        ready.set()
        time.sleep(0.0005)
file = open(os.devnull, "w")
ready = threading.Event()
threading.Thread(target=forever, args=(ready,), daemon=True).start()
ready.wait()
time.sleep(0.1)
''',
    "a daemon thread that waits in its loop": '''
lock = threading.Lock()
lock.acquire()
def stuck():
    mine = Loud("stuck")
    for i in range(10**9):
        first.use(i)
        if i == 3000: lock.acquire()
threading.Thread(target=stuck, daemon=True).start()
time.sleep(0.2)
''',
    "a thread": '''
def other():
    time.sleep(0.2)
    say(str(work(3000)))
threading.Thread(target=other).start()
''',
    "functions of atexit": '''
@atexit.register
def goodbye():
    say("goodbye %d" % work(5000))
    file.write("bye")
''',
    "os._exit": LEAVE.format("os._exit(7)"),
    "sys.exit": LEAVE.format("sys.exit(5)"),
    "sys.exit with a text": LEAVE.format("sys.exit('leaving')"),
    "an exception": LEAVE.format("held[i]"),
    "an interrupt": LEAVE.format("os.kill(os.getpid(), signal.SIGINT)"),
    "in a subinterpreter": "_testcapi = __import__('_testcapi')" + LEAVE.format(
        "_testcapi.run_in_subinterp('import sys; sys.exit(4)')"
    ),
    "no collector": "gc.disable()",
    "no callbacks of the collector": "gc.callbacks.clear()",
    "everything frozen": "gc.freeze()",
    "no functions of atexit": "atexit._clear()",
    "functions of atexit run before": "atexit._run_exitfuncs()",
    "no collector but a daemon": '''
gc.disable()
def forever(ready):
    while True:
        work(5)
        ready.set()
        time.sleep(0.0005)
file = open(os.devnull, "w")
ready = threading.Event()
threading.Thread(target=forever, args=(ready,), daemon=True).start()
ready.wait()
time.sleep(0.1)
''',
    "a fork": '''
pid = os.fork()
if pid: os.waitpid(pid, 0)
say("parent" if pid else "child")
''',
    "a fork after the functions of atexit": '''
atexit._run_exitfuncs()
pid = os.fork()
if pid: os.waitpid(pid, 0)
say("parent" if pid else "child")
''',
    "subinterpreters": '''
import _interpreters
text = """
import os
class C:
    def __del__(self, write=os.write): write(1, b"del in a subinterpreter\\\\n")
o = C()
for i in range(3000): o.x = i
"""
before = _interpreters.create()
_interpreters.run_string(before, text)
work(3000)
_interpreters.destroy(before)
say("destroyed")
lasting = _interpreters.create()
_interpreters.run_string(lasting, text)
work(3000)
''',
    "finalisers that work": '''
class Busy:
    def __del__(self, work=work, say=say, Loud=Loud):
        def inner(n):
            s = 0
            for i in range(n): s += i
            return s
        say(str([inner(3000) for _ in range(30)][-1]))
        say(str(Loud("made late").use(3)))
busy = Busy()
busy.me = busy
''',
    "finalisers that start psyco": '''
class Busy:
    def __del__(self, say=say, Loud=Loud, psyco=sys.modules.get("psyco"), work=work):
        def inner(n):
            s = 0
            for i in range(n): s += i
            return s
        if psyco:
            psyco.bind(inner)
            psyco.full()
            psyco.jit()
            psyco.setfilter(lambda code: True)
            psyco.stats()
            psyco.cannotcompile(work)
            psyco.stop()
        say(str([inner(3000) for _ in range(30)][-1]))
busy = Busy()
busy.me = busy
''',
    "a filter": '''
class Filter:
    def __init__(self): self.loud = Loud("of the filter")
    def __call__(self, code): return True
filter = Filter()
if "psyco" in sys.modules: sys.modules["psyco"].setfilter(filter)
work(5000)
''',
    "an exception that is kept": '''
def fails(n):
    mine = Loud("in a frame")
    for i in range(n): first.use(i)
    raise ValueError(n)
try:
    fails(5000)
except ValueError as e:
    sys.last_exc = e
''',
    "suspended generators": '''
def numbers(n):
    mine = Loud("of a generator")
    try:
        for i in range(n): yield first.use(i)
    finally:
        say("finally")
class Wait:
    def __await__(self): yield 1
async def waits():
    try:
        for i in range(10**6): await Wait()
    finally:
        say("finally of a coroutine")
it = numbers(10**6)
for _ in range(5000): next(it)
coroutine = waits()
for _ in range(3000): coroutine.send(None)
''',
}


@pytest.mark.parametrize("end", ENDS)
def test_ways_to_end(tmp_path, end):
    source = BUSY + ENDS[end] + "\nfile.write('end')\n"
    plain = run(tmp_path / "plain", source)
    if "_testcapi" in plain[2] and "ModuleNotFoundError" in plain[2]:
        pytest.skip("this interpreter has no _testcapi")
    for way in ("counted launcher", "counted full", "stress"):
        assert run_way(tmp_path / way, source, way) == plain, way


# ---- time

HEAP = '''
import random, time
class D:
    def __init__(self, x):
        self.x = x
        self.z = []
ds = [D(i) for i in range(100000)]
random.seed(1)
random.shuffle(ds)
print(time.process_time(), flush=True)
'''


def exit_time(options, environment):
    """Processor time of a process after its program's last line."""
    with subprocess.Popen(
        [sys.executable, *options],
        stdout=subprocess.PIPE, env={**os.environ, **environment},
    ) as child:
        before = float(child.stdout.read())
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime - before


@pytest.mark.plain_only
@pytest.mark.parametrize("way", ["launcher", "full", "off"])
def test_a_large_heap_dies_as_fast(tmp_path, way):
    """The collector visits what a program's own module holds in order of age, and so in that of
    addresses; what another module holds, in the order in which it is found."""
    first, _, options, environment = WAYS[way]
    (tmp_path / "plain.py").write_text(HEAP)
    (tmp_path / "program.py").write_text(first + HEAP)
    plain, psyco = (
        min(exit_time([*chosen, str(tmp_path / name)], environment) for _ in range(3))
        for chosen, name in (([], "plain.py"), (options, "program.py"))
    )
    assert psyco < 2 * plain + 0.01  # five times when it was wrong
