"""Other projects' tests as a net: how ./dev runs, judges and lists them."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.plain_only


@pytest.fixture(autouse=True)
def devtool_path(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "tools"))
    monkeypatch.syspath_prepend(str(root / "tests" / "conformance"))


def load(path):
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def outcomes(path):
    return {line["id"]: line["outcome"] for line in lines(path) if "id" in line}


# --- The tables ----------------------------------------------------------------------------------


def test_the_list_of_files():
    from devtool.conformance import all_files

    files = all_files()
    assert len(set(files)) == len(files) >= 140
    assert all(re.fullmatch(r"test_\w+", name) for name in files)


def test_the_list_of_skips():
    from devtool.conformance import all_files, all_skips

    skips = all_skips()
    assert len(skips) <= 110
    for each, reason in skips.items():
        assert len(reason.split()) >= 5, each
        # A test of a class of a file, never a file.
        assert re.fullmatch(r"test\.(test_\w+)(\.\w+)*\.\w+\.test_\w+", each), each
        assert each.split(".")[1] in all_files()


def test_skips_are_read():
    from devtool.conformance import is_skipped, read_skips

    skips = read_skips("# Said of all.\n\nOne reason\nin two lines:\n    test.a.B.test_c\n    d\n"
                       "Another:\n    e\n")
    assert skips == {"test.a.B.test_c": "One reason in two lines:", "d": "One reason in two lines:",
                     "e": "Another:"}
    assert is_skipped("test.a.B.test_c (i=1)", skips)
    assert not is_skipped("test.a.B.test_cc", skips)


def test_a_sample_is_the_same_for_a_seed():
    from devtool.conformance import all_files, choose
    from devtool.console import Failure

    assert choose([], None, 1) == all_files()
    assert choose([], 20, 7) == choose([], 20, 7) != choose([], 20, 8)
    assert len(set(choose([], 20, 7))) == 20
    with pytest.raises(Failure, match="test_spam is not in"):
        choose(["test_spam"], None, 1)


def test_the_table_of_packages(root):
    table = load(root / "tests" / "ecosystem" / "packages.py")
    names = [row.name for row in table.PACKAGES]
    assert names == sorted(set(names))
    assert len(names) >= 20
    for row in table.PACKAGES:
        assert re.fullmatch(r"\d+(\.\d+)+", row.version), row.name
        assert row.arguments, row.name
        assert row.arguments[0] != table.INSTALLED or len(row.arguments) > 1, row.name
    for pinned in [*table.TOOLS, *(more for row in table.PACKAGES for more in row.more)]:
        assert re.fullmatch(r"[\w.-]+==\d+(\.\d+)+", pinned), pinned


def test_modes():
    from devtool.console import Failure
    from devtool.suites import PLAIN, find_mode, mode_names

    modes = [find_mode(name) for name in mode_names()]
    assert [mode.name for mode in modes] == mode_names()
    assert all(mode.on for mode in modes)
    assert find_mode("exit1").debug == "stress=eager,stress=exit:1"
    assert find_mode("default").baseline == PLAIN
    assert not find_mode("gc").baseline.on
    assert find_mode("gc").baseline.gc_threshold == find_mode("gc").gc_threshold == 1
    with pytest.raises(Failure, match="no mode spam; there are: default, "):
        find_mode("spam")


# --- What the runners write ----------------------------------------------------------------------


SAMPLE = '''
import unittest

class Kinds(unittest.TestCase):
    def test_error(self): raise KeyError(1)
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    def test_failure(self): self.assertEqual(1, 2)
    def test_pass(self): pass
    def test_skip(self): self.skipTest("no")
    def test_subtests(self):
        for i in range(5):
            with self.subTest(i=i, at=object):
                self.assertNotEqual(i, 3)
    @unittest.expectedFailure
    def test_unexpected(self): pass

class Unprepared(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise OSError
    def test_never(self): pass
'''


def test_outcomes_of_unittest(root, tmp_path):
    import unittest

    from writer import Writer

    runner = load(root / "tests" / "conformance" / "runner.py")
    namespace = {"__name__": "sample"}
    exec(SAMPLE, namespace)
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(namespace[name])
        for name in ("Kinds", "Unprepared"))
    runner.leave_out(suite, {"sample.Kinds.test_pass"})
    writer = Writer(tmp_path / "out")
    suite.run(runner.Result(writer))
    assert outcomes(tmp_path / "out") == {
        "sample.Kinds.test_error": "error KeyError",
        "sample.Kinds.test_expected": "expected failure",
        "sample.Kinds.test_failure": "failed AssertionError",
        "sample.Kinds.test_skip": "skipped",
        "sample.Kinds.test_subtests (i=3, at=<class 'object'>)": "failed AssertionError",
        "sample.Kinds.test_subtests": "subtest failed, 4 subtests",
        "sample.Kinds.test_unexpected": "unexpected success",
        "setUpClass (sample.Unprepared)": "error OSError",
    }
    written = lines(tmp_path / "out")
    assert written[0] == {"start": "sample.Kinds.test_error"}
    assert "KeyError: 1" in written[1]["detail"]


PYTEST_SAMPLE = '''
import pytest

@pytest.fixture
def broken(): raise OSError
@pytest.fixture
def breaks_later():
    yield
    raise OSError
def test_a_pass(): pass
def test_b_fail(): assert 1 == 2
def test_c_skip(): pytest.skip("no")
@pytest.mark.xfail
def test_d_xfail(): raise KeyError
@pytest.mark.xfail
def test_e_xpass(): pass
def test_f_setup(broken): pass
def test_g_teardown(breaks_later): pass
@pytest.mark.parametrize("x", [object(), object()], ids=["<at 0x7f0000000000>", "<at 0x7f1111111111>"])
def test_h_address(x): pass
def test_i_left_out(): pass
'''


def test_outcomes_of_pytest(root, tmp_path):
    (tmp_path / "test_sample.py").write_text(PYTEST_SAMPLE)
    (tmp_path / "test_unreadable.py").write_text("import a_module_that_is_not_there\n")
    (tmp_path / "ids").write_text(json.dumps(["test_sample.py::test_i_left_out"]))
    subprocess.run(
        [sys.executable, root / "tests" / "ecosystem" / "runner.py", "out", "ids", "--rootdir=.",
         "--continue-on-collection-errors", "."],
        cwd=tmp_path, check=True, stdout=subprocess.DEVNULL, timeout=300)
    assert outcomes(tmp_path / "out") == {
        "collecting test_unreadable.py": "failed",
        "test_sample.py::test_a_pass": "passed",
        "test_sample.py::test_b_fail": "failed call AssertionError",
        "test_sample.py::test_c_skip": "skipped",
        "test_sample.py::test_d_xfail": "xskipped",
        "test_sample.py::test_e_xpass": "xpassed",
        "test_sample.py::test_f_setup": "failed setup OSError",
        "test_sample.py::test_g_teardown": "passed+failed teardown OSError",
        "test_sample.py::test_h_address[<at 0x..>]": "passed",
        "test_sample.py::test_h_address[<at 0x..>] #2": "passed",
    }
    assert lines(tmp_path / "out")[-1]["end"] > 0


def test_forked_children_write_nothing(tmp_path):
    from writer import Writer

    writer = Writer(tmp_path / "out")
    if not (child := os.fork()):
        writer.line(start="child")
        os._exit(0)
    os.waitpid(child, 0)
    writer.line(start="parent")
    assert lines(tmp_path / "out") == [{"start": "parent"}]


# --- Runs and verdicts ---------------------------------------------------------------------------


CHILD = '''
import json, os, signal, sys, time
left_out = json.load(open(sys.argv[2])) if len(sys.argv) > 2 else []
for name in ("first", "dies", "hangs", "last"):
    if name in left_out:
        continue
    with open(sys.argv[1], "a") as out:
        print(json.dumps({"start": name}), file=out)
    if name == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if name == "hangs":
        time.sleep(600)
    with open(sys.argv[1], "a") as out:
        print(json.dumps({"id": name, "outcome": "passed", "detail": ""}), file=out)
with open(sys.argv[1], "a") as out:
    print(json.dumps({"end": 1.5}), file=out)
sys.exit(3)
'''


def test_what_dies_or_hangs_is_followed_by_the_rest(tmp_path):
    from devtool.suites import Run, Suite, run_to_end

    class Child(Suite):
        def command(self, name, python, out, done):
            return [python, "-c", CHILD, out, *([done] if done else [])]

    run = run_to_end(Child(), "child", sys.executable, tmp_path / "child.log", 5)
    assert run.outcomes == {"first": "passed", "dies": "died by SIGSEGV", "hangs": "timed out",
                            "last": "passed", "(the process)": "status 3"}
    assert run.seconds == 1.5
    run.save(tmp_path / "kept" / "child.json")
    assert Run.load(tmp_path / "kept" / "child.json") == run
    assert Run.load(tmp_path / "absent.json") is None


def verdict_of(plain, other, skipped=()):
    """The verdict on outcomes of the tests a, b, c, ..., a letter each, of two runs each."""
    from devtool.suites import Mode, Run, judge

    def runs(texts):
        return lambda number: Run({chr(97 + i): {"p": "passed", "f": "failed", "d": "died by SIGSEGV"}[c]
                                   for i, c in enumerate(texts[number - 1]) if c != "-"})

    return judge("name", Mode("default"), runs(plain), runs(other), lambda each: each in skipped)


def test_a_suite_without_tests_is_no_success():
    from devtool.suites import PROCESS, Mode, Run, judge

    verdict = judge("name", Mode("default"), lambda _: Run({PROCESS: "status 4"}), lambda _: Run({PROCESS: "status 4"}))
    assert (verdict.same, verdict.differ) == (0, [PROCESS])
    assert "no test ran" in verdict.told[PROCESS]


@pytest.mark.parametrize(
    ("plain", "other", "same", "differ", "unsteady", "flaky"),
    [
        (["ppf"], ["ppf"], 3, "", "", ""),
        (["pp", "pp"], ["pf", "pf"], 1, "b", "", ""),
        (["pf", "pf"], ["pp", "pp"], 1, "b", "", ""),  # what fails plainly may not begin to pass
        (["pp", "pp"], ["pf", "pp"], 1, "", "b", ""),
        (["pp", "pf"], ["pf", "pf"], 1, "", "", "b"),
        (["pp", "pp"], ["pd", "pp"], 1, "b", "", ""),  # to die once is enough
        (["pp", "pp"], ["p-", "p-"], 1, "b", "", ""),
        (["p-", "p-"], ["pp", "pp"], 1, "b", "", ""),
    ],
)
def test_verdicts(plain, other, same, differ, unsteady, flaky):
    verdict = verdict_of(plain, other)
    assert verdict.same == same
    assert ["".join(ids) for ids in (verdict.differ, verdict.unsteady, verdict.flaky)] \
        == [differ, unsteady, flaky]


def test_skips_do_not_count(capsys):
    from devtool.suites import concluded, report

    verdict = verdict_of(["ppp", "ppp"], ["pff", "pff"], skipped="b")
    assert (verdict.same, verdict.skipped, verdict.differ) == (1, 1, ["c"])
    assert concluded(report([verdict])) == 1
    shown = capsys.readouterr().out
    assert "differs: name default: c\nplain: passed; default: failed\n" in shown
    assert shown.endswith("\n1 passed, 1 failed\n")
    assert concluded(report([])) == 1  # no test at all


# --- psyco everywhere ----------------------------------------------------------------------------


CHILDREN = '''
import os, subprocess, sys
here = sys.modules.get("psyco") is not None and sys.modules["psyco"]._engine.core.status() is None
print(here, os.environ.get("PSYCO_DEBUG"), flush=True)
if len(sys.argv) == 1:
    for options in (["-I"], ["-E"], ["-S"]):
        subprocess.run([sys.executable, *options, __file__, "child"], env={}, check=True)
'''


@pytest.fixture(scope="module")
def environment(request):
    if (request.config.rootpath / "tools").as_posix() not in sys.path:
        sys.path.insert(0, (request.config.rootpath / "tools").as_posix())
    from pathlib import Path

    from devtool.environment import Environment
    from devtool.interpreter import inspect_interpreter

    interpreter = inspect_interpreter(sys.executable)
    return Environment(interpreter, Path(sys.prefix), request.config.rootpath / "build")


@pytest.mark.parametrize(("mode", "told"), [("eager", "True None"), ("plain", "False None"),
                                            ("exit1", "True None")])
def test_children_run_in_the_same_mode(environment, tmp_path, mode, told):
    from devtool.suites import PLAIN, clean_environ, find_mode, make_python

    python = make_python(environment, tmp_path, PLAIN if mode == "plain" else find_mode(mode))
    program = tmp_path / "program.py"
    program.write_text(CHILDREN)
    done = subprocess.run([python, program], capture_output=True, text=True, check=True,
                          env=clean_environ())
    assert done.stdout.splitlines() == [told, told, told, "False None"]
    assert done.stderr == ""


def test_other_interpreters_of_a_process_stay_plain(environment, tmp_path):
    from devtool.suites import clean_environ, find_mode, make_python

    python = make_python(environment, tmp_path, find_mode("default"))
    program = "import _interpreters as i; n = i.create(); i.exec(n, 'import sys; " \
        "print(\"psyco\" in sys.modules)'); i.destroy(n)"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True,
                          env=clean_environ())
    assert (done.stdout, done.stderr) == ("False\n", "")


def test_cpythons_own_files_run(environment, tmp_path, monkeypatch):
    """One short file, from the command's own functions, with psyco on."""
    if importlib.util.find_spec("test.test_augassign") is None:
        pytest.skip("this interpreter comes without its tests")
    from devtool.conformance import Files
    from devtool.suites import compare, find_mode

    files = Files(tmp_path)
    [verdict] = compare(environment, files, ["test_augassign"], [find_mode("eager")], jobs=1,
                        limit=300)
    assert (verdict.same, verdict.differ) == (8, [])
    assert "test.test_augassign.AugAssignTest.testBasic" in json.loads(
        (tmp_path / "eager" / "test_augassign.1.json").read_text())["outcomes"]
