"""What the public functions tell the compiler, and what they return and refuse."""

import copy
import functools
import gc
import inspect
import pickle
import subprocess
import sys
import types
import warnings

import psyco
import psyco.api
import psyco.report
import pytest
from fake_core import FakeCore
from psyco import targets


@pytest.fixture
def core(monkeypatch):
    fake = FakeCore()
    monkeypatch.setattr(psyco.api, "core", fake)
    monkeypatch.setattr(psyco.api, "_state", psyco.api._Registry())
    return fake


def module(source, name="spam"):
    """A module made from source, known to sys.modules while the test runs."""
    made = types.ModuleType(name)
    made.__file__ = f"{name}.py"
    exec(compile(inspect.cleandoc(source), f"{name}.py", "exec"), vars(made))
    return made


SHAPES = """
    import functools

    def outer(f):
        @functools.wraps(f)
        def wrapper(*args):
            return f(*args)
        return wrapper

    def helper(x):
        return x

    def calls(x):
        return [helper(y) for y in range(x)]

    @outer
    def decorated(x):
        return x

    @functools.lru_cache
    def cached(x):
        return x

    class Base:
        def inherited(self):
            return 1

    class Derived(Base):
        def __init__(self):
            self.value = 1
        def method(self):
            return helper(self.value)
        @staticmethod
        def static(x):
            return x
        @classmethod
        def klass(cls):
            return cls
        @property
        def prop(self):
            return self.value
        @prop.setter
        def prop(self, value):
            self.value = value
        @functools.cached_property
        def lazy(self):
            return 1
        class Nested:
            def deep(self):
                def closure():
                    return 1
                return closure

    def factory():
        class Local:
            def m(self):
                return 1
        def inner():
            return 2
        return Local, inner
"""


@pytest.fixture
def shapes():
    return module(SHAPES)


def bound_names(core):
    return sorted(func.__qualname__ for func in core.bound)


# --- bind and unbind -----------------------------------------------------------------------------


def test_bind_function_returns_it_and_marks_it(core, shapes):
    assert psyco.bind(shapes.helper) is shapes.helper
    assert core.bound == [shapes.helper]
    assert core.names() == []


def test_bind_as_decorator_with_and_without_arguments(core):
    @psyco.bind
    def one():
        pass

    @psyco.bind()
    def two():
        pass

    @psyco.bind(rec=1)
    def three():
        pass

    assert core.bound == [one, two, three]


def test_bind_watches_what_the_function_calls(core, shapes):
    psyco.bind(shapes.calls)
    assert bound_names(core) == ["calls"]
    assert core.names() == ["helper"]


def test_rec_limits_how_deep(core):
    chain = module("""
        def a(): return b()
        def b(): return c()
        def c(): return d()
        def d(): return 1
    """)
    psyco.bind(chain.a, rec=0)
    assert core.names() == []
    psyco.bind(chain.a, rec=2)
    assert core.names() == ["b", "c"]


def test_callees_are_found_through_modules_classes_and_cells(core):
    library = module("def used(): pass\ndef unused(): pass", "library")
    user = module("""
        class Box:
            def __init__(self): pass
            def touched(self): pass
            def untouched(self): pass
        def make():
            def cell(): return 1
            def caller():
                return cell(), library.used(), Box(), Box.touched
            return caller
    """)
    user.library = library
    psyco.bind(user.make())
    assert core.names() == ["Box.__init__", "Box.touched", "make.<locals>.cell", "used"]


def test_the_standard_library_is_left_out(core):
    user = module("""
        import textwrap
        from textwrap import dedent
        def f(x): return dedent(x), textwrap.fill(x)
    """)
    psyco.bind(user.f)
    assert core.names() == []


def test_bind_class_takes_its_own_functions_only(core, shapes):
    psyco.bind(shapes.Derived, rec=0)
    assert bound_names(core) == [
        "Derived.__init__", "Derived.klass", "Derived.lazy", "Derived.method",
        "Derived.prop", "Derived.prop", "Derived.static",
    ]


def test_bind_derived_class_leaves_the_inherited_plain(core, shapes):
    psyco.bind(shapes.Derived)
    assert "Base.inherited" not in bound_names(core) + core.names()


def test_bind_method_binds_the_function_behind_it(core, shapes):
    instance = shapes.Derived()
    psyco.bind(instance.method, rec=0)
    assert core.bound == [shapes.Derived.method]


