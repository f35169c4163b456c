"""The project's own tool: what it refuses, counts, searches and checks."""

import json
import math
import stat
import subprocess
import sys

import pytest

pytestmark = pytest.mark.plain_only


@pytest.fixture(autouse=True)
def devtool_path(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools"))


FACTS = {
    "version": [3, 13, 5], "implementation": "cpython", "free_threaded": False, "debug": False,
    "executable": "/opt/python", "headers": True, "optimised": True,
}


@pytest.fixture
def interpreter(tmp_path):
    """A program that claims about itself what the test wants."""

    def make(name="python3.13", **facts):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({**FACTS, **facts})}\nEND\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


# --- Finding an interpreter ----------------------------------------------------------------------


def test_a_good_interpreter_is_taken(interpreter):
    from devtool.interpreter import inspect_interpreter

    found = inspect_interpreter(interpreter())
    assert (found.version, str(found.path), found.optimised) == ("3.13.5", "/opt/python", True)


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"version": [3, 12, 1]}, "is CPython 3.12.1; psyco needs the ordinary CPython 3.13, 3.14 or 3.15"),
        ({"version": [3, 16, 0]}, "is CPython 3.16.0"),
        ({"free_threaded": True}, "is a free-threaded build of CPython 3.13.5"),
        ({"debug": True}, "is a debug build of CPython 3.13.5"),
        ({"implementation": "pypy"}, "is pypy 3.13.5"),
    ],
)
def test_a_wrong_interpreter_is_refused_in_one_line(root, interpreter, facts, told):
    done = subprocess.run(
        [sys.executable, root / "dev", "build", "--python", interpreter(**facts)],
        capture_output=True, text=True, check=False,
    )
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_what_is_no_interpreter(tmp_path, interpreter):
    from devtool.console import Failure
    from devtool.interpreter import find_interpreter, inspect_interpreter

    with pytest.raises(Failure, match="no such file"):
        find_interpreter(str(tmp_path / "absent"))
    with pytest.raises(Failure, match="cannot be run"):
        inspect_interpreter(str(tmp_path))
    broken = tmp_path / "shim"
    broken.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(Failure, match="not a working Python: command not found"):
        inspect_interpreter(str(broken))
    broken.write_text("#!/bin/sh\necho 'python3.13: not found\n\nIt exists in:\n  3.13.0' >&2\n")
    with pytest.raises(Failure, match="not a working Python: python3.13: not found"):
        inspect_interpreter(str(broken))
    broken.write_text("#!/bin/sh\necho 'Traceback (most recent call last):\n\nOSError: no' >&2\n")
    with pytest.raises(Failure, match="not a working Python: OSError: no"):
        inspect_interpreter(str(broken))


def test_the_search_skips_what_will_not_do(tmp_path, interpreter, monkeypatch):
    from devtool import interpreter as module

    wrong, right = interpreter("wrong", version=[3, 11, 2]), interpreter("right")
    monkeypatch.setattr(module, "candidates", lambda version: [wrong, str(tmp_path / "gone"), right])
    assert module.find_interpreter(None).version == "3.13.5"
    monkeypatch.setattr(module, "candidates", lambda version: [wrong])
    assert module.find_interpreter(None) is None


def test_a_version_is_found_by_its_number(tmp_path, interpreter, monkeypatch):
    from devtool import interpreter as module
    from devtool.console import Failure

    old, new = interpreter("old"), interpreter("new", version=[3, 14, 3])
    monkeypatch.setattr(module, "candidates", lambda version: [new, old])
    assert module.find_interpreter("3.13").version == "3.13.5"
    assert module.find_interpreter("3.14").version == "3.14.3"
    assert module.find_interpreter(None).version == "3.13.5"
    monkeypatch.setattr(module, "candidates", lambda version: [old])
    with pytest.raises(Failure, match="--python 3.14: no CPython 3.14 found"):
        module.find_interpreter("3.14")
    assert module.interpreters() == 1


