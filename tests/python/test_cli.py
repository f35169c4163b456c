"""`python -m psyco` next to plain `python`: the program must not be able to tell."""

import inspect
import os
import re
import signal
import subprocess
import sys
import time
import zipfile

import pytest
from psyco import _engine

needs_core = pytest.mark.skipif(
    _engine.off_reason is not None, reason="needs the compiled part"
)
QUIET = "ignore:psyco is off:RuntimeWarning"


def run(arguments, cwd, options=(), **more):
    environ = {**os.environ, "PYTHONWARNINGS": QUIET, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *options, *arguments], cwd=cwd, env=environ, capture_output=True,
        text=True, timeout=120, check=False, **more,
    )


def same(arguments, cwd, options=(), **more):
    """Run both ways, insist on equal outcomes, and return the plain one."""
    plain = run(arguments, cwd, options, **more)
    under = run(["-m", "psyco", *arguments], cwd, options, **more)
    assert under.stdout == plain.stdout, under.stderr
    assert under.stderr == plain.stderr
    assert under.returncode == plain.returncode
    return plain


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(inspect.cleandoc(text) + "\n")
        return path

    return write_file


def test_what_the_program_sees(write, tmp_path):
    write("program.py", """
        '''Its docstring.'''
        import sys
        import __main__
        print([(k, type(v).__name__) for k, v in globals().items()])
        print(__name__, __file__, __doc__, __spec__, __package__, globals().get("__cached__", "no such name"), __loader__.path)
        print(sys.argv, sys.path[0], __main__.__dict__ is globals(), __builtins__)
    """)
    for arguments in ([], ["a", "-b", "--stats", "-m", "c d"]):
        plain = same(["program.py", *arguments], tmp_path)
        assert plain.returncode == 0
        assert str(arguments)[1:-1] in plain.stdout


def test_the_script_folder_leads_the_path(write, tmp_path):
    write("sub/program.py", "import sys, neighbour; print(sys.path[0], neighbour.__file__)")
    write("sub/neighbour.py", "")
    (tmp_path / "link.py").symlink_to("sub/program.py")
    assert same(["sub/program.py"], tmp_path).returncode == 0
    assert same(["link.py"], tmp_path).returncode == 0
    assert same([str(tmp_path / "sub" / "program.py")], tmp_path).returncode == 0


def test_safe_path(write, tmp_path):
    write("program.py", "import sys; print([p for p in sys.path if 'psyco' not in p])")
    same(["program.py"], tmp_path, options=["-P"])


@pytest.mark.parametrize(
    "ending",
    ["raise SystemExit", "raise SystemExit(3)", "raise SystemExit('words')",
     "import os; os._exit(4)", "import sys; sys.exit(True)", "exit(5)", "raise SystemExit(2.5)"],
)
def test_exit_codes(write, tmp_path, ending):
    write("program.py", f"""
        import atexit
        atexit.register(print, "at exit", flush=True)
        print("running", flush=True)
        {ending}
    """)
    same(["program.py"], tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        "def f(n):\n    return 1 // n\nf(0)",
        "try:\n    1 // 0\nexcept ZeroDivisionError as e:\n    raise ValueError('x') from e",
        "try:\n    1 // 0\nexcept ZeroDivisionError:\n    undefined",
        "raise ExceptionGroup('g', [ValueError(1), TypeError(2)])",
        "class E(BaseException): pass\nraise E('base')",
        "x = = 1",
        "  indented = 1\nnot_indented = 2",
        "e = ValueError('noted')\ne.add_note('a note')\nraise e",
        "import json\njson.loads('{')",
        "import sys\nsys.excepthook = lambda *a: print('hook', a[0], a[2].tb_lineno)\n1 // 0",
        "import sys\nsys.excepthook = lambda *a: undefined\n1 // 0",
        "import sys\nsys.excepthook = lambda *a: sys.exit(9)\n1 // 0",
        "import sys, atexit\natexit.register(lambda: print(repr(sys.last_exc)))\n1 // 0",
        "import traceback\ntry:\n    1 // 0\nexcept Exception as e:\n    print(e)",
        "exec('1 // 0')",
        "raise KeyboardInterrupt",
    ],
)
def test_tracebacks(write, tmp_path, source):
    write("program.py", source)
    same(["program.py"], tmp_path)


@needs_core
def test_the_recursion_limit_is_the_program_s_own(write, tmp_path):
    write("program.py", """
        import sys
        def depth(n):
            try:
                return depth(n + 1)
            except RecursionError:
                return n
        print(depth(0), sys.getrecursionlimit())
        sys.setrecursionlimit(500)
        print(depth(0), sys.getrecursionlimit())
        def forever(): forever()
        forever()
    """)
    same(["program.py"], tmp_path)


