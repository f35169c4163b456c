"""The package as such: its names, its import, and what it does where it cannot work."""

import ast
import doctest
import inspect
import os
import subprocess
import sys

import psyco
import psyco.api
import pytest
from fake_core import FakeCore
from psyco._engine import Off


def test_all_names_are_there_and_documented():
    for name in psyco.__all__:
        assert getattr(psyco, name).__doc__, name


def test_doctests():
    result = doctest.testmod(psyco.api)
    assert result.failed == 0
    assert doctest.testmod(psyco.errors).failed == 0
    for name in psyco.__all__:
        assert ">>>" in getattr(psyco, name).__doc__, name
    assert result.attempted > 15
    psyco.stop()
    psyco.setfilter(None)


def test_errors_are_related():
    assert issubclass(psyco.CannotCompile, psyco.error)
    assert issubclass(psyco.warning, RuntimeWarning)


def test_the_stub_engine_offers_what_the_stub_file_promises(root):
    promised = {
        node.name: [arg.arg for arg in node.args.posonlyargs + node.args.args]
        for node in ast.parse((root / "python/psyco/_core.pyi").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    off = Off("reason")
    for name, arguments in promised.items():
        assert list(inspect.signature(getattr(off, name)).parameters)[: len(arguments)] == arguments
        assert hasattr(FakeCore, name) or name in ("compile_now", "forget")


def run_python(code, **environ):
    return subprocess.run(
        [sys.executable, "-c", inspect.cleandoc(code)], capture_output=True, text=True,
        env={**os.environ, **environ}, check=False,
    )


def test_other_users_of_code_extra_hear_only_of_their_code():
    """When a code object dies, CPython frees every entry of its extra data, an empty one too."""
    done = run_python("""
        import ctypes, gc, os, psyco
        freed = []
        free = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)(freed.append)
        index = ctypes.pythonapi.PyUnstable_Eval_RequestCodeExtraIndex(free)
        set_extra = ctypes.pythonapi.PyUnstable_Code_SetExtra
        set_extra.argtypes = ctypes.py_object, ctypes.c_ssize_t, ctypes.c_void_p

        def compiled():
            f = eval("lambda n: n + 1")
            psyco.bind(f)
            assert [f(1) for i in range(9)] == [2] * 9 and psyco.explain(f).compiled
            return f

        mine, other = compiled(), compiled()
        set_extra(mine.__code__, index, 100)
        set_extra(mine.__code__, index, 200)
        assert freed == [100], freed
        del mine, other
        psyco.stop()
        gc.collect()
        assert freed == [100, 200], freed
        print("good", flush=True)
        os._exit(0)  # the function must outlive all code
    """)
    assert done.stdout == "good\n", done.stderr


USES_EVERYTHING = """
    import psyco
    @psyco.bind
    def f(x): return x + 1
    psyco.jit(); psyco.full(); psyco.profile(); psyco.background()
    with psyco.runonly(): pass
    fast = psyco.proxy(f)
    print(f(1), fast(2), psyco.unproxy(fast) is f)
    psyco.unbind(f); psyco.stop(); psyco.setfilter(None); psyco.cannotcompile(f)
    print(sorted(psyco.stats())[:2], psyco.explain(f).compiled)
"""
EXPECTED = "2 3 True\n['code_bytes', 'compile_ms'] False\n"


def test_disabled_by_the_environment_it_says_nothing():
    done = run_python(USES_EVERYTHING, PSYCO_DISABLE="1")
    assert (done.stdout, done.stderr, done.returncode) == (EXPECTED, "", 0)


@pytest.mark.parametrize(
    ("arrange", "told"),
    [
        ("sys.modules['psyco._core'] = None", "its compiled part cannot be loaded"),
        (
            "class Core:\n"
            "    def __getattr__(self, name): return lambda: 'wrong layout'\n"
            "sys.modules['psyco._core'] = Core()",
            "wrong layout",
        ),
        (
            "sys.modules['psyco._core'] = types.ModuleType('psyco._core')",
            "its build lacks status, bind_function, ",
        ),
    ],
)
def test_when_it_cannot_work_it_warns_once_and_programs_run(arrange, told):
    code = f"import sys, types\n{arrange}\n{inspect.cleandoc(USES_EVERYTHING)}"
    done = run_python(code, PSYCO_DISABLE="", PYTHONWARNINGS="always")
    assert (done.stdout, done.returncode) == (EXPECTED, 0)
    assert done.stderr.count("warning") == 1
    assert f"warning: psyco is off: {told}" in done.stderr


@pytest.mark.plain_only
def test_import_is_quick():
    code = """
        import time
        start = time.process_time()
        import psyco
        print(time.process_time() - start)
    """
    times = [
        float(run_python(code, PYTHONDONTWRITEBYTECODE="").stdout) for _ in range(7)
    ]
    assert min(times) < 0.015