def test_a_version_that_is_missing_is_said(monkeypatch, capsys):
    from devtool import versions
    from devtool.console import Failure

    monkeypatch.delenv("PSYCO_CI_VERSIONS", raising=False)
    monkeypatch.setattr(versions, "find_version", lambda version: version != "3.14")
    monkeypatch.setattr(versions, "prepare", lambda version: version)
    assert list(versions.others("3.13")) == ["3.15"]
    assert "no CPython 3.14 found: not tested" in capsys.readouterr().err
    assert list(versions.others("3.14")) == ["3.13", "3.15"]
    monkeypatch.setenv("PSYCO_CI_VERSIONS", "3.13,3.14")
    with pytest.raises(Failure, match="no CPython 3.14 found, and PSYCO_CI_VERSIONS asks for it"):
        list(versions.others("3.13"))


def test_each_version_has_folders_of_its_own(tmp_path, monkeypatch):
    from pathlib import Path

    from devtool import environment
    from devtool.interpreter import Interpreter

    monkeypatch.setattr(environment, "ROOT", tmp_path)
    old = Interpreter(Path("/old/python"), "3.13.5", headers=True, optimised=True)
    new = Interpreter(Path("/new/python"), "3.14.3", headers=True, optimised=True)
    assert environment.place(new) == (tmp_path / ".venv", tmp_path / "build")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / environment.STAMP).write_text(json.dumps({"interpreter": "/old/python", "version": "3.13.5"}))
    assert environment.place(old) == (tmp_path / ".venv", tmp_path / "build")
    venv, build = environment.place(new)
    assert venv.name.startswith(".venv-3.14.3-") and build.name.startswith("build-3.14.3-")


def test_pyenv_versions_are_tried_newest_first(tmp_path, monkeypatch):
    from devtool.interpreter import candidates

    for name in ("3.13.0", "3.13.11", "3.13.2", "3.12.1"):
        folder = tmp_path / "versions" / name / "bin"
        folder.mkdir(parents=True)
        (folder / "python").touch()
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = [path.split("/")[-3] for path in candidates() if path.startswith(str(tmp_path))]
    assert found == ["3.13.11", "3.13.2", "3.13.0"]


# --- What is missing on the machine --------------------------------------------------------------


def needs(*rows):
    from devtool.environment import Need

    return [Need(package, lambda there=there: there, required, pip)
            for package, there, required, pip in rows]


def test_without_root_it_says_what_to_install(monkeypatch):
    from devtool import environment
    from devtool.console import Failure

    monkeypatch.setattr(environment, "is_root_on_debian", lambda: False)
    wanted = needs(("g++", False, True, None), ("cmake", False, True, "cmake"),
                   ("ccache", False, False, None), ("ninja-build", True, True, "ninja"))
    with pytest.raises(Failure, match=r"missing g\+\+; install with: sudo apt-get install g\+\+ "
                                      r"cmake ccache$"):
        environment.ensure_debian(wanted)
    assert environment.ensure_debian(wanted[1:]) == ["cmake"]