@pytest.mark.parametrize("name", ["static", "klass", "prop", "lazy"])
def test_bind_descriptor(core, shapes, name):
    psyco.bind(vars(shapes.Derived)[name], rec=0)
    assert set(bound_names(core)) == {f"Derived.{name}"}


def test_bind_reaches_through_decorators(core, shapes):
    psyco.bind(shapes.decorated, rec=0)
    assert core.bound == [shapes.decorated, shapes.decorated.__wrapped__]
    core.bound.clear()
    psyco.bind(shapes.cached, rec=0)
    assert core.bound == [shapes.cached.__wrapped__]


def test_bind_module_takes_what_is_defined_there(core, shapes):
    shapes.foreign = functools.reduce
    shapes.other = module("def alien(): pass", "other").alien
    psyco.bind(shapes, rec=0)
    names = bound_names(core)
    assert {"helper", "calls", "cached", "Derived.method", "Derived.Nested.deep"} <= set(names)
    assert "alien" not in names
    assert names.count("decorated") == 2


def test_functions_written_inside_are_watched(core, shapes):
    psyco.bind(shapes.factory)
    assert core.names() == ["factory.<locals>.Local.m", "factory.<locals>.inner"]


def test_unbind_undoes_all_of_it(core, shapes):
    psyco.bind(shapes.calls)
    psyco.bind(shapes.Derived)
    assert psyco.unbind(shapes.calls) is shapes.calls
    psyco.unbind(shapes.Derived)
    assert core.bound == []
    assert core.watched == []


def test_what_two_asked_for_outlives_one(core, shapes):
    psyco.bind(shapes.calls)
    psyco.bind(shapes.Derived.method)
    psyco.unbind(shapes.calls)
    assert core.names() == ["helper"]
    psyco.unbind(shapes.Derived.method)
    assert core.names() == []


def test_unbind_of_what_was_never_bound_is_harmless(core, shapes):
    psyco.unbind(shapes.helper)
    assert core.bound == []


def test_a_dead_function_frees_its_callees(core, shapes):
    def bind_and_drop():
        made = types.FunctionType(shapes.calls.__code__, vars(shapes))
        psyco.bind(made)
        assert core.names() == ["helper"]
        core.bound.clear()

    bind_and_drop()
    gc.collect()
    assert core.names() == []


@pytest.mark.parametrize("target", [3, None, "text", len, int, [].append, object(), functools.partial(len)])
@pytest.mark.parametrize("name", ["bind", "unbind", "cannotcompile"])
def test_targets_without_python_code_are_refused(core, target, name):
    with pytest.raises(TypeError, match=rf"^{name}\(\) takes a function"):
        getattr(psyco, name)(target)


@pytest.mark.parametrize(("rec", "kind"), [("1", TypeError), (1.0, TypeError), (True, TypeError),
                                           (-1, ValueError)])
def test_bad_rec(core, shapes, rec, kind):
    with pytest.raises(kind, match="rec must"):
        psyco.bind(shapes.helper, rec=rec)
    with pytest.raises(kind, match="rec must"):
        psyco.proxy(shapes.helper, rec)
    with pytest.raises(kind, match="rec must"):
        psyco.bind(rec=rec)


def test_a_class_or_module_without_functions_gives_a_warning(core):
    class Data:
        value = 1

    for target, name in ((Data, "type .*Data"), (module(""), "module spam")):
        with pytest.warns(psyco.warning, match=f"no effect: {name} defines no Python") as caught:
            assert psyco.bind(target) is target
        assert caught[0].filename == __file__
        with pytest.warns(psyco.warning):
            psyco.bind()(target)
        assert psyco.unbind(target) is target
        psyco.cannotcompile(target)


def test_looking_at_a_target_runs_none_of_its_code(core):
    class Trap:
        def __getattribute__(self, name):
            if name not in ("__class__", "__dict__"):
                raise AssertionError(name)
            return super().__getattribute__(name)

    holder = module("def f(): pass")
    holder.trap = Trap()
    psyco.bind(holder)
    assert core.bound == [holder.f]


# --- proxy and unproxy ---------------------------------------------------------------------------


def example(a, /, b: int = 2, *args, c=3, **kwargs) -> tuple:
    """An example."""
    return a, b, args, c, kwargs


example.mark = "kept"


