"""The fuzzer itself: what it generates is run compiled, and the programs that failed once do not any more."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.plain_only

FUZZ = Path(__file__).resolve().parents[1] / "fuzz"
sys.path.insert(0, str(FUZZ))
import generate  # noqa: E402
import inside  # noqa: E402
import modes  # noqa: E402
import parts  # noqa: E402
import process  # noqa: E402
import run  # noqa: E402

PRODUCTIONS = generate.productions()


@pytest.fixture(scope="module")
def server():
    server = inside.Server()
    yield server
    server.close()


@pytest.mark.parametrize("name", PRODUCTIONS["inside"])
def test_a_production_is_reached_in_compiled_code(name, server):
    assert any(event.get("reached") for mode in ("eager", "osr", "exit3") for event in server.events(production=name, mode=mode))


@pytest.mark.parametrize("part", ["tools", "exit"])
def test_a_production_for_processes_of_their_own_gives_programs(part):
    for name in PRODUCTIONS[part]:
        program = generate.example(name, part)
        compile(program.whole, name, "exec")


@pytest.mark.parametrize("path", sorted((FUZZ / "corpus").glob("*.py")), ids=lambda path: path.stem)
def test_what_failed_once(path, server):
    assert [failure.title for failure in run.failures_of(server, path)] == []


def test_programs_depend_on_their_seed_alone():
    assert generate.generate(7).whole == generate.generate(7).whole
    assert generate.generate(7).text != generate.generate(8).text


DIFFERS = """
import sys
def f(n):
    return n + 1
def main():
    for _ in range(5):
        f(1)
    {}
"""


@pytest.mark.parametrize(("statement", "kind"), [
    ("print('same')", None),
    ("print(psyco_core.is_bound(f))", "difference"),
    ("import os; psyco_core.is_bound(f) and os.abort()", "crash"),
    ("psyco_core.is_bound(f) and kept.append(f)", "outlives"),
])
def test_differences_are_seen(tmp_path, server, statement, kind):
    text = DIFFERS.format(statement).replace("import sys", "import sys\nfrom psyco import _core as psyco_core\nkept = sys.__dict__.setdefault('kept', [])")
    path = tmp_path / "program.py"
    path.write_text(text)
    failure = server.failure(file=str(path), mode="eager")
    assert (failure and failure.kind) == kind


def test_an_exception_may_leave_a_function_that_code_in_c_traces(tmp_path):
    text = """
def raises(n):
    return {}[n]
def main():
    events = []
    trace_from_c(events)
    try:
        raises(1)
    except KeyError:
        pass
    sys.settrace(None)
    print(events_text(events))
"""
    prelude = [parts.PRELUDE[number].text for number in parts.needed(compile(text, "case.py", "exec"))]
    path = tmp_path / "program.py"
    path.write_text("\n\n".join([*prelude, text]))
    assert [failure.title for failure in process.compare("eager", [str(path)])] == []


def test_the_end_of_a_process_is_seen(tmp_path):
    text = "import sys\nseen = {}\nclass Last:\n    def __del__(self):\n        print('end', seen)\nlast = Last()\n"
    assert process.compare_end(text.format(1), "main", "bound") is None
    failure = process.compare_end(text.format("'psyco' in sys.modules"), "main", "bound")
    assert failure.kind == "difference"
    assert "True" in failure.detail


def test_modes_are_taken_in_turn():
    assert {modes.mode_of(seed) for seed in range(100)} == set(modes.INSIDE)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_program_without_end_is_ended_with_its_server(tmp_path, monkeypatch):
    """It runs in a child of the process that serves, which would go on for ever with all the memory it takes."""
    monkeypatch.setattr(inside, "SILENCE", 3)
    program = tmp_path / "endless.py"
    program.write_text(f"import os\ndef main():\n    with open({str(tmp_path / 'pid')!r}, 'w') as file:\n        file.write(str(os.getpid()))\n    while True:\n        pass\n")
    server = inside.Server()
    try:
        failure = server.failure(file=str(program), mode="bound")
    finally:
        server.close()
    assert failure.kind.endswith("hang")
    pid = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 20  # it has been told to die, and nobody has waited for it
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not is_running(pid)