def test_a_program_ended_by_the_keyboard(write, tmp_path):
    """The shell must see the signal, not an exit code."""
    write("program.py", "print('ready', flush=True)\nimport time\ntime.sleep(60)")
    outcomes = []
    for prefix in ([], ["-m", "psyco"]):
        with subprocess.Popen(
            [sys.executable, *prefix, "program.py"], cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONWARNINGS": QUIET},
        ) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            errors = process.stderr.read()
        outcomes.append((errors, process.returncode))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][1] == -signal.SIGINT


def test_modules_and_packages(write, tmp_path):
    write("single.py", "import sys; print(__name__, __spec__.name, sys.argv, sys.path[0])")
    write("pack/__init__.py", "print('package')")
    write("pack/__main__.py", """
        import sys
        from . import part
        print(__package__, __spec__.name, sys.argv, part.value)
        1 // 0
    """)
    write("pack/part.py", "value = 5")
    same(["-m", "single", "-x", "y"], tmp_path)
    assert "ZeroDivisionError" in same(["-m", "pack"], tmp_path).stderr
    same(["-m", "pack.part"], tmp_path)


def test_what_cannot_be_found(write, tmp_path):
    write("pack/__init__.py", "")
    write("broken.py", "import no_such_thing")
    for arguments in (["missing.py"], ["-m", "missing"], ["-m", "pack"], ["-m", "broken"]):
        assert same(arguments, tmp_path).returncode != 0


def test_folders_archives_and_compiled_files(write, tmp_path):
    source = "import sys; print(__file__, __name__, sys.argv, sys.path[0], __spec__.name)\n1 // 0"
    write("folder/__main__.py", source)
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", source)
    write("plain.py", "print(__file__, '__cached__' in globals())\n1 // 0")
    import py_compile

    py_compile.compile(str(tmp_path / "plain.py"), cfile=str(tmp_path / "compiled.pyc"))
    same(["folder", "x"], tmp_path)
    same(["archive.zip", "x"], tmp_path)
    same(["compiled.pyc"], tmp_path)


def test_things_that_depend_on_main(write, tmp_path):
    write("program.py", """
        import pickle, inspect, threading, atexit, warnings
        class Thing:
            def __eq__(self, other): return type(other) is Thing
        def work(n): return sum(range(n))
        print(pickle.loads(pickle.dumps(Thing())) == Thing(), pickle.dumps(work))
        print(inspect.getsource(work), inspect.getmodule(work).__name__)
        warnings.warn("noticed", UserWarning)
        def late():
            print("thread", work(1000))
        atexit.register(print, "exit")
        threading.Timer(0.05, late).start()
    """)
    plain = same(["program.py"], tmp_path)
    assert "thread 499500\nexit\n" in plain.stdout


def test_multiprocessing(write, tmp_path):
    write("program.py", """
        import multiprocessing, sys
        def square(n): return n * n
        if __name__ == "__main__":
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    print(pool.map(square, range(5)))
    """)
    same(["program.py"], tmp_path)


def test_standard_input(write, tmp_path):
    write("program.py", "print(input(), len(open(0).read()))")
    same(["program.py"], tmp_path, input="first\nsecond\nthird\n")


def test_source_encodings(tmp_path):
    (tmp_path / "latin.py").write_bytes(b"# coding: latin-1\nprint(ascii('\xe9'))\n")
    (tmp_path / "marked.py").write_bytes(b"\xef\xbb\xbfprint(ascii('\xc3\xa9'))\n")
    assert same(["latin.py"], tmp_path).stdout == "'\\xe9'\n"
    assert same(["marked.py"], tmp_path).stdout == "'\\xe9'\n"


@pytest.mark.parametrize(
    "source",
    [b"print('\xe9')\n", b"x = 1\n\0", b"# coding: nonsense\n", b"\xef\xbb\xbf# coding: latin-1\n", b"def f():\n",
     b"x = 1\n\n\ny = '\xff'\n", b"# coding: latin-1\nx = '\xe9' +* 3\n", b"x = '''abc\n\n",
     b"if 1:\n\tx = 1\n        y = 2\n", b"print(1)\r\nprint(2)\r1 / 0"],
)
@needs_core
def test_files_that_are_no_program(tmp_path, source):
    (tmp_path / "program.py").write_bytes(source)
    assert same(["program.py"], tmp_path).returncode == 1


@pytest.mark.parametrize("path", ["./sub/program.py", "sub/../sub/program.py", "sub/", "./sub",
                                  "../{here}/sub/program.py", ".", "sub/program.py/"])
def test_paths_are_shown_as_given(write, tmp_path, path):
    source = "import sys; print(__file__, sys.argv, sys.path[0])\n1 // 0"
    write("sub/program.py", source)
    write("sub/__main__.py", source)
    same([path.format(here=tmp_path.name)], tmp_path)