def test_proxy_is_bound_and_the_original_is_not(core):
    fast = psyco.proxy(example)
    assert core.bound == [fast]
    assert fast is not example
    assert fast.__code__ is not example.__code__


def test_proxy_behaves_like_the_original(core):
    fast = psyco.proxy(example)
    assert fast(1, 5, 6, c=7, d=8) == example(1, 5, 6, c=7, d=8)
    assert inspect.signature(fast) == inspect.signature(example)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__",
                 "__defaults__", "__kwdefaults__", "__dict__", "__type_params__", "__closure__"):
        assert getattr(fast, name) == getattr(example, name), name
    fast.__kwdefaults__["c"] = 9
    assert example(1)[3] == 3


def test_proxy_shares_the_closure(core):
    count = 0

    def step():
        nonlocal count
        count += 1
        return count

    fast = psyco.proxy(step)
    assert [fast(), step(), fast()] == [1, 2, 3]


def test_the_original_of_a_recursive_proxy_stays_plain(core):
    made = module("""
        def even(n):
            return n == 0 or odd(n - 1)
        def odd(n):
            return n != 0 and even(n - 1)
        def maker():
            return lambda: 1
    """)
    psyco.proxy(made.even)
    assert core.names() == ["odd"]
    fast = psyco.proxy(made.maker)
    watched = [code for code in core.watched if code.co_name == "<lambda>"]
    assert watched == [fast().__code__]
    assert watched[0] is not made.maker().__code__


def test_proxy_pickles_by_name_like_any_function(core, monkeypatch):
    fast = psyco.proxy(example)
    monkeypatch.setattr(sys.modules[__name__], "example", fast)
    assert pickle.loads(pickle.dumps(fast)) is fast
    assert copy.deepcopy(fast) is fast


def test_proxy_of_a_bound_method(core, shapes):
    instance = shapes.Derived()
    fast = psyco.proxy(instance.method)
    assert fast.__self__ is instance
    assert fast() == instance.method()
    assert psyco.unproxy(fast) == instance.method


def test_proxy_of_static_and_class_methods(core, shapes):
    shapes.Derived.fast = psyco.proxy(vars(shapes.Derived)["static"])
    shapes.Derived.quick = psyco.proxy(vars(shapes.Derived)["klass"])
    assert shapes.Derived().fast(4) == 4
    assert shapes.Derived.quick() is shapes.Derived


def test_unproxy(core):
    fast = psyco.proxy(example)
    assert psyco.unproxy(fast) is example
    with pytest.raises(psyco.error, match="function example is not a proxy"):
        psyco.unproxy(example)


@pytest.mark.parametrize("name", ["proxy", "unproxy", "explain"])
@pytest.mark.parametrize("target", [int, 3, len, types])
def test_only_single_functions_have_proxies(core, name, target):
    with pytest.raises(TypeError, match=rf"^{name}\(\) takes a function or method"):
        getattr(psyco, name)(target)


# --- cannotcompile and setfilter -----------------------------------------------------------------


def test_cannotcompile_refuses_for_good(core, shapes):
    psyco.bind(shapes.helper)
    psyco.cannotcompile(shapes.helper)
    assert core.bound == []
    assert core.excluded == [shapes.helper]
    with pytest.raises(psyco.CannotCompile, match=r"spam.py:9: helper"):
        psyco.bind(shapes.helper)
    with pytest.raises(psyco.error):
        psyco.proxy(shapes.helper)
    psyco.bind(shapes.calls)
    assert core.names() == []


def test_a_class_with_a_refused_method_can_be_bound(core, shapes):
    psyco.cannotcompile(shapes.Derived.method)
    psyco.bind(shapes.Derived, rec=0)
    assert "Derived.method" not in bound_names(core)
    assert "Derived.static" in bound_names(core)


def test_setfilter(core, shapes):
    asked = []

    def only_helper(code):
        asked.append(code)
        return code.co_name == "helper"

    assert psyco.setfilter(only_helper) is None
    assert core.filter(shapes.helper.__code__) is True
    assert core.filter(shapes.calls.__code__) is False
    assert asked == [shapes.helper.__code__, shapes.calls.__code__]
    assert psyco.setfilter(None) is only_helper
    assert core.filter is None
    with pytest.raises(TypeError, match="callable or None, not int"):
        psyco.setfilter(3)


# --- jit, classes, full, runonly, stop -----------------------------------------------------------


