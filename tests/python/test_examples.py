"""The example programs: the same output plain, under psyco, and in each of their own modes."""

import os
import re
import subprocess
import sys

import pytest


def output(root, arguments, *options):
    done = subprocess.run(
        [sys.executable, *options, str(root / "examples" / arguments[0]), *arguments[1:]],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore:psyco is off:RuntimeWarning"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["bpnn.py"], "[1, 1] -> [0]"),
        (["levels.py"], "1000 2497500 [0, 5, 10, 15, 20] 4995"),
        (["code_recognizer.py", "3"], "of 500 right"),
        (["text2latex.py", "--size", "small"], "40799 lines"),
    ],
)
def test_psyco_changes_no_output(root, arguments, told):
    plain = output(root, arguments)
    assert told in plain
    assert output(root, arguments, "-m", "psyco") == plain


@pytest.mark.parametrize("how", ["NN", "NN2", "jit"])
def test_code_recognizer_in_all_its_ways(root, how):
    plain = output(root, ["code_recognizer.py", "2"])
    assert output(root, ["code_recognizer.py", "2", "--psyco", how]) == plain


@pytest.mark.parametrize("mode", ["jit", "bind"])
def test_text2latex_in_all_its_modes(root, mode):
    plain = output(root, ["text2latex.py", "--show"])
    assert output(root, ["text2latex.py", "--show", "--mode", mode]) == plain


def test_levels_explains_itself(root):
    assert output(root, ["levels.py", "--explain"]) == output(root, ["levels.py"])


@pytest.mark.plain_only
def test_levels_shows_the_machine_code(root):
    done = subprocess.run(
        [sys.executable, str(root / "examples" / "levels.py"), "--explain"],
        capture_output=True, text=True, check=True,
    )
    functions = re.split(r"^\w+ \(.*levels\.py:\d+\)$", done.stderr, flags=re.MULTILINE)[1:]
    assert len(functions) == 3
    for text in functions:
        assert re.search(r"^[0-9a-f]{4}:(?: [0-9a-f]{2})+    ; .*Return", text, re.MULTILINE), text
    constants, multiples, average = functions
    assert "CallHelper" not in constants  # nothing is left to compute
    assert "BoxInt" in multiples
    loop = average.partition("FloatAdd")[0]
    assert "BoxFloat" not in loop


def test_examples_do_not_need_psyco(root):
    """Their imports of psyco wait for an option that asks for it."""
    for path in (root / "examples").glob("*.py"):
        for line in path.read_text().splitlines():
            assert not line.startswith(("import psyco", "from psyco")), path.name


def test_the_recogniser_recognises(root):
    last = output(root, ["code_recognizer.py", "10"]).splitlines()[-1]
    assert int(last.split()[0]) > 450


WHO_IS_COMPILED = """
import sys
sys.path.insert(0, sys.argv.pop())
import bpnn, code_recognizer, psyco
code_recognizer.main()
print(*(psyco.explain(f).compiled for f in (bpnn.NN.train, bpnn.NN.update, bpnn.NN.back_propagate,
                                            code_recognizer.NN2.output)))
"""


@pytest.mark.plain_only
@pytest.mark.parametrize(
    ("how", "compiled"),
    [("none", [False] * 4), ("NN2", [False, False, False, True]), ("NN", [True, True, True, False])],
)
def test_what_a_subclass_inherits_is_compiled_with_its_base(root, how, compiled):
    """The network is made before anything is bound, and is an instance of the subclass."""
    done = subprocess.run(
        [sys.executable, "-c", WHO_IS_COMPILED, "2", "--psyco", how, str(root / "examples")],
        capture_output=True, text=True, check=False,
    )
    assert done.stdout.splitlines()[-1].split() == [str(each) for each in compiled], done.stderr
