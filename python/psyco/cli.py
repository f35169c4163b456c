"""Runs a program under psyco so that it notices nothing.

The program gets the same argv, sys.path, `__main__`, exit code and traceback as under plain
Python. What plain Python's own start-up code does in C (pymain_run_file, pymain_run_module and
PyErr_PrintEx) is done here in the same order; the frames of this file are cut from tracebacks.
Arguments are read by hand: argparse would cost more than the rest of the start-up, and would leave
modules behind in sys.modules that the program did not import.
"""

from __future__ import annotations

import errno
import os
import sys
from types import ModuleType

import psyco
from psyco import _engine
from psyco._engine import core

# The type checker's word for "only for me"; importing it from typing would cost 6 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType
    from typing import NoReturn

# Since 3.11. (psyco is off in older ones, but programs run.)
_SAFE_PATH = getattr(sys.flags, "safe_path", False)

USAGE = """\
usage: python -m psyco [options] program.py [arguments]
       python -m psyco [options] -m module [arguments]
       python -m psyco [options] -c code [arguments]
       python -m psyco [options] [- [arguments]]

Runs a Python program with everything that proves hot compiled to machine code.
Without a program, or with -, it is read from standard input; a terminal gets
the interpreter's prompt.

options:
  --eager      compile every function at its first call
  --stats      at the end, print what was compiled to stderr
  --log FILE   write what psyco does to FILE
  --list FILE  append to FILE what is compiled, as file:line:name, one a line
  --only FILE  compile only what FILE lists, as file:line:name or just name
  --version    print the version
  -h, --help   print this text
"""


class Request:
    """A command line, understood."""

    def __init__(self) -> None:
        self.kind = "-"  # of program: "file", "-m", "-c" or "-" (standard input)
        self.program = ""  # path, name or text of it; what argv[0] says of standard input
        self.arguments: list[str] = []
        self.eager = False
        self.stats = False
        self.files: dict[str, str] = {}  # by option: --log, --list, --only


def _fail(message: str) -> NoReturn:
    print(f"python -m psyco: {message}\n{USAGE}", end="", file=sys.stderr)
    sys.exit(2)


def parse(arguments: list[str]) -> Request:
    """Split the command line into psyco's options and the program's; exits on a mistake."""
    request = Request()
    rest = list(arguments)
    while rest:
        option = rest.pop(0)
        if option in ("-h", "--help"):
            print(USAGE, end="")
            sys.exit(0)
        if option == "--version":
            print(f"psyco {psyco.__version__}")
            sys.exit(0)
        if option == "--eager":
            request.eager = True
        elif option == "--stats":
            request.stats = True
        elif (name := option.partition("=")[0]) in ("--log", "--list", "--only"):
            file = option.partition("=")[2] if "=" in option else (rest.pop(0) if rest else "")
            if not file:
                _fail(f"{name} needs the name of a file")
            request.files[name] = file
        elif option[:2] in ("-m", "-c"):
            request.kind = option[:2]
            if not option[2:] and not rest:
                _fail(f"{request.kind} needs {NEEDED[request.kind]}")
            request.program = option[2:] or rest.pop(0)
            break
        elif option == "--":
            if rest:
                _take_program(request, rest.pop(0))
            break
        elif option.startswith("-") and option != "-":
            _fail(f"unknown option {option}")
        else:
            _take_program(request, option)
            break
    request.arguments = rest
    return request


NEEDED = {"-m": "the name of a module", "-c": "the program as text"}


def _take_program(request: Request, argument: str) -> None:
    """The first argument that is no option: a path, or standard input."""
    request.kind = "-" if argument == "-" else "file"
    request.program = argument


# --- Starting a program as the interpreter does --------------------------------------------------


def _fresh_main() -> ModuleType:
    """`__main__` as it is before a program starts.

    It is the interpreter's own module, made when the interpreter starts, like that of any program:
    the collector visits objects in the order of their age, and another one's would come late.
    """
    main = sys.modules["__main__"]
    namespace = vars(main)
    namespace.clear()
    main.__init__("__main__")  # type: ignore[misc]
    if sys.version_info < (3, 14):  # from then on annotations are computed when asked for
        namespace["__annotations__"] = {}
    namespace["__builtins__"] = sys.modules["builtins"]
    return main


def _tell_of_file(namespace: dict[str, object], path: str) -> None:
    """What the interpreter tells a script of where it is."""
    namespace["__file__"] = path
    if sys.version_info < (3, 15):
        namespace["__cached__"] = None


def _absolute(path: str) -> str:
    """The path from the root, not normalised: the interpreter leaves `.` and `..` in."""
    if os.path.isabs(path):
        return path
    return os.getcwd() if path == "." else f"{os.getcwd()}/{path}"


def _script_folder(path: str) -> str:
    """What a script's sys.path[0] is: its folder, one symbolic link followed."""
    if os.path.islink(path):
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return os.path.realpath(os.path.dirname(path))