def test_jit_covers_the_calling_module_before_and_after(core):
    made = module("""
        import psyco
        def before(): pass
        class C:
            def m(self):
                return [lambda: 1]
        psyco.jit()
        def after(): pass
    """)
    assert core.names() == ["<module>", "C.m", "C.m.<locals>.<lambda>", "before"]
    assert core.scopes == {id(vars(made)): targets.BOTH}


def test_jit_called_in_a_function_is_for_its_module(core):
    made = module("""
        import psyco
        def start(): psyco.jit()
        def work(): pass
    """)
    made.start()
    assert core.names() == ["start", "work"]


def test_classes_star_covers_methods_of_every_importer(core):
    source = """
        class Early:
            def m(self): pass
        def function(): pass
        from psyco.classes import *
        class Late:
            def m(self): pass
    """
    first, second = module(source, "first"), module(source, "second")
    assert core.scopes == {id(vars(first)): targets.METHODS, id(vars(second)): targets.METHODS}
    assert [code.co_qualname for code in core.watched] == ["Early.m", "Early.m"]
    assert "psyco" not in vars(first)


def test_classes_star_and_jit_add_up(core):
    made = module("""
        import psyco
        from psyco.classes import *
        psyco.jit()
        from psyco.classes import *
    """)
    assert core.scopes == {id(vars(made)): targets.BOTH}


def test_looking_at_classes_all_changes_nothing(core):
    import psyco.classes

    assert psyco.classes.__all__ == []
    assert core.scopes == {}
    with pytest.raises(AttributeError, match="no attribute 'spam'"):
        psyco.classes.spam  # noqa: B018


@pytest.mark.parametrize("start", ["full", "profile", "background"])
def test_stop_ends_what_is_automatic_and_keeps_what_is_bound(core, shapes, start):
    psyco.bind(shapes.calls)
    getattr(psyco, start)()
    made = module("import psyco\npsyco.jit()\ndef f(): pass")
    assert core.all
    psyco.stop()
    assert not core.all
    assert core.scopes == {id(vars(made)): 0}
    assert bound_names(core) == ["calls"]
    assert core.names() == ["helper"]


def test_runonly_stops_compiling_until_told_otherwise(core):
    psyco.runonly()
    assert core.settings == {"compile": False}
    psyco.full()
    assert core.settings == {"compile": True}


def test_runonly_as_a_block(core):
    with psyco.runonly():
        with psyco.runonly():
            assert core.settings == {"compile": False}
        assert core.settings == {"compile": False}
    assert core.settings == {"compile": True}


@pytest.mark.parametrize(
    ("name", "scope"),
    [("f", 1), ("f.<locals>.g", 1), ("<lambda>", 1), ("C.m", 2), ("f.<locals>.C.m", 2),
     ("C.m.<locals>.g", 2), ("A.B.m", 2)],
)
def test_scope_of_a_qualified_name(name, scope):
    assert targets.in_scope(name, scope)
    assert not targets.in_scope(name, 3 - scope)


# --- stats, explain, log -------------------------------------------------------------------------


REPORT = {
    "name": "example",
    "file": "spam.py",
    "versions": [{"entry": "a: int", "bytes": 1200}],
    "lines": [{"line": 1, "source": "def example(a):", "notes": ["a: int64"]}],
    "exits": [{"line": 1, "reason": "a is not an int", "count": 12}],
    "asm": "mov rax, 1\nret",
}

# What the driver itself reports.
FULL_REPORT = {
    "name": "example", "file": "spam.py", "line": 1, "compiles": 2, "calls": 40, "refused": None,
    "versions": [
        {
            "entry": "call", "code_bytes": 640, "compile_ms": 1.25, "ir": "fn", "lir": "lir",
            "asm": "push rbx", "exits": [],
            "inlined": [{"line": 3, "name": "helper", "why_not": None},
                        {"line": 4, "name": "big", "why_not": "over the budget"}],
        },
        {"entry": "loop at line 2", "code_bytes": 320, "asm": "pop rbx",
         "inlined": [{"line": 3, "name": "helper", "why_not": None}]},
    ],
    "exits": [
        {"line": 2, "function": "example", "reason": "not an int", "kind": "Type", "count": 3},
        {"line": 9, "function": "helper", "reason": "not a float", "kind": "Type", "count": 1},
    ],
    "notes": [{"line": 3, "note": "operands vary: general operation"}],
}


