"""Runs programs plainly and under psyco in this one process, and tells what differs.

    worker.py stint FIRST COUNT [MODE]     generated programs, each in the mode given by its seed, or in that one
    worker.py serve                        what standard input asks for, each request in a process forked for it

Each program becomes two worlds: modules with code objects of their own, of which the first runs before the second is
made. In the second all functions are bound. What is compared is what both print, and what of them outlives them.
Standard output takes one JSON line for each event; the last program begun is the one that killed the process.
A request is a line too: {"seeds": [[1, "exit3"], ...]}, {"file": "program.py", "mode": "exit3"} or
{"production": "same_names", "mode": "exit3"}, a small program of which that production is the most.
"""

from __future__ import annotations

import collections
import contextlib
import faulthandler
import gc
import json
import marshal
import os
import resource
import sys
import time
import traceback
import types
import weakref

from generate import example, generate
from modes import ONLY_LOOPS, mode_of, setting
from parts import FILE, PRELUDE, needed

import psyco
from psyco import _core as core

CALLS = 2          # of main(): what its first call made hot runs compiled in the second
SLOW = 3.0         # seconds of the plain run after which the program is left out
SAMPLE = 8         # of one program in so many it is found out which productions ran compiled
COMPILED_MAIN = 8  # in one of so many main() is compiled too
MAX_COMPILES = 8   # of one function: after a few times all there is to see has been seen
MEASURING = 3      # the tool id for the lines that were run


class Output:
    """Stands for sys.stdout."""

    def __init__(self):
        self.parts = []
        self.write = self.parts.append

    def flush(self):
        pass


def nested(code):
    """The code objects written inside that one."""
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from nested(constant)


def functions_in(value, known):
    """The functions that a name of the program leads to; *known* are the ids of those met before."""
    if isinstance(value, types.FunctionType):
        if value.__code__.co_filename == FILE and id(value) not in known:
            known.add(id(value))
            yield value
            for cell in value.__closure__ or ():
                yield from functions_in(cell.cell_contents, known)
    elif isinstance(value, (staticmethod, classmethod)):
        yield from functions_in(value.__func__, known)
    elif isinstance(value, property):
        for each in (value.fget, value.fset, value.fdel):
            yield from functions_in(each, known)
    elif isinstance(value, type) and value.__module__ == "case":
        for each in list(vars(value).values()):
            if not isinstance(each, type):
                yield from functions_in(each, known)


class World:
    """The program as a module. It is gone when it is told to end."""

    def __init__(self, code, bound, mode="eager", generated=True, compiled_main=True):
        self.code, self.bound, self.mode, self.generated = code, bound, mode, generated
        self.left_alone = set() if compiled_main else {"main"}
        self.output = Output()
        self.ended = True
        self.module = types.ModuleType("case")
        self.space = self.module.__dict__
        self.space["__file__"] = FILE

    def bind(self, names):
        plain = self.space.get("PLAIN", set()) | self.left_alone
        known = set()
        for name in names:
            for function in functions_in(self.space[name], known):
                if name in plain:
                    core.exclude(function)
                    continue
                if self.mode not in ONLY_LOOPS:
                    core.bind_function(function)
                for code in (function.__code__, *nested(function.__code__)):
                    core.watch_code(code)

    def run(self):
        gc.enable()
        before, sys.stdout = sys.stdout, self.output
        try:
            for number in needed(self.code) if self.generated else ():
                exec(marshal.loads(PRELUDE[number].code), self.space)
            known = len(self.space)
            if self.bound:
                self.bind(list(self.space))
                core.watch_code(self.code)
            exec(self.code, self.space)
            if self.bound:
                self.bind(list(self.space)[known:])
            main = self.space["main"]
            for _ in range(CALLS):
                main()
        except Exception as error:
            self.ended = False
            print("uncaught", type(error).__name__, error)
            for entry in traceback.extract_tb(error.__traceback__):
                if entry.filename == FILE:
                    print(entry.name, entry.lineno)
        finally:
            sys.stdout = before
        return "".join(self.output.parts)

    def end(self):
        """Which of the program's functions and classes outlive it."""
        left = {}
        for name, value in self.space.items():
            if value.__class__ in (types.FunctionType, type) and value.__module__ == "case":
                left[name] = weakref.ref(value)
        sys.unraisablehook = sys.__unraisablehook__
        self.space.clear()
        self.module = self.space = self.code = None
        value = None
        gc.collect()
        return sorted(name for name, reference in left.items() if reference() is not None)


