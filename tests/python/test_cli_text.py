"""`python -m psyco` with a program that has no file: -c, standard input, a terminal."""

import os
import pty
import subprocess
import sys

import pytest
from test_cli import QUIET, needs_core, run, same

pytestmark = pytest.mark.plain_only  # about starting programs, not about compiling them

SHOW = """
import sys
print({k: v for k, v in globals().items() if k != 'sys'})
print(sys.argv, repr(sys.path[0]), 'linecache' in sys.modules)
"""
PROGRAMS = {
    "what it sees": SHOW,
    "nothing": "",
    "an exception": "def f(n):\n    return 1 // n\nf(0)",
    "chained": "try:\n    1 // 0\nexcept Exception as e:\n    raise ValueError('x') from e",
    "syntax": "print('never')\nx = = 1",
    "indentation": "if 1:\n  x = 1\n y = 2",
    "not ended": "def f(",
    "exit": "import sys\nsys.exit(7)",
    "exit with words": "raise SystemExit('words')",
    "keyboard": "raise KeyboardInterrupt",
    "at exit": "import atexit\natexit.register(lambda: print('__file__' in globals()))\n1 // 0",
    "excepthook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0], a[2].tb_lineno)\n1 // 0",
    "the stack": "import sys, traceback\ndef f(): traceback.print_stack()\nf()\nprint(sys._getframe().f_back)",
    "its source": "import inspect\ndef f(): pass\ntry: print(inspect.getsource(f))\nexcept OSError as e: print(e)",
    "letters": "print('\xe9\u20ac')\nraise ValueError('\xe9')",
    "cookie": "# coding: latin-1\nprint(len('\xe9'))",
    "its input": "import sys\nprint(repr(sys.stdin.read()), repr(open(0).read()))",
    "pickle": "import pickle\nclass T: pass\nprint(pickle.dumps(T))",
    "main": "import __main__\nprint(__main__.__dict__ is globals(), __main__.__builtins__)",
}


@pytest.mark.parametrize("name", PROGRAMS)
@needs_core
def test_text_on_the_command_line(tmp_path, name):
    text = PROGRAMS[name]
    same(["-c", text], tmp_path, input="some\n")
    same(["-c", text, "-c", "--eager", "x"], tmp_path, input="")


@pytest.mark.parametrize("name", PROGRAMS)
@needs_core
def test_standard_input(tmp_path, name):
    text = PROGRAMS[name]
    for arguments in ([], ["-"], ["-", "-c", "x"], ["--"]):
        same(arguments, tmp_path, input=text)


@needs_core
def test_a_program_in_a_file_given_as_standard_input(tmp_path):
    """What the parser has read is gone for the program, what was read before it does not come again."""
    (tmp_path / "program").write_text("1 // 0\n" + PROGRAMS["its input"] + "\nprint(__file__)\n")
    outcomes = []
    for prefix in ([], ["-m", "psyco"]):
        with open(tmp_path / "program", "rb") as file:
            os.lseek(file.fileno(), len("1 // 0\n"), os.SEEK_SET)
            outcomes.append(subprocess.run([sys.executable, *prefix], stdin=file, capture_output=True, check=True).stdout)
    assert outcomes[0] == outcomes[1] == b"'' ''\n<stdin>\n"


def test_joined_and_with_options_before(tmp_path):
    same(["-cprint(5)", "x"], tmp_path)
    same(["-c", SHOW], tmp_path, options=["-P"])
    same(["-"], tmp_path, options=["-P"], input="import sys; print(len(sys.path), sys.argv)")
    for options in (["--eager"], ["--stats"], ["--log", "log"]):
        done = run(["-m", "psyco", *options, "-c", "import sys; print(sys.argv)", *options], tmp_path)
        assert (done.stdout, done.returncode) == (f"{['-c', *options]}\n", 0)
        done = run(["-m", "psyco", *options, "-", "x"], tmp_path, input="import sys; print(sys.argv)")
        assert (done.stdout, done.returncode) == ("['-', 'x']\n", 0)


def test_a_prompt_follows_or_is_asked_for(tmp_path):
    typed = "print(x if 'x' in globals() else __name__)\n\nimport sys; sys.argv\nraise SystemExit(5)\n"
    same(["-c", "x = 3", "y"], tmp_path, options=["-i"], input=typed)
    same(["-c", "x = 3; 1 // 0"], tmp_path, options=["-i"], input=typed)
    same([], tmp_path, options=["-i"], input=typed)
    same(["-"], tmp_path, options=["-i", "-q"], input=typed)


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"PYTHON_BASIC_REPL": "1"}], ids=str)
def test_a_terminal(tmp_path, environ):
    """The interpreter's own prompt, in a program's own `__main__`."""
    outcomes = []
    for prefix in ([], ["-m", "psyco"]):
        controller, terminal = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, *prefix], cwd=tmp_path, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONWARNINGS": QUIET, **environ}, start_new_session=True,
        )
        os.write(controller, b"import sys; print(6 * 7, __name__, sys.argv)\nexit(4)\n")
        output, _ = process.communicate(timeout=60)
        os.close(terminal)
        os.close(controller)
        outcomes.append((output.decode(), process.returncode))
    assert "42 __main__ ['']" in outcomes[0][0]
    assert outcomes[0] == outcomes[1]


@needs_core
def test_they_are_compiled(tmp_path):
    text = "def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\nfor i in range(50): f(20000)\nimport psyco\nprint(psyco.explain(f).compiled)"
    assert run(["-m", "psyco", "--eager", "-c", text], tmp_path).stdout == "True\n"
    assert run(["-m", "psyco", "--eager"], tmp_path, input=text).stdout == "True\n"