def test_explain_shows_the_report(core):
    core.reports[example] = REPORT
    explanation = psyco.explain(example, asm=True)
    assert explanation.compiled
    assert explanation.exits == REPORT["exits"]
    text = str(explanation)
    assert "version 1: entry a: int, bytes 1,200" in text
    assert "    1  def example(a):\n         | a: int64\n" in text
    assert "         | exit, 12 times: a is not an int" in text
    assert text.endswith("mov rax, 1\nret")
    assert "mov rax" not in str(psyco.explain(example))


def test_explain_shows_all_the_driver_knows(core):
    core.reports[example] = FULL_REPORT
    text = str(psyco.explain(example, asm=True))
    assert "version 1: entry call, code_bytes 640, compile_ms 1.25\n" in text
    assert text.count("| inlined helper\n") == 1
    assert "| big not inlined: over the budget\n" in text
    assert "| operands vary: general operation\n" in text
    assert "| exit, 3 times: not an int\n" in text
    assert "| line 9: exit, 1 times: not a float (in helper)\n" in text
    assert text.endswith("push rbx\n\npop rbx")


def test_explain_says_why_not(core):
    core.reports[example] = {"versions": [], "refused": "over the size limit"}
    assert "  not compiled: over the size limit" in str(psyco.explain(example))


def test_explain_of_a_plain_function(core):
    explanation = psyco.explain(example)
    assert not explanation.compiled
    assert "not compiled" in str(explanation)
    assert repr(explanation) == "<psyco explanation of example: not compiled>"


@pytest.mark.parametrize("missing", sorted(REPORT))
def test_explain_gets_by_with_less(core, missing):
    core.reports[example] = {key: value for key, value in REPORT.items() if key != missing}
    assert str(psyco.explain(example, asm=True))


def test_explain_shows_source_lines(core):
    line = example.__code__.co_firstlineno
    core.reports[example] = {"versions": ["generic"], "lines": [{"line": line, "notes": ["here"]}]}
    assert "return a, b, args, c, kwargs" in str(psyco.explain(example))


def test_stats_table():
    functions = [
        {"name": f"f{n}", "file": "spam.py", "line": n, "entries": n, "exits": 1, "code_bytes": 9}
        for n in range(20)
    ]
    table = psyco.report.format_stats({"code_bytes": 4096, "functions": functions}, 3)
    assert table.startswith("psyco: code_bytes 4,096\n")
    assert [line.split()[3] for line in table.splitlines()[2:]] == ["f19", "f18", "f17"]


def test_log_tells_what_was_asked_and_what_came_of_it(tmp_path):
    path = tmp_path / "log"
    program = (
        "import psyco, sys; psyco.log(sys.argv[1])\n"
        "def f(): pass\n"
        "psyco.bind(f); psyco.full(); psyco.stop()\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    text = path.read_text()
    assert "psyco log of" in text
    assert "<string>:2: f" in text
    assert "\nfull\nstop\npsyco: " in text


def test_log_refuses_bad_arguments(core):
    with pytest.raises(ValueError, match="mode must be"):
        psyco.log("x", "r")
    with pytest.raises(TypeError, match="top must be"):
        psyco.log("x", "w", "many")
    with pytest.raises(ValueError, match="top must not be negative"):
        psyco.log("x", "w", -1)
    with pytest.raises(TypeError, match="logfile must be"):
        psyco.log(3)


def test_a_log_that_cannot_be_opened_leaves_the_one_before(core, tmp_path):
    psyco.log(str(tmp_path / "first"))
    with pytest.raises(FileNotFoundError):
        psyco.log(str(tmp_path / "no" / "folder"))
    psyco.full()
    assert (tmp_path / "first").read_text().endswith("\nfull\n")


# --- Without the fake ----------------------------------------------------------------------------


def test_results_stay_the_same_when_bound_for_real():
    """Whatever the compiler does with it, Python's answer must come out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = module(SHAPES, "real")
        psyco.bind(made)
        try:
            for _ in range(50):
                assert made.calls(4) == [0, 1, 2, 3]
                assert made.Derived().method() == 1
                assert made.Derived().prop == 1
                assert made.factory()[1]() == 2
                assert made.decorated(5) == 5
        finally:
            psyco.unbind(made)
    assert made.calls(2) == [0, 1]