class Lines:
    """The lines of the program that run while it is on."""

    def __init__(self):
        self.seen = set()

    def see(self, code, line):
        if code.co_filename == FILE:
            self.seen.add(line)
        return sys.monitoring.DISABLE

    def __enter__(self):
        sys.monitoring.use_tool_id(MEASURING, "fuzz")
        sys.monitoring.register_callback(MEASURING, sys.monitoring.events.LINE, self.see)
        sys.monitoring.set_events(MEASURING, sys.monitoring.events.LINE)
        return self

    def __exit__(self, *what):
        sys.monitoring.set_events(MEASURING, 0)
        sys.monitoring.free_tool_id(MEASURING)


def natively_run(code):
    """(first line, last line) of the code objects in this one that were entered compiled."""
    entered = {(f["name"], f["line"]) for f in psyco.stats()["functions"] if f["file"] == FILE and f["entries"]}
    found = []
    for each in nested(code):
        if (each.co_qualname, each.co_firstlineno) in entered:
            found.append((each.co_firstlineno, max((line for *_, line in each.co_lines() if line), default=0)))
    return found


def reached(marks, lines, native):
    """The productions of which a line ran, in a function that ran compiled."""
    for name, first, last in marks:
        if any(line in lines for line in range(first, last + 1)) and any(a <= first <= b for a, b in native):
            yield name


class Session:
    def __init__(self):
        self.report = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
        self.programs = self.ended = self.slow = self.sampled = 0
        self.written, self.reached, self.modes = collections.Counter(), collections.Counter(), collections.Counter()

    def tell(self, **event):
        self.report.write(json.dumps(event) + "\n")

    def compare(self, name, code, mode, number, marks=(), generated=True):
        """Both worlds of one program."""
        self.tell(plain=name, mode=mode)
        stored = marshal.dumps(code)
        start = time.monotonic()
        plain = World(marshal.loads(stored), False, mode, generated)
        expected = plain.run()
        outlive = plain.end()
        if time.monotonic() - start > SLOW:
            self.slow += 1
            return
        self.tell(psyco=name)
        core.set_options({"debug": setting(mode, number)})
        core.set_options({"governor": False, "max_compiles": MAX_COMPILES})
        if mode in ONLY_LOOPS:
            core.set_options({"call_threshold": 10**9})
        world = World(marshal.loads(stored), True, mode, generated, number % COMPILED_MAIN == 0)
        code = world.code
        got = world.run()
        sample = marks and number % SAMPLE == 0
        native = natively_run(code) if sample else ()
        code = None
        outlive_now = world.end()
        core.set_options({"debug": ""})
        if got != expected:
            self.tell(failed=name, kind="difference", expected=expected, got=got)
        elif outlive_now != outlive:
            self.tell(failed=name, kind="outlives", expected=" ".join(outlive), got=" ".join(outlive_now))
        self.programs += 1
        self.ended += plain.ended
        self.modes[mode] += 1
        if sample:
            self.sample(stored, marks, native)

    def sample(self, stored, marks, native):
        with Lines() as lines:
            world = World(marshal.loads(stored), False)
            world.run()
            world.end()
        self.sampled += 1
        self.written.update({name for name, *_ in marks})
        self.reached.update(set(reached(marks, lines.seen, native)))

    def summary(self):
        stats = psyco.stats()
        del stats["functions"]
        self.tell(end=True, programs=self.programs, ended=self.ended, slow=self.slow, sampled=self.sampled, written=self.written, reached=self.reached, modes=self.modes, stats=stats,
                  cpu=time.process_time(), memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


    def generated(self, seed, mode):
        program = generate(seed, only=os.environ.get("FUZZ_PRODUCTION"))
        self.compare(seed, program.code, mode, seed, program.marks)

    def production(self, name, mode):
        program = example(name)
        self.compare(name, program.code, mode, 0, program.marks)
        self.tell(production=name, reached=name in self.reached)

    def file(self, path, mode):
        with open(path, encoding="utf-8") as file:
            code = compile(file.read(), FILE, "exec")
        self.compare(path, code, mode, 1, generated=False)


def answer(session, request):
    """What was asked for; nothing of it stays in the process that serves."""
    child = os.fork()
    if child:
        session.tell(done=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return
    with contextlib.suppress(SyntaxError):
        for seed, mode in request.get("seeds", ()):
            session.generated(seed, mode)
        if "file" in request:
            session.file(request["file"], request["mode"])
        if "production" in request:
            session.production(request["production"], request["mode"])
    if "Internal" in psyco.stats()["refused_by"]:
        session.tell(failed=request.get("file") or request.get("production") or seed, kind="internal limit", expected="", got="a function was refused for no fault of its own")
    os._exit(0)


def main(way, *arguments):
    faulthandler.enable()
    session = Session()
    gc.collect()
    gc.freeze()  # collections are of what the programs make
    if way == "serve":
        for line in sys.stdin:
            answer(session, json.loads(line))
        return
    first, count = map(int, arguments[:2])
    for seed in range(first, first + count):
        session.generated(seed, arguments[2] if arguments[2:] else mode_of(seed))
    session.summary()


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
