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
from psyco import _engine
from psyco._engine import Off

needs_core = pytest.mark.skipif(
    _engine.off_reason is not None, reason="needs the compiled part"
)


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


@needs_core
def test_the_tool_id_may_be_lost():
    """Who frees it and takes it has the events it asks for; psyco moves to another one."""
    done = run_python("""
        import psyco, sys
        monitoring = sys.monitoring
        def make():
            def loop(n):
                total = 0
                for i in range(n):
                    total += i
                return total
            return loop
        psyco.full()
        own = next(n for n in range(6) if monitoring.get_tool(n) == "psyco")
        monitoring.free_tool_id(own)
        monitoring.use_tool_id(own, "psyco")  # its namesake
        seen = []
        monitoring.register_callback(own, 1, lambda code, offset: seen.append(code.co_name))
        monitoring.set_events(own, 1)
        make()(1000)
        psyco.stop()
        psyco.full()
        assert monitoring.get_events(own) == 1
        monitoring.set_events(own, 0)
        assert seen[:2] == ["make", "loop"], seen
        monitoring.free_tool_id(own)
        second = make()
        psyco.bind(second)
        for _ in range(5):
            assert second(100000) == 4999950000
        third = make()
        third(1000000)
        assert psyco.explain(second).compiled
        print(psyco.stats()["osr_entries"] > 0)
    """, PYTHONWARNINGS="error")
    assert (done.stdout, done.stderr) == ("True\n", "")


@needs_core
@pytest.mark.parametrize("kind", ["isolated", "legacy"])
def test_subinterpreters_run_plainly(kind):
    done = run_python(f"""
        import _interpreters, psyco
        def twice(n):
            return 2 * n
        psyco.bind(twice)
        assert twice(1) == 2
        interpreter = _interpreters.create({kind!r})
        trouble = _interpreters.run_string(interpreter, '''if True:
            import warnings
            warnings.simplefilter("ignore")
            import psyco
            def twice(n):
                return 2 * n
            psyco.full()
            psyco.bind(twice)
            assert twice(1) == 2 and not psyco.explain(twice).compiled
        ''')
        assert trouble is None, trouble
        _interpreters.destroy(interpreter)
        assert twice(2) == 4
        print("done")
    """)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_figures_are_there_when_psyco_is_off():
    done = run_python("""
        import psyco
        figures = psyco.stats()
        print(figures["covered_share"], figures["code_bytes"], figures["compile_ms"],
              figures["functions"])
    """, PSYCO_DISABLE="1")
    assert done.stdout == "0.0 0 0.0 []\n"
