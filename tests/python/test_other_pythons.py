"""Where psyco is not at home, and what the environment variables say: one sentence, and programs run."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from psyco import _engine

pytestmark = pytest.mark.plain_only

PROGRAM = """
import psyco
from psyco.classes import *
@psyco.bind
def f(x): return x + 1
@psyco.bind(rec=2)
class C:
    @staticmethod
    def m(x): return f(x)
class Empty: pass
psyco.bind(Empty)
psyco.full(); psyco.jit()
with psyco.runonly(): pass
fast = psyco.proxy(f)
psyco.setfilter(None)
psyco.log(LOG)
print(f(1), fast(2), psyco.unproxy(fast) is f, C.m(3), psyco.explain(f).compiled, psyco.stats()["code_bytes"])
print(str(psyco.explain(f)).splitlines()[1])
psyco.unbind(f); psyco.cannotcompile(f); psyco.stop()
"""
MADE_FOR = "is made for the ordinary CPython 3.13, 3.14 or 3.15, and this is"


def others():
    """The interpreters of other versions that this machine has."""
    folders = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"]
    found = [path for folder in folders for path in sorted(folder.glob("*/bin/python"))]
    found += [Path(f"/usr/bin/{name}") for name in ("python2", "python3", "pypy3")]
    there = {}
    for path in found:
        if path.exists():
            done = subprocess.run([path, "-c", "import sys; print(tuple(sys.version_info[:3]))"],
                                  capture_output=True, text=True, check=False)
            if not done.returncode:
                there.setdefault(ast.literal_eval(done.stdout), path)
    return {version: path for version, path in there.items() if version[:2] not in _engine.SERVED}


def run(python, arguments, root, tmp_path, **environ):
    return subprocess.run(
        [python, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**{k: v for k, v in os.environ.items() if not k.startswith(("PSYCO_", "PYTHON"))},
             "PYTHONPATH": str(root / "python"), "PYTHONDONTWRITEBYTECODE": "1", **environ},
    )


def test_real_ones(root, tmp_path):
    (tmp_path / "program.py").write_text(f"LOG = {str(tmp_path / 'log')!r}{PROGRAM}")
    (tmp_path / "small.py").write_text("import sys; print(sys.argv[1:])")
    for version, python in others().items():
        found = ".".join(map(str, version))
        done = run(python, ["program.py"], root, tmp_path)
        started = run(python, ["-m", "psyco", "small.py", "x"], root, tmp_path)
        for each in (done, started):
            sentence = rf"psyco (is off: it )?{MADE_FOR} (C?Python|PyPy) {found}"
            assert len(re.findall(sentence, each.stderr)) == 1, (version, each.stderr)
            assert "SyntaxError" not in each.stderr
        if version < (3, 9):
            assert done.returncode and done.stderr.splitlines()[-1].startswith("ImportError: psyco is made for")
            assert started.returncode
        else:
            name = re.search(rf"(\w+) {found}", done.stderr)[1]
            assert done.stdout == "2 3 True 4 False 0\n  not compiled: " + f"psyco is off: it {MADE_FOR} {name} {found}\n"
            assert done.returncode == 0
            assert (started.stdout, started.returncode) == ("['x']\n", 0)


FAKES = {
    "PyPy 3.11.13": "sys.implementation.name = 'pypy'; sys.version_info = (3, 11, 13, 'final', 0)",
    "CPython 3.12.2": "sys.version_info = (3, 12, 2, 'final', 0)",
    "CPython 3.16.0": "sys.version_info = (3, 16, 0, 'final', 0)",
    "graalpy 3.13.0": "sys.implementation.name = 'graalpy'; sys.version_info = (3, 13, 0, 'final', 0)",
    "a free-threaded build of CPython 3.13.0": "sys.abiflags = 't'; sys.version_info = (3, 13, 0, 'final', 0)",
    "a debug build of CPython 3.13.0": "sys.abiflags = 'd'; sys.version_info = (3, 13, 0, 'final', 0)",
}


@pytest.mark.parametrize("found", FAKES)
def test_others_by_what_they_say_of_themselves(root, tmp_path, found):
    done = run(sys.executable, ["-c", f"import sys; {FAKES[found]}\nLOG = 'log'{PROGRAM}"], root, tmp_path)
    assert done.stdout.startswith("2 3 True 4 False 0\n")
    told = [line for line in done.stderr.splitlines() if "off" in line]
    assert len(told) == 1 and told[0].endswith(f"psyco is off: it {MADE_FOR} {found}; programs run plainly")


def test_a_very_old_one(root, tmp_path):
    done = run(sys.executable, ["-c", "import sys; sys.version_info = (3, 6, 15, 'final', 0)\nimport psyco"], root, tmp_path)
    assert done.stderr.splitlines()[-1] == f"ImportError: psyco {MADE_FOR} Python 3.6.15"


def test_the_package_can_be_read_by_those_that_are_told(root):
    served = ["{}.{}".format(*version) for version in _engine.SERVED]
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    newest = _engine.SERVED[-1]
    assert project["requires-python"] == f">={served[0]},<{newest[0]}.{newest[1] + 1}"
    assert [line.split()[-1] for line in project["classifiers"] if ":: Python :: 3." in line] == served
    first = (root / "python/psyco/__init__.py").read_text()
    spoken = ", ".join(served[:-1]) + " or " + served[-1]
    assert f"CPython {spoken}," in first
    assert f'PSYCO_SERVED "{spoken}"' in (root / "CMakeLists.txt").read_text()
    for version in _engine.SERVED:
        assert (root / "src/cpython/v{}{}/version.h".format(*version)).exists()
    for path in (root / "python" / "psyco").glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 9))
    tree = ast.parse(first.encode("ascii"), feature_version=(3, 4))  # the check comes before the imports
    kinds = [type(node).__name__ for node in tree.body]
    assert kinds[:3] == ["Expr", "Import", "If"]
    assert not any(isinstance(node, (ast.JoinedStr, ast.AnnAssign)) for node in ast.walk(tree))


# --- PSYCO_DISABLE and PSYCO_DEBUG ---------------------------------------------------------------


@pytest.mark.parametrize("word", ["1", "true", "YES", "on", " True "])
def test_turned_off(root, tmp_path, word):
    done = run(sys.executable, ["-c", "import psyco; print(psyco._engine.off_reason)"], root, tmp_path, PSYCO_DISABLE=word)
    assert (done.stdout, done.stderr) == ("PSYCO_DISABLE is set\n", "")


@pytest.mark.parametrize("word", ["", "0", "false", "No", "off", "FALSE"])
def test_not_turned_off(root, tmp_path, word):
    done = run(sys.executable, ["-c", "import psyco; print(psyco._engine.off_reason)"], root, tmp_path, PSYCO_DISABLE=word)
    assert (done.stdout, done.stderr) == ("None\n", "")


@pytest.mark.parametrize("word", ["2", "flase", "-1", "please"])
def test_odd_words_are_told(root, tmp_path, word):
    done = run(sys.executable, ["-c", "import psyco; print(psyco._engine.off_reason)"], root, tmp_path, PSYCO_DISABLE=word)
    assert done.stdout == "None\n"
    assert done.stderr.count("warning: ") == 1
    assert f"warning: PSYCO_DISABLE={word} means nothing and is ignored: 1, true, yes" in done.stderr


@pytest.mark.parametrize("item", ["stres=eager", "eager", "stress=all", "verify=sometimes", "time=all", "seed=3"])
def test_debugging_settings_that_do_not_exist(root, tmp_path, item):
    code = "import psyco; print(psyco._core.status(), psyco._core.options()['listings'])"
    done = run(sys.executable, ["-c", code], root, tmp_path, PSYCO_DEBUG=f"listings,{item}")
    assert done.stdout == "None True\n"
    assert done.stderr.count("Warning: ") == 1
    assert f"RuntimeWarning: PSYCO_DEBUG: there is no setting {item}; ignored" in done.stderr


@pytest.mark.parametrize("item", ["listings", "off=fold_constants", "off=inlining,verify=each", "time=passes", "off=governor",
                                  "stress=eager,stress=exit:random", "stress=exit:random:7", "stress=exit:3", "stress=osr",
                                  "stress=spill", "dump=all", "fuel=fold_constants:3", ",,"])
def test_debugging_settings_that_exist(root, tmp_path, item):
    done = run(sys.executable, ["-c", "import psyco; print(psyco._core.status())"], root, tmp_path, PSYCO_DEBUG=item)
    assert (done.stdout, done.stderr) == ("None\n", "")


@pytest.mark.parametrize(("item", "told"), [
    ("off=everything", "off: no pass is called everything"), ("dump=everything", "dump: no pass is called everything"),
    ("stress=exit:none", "stress=exit:N wants a positive number"), ("fuel=fold_constants", "fuel: expected <pass>:<number>"),
    ("stress=exit:randomly", "stress=exit:N wants a positive number"),
])
def test_debugging_settings_that_are_wrong(root, tmp_path, item, told):
    done = run(sys.executable, ["-c", "import psyco"], root, tmp_path, PSYCO_DEBUG=item)
    assert f"warning: psyco is off: PSYCO_DEBUG: {told}; programs run plainly" in done.stderr