def test_all_that_is_missing_is_told_at_once(monkeypatch):
    from pathlib import Path

    from devtool import environment
    from devtool.console import Failure
    from devtool.interpreter import Interpreter

    bare = Interpreter(Path("/usr/bin/absent3.13"), "3.13.5", headers=False, optimised=True)
    monkeypatch.setattr(environment, "is_root_on_debian", lambda: False)
    monkeypatch.setattr(environment, "choose_interpreter", lambda explicit: bare)
    monkeypatch.setattr(environment, "inspect_interpreter", lambda path: bare)
    monkeypatch.setattr(environment, "has_ensurepip", lambda path: False)
    monkeypatch.setattr(environment, "NEEDS", needs(("g++", False, True, None)))
    with pytest.raises(Failure, match=r"apt-get install g\+\+ python3.13-dev python3.13-venv$"):
        environment.prepare(None)
    monkeypatch.undo()
    monkeypatch.setattr(environment, "is_root_on_debian", lambda: False)
    monkeypatch.setattr(environment, "find_interpreter", lambda explicit: None)
    monkeypatch.setattr(environment, "_stamped_interpreter", lambda: None)
    with pytest.raises(Failure, match="apt-get install python3.13 python3.13-venv python3.13-dev"):
        environment.prepare(None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "absent.py"], "absent.py: no such file"),
        (["bisect", "--", "absent.py", "1"], "absent.py: no such file"),
        (["reduce", "absent.py"], "absent.py: no such file"),
        (["dump", "--phase", "spam", "dev"], "no phase spam; there are: all, input, "),
        (["mutate", "effect:Spam"], "no mutant effect:Spam; ./dev mutate --list prints all"),
    ],
)
def test_a_misspelt_name_is_told_at_once(root, arguments, told):
    done = subprocess.run([sys.executable, root / "dev", *arguments], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_with_root_it_installs_and_checks_again(monkeypatch):
    from devtool import environment
    from devtool.console import Failure

    installed = []
    monkeypatch.setattr(environment, "is_root_on_debian", lambda: True)
    monkeypatch.setattr(environment, "apt_install", lambda names: installed.extend(names) or True)
    from devtool.environment import Need

    appears = [Need("g++", lambda: "g++" in installed)]
    assert environment.ensure_debian(appears) == []
    assert installed == ["g++"]
    with pytest.raises(Failure, match="missing doctest-dev: apt-get did not provide"):
        environment.ensure_debian(needs(("doctest-dev", False, True, None)))
    assert environment.ensure_debian(needs(("ccache", False, False, None))) == []


# --- Comparing two runs --------------------------------------------------------------------------


def outcome(output=b"same\n", status=0):
    from devtool.compare import Outcome

    return Outcome(1.0, status, output)


def test_differences_are_noticed():
    from devtool.compare import difference

    assert difference(outcome(), outcome()) is None
    assert difference(outcome(), outcome(status=1)) == "exit status 0 plain, 1 under psyco"
    assert "-same\n+other" in difference(outcome(), outcome(b"other\n"))
    assert "line ends" in difference(outcome(b"a\r\n"), outcome(b"a\n"))


# --- Counting tests ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("passed", "failed", "status", "expected"),
    [(5, 0, 0, (5, 0)), (5, 1, 1, (5, 1)), (5, 0, 139, (5, 1)), (0, 0, 0, (0, 1))],
)
def test_a_crash_or_nothing_at_all_counts_as_failed(passed, failed, status, expected):
    from devtool.testing import Count, judged

    assert judged(Count(passed, failed), status) == expected


def test_a_failed_step_fails_the_whole(capsys):
    from devtool.ci import Tally
    from devtool.console import Failure
    from devtool.testing import Count

    def breaks():
        raise Failure("the tool says no")

    tally = Tally()
    assert tally.step("good", lambda: Count(3, 0))
    assert not tally.step("bad", lambda: Count(2, 1))
    assert not tally.step("broken", breaks)
    assert tally.failed_steps == ["bad", "broken"]
    assert tally.total == (5, 2)


def test_variants_are_told_apart():
    from devtool.variants import VARIANTS, find_variant

    names = [variant.name for variant in VARIANTS]
    assert len(set(names)) == len(names) >= 6
    assert find_variant("exit1").debug.endswith("exit:1")
    assert find_variant("none") is None


# --- Statistics ----------------------------------------------------------------------------------


def test_interval_of_a_median():
    from devtool.statistics import median_interval

    assert median_interval([1, 2, 3, 4, 5]) == (0.0, 3, math.inf)  # too few to say
    assert median_interval([6, 5, 4, 3, 2, 1]) == (1, 3.5, 6)
    assert median_interval(range(1, 10)) == (2, 5, 8)
    assert median_interval(range(1, 101)) == (40, 50.5, 61)


def test_the_interval_covers_as_often_as_it_says():
    import random

    from devtool.statistics import median_interval

    source = random.Random(1)
    hits = 0
    for _ in range(2000):
        low, _, high = median_interval([source.expovariate(1) for _ in range(11)])
        hits += low <= math.log(2) <= high
    assert hits >= 1880


