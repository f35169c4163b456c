"""What type checkers see of psyco, and whether it is true."""

import subprocess
import sys
import typing

import psyco
import psyco.report
import pytest
from psyco import _engine

pytestmark = pytest.mark.plain_only

USER = """
from pathlib import Path
from typing import assert_type
import psyco

def f(x: int) -> str:
    return str(x)

class C:
    def m(self, x: int) -> str:
        return str(x)

@psyco.bind
def bound(x: int) -> float:
    return x / 2

@psyco.bind(rec=3)
def with_depth(x: int) -> bytes:
    return bytes(x)

assert_type(psyco.proxy(f)(1), str)
assert_type(psyco.unproxy(psyco.proxy(f))(1), str)
assert_type(psyco.unbind(psyco.bind(f))(1), str)
assert_type(psyco.bind(C)().m(1), str)
assert_type(psyco.unbind(C), type[C])
assert_type(psyco.proxy(C().m)(1), str)
assert_type(bound(1), float)
assert_type(with_depth(1), bytes)
assert_type(psyco.stats()["code_bytes"], int)
assert_type(psyco.stats()["functions"][0]["refused"], str | None)
psyco.log(Path("x"))
psyco.log("x", top=3)
print(psyco.explain(f).exits)
"""
WRONG = {
    'psyco.proxy(f)("text")': '"str"; expected "int"',
    'psyco.unproxy(f)("text")': '"str"; expected "int"',
    'psyco.unbind(f)("text")': '"str"; expected "int"',
    'psyco.stats()["code_byte"]': 'TypedDict "Stats" has no key "code_byte"',
    'psyco.stats()["functions"][0]["nam"]': 'TypedDict "FunctionStats" has no key "nam"',
    "psyco.log(3)": "incompatible type",
}


def test_types_are_kept(root, tmp_path):
    lines = USER.splitlines() + list(WRONG)
    (tmp_path / "user.py").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", tmp_path / "cache", "user.py"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )
    assert not done.stderr
    told = dict(line.split(": error: ") for line in done.stdout.splitlines() if ": error: " in line)
    first = len(lines) - len(WRONG) + 1
    assert list(told) == [f"user.py:{first + n}" for n in range(len(WRONG))], done.stdout
    for message, expected in zip(told.values(), WRONG.values()):
        assert expected in message


def assert_fits(value, hint):
    origin, arguments = typing.get_origin(hint) or hint, typing.get_args(hint)
    if origin is typing.Union:
        assert isinstance(value, arguments)
    elif typing.is_typeddict(origin):
        assert_typed(value, origin)
    elif origin is list:
        for item in value:
            assert_fits(item, arguments[0])
    elif origin is dict:
        for key, item in value.items():
            assert_fits(key, arguments[0])
            assert_fits(item, arguments[1])
    else:
        assert type(value) is origin, (value, hint)


def assert_typed(figures, kind):
    for name, hint in typing.get_type_hints(kind).items():
        if name in figures or name in kind.__required_keys__:
            assert_fits(figures[name], hint)


def test_figures_are_those_of_their_type():
    """The keys of the real engine, no more and no less; those that are always there also when it is off."""

    @psyco.bind
    def f(n):
        return sum(i for i in range(n))

    f(3)
    f(3)
    figures = psyco.stats()
    assert set(figures) == set(typing.get_type_hints(psyco.report.Stats))
    assert {key for one in figures["functions"] for key in one} == set(typing.get_type_hints(psyco.report.FunctionStats))
    assert_typed(figures, psyco.report.Stats)
    off = _engine.Off("reason").stats()
    assert set(off) == set(psyco.report.Stats.__required_keys__)
    assert_typed(off, psyco.report.Stats)


def test_a_log_may_be_a_path(tmp_path, monkeypatch):
    import psyco.api

    monkeypatch.setattr(psyco.api, "_state", psyco.api._Registry())
    psyco.log(tmp_path / "log")
    assert "psyco log of" in (tmp_path / "log").read_text()
    with pytest.raises(TypeError, match="logfile must be a str or a path, not int"):
        psyco.log(3)
    with pytest.raises(TypeError, match="logfile must be a str or a path, not bytes"):
        psyco.log(b"log")
