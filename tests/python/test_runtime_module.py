"""The primitives: arguments, options, scopes, dependencies, fall back."""

import gc
import sys
import types

import pytest
from psyco import _core


@pytest.fixture(autouse=True)
def only_fake_bodies():
    """Keeps the real compiler out of what these tests stage."""
    _core.set_options({"compile": False})
    yield
    _core.set_options({"compile": True})



def test_status():
    assert _core.status() is None


@pytest.mark.parametrize("name", ["bind_function", "unbind_function", "is_bound", "report", "forget"])
def test_functions_only(name):
    with pytest.raises(TypeError, match=rf"{name}\(\) takes a function written in Python, not builtin"):
        getattr(_core, name)(len)


@pytest.mark.parametrize("name", ["watch_code", "unwatch_code"])
def test_code_only(name):
    with pytest.raises(TypeError, match=rf"{name}\(\) takes a code object, not int"):
        getattr(_core, name)(3)


def test_other_arguments():
    with pytest.raises(TypeError):
        _core.jit_globals([], 1)
    with pytest.raises(ValueError, match="scope must be 0 to 3, not 4"):
        _core.jit_globals({}, 4)
    with pytest.raises(TypeError, match="takes a dict, not list"):
        _core.set_options([])
    with pytest.raises(ValueError, match="no option is called 'nonsense'"):
        _core.set_options({"nonsense": 1})
    with pytest.raises(ValueError, match="option loop_threshold must be 1 to"):
        _core.set_options({"loop_threshold": 0})
    with pytest.raises(TypeError, match="takes a callable or None"):
        _core.set_filter(3)
    with pytest.raises(TypeError):
        _core.compile_now()
    with pytest.raises(TypeError, match="takes a function and its arguments"):
        _core.run_alone()


def test_options():
    before = _core.options()
    _core.set_options({"loop_threshold": 77, "slow_us": 5, "compile": True})
    now = _core.options()
    assert (now["loop_threshold"], now["slow_us"], now["compile"]) == (77, 5, True)
    _core.set_options({k: before[k] for k in ("compile", "loop_threshold", "slow_us")})
    assert _core.options() == before


def test_bind_and_unbind():
    def f(a, b=2):
        return a + b

    version = _core._test_function_version(f)
    assert not _core.is_bound(f)
    _core.bind_function(f)
    assert _core.is_bound(f)
    assert f(1) == 3 and f(1, b=5) == 6
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        f()
    _core.unbind_function(f)
    assert not _core.is_bound(f)
    assert _core._test_function_version(f) == version
    assert f(1) == 3


def test_bound_function_dies():
    def make():
        def f():
            return 1

        return f

    for _ in range(20):
        f = make()
        _core.bind_function(f)
        assert f() == 1
        del f
    gc.collect()
    f = make()
    assert not _core.is_bound(f)


def run_pending():
    for _ in range(200):
        pass


def watched(code):
    mon = sys.monitoring
    return bool(mon.get_local_events(mon.OPTIMIZER_ID, code))


def test_jit_globals():
    space = {"__name__": "space"}
    _core.jit_globals(space, 1)
    try:
        exec("def f(): pass\nclass C:\n    def m(self): pass\n", space)
        run_pending()
        assert watched(space["f"].__code__)
        assert not watched(space["C"].m.__code__)
        _core.jit_globals(space, 2)
        exec("def g(): pass\nclass D:\n    def m(self):\n        def inner(): pass\n        return inner\n", space)
        run_pending()
        assert not watched(space["g"].__code__)
        assert watched(space["D"].m.__code__)
        other = {}
        exec("def h(): pass\n", other)
        run_pending()
        assert not watched(other["h"].__code__)
        _core.jit_globals(space, 3)
        for _ in range(1000):  # many short-lived functions
            exec("lambda: 1", space)
        run_pending()
    finally:
        _core.jit_globals(space, 0)
    assert not watched(space["f"].__code__)
    exec("def late(): pass\n", space)
    run_pending()
    assert not watched(space["late"].__code__)


def test_jit_globals_is_remembered_for_all_globals():
    first, second = {}, {}
    _core.jit_globals(first, 1)
    _core.jit_globals(second, 3)
    assert [_core.jit_scope(space) for space in (first, second, {})] == [1, 3, 0]
    exec("def f(): pass\n", first)
    run_pending()
    assert watched(first["f"].__code__)
    _core.jit_nothing()
    assert [_core.jit_scope(space) for space in (first, second)] == [0, 0]
    assert not watched(first["f"].__code__)