def test_a_program_from_a_pipe(tmp_path):
    same(["/dev/stdin"], tmp_path, input="print(__file__)\n1 // 0\n")


@needs_core
def test_nothing_is_below_the_program(write, tmp_path):
    """No frame of ours is there for those who look at the stack, count it or stop in it."""
    write("program.py", """
        import inspect, sys, traceback, warnings
        def f():
            traceback.print_stack()
            print([frame.function for frame in inspect.stack()])
            warnings.warn("far", stacklevel=9)
        f()
        print(type(sys._getframe().f_back))
        try:
            sys._getframe(1)
        except ValueError as error:
            print(error)
    """)
    write("stopped.py", "def f():\n    breakpoint()\nf()")
    same(["program.py"], tmp_path)
    same(["-m", "program"], tmp_path)
    same(["stopped.py"], tmp_path, input="w\nc\n")


def test_tracers_left_on_see_the_program_only(write, tmp_path):
    write("program.py", r"""
        import sys
        def tracer(frame, event, argument):
            sys.stderr.write(f"{event} {frame.f_code.co_name}\n")
            return tracer
        def f():
            pass
        sys.settrace(tracer)
        f()
    """)
    same(["program.py"], tmp_path)


@pytest.mark.parametrize("ending", ["", "1 // 0", "raise SystemExit(3)", "raise KeyboardInterrupt"])
def test_what_is_left_at_the_end(write, tmp_path, ending):
    write("program.py", f"""
        import atexit
        atexit.register(lambda: print("__file__" in globals(), "__cached__" in globals()))
        {ending}
    """)
    same(["program.py"], tmp_path)
    same(["-m", "program"], tmp_path)
    same(["program.py"], tmp_path, options=["-i"], input="print(__name__)\n")
    same(["program.py"], tmp_path, options=["-i"], input="raise SystemExit(5)\n")


def test_modules_the_program_did_not_import(write, tmp_path):
    """What our own start-up leaves in sys.modules must not hide a missing import."""
    write("program.py", "import sys; print('argparse' in sys.modules, 'inspect' in sys.modules)")
    same(["program.py"], tmp_path)


# --- psyco's own options -------------------------------------------------------------------------


def test_help_and_version(tmp_path):
    import psyco

    assert run(["-m", "psyco", "--version"], tmp_path).stdout == f"psyco {psyco.__version__}\n"
    done = run(["-m", "psyco", "-h"], tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: python -m psyco")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--spam", "x.py"], "unknown option --spam"), (["-m"], "-m needs"), (["-c"], "-c needs"),
     (["--log"], "--log needs"), (["--log="], "--log needs"),
     *[([option, "/no/such/file", "x.py"], f"python -m psyco: {option} /no/such/file: No such file or directory\n")
       for option in ("--only", "--list", "--log")],
     *[([f"{option}=.", "x.py"], f"python -m psyco: {option} .: Is a directory\n")
       for option in ("--only", "--list", "--log")]],
)
def test_mistakes(tmp_path, arguments, told):
    done = run(["-m", "psyco", *arguments], tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [["--eager"], ["--stats"], ["--log", "log"], ["--log=log"],
                                     ["--eager", "--stats"]])
def test_options_leave_the_result_alone(write, tmp_path, options):
    write("program.py", "import sys\ndef f(n): return n * 2\nprint(f(21), sys.argv)")
    done = run(["-m", "psyco", *options, "program.py", "x"], tmp_path)
    assert (done.stdout, done.returncode) == ("42 ['program.py', 'x']\n", 0)
    if "--stats" in options:
        assert re.search(r"^psyco: .*code_bytes", done.stderr, re.MULTILINE)
    if "--log" in options[0]:
        assert "psyco log of" in (tmp_path / "log").read_text()


def test_choosing_and_listing_functions(tmp_path, monkeypatch):
    import psyco.api
    import psyco.cli
    from fake_core import FakeCore

    fake = FakeCore()
    monkeypatch.setattr(psyco.api, "core", fake)
    monkeypatch.setattr(psyco.api, "_state", psyco.api._Registry())
    only, listing = tmp_path / "only", tmp_path / "list"
    place = f"{__file__}:{write_nothing.__code__.co_firstlineno}:write_nothing"
    only.write_text(f"{place}\nrun\n")
    psyco.cli._choose(str(only), str(listing))
    allowed = [fake.filter(f.__code__) for f in (write_nothing, run, same)]
    assert allowed == [True, True, False]
    assert listing.read_text().splitlines()[0] == place
    assert len(listing.read_text().splitlines()) == 2


def write_nothing():
    pass


def test_disabled_the_command_line_still_runs_programs(write, tmp_path, monkeypatch):
    write("program.py", "print('ran')")
    monkeypatch.setenv("PSYCO_DISABLE", "1")
    done = run(["-m", "psyco", "program.py"], tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("ran\n", "", 0)