def test_verdicts_need_the_whole_interval():
    from devtool.bench import Result, Series

    fast = Result("spam", "numeric", 2.0, Series([3.0] * 7, [1.0] * 7))
    mixed = Result("spam", "numeric", 2.0, Series([3.0] * 3 + [1.0] * 4, [1.0] * 7))
    slow = Result("spam", "numeric", 2.0, Series([1.0] * 7, [1.0] * 7))
    assert (fast.verdict(), fast.undecided()) == ("ok", False)
    assert (mixed.verdict(), mixed.undecided()) == ("ok", True)
    assert (slow.verdict(), slow.undecided()) == ("BELOW 2", False)
    slow.wrong = "checksum 3"
    assert slow.verdict() == "WRONG: checksum 3"


def test_missed_bars_are_found():
    from devtool.bench import Result, Series, load_bars, summarise

    def result(name, ratio, group="numeric"):
        return Result(name, group, 0.95, Series([ratio] * 7, [1.0] * 7))

    bars = load_bars()
    good = [result("collatz", 40.0), result("matmul", 40.0)]
    assert summarise(good, bars, complete=True) == []
    assert summarise([*good, result("fft", 0.5)], bars, complete=False) == ["fft: BELOW 0.95"]
    told = "\n".join(summarise([result("collatz", 2.0)], bars, complete=True))
    assert "geometric mean of numeric: 2.00, below 5" in told
    assert "no int program reaches 30" in told
    assert "no float program reaches 30" in told


def test_every_bar_has_its_program(root):
    from devtool.bench import load_bars, program_group

    bars = load_bars()
    names = {path.stem for path in (root / "bench" / "programs").glob("*.py")}
    assert set(bars.PROGRAMS) <= names
    assert {name for group in bars.KINDS.values() for name in group} <= names
    for arguments, *_ in bars.EXAMPLES.values():
        assert (root / "examples" / arguments[0]).exists()
    groups = {program_group(root / "bench" / "programs" / f"{name}.py") for name in names}
    assert groups == {"numeric", "objects", "text"}


def test_measuring_notices_a_wrong_checksum(root, tmp_path):
    program = tmp_path / "wrong.py"
    program.write_text("SIZE = 1\nEXPECTED = 2\ndef run(n): return n\n")
    done = subprocess.run(
        [sys.executable, root / "bench" / "measure.py", program, "2"],
        capture_output=True, text=True, check=True,
    )
    told = json.loads(done.stdout)
    assert told["right"] is False
    assert told["result"] == "1"
    assert len(told["times"]) == 2


# --- Bisection -----------------------------------------------------------------------------------


@pytest.mark.parametrize("guilty", [{"f3"}, {"f0", "f9"}, {"f2", "f5", "f7"}])
def test_minimise_finds_the_guilty(guilty):
    from devtool.inspection import minimise

    calls = []

    def fails(some):
        calls.append(some)
        return guilty <= set(some)

    assert set(minimise([f"f{n}" for n in range(10)], fails)) == guilty
    assert len(calls) < 80


@pytest.mark.parametrize("answer", [1, 2, 3, 17, 1000])
def test_first_failing(answer):
    from devtool.inspection import first_failing

    assert first_failing(lambda n: n >= answer) == answer
    assert first_failing(lambda n: False, limit=64) is None


BROKEN_COMPILER = """#!{python}
# Plays an interpreter whose compiler goes wrong when both a and b are compiled, in the fifth
# rewrite of the pass called guilty.
import os, sys
functions = ["a", "b", "c", "d"]
arguments = sys.argv[1:]
if arguments[:2] == ["-m", "psyco"]:
    if "--only" in arguments:
        functions = open(arguments[arguments.index("--only") + 1]).read().split()
    if "--list" in arguments:
        open(arguments[arguments.index("--list") + 1], "a").write("\\n".join(functions))
    debug = os.environ.get("PSYCO_DEBUG", "")
    fuel = int(debug.rpartition("fuel=guilty:")[2]) if "fuel=guilty" in debug else 99
    if {{"a", "b"}} <= set(functions) and "off=guilty" not in debug and fuel >= 5:
        print("wrong")
        sys.exit()
print("right")
"""


