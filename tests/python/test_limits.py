"""What README's Limits say of tools and processes. One that fails because psyco got better: README changes with it."""

import inspect
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.plain_only


def run(tmp_path, text, *arguments):
    (tmp_path / "program.py").write_text(inspect.cleandoc(text) + "\n")
    return subprocess.run(
        [sys.executable, *arguments, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={name: value for name, value in os.environ.items() if not name.startswith("PSYCO_")},
    )


@pytest.mark.parametrize(("bound", "seen"), [(False, ["<module>", "inner", "outer"]), (True, ["<module>"])])
def test_who_looks_from_another_thread_sees_no_compiled_frames(tmp_path, bound, seen):
    """faulthandler's watchdog walks the frames as py-spy does: without asking the thread they belong to."""
    done = run(tmp_path, f"""
        import faulthandler, psyco
        def inner(n):
            t = 0
            for i in range(n):
                t += i % 7
            return t
        def outer(n):
            t = 0
            for k in range(n):
                t += inner(3000000)
            return t
        if {bound}:
            psyco.bind(outer)
            psyco.bind(inner)
        inner(10), outer(0)
        faulthandler.dump_traceback_later(0.3, exit=True)
        outer(10 ** 6)
    """)
    assert sorted(line.rpartition(" in ")[2] for line in done.stderr.splitlines() if " in " in line) == seen


def test_who_looks_from_within_does(tmp_path):
    done = run(tmp_path, """
        import faulthandler, psyco, sys
        def show():
            faulthandler.dump_traceback()
            frame = sys._getframe()
            while frame:
                print(frame.f_code.co_name)
                frame = frame.f_back
        def outer(n):
            t = 0
            for i in range(n):
                t += i
                if i == n - 1:
                    show()
            return t
        psyco.bind(outer)
        outer(5)
    """)
    assert done.stdout.split() == ["show", "outer", "<module>"]
    assert [line.rpartition(" in ")[2] for line in done.stderr.splitlines() if " in " in line] == ["show", "outer", "<module>"]


def test_children(tmp_path):
    done = run(tmp_path, """
        import multiprocessing, subprocess, sys
        def on(_=None):
            import psyco
            def f(n):
                t = 0
                for i in range(n):
                    t += i
                return t
            for _ in range(50):
                f(20000)
            return psyco.explain(f).compiled
        if __name__ == "__main__":
            print("own", on())
            for method in ("fork", "spawn", "forkserver"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    print(method, *pool.map(on, [1]))
            print("subprocess", subprocess.check_output([sys.executable, "-c", "import sys; print('psyco' in sys.modules)"], text=True).strip())
    """, "-m", "psyco")
    assert done.stdout.splitlines() == ["own True", "fork True", "spawn False", "forkserver False", "subprocess False"], done.stderr


def test_the_tool_number(tmp_path):
    done = run(tmp_path, """
        import psyco, sys
        m = sys.monitoring
        print(m.OPTIMIZER_ID, [m.get_tool(n) for n in range(6)])
        try:
            m.use_tool_id(m.OPTIMIZER_ID, "another")
        except ValueError as error:
            print(error)
    """)
    assert done.stdout.splitlines()[0] == "5 [None, None, None, None, None, 'psyco']"
    assert "in use" in done.stdout