def _importable(path: str) -> bool:
    """Whether the path is a folder or archive, whose `__main__` module is the program."""
    if os.path.isdir(path):
        return True
    if not os.path.isfile(path):  # what is read from a pipe is gone
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(2)
    except OSError:
        return False
    if start not in (b"PK", b"#!"):  # what zipapp makes begins with a line for the shell
        return False
    import zipfile

    return zipfile.is_zipfile(path)


def _script_action(path: str) -> Callable[[], object]:
    """How to run a script, source or compiled, a folder or an archive."""
    try:
        os.stat(path)
        if not os.access(path, os.R_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        sys.stderr.write(
            f"{sys.executable}: can't open file {_absolute(path)!r}: "
            f"[Errno {error.errno}] {error.strerror}\n"
        )
        sys.exit(2)
    if _importable(path):
        # The program cannot be found without this entry, so even -P leaves it in.
        if not _SAFE_PATH:
            del sys.path[0]
        sys.path.insert(0, _absolute(path))
        return _module_action("__main__", alter_argv=False)

    from importlib.machinery import SourceFileLoader, SourcelessFileLoader

    path_seen = _absolute(path)
    if not _SAFE_PATH:
        sys.path[0] = _script_folder(path)  # in place of the current folder, which -m put there
    main = _fresh_main()
    compiled = path.endswith(".pyc")
    loader_type = SourcelessFileLoader if compiled else SourceFileLoader
    loader = loader_type("__main__", path_seen)
    main.__loader__ = loader
    _tell_of_file(vars(main), path_seen)

    if not compiled:
        return lambda: core.run_file(path_seen, vars(main))
    return lambda: core.run_alone(exec, loader.get_code("__main__"), vars(main))


def _module_action(name: str, *, alter_argv: bool = True) -> Callable[[], object]:
    """How to run a module: as `python -m` does, by the same function of the library."""
    import runpy

    _fresh_main()
    run = runpy._run_module_as_main  # type: ignore[attr-defined]
    return lambda: core.run_alone(run, name, alter_argv)


def _main_without_file() -> ModuleType:
    """The `__main__` of a text: it finds modules in the current folder, wherever that is then."""
    if not _SAFE_PATH:
        sys.path[0] = ""
    from importlib.machinery import BuiltinImporter

    main = _fresh_main()
    main.__loader__ = BuiltinImporter  # which the interpreter itself puts there, and leaves
    return main


def _command_action(text: str) -> Callable[[], object]:
    """How to run the text given with -c."""
    main = _main_without_file()
    sys.audit("cpython.run_command", text)

    def run() -> object:
        code = compile(text + "\n", "<string>", "exec", dont_inherit=True)
        _show_lines(code, text + "\n")
        return core.run_alone(exec, code, vars(main))

    return run


def _show_lines(code: CodeType, text: str) -> None:
    """Let tracebacks and inspect find the lines, as the interpreter does for -c since 3.13."""
    import linecache

    register = getattr(linecache, "_register_code", None)
    if register is not None:
        # The first releases of 3.13 keep the lines by file name, later ones by code object.
        by_code = hasattr(linecache, "_interactive_cache")
        register(code if by_code else code.co_filename, text, code.co_filename)


def _input_action() -> Callable[[], object]:
    """How to run what standard input holds."""
    main = _main_without_file()
    sys.audit("cpython.run_stdin")
    _tell_of_file(vars(main), "<stdin>")
    return lambda: core.run_file(None, vars(main))


def _prompt_action() -> Callable[[], object]:
    """How to talk to a terminal: through the interpreter's own prompt."""
    main = _main_without_file()
    if not sys.flags.quiet:
        print(f"Python {sys.version} on {sys.platform}\n{WELCOME}", file=sys.stderr)
    if sys.flags.inspect:
        return lambda: None  # the prompt comes by itself when we return
    hook = getattr(sys, "__interactivehook__", None)
    if hook is not None:
        hook()
    sys.audit("cpython.run_stdin")
    if os.environ.get("PYTHON_BASIC_REPL"):
        return lambda: core.run_alone(sys._baserepl)  # type: ignore[attr-defined]
    from _pyrepl.main import interactive_console  # type: ignore[import-not-found]

    startup = not sys.flags.ignore_environment
    return lambda: core.run_alone(interactive_console, main, bool(sys.flags.quiet), startup)


WELCOME = 'Type "help", "copyright", "credits" or "license" for more information.'


def _is_interactive() -> bool:
    """Whether standard input is somebody who types, or -i says to treat it so."""
    if sys.flags.interactive:
        return True
    try:
        return os.isatty(0)
    except OSError:
        return False


def _action(request: Request) -> Callable[[], object]:
    """How to run the program that was asked for."""
    if request.kind == "-m":
        return _module_action(request.program)
    if request.kind == "-c":
        return _command_action(request.program)
    if request.kind == "-":
        return _prompt_action() if _is_interactive() else _input_action()
    return _script_action(request.program)


def _outside(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without our own frames at its start."""
    ours = (__file__, _engine.__file__)
    while traceback is not None and traceback.tb_frame.f_code.co_filename in ours:
        traceback = traceback.tb_next
    return traceback


def _report(exception: BaseException) -> None:
    """Print an exception nobody caught, through sys.excepthook as the interpreter does."""
    kind, traceback = type(exception), exception.__traceback__
    sys.last_exc = exception
    sys.last_type, sys.last_value, sys.last_traceback = kind, exception, traceback
    sys.audit("sys.excepthook", sys.excepthook, kind, exception, traceback)
    try:
        sys.excepthook(kind, exception, traceback)
    except SystemExit:
        raise
    except BaseException as failure:
        failure.__traceback__ = _outside(failure.__traceback__)
        failure.__context__ = None
        print("Error in sys.excepthook:", file=sys.stderr)
        sys.__excepthook__(type(failure), failure, failure.__traceback__)
        print("\nOriginal exception was:", file=sys.stderr)
        sys.__excepthook__(kind, exception, traceback)


def _goes_on() -> bool:
    """Whether the interpreter's prompt follows the program, as after `python -i`."""
    return bool(sys.flags.inspect or os.environ.get("PYTHONINSPECT"))


# Since gh-152132 SystemExit ends a script like any other exception.
_EXIT_TAKES_FILE_BACK = sys.hexversion >= 0x030D0F00


def _run(action: Callable[[], object]) -> None:
    main = vars(sys.modules["__main__"])
    is_script = "__file__" in main
    failure = None
    try:
        action()
    except BaseException as exception:
        # Before a prompt SystemExit is an exception like any other.
        if isinstance(exception, SystemExit) and not _goes_on():
            if is_script and _EXIT_TAKES_FILE_BACK:
                main.pop("__file__", None)
                main.pop("__cached__", None)
            raise
        exception.__traceback__ = _outside(exception.__traceback__)
        _report(exception)
        failure = exception
    # No function of ours may be called here: a tracer that the program has left on would see it.
    if is_script:  # the interpreter takes back what it told a script of its file
        main.pop("__file__", None)
        main.pop("__cached__", None)
    interrupted = isinstance(failure, KeyboardInterrupt)
    # From 3.14 on the process ends by the signal also where a prompt has come between.
    if failure is None or (_goes_on() and not (interrupted and sys.version_info >= (3, 14))):
        return
    if interrupted:
        # Raised again so that the process ends by the signal, as its parent expects; it has been
        # reported already.
        hook = sys.excepthook
        sys.excepthook = lambda *_: setattr(sys, "excepthook", hook)
        try:
            raise failure
        finally:
            del failure  # the traceback has this frame, and is to die when nobody has it any more
    sys.exit(1)


def main(arguments: list[str] | None = None) -> None:
    """Run what the command line names."""
    request = parse(sys.argv[1:] if arguments is None else arguments)
    # The module `-m` starts has "-m" here until it is found; run_module puts its file's name.
    named = request.kind if request.kind in NEEDED else request.program
    sys.argv[:] = [named, *request.arguments]
    if "--log" in request.files:
        _log(request.files["--log"])
    if "--list" in request.files or "--only" in request.files:
        _choose(request.files.get("--only"), request.files.get("--list"))
    action = _action(request)
    if request.stats:
        _stats_at_exit()
    if request.eager:
        core.set_options({"eager": True})
    psyco.full()
    _run(action)


def _log(path: str) -> None:
    try:
        psyco.log(path)
    except (OSError, ValueError) as error:
        _cannot_open("--log", path, error)


def _cannot_open(option: str, path: str, error: OSError | ValueError) -> NoReturn:
    _fail(f"{option} {path}: {getattr(error, 'strerror', None) or error}")


def _choose(only: str | None, listing: str | None) -> None:
    """Compile only what a file lists, and list what is compiled."""
    names: set[str] | None = None
    if only is not None:
        try:
            with open(only, encoding="utf-8") as file:
                names = {line.strip() for line in file}
        except (OSError, ValueError) as error:
            _cannot_open("--only", only, error)
    out = None
    if listing is not None:
        try:
            # Open until the process ends, and written at once: the program may be about to crash.
            out = open(listing, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        except (OSError, ValueError) as error:
            _cannot_open("--list", listing, error)

    def chosen(code: CodeType) -> bool:
        place = f"{code.co_filename}:{code.co_firstlineno}:{code.co_qualname}"
        if names is not None and not names & {place, code.co_qualname, code.co_name}:
            return False
        if out is not None:
            out.write(place + "\n")
        return True

    psyco.setfilter(chosen)


def _stats_at_exit() -> None:
    import atexit

    from psyco.report import format_stats

    atexit.register(lambda: print(format_stats(psyco.stats(), 20), file=sys.stderr))