def test_bisect_narrows_down_to_the_rewrite(tmp_path, monkeypatch, capsys):
    import argparse
    from types import SimpleNamespace

    from devtool import inspection

    fake = tmp_path / "python"
    fake.write_text(BROKEN_COMPILER.format(python=sys.executable))
    fake.chmod(0o755)
    pipeline = tmp_path / "pipeline.def"
    pipeline.write_text("// PASS(comment)\nPASS(innocent, after())\n  PASS(guilty, after())\n")
    monkeypatch.setattr(inspection, "PIPELINE", pipeline)
    monkeypatch.delenv("PSYCO_DEBUG", raising=False)
    options = argparse.Namespace(program="x.py", arguments=[])
    assert inspection.bisect(SimpleNamespace(python=fake), options) == 1
    told = capsys.readouterr().out
    assert told.startswith("functions: a, b\npass: guilty (")
    assert "rewrite: number 5 of guilty\n" in told


# --- Rules about text ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("fine\n", None),
        ("no end", "no newline at the end"),
        ("two\n\n", "empty line at the end"),
        ("space \n", "white space at the end"),
        ("a\tb\n", "tab"),
        ("x" * 101 + "\n", "longer than 100"),
        ("# TODO mend this\n", "an open task without"),
        ("# TODO(#12) mend this\n", None),
        ("/" + "home/someone/file\n", "a path of one particular machine"),
        ("/usr/bin/env\n", None),
    ],
)
def test_text_rules(text, told):
    from devtool.lint import text_problems

    problems = text_problems("spam.toml", text)
    if told is None:
        assert problems == []
    else:
        assert len(problems) == 1
        assert problems[0].startswith("spam.toml:")
        assert told in problems[0]


def test_layout_tolerates_what_releases_disagree_about():
    from devtool.lint import layout_problems

    theirs = "int f(int a,\n      int b);\n"
    assert layout_problems("int f(\n    int a, int b);\n", theirs) == []
    assert layout_problems("int f( int a, int b );\n", "int f(int a, int b);\n") == [1]
    assert layout_problems("{\n   a();\n   b();\n}\n", "{\n  a();\n  b();\n}\n") == [2]
    assert layout_problems("if(a) b();\nc();\n", "if (a) b();\nc();\n") == [1]


def test_every_command_has_help(root):
    done = subprocess.run([sys.executable, root / "dev", "--help"], capture_output=True, text=True,
                          check=True)
    for command in ("run", "test", "build", "bench", "fmt", "lint", "dump", "bisect", "fuzz", "ci"):
        assert f"\n    {command} " in done.stdout
    wrong = subprocess.run([sys.executable, root / "dev", "spam"], capture_output=True, check=False)
    assert wrong.returncode == 2


# --- Planting defects ----------------------------------------------------------------------------


def test_every_kind_of_defect_has_some_and_is_explained(root):
    from devtool.mutate import EQUIVALENT, all_mutants

    there = all_mutants()
    explained = (root / "src/support/mutants.h").read_text()
    for kind, names in there.items():
        assert names and len(names) == len(set(names)), kind
        assert f" {kind}:" in explained, kind
    assert {"dict", "type", "function", "class", "descriptor"} == set(there["watch"])
    assert {"owned-local", "borrowed-operand", "outer-locals", "drops"} <= set(there["record"])
    for name in EQUIVALENT:
        kind, _, what = name.partition(":")
        assert what in there[kind], name


def test_a_defect_that_hangs_is_noticed_and_stopped(tmp_path):
    from devtool.mutate import Suite, first_failure, timed

    hangs = Suite("hangs", [sys.executable, "-c", "import time; time.sleep(60)"], limit=0.5)
    assert first_failure(hangs, {}) == "no end within 0 s"
    quick = timed(Suite("quick", [sys.executable, "-c", ""]), {})
    assert quick.limit == 60