def test_watch_and_unwatch():
    def f(n):
        for i in range(n):
            pass
        return i

    _core.watch_code(f.__code__)
    assert watched(f.__code__)
    before = _core.stats()["events"]
    assert f(100) == 99
    assert _core.stats()["events"] > before
    _core.unwatch_code(f.__code__)
    assert not watched(f.__code__)


def test_watch_all():
    def f(n):
        for i in range(n):
            pass
        return i

    _core.watch_all(True)
    try:
        assert f(1000) == 999
        assert _core.stats()["events"] > 0
    finally:
        _core.watch_all(False)
    assert f(10) == 9


def test_forward_jumps_are_disabled():
    def f(n):
        r = 0
        for i in range(n):
            if i & 1:
                r += 1
            else:
                r += 2
        return r

    _core.watch_code(f.__code__)
    want = 1500
    assert f(1000) == want
    _core.unwatch_code(f.__code__)


def simple_body(code):
    return {"frames": [code], "spills": 1, "records": [], "steps": [("own", ("s", 0), 7), ("return", ("s", 0))]}


def test_dependencies():
    class Base:
        attribute = 1

    class Derived(Base):
        pass

    space = types.SimpleNamespace()
    table = {"name": 1, "other": 2}

    def helper(a=1):
        return a

    def changes():
        yield "key", (table, "name"), lambda: table.__setitem__("name", 2)
        yield "key", (table, "absent"), lambda: table.__setitem__("abs" + "ent", 2)
        yield "key", (table, "other"), lambda: table.pop("other")
        yield "key", (table, "name"), lambda: table.clear()
        yield "type", (Derived,), lambda: setattr(Base, "attribute", 2)
        yield "type", (Derived,), lambda: setattr(Derived, "more", 2)
        yield "function", (helper,), lambda: setattr(helper, "__defaults__", (2,))
        yield "function", (helper,), lambda: setattr(helper, "__code__", (lambda a=1: 5).__code__)

    before = _core.stats()["dependencies"]   # of what other tests compiled
    for kind, what, change in changes():
        def f():
            return "interpreted"

        number = _core._test_install(f, simple_body(f.__code__))
        assert _core._test_depend(number, kind, *what)
        table.setdefault("unrelated", 0)
        table["unrelated"] += 1
        helper.attribute = 1
        assert f() == 7, (kind, what)
        change()
        assert f() == "interpreted", (kind, what)
        _core._test_uninstall(f)
        _core._test_free_body(number)
    assert _core.stats()["dependencies"] == before
    del space


def test_dependency_on_dead_things():
    def f():
        return "interpreted"

    number = _core._test_install(f, simple_body(f.__code__))
    table = {"name": 1}
    assert _core._test_depend(number, "key", table, "name")
    del table
    assert f() == "interpreted"
    _core._test_uninstall(f)
    _core._test_free_body(number)


def test_types_without_version_tags():
    class Worn:
        pass

    def f():
        return "interpreted"

    number = _core._test_install(f, simple_body(f.__code__))
    watched_once = _core._test_depend(number, "type", Worn)
    assert watched_once
    _core._test_uninstall(f)
    _core._test_free_body(number)
    for i in range(1200):
        Worn.attribute = i
        number = _core._test_install(f, simple_body(f.__code__))
        if not _core._test_depend(number, "type", Worn):
            break
        _core._test_uninstall(f)
        _core._test_free_body(number)
    else:
        pytest.fail("version tags never ran out")
    _core._test_uninstall(f)
    _core._test_free_body(number)


def test_code_dies_with_its_entry():
    def make():
        space = {}
        exec("def f(n):\n    for i in range(n): pass\n    return n\n", space)
        f = space["f"]
        _core.bind_function(f)
        _core.watch_code(f.__code__)
        return f

    for _ in range(50):
        f = make()
        assert f(300) == 300
        del f
    gc.collect()


def test_filter_is_asked_once(monkeypatch):
    asked = []
    _core.set_filter(lambda code: asked.append(code.co_name) or True)
    try:
        pass
    finally:
        _core.set_filter(None)
