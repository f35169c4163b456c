"""Tools that look after the compiler: mutants, reduction, the generated page, compile times."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.plain_only

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from devtool import compiletime, docs, mutate, reduction  # noqa: E402
from devtool.environment import Environment  # noqa: E402


@pytest.fixture
def env():
    return Environment(None, Path(sys.prefix), ROOT / "build")


def test_the_page_about_one_function_is_not_stale(env):
    page, now = docs.PAGE.read_text(), docs.one_function(env)
    if sys.version_info[:2] == (3, 13):  # whose bytecode it shows
        assert page == now, "write it again: ./dev docs"
    else:
        assert [line for line in page.splitlines() if line.startswith("#")] == [
            line for line in now.splitlines() if line.startswith("#")]


def test_addresses_are_masked():
    text = "guard v7:rdi, 140332127044160 ! 49 bb 40 42 95 9e a1 7f 00 00 4c 39 df <code 0x7f12345678>"
    assert docs.masked(text) == (
        "guard v7:rdi, (address) ! 49 bb .. .. .. .. .. .. .. .. 4c 39 df <code (address)>"
    )


# --- Reduction -----------------------------------------------------------------------------------


def test_reduction_keeps_the_failure_and_nothing_else():
    program = """
def helper(x):
    return x + 1

def f(n):
    total = 0
    if n:
        for i in range(n):
            total += i
            wrong = total
    else:
        total = 5
    return total

print(helper(3))
print(f(10))
"""
    reduced = reduction.reduce_text(program, lambda text: "wrong = total" in text, 30)
    assert reduced == "def f(n):\n    wrong = total\n"
    assert reduction.reduce_text(program, lambda text: False, 30) is None


# Tells whether psyco runs it: for tests of what compares the two ways.
TELLTALE = "import sys\n\ndef unused():\n    pass\nx = 1\nif 'psyco' in sys.modules:\n    {}\nprint('end')\n"


@pytest.mark.parametrize(("wrong", "kind"), [
    ("print('differs')", "difference"), ("import os; os.abort()", "crash"), ("pass", None),
])
def test_reduce_command(tmp_path, wrong, kind):
    program = tmp_path / "program.py"
    program.write_text(TELLTALE.format(wrong))
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PSYCO_")}
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'tools')!r})\n"
        "from argparse import Namespace\nfrom pathlib import Path\n"
        "from devtool.environment import Environment\nfrom devtool.reduction import reduce\n"
        "env = Environment(None, Path(sys.prefix), Path())\n"
        f"sys.exit(reduce(env, Namespace(program={str(program)!r}, arguments=[], seconds=60)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    if kind is None:
        assert done.returncode == 0
        assert "nothing to reduce" in done.stdout
        return
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(f"# {kind}\nimport sys\n")
    assert "unused" not in done.stdout
    assert "x = 1" not in done.stdout
    assert list(tmp_path.iterdir()) == [program]


# --- Mutants -------------------------------------------------------------------------------------


def test_mutants_name_what_is_there():
    kinds = mutate.all_mutants()
    assert all(kinds.values())
    for mutant in kinds["drop"] + kinds["assume"]:
        name, first, last = re.fullmatch(r"(.+):(\d+)-(\d+)", mutant).groups()
        lines = "\n".join((ROOT / name).read_text().splitlines()[int(first) - 1 : int(last)])
        assert lines.count("(") == lines.count(")") or "{" in lines or ";" in lines, lines
        assert re.search(r"guard\(|emit\(|assume\(", lines)
    assert "binary_op" in kinds["helper"]
    assert "box_int" not in kinds["helper"]


def test_every_kind_of_mutant_is_asked_for_by_the_compiler():
    asked = "".join(path.read_text() for suffix in ("cpp", "h") for path in (ROOT / "src").rglob(f"*.{suffix}"))
    for kind in mutate.all_mutants():
        assert f'"{kind}"' in asked, kind


def test_drawing_mutants():
    drawn = mutate.draw(30, seed=7)
    assert len(set(drawn)) == 30
    assert drawn == mutate.draw(30, seed=7)
    assert drawn != mutate.draw(30, seed=8)
    assert len({mutant.split(":")[0] for mutant in drawn}) > 5
    there = {f"{kind}:{name}" for kind, names in mutate.all_mutants().items() for name in names}
    assert set(drawn) <= there
    assert set(mutate.EQUIVALENT) <= there, "no longer there"
    assert not set(mutate.draw(10**6, seed=1)) & set(mutate.EQUIVALENT)


def test_a_mutant_is_killed_by_the_first_suite_that_fails(tmp_path):
    log = tmp_path / "log"

    def suite(name, status):
        code = f"import sys; open({str(log)!r}, 'a').write({name!r}); print('FAILED x.py::t'); sys.exit({status})"
        return mutate.Suite(name, [sys.executable, "-c", code])

    chain = [suite("a", 0), suite("b", 1), suite("c", 1)]
    verdict = mutate.try_mutant("drop:x", chain, dict(os.environ))
    assert verdict.killer == "b: x.py::t"
    assert log.read_text() == "ab"
    verdict = mutate.try_mutant("drop:x", chain[:1], dict(os.environ))
    assert not verdict.killer
    assert "no test reaches it" in verdict.line()


# --- Compile times -------------------------------------------------------------------------------


def test_compile_time_bars():
    assert not compiletime.missed_bars([1.0] * 100, 100, 1)
    assert not compiletime.missed_bars([1.0] * 198 + [50.0], 100, 0)
    assert "10.5 ms" in compiletime.missed_bars([1.0] * 90 + [10.5] * 10, 100, 0)[0]
    assert "2 of 100" in compiletime.missed_bars([1.0], 100, 2)[0]
    assert compiletime.missed_bars([], 0, 0) == ["nothing was compiled"]


def test_every_compilation_is_timed():
    code = """
import psyco
from psyco import _core
def f(n):
    return n + 1
psyco.bind(f)
f(1), f(2.5)
times = _core._test_compile_times()
assert len(times) == psyco.stats()["compiled"] == 2, times
assert all(0 < ms < 1000 for ms in times), times
"""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PSYCO_")}
    subprocess.run([sys.executable, "-c", code], env=environ, check=True)
