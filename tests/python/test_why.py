"""explain() says of everything that is not compiled why: each state of the real engine."""

import subprocess
import sys
import threading
import types

import psyco
import pytest
from psyco import _core

pytestmark = pytest.mark.plain_only  # stress compiles at once

ASKED = "nobody asked for it: bind() and jit() do not cover it, full() is not on"
SOURCE = """
def loop(n):
    t = 0
    for i in range(n):
        t += i
    return t

def nest(n, m):
    t = 0
    for i in range(n):
        for j in range(m):
            t += j
    return t

def small(x):
    return x + 1

def gen(n):
    t = 0
    for i in range(n):
        t += i
    yield t

def yields(n):
    for i in range(n):
        yield i

async def waits(n):
    for i in range(n):
        await nothing()

async def nothing():
    pass

class C:
    def __init__(self, x):
        self.x = x

def caller(n):
    t = 0
    for i in range(n):
        t += small(i)
    return t
"""


@pytest.fixture
def made():
    """A module of functions whose code nobody has seen."""
    space = {"__name__": "made"}
    exec(compile(SOURCE, "<made>", "exec"), space)
    before = {name: _core.options()[name] for name in ("governor", "loop_threshold", "call_threshold", "code_limit")}
    yield types.SimpleNamespace(**space)
    psyco.stop()
    psyco.setfilter(None)
    _core.set_options({"compile": True, **before})


@pytest.fixture
def full(made, no_trials):
    psyco.full()
    return made


def reasons(function):
    """{"call" or the line of a loop: why}, and what explain() prints of them."""
    explanation = psyco.explain(function)
    found = {each["line"] if each["entry"] == "loop" else "call": each["why"] for each in explanation.report["why_not"]}
    for why in found.values():
        assert f"not compiled: {why}" in str(explanation)
    return found


def test_nobody_asked(made):
    made.loop(10)
    assert reasons(made.loop) == {"call": ASKED}
    assert f"  not compiled: {ASKED}" in str(psyco.explain(made.loop))
    assert reasons(lambda: 1) == {"call": ASKED}


def test_not_hot_yet(full):
    for _ in range(3):
        full.nest(2, 5)
    assert reasons(full.nest) == {
        "call": "not hot yet: 3 calls of 200", 10: "not hot yet: 6 rounds of 1,000", 11: "not hot yet: 30 rounds of 1,000",
    }
    full.small(1)
    assert reasons(full.small) == {"call": "not hot yet: 1 call of 200"}
    assert reasons(full.loop) == {"call": "not hot yet: 0 calls of 200", 4: "it has not come round while psyco counted"}


def test_bound_and_not_called_since(made):
    psyco.bind(made.loop)
    assert reasons(made.loop)["call"] == "compiled at the next call"
    assert made.loop(5) == 10
    assert reasons(made.loop) == {}
    assert "not compiled" not in str(psyco.explain(made.loop))


def test_hot_and_waiting_for_its_next_call(full):
    for _ in range(200):
        full.small(1)
    assert reasons(full.small) == {"call": "compiled at the next call"}


def test_only_a_loop_is_compiled(full):
    full.loop(100000)
    assert reasons(full.loop) == {"call": "not hot yet: 1 call of 200"}
    assert "  calls not compiled: not hot yet: 1 call of 200" in str(psyco.explain(full.loop))


def test_an_outer_loop_is_waited_for(full):
    full.nest(40, 60)
    assert reasons(full.nest)[11] == "waits for the loop around it, to be compiled with that"


def test_excluded(full):
    psyco.cannotcompile(full.loop)
    full.loop(100000)
    assert reasons(full.loop) == {"call": "excluded by cannotcompile or a filter"}
    psyco.setfilter(lambda code: code.co_name != "nest")
    full.nest(100, 1000)
    assert reasons(full.nest) == {"call": "excluded by cannotcompile or a filter"}


def test_generators(full):
    assert reasons(full.gen) == {"call": "generators are entered at their loops only", 20: "it has not come round while psyco counted"}
    assert list(full.yields(5000)) == list(range(5000))
    yields = "the loop has a yield or await in it, at which it would leave each time round"
    assert reasons(full.yields) == {"call": "generators are entered at their loops only", 25: yields}
    with pytest.raises(StopIteration):
        full.waits(5000).send(None)
    assert reasons(full.waits)[29] == yields
    assert list(full.gen(100000)) == [4999950000]
    assert reasons(full.gen) == {"call": "generators are entered at their loops only"}
    assert "calls not compiled: generators are entered" in str(psyco.explain(full.gen))


def test_a_bound_generator(made):
    psyco.bind(made.yields)
    list(made.yields(3))
    assert reasons(made.yields)["call"].endswith(": generators are entered at their loops only")


def test_runonly(full):
    with psyco.runonly():
        full.loop(100000)
        assert reasons(full.loop) == {"call": "nothing is compiled any more since runonly()"}
    full.loop(100000)
    assert reasons(full.loop) == {"call": "not hot yet: 2 calls of 200"}


def test_a_tracer(full):
    def look():
        found.update(reasons(full.loop))

    found = {}
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        full.loop(100000)
        look()
    finally:
        sys.settrace(before)
    assert found == {"call": "a debugger, tracer or profiler is active"}


def test_too_large(full):
    before = _core.options()["max_bytecodes"]
    _core.set_options({"max_bytecodes": 5})
    try:
        full.loop(5000)
        psyco.bind(full.nest)
        full.nest(5, 5)
    finally:
        _core.set_options({"max_bytecodes": before})
    assert reasons(full.loop)[4] == "the function is over the size limit"
    assert reasons(full.nest)["call"] == "<made>:8: the function is over the size limit"


SLOWER = "compiled code was measured and was not faster than the interpreter here"
MOSTLY_C = """
def f(n, s):
    for i in range(n):
        s.encode('utf-16').decode('utf-16').title()

def g(s):
    s.encode('utf-16').decode('utf-16').title()
"""


@pytest.mark.parametrize(("calls", "line", "told"), [("f(20000, 'words ' * 10)", 3, SLOWER), ("g('words ' * 10)", "call", f"<slow>:6: {SLOWER}")])
def test_slower(calls, line, told):
    """What is mostly C code is measured and lost; a busy machine may take some tries."""
    done = run_python(f"""
import psyco
for attempt in range(20):
    space = {{}}
    exec(compile("import psyco; psyco.jit()" + {MOSTLY_C!r}, "<slow>", "exec"), space)
    for _ in range(5 if {line!r} == 3 else 5000):
        eval({calls!r}, space)
    report = psyco.explain(space[{calls[0]!r}]).report["why_not"]
    found = {{each["line"] if each["entry"] == "loop" else "call": each["why"] for each in report}}
    if found.get({line!r}) == {told!r}:
        print("told")
        break
else:
    print(psyco.explain(space[{calls[0]!r}]))
""")
    assert done.stdout == "told\n", done.stdout + done.stderr


def test_the_compiler_has_had_its_share(made):
    """After thousands of functions, each a little hot, the next one waits."""
    _core.set_options({"governor": True})
    waits = "hot, but the compiler has had its share of the program's time for now"
    for n in range(3000):
        space = {}
        exec(compile(f"import psyco\npsyco.jit()\ndef f(x):\n    y = [x, {n}]\n    return [z + 1 for z in y] + [z * 2 for z in y] + [str(x)]", "<many>", "exec"), space)
        f = space["f"]
        for _ in range(260):
            f(1)
        if reasons(f).get("call") == waits:
            return
    pytest.fail(str(psyco.explain(f)))


def test_not_seen_by_the_sampler(made):
    """Under full() what is never seen at work is not counted."""
    _core.set_options({"governor": True})
    psyco.full()
    made.loop(3)
    unseen = "not seen at work yet, and not counted until it is"
    assert reasons(made.loop) == {"call": unseen, 4: unseen}
    psyco.bind(made.nest)
    assert reasons(made.nest)["call"] == "compiled at the next call"


def test_an_initialiser(full):
    for _ in range(300):
        full.C(1)
    assert reasons(full.C.__init__) == {"call": "an __init__ is compiled where its class is called, or when it is bound"}


def test_inlined_in_others(made):
    psyco.bind(made.caller)
    assert made.caller(10) == 55
    assert reasons(made.small) == {"call": "not called from outside compiled code: it is inlined in caller"}


def test_dropped_because_an_assumption_broke(made):
    psyco.bind(made.caller)
    assert made.caller(10) == 55
    made.caller.__globals__["small"] = lambda x: x * 2
    psyco.explain(made.caller)  # a moment for the burial
    assert reasons(made.caller)["call"] == "compiled 1 time, and the code was dropped: an assumption of it broke"
    assert made.caller(10) == 90
    assert reasons(made.caller) == {}


def test_dropped_because_a_guard_failed(made, no_trials):
    space = {}
    exec(compile("def f(a):\n    x = a[0]\n    return x + x\n", "<guard>", "exec"), space)
    f = psyco.bind(space["f"])
    for _ in range(5):
        f([1])
    for n in range(100):
        f(["text"])
        if not psyco.explain(f).compiled:
            break
    assert reasons(f)["call"] == "compiled 1 time, and the code was dropped: a guard of it failed often"


def test_dropped_to_make_room(made):
    psyco.bind(made.loop)
    made.loop(5)
    assert psyco.explain(made.loop).compiled
    _core.set_options({"code_limit": 1})
    psyco.bind(made.nest)
    made.nest(2, 2)
    assert reasons(made.loop)["call"] == "the code was dropped: it made room for other code"


def test_an_entry_of_somebody_else(made):
    ctypes = pytest.importorskip("ctypes")
    set_vectorcall = ctypes.pythonapi.PyFunction_SetVectorcall
    set_vectorcall.argtypes = [ctypes.py_object, ctypes.c_void_p]
    set_vectorcall.restype = None
    way = ctypes.cast(ctypes.pythonapi.PyVectorcall_Call, ctypes.c_void_p)  # never called
    set_vectorcall(made.small, way)
    psyco.bind(made.small)
    try:
        assert reasons(made.small)["call"] == "another tool has put an entry of its own into the function"
    finally:
        psyco.unbind(made.small)


def test_a_namespace_of_its_own(full):
    space, local = {}, {}
    text = "def f():\n    pass\nt = 0\nfor i in range(5000):\n    t += i\n"
    exec(compile(text, "<body>", "exec"), space, local)
    assert local["t"] == sum(range(5000))

    class Globals(dict):
        pass

    made = types.FunctionType(full.loop.__code__.replace(co_name="odd"), Globals(full.loop.__globals__))
    psyco.bind(made)
    made(10)
    namespace = "names live in no ordinary function or module: a class body, or exec with a namespace of its own"
    assert reasons(made)["call"] == f"<made>:2: {namespace}"


def run_python(code, **environ):
    import os

    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONWARNINGS": "ignore", **environ})


def test_psyco_is_off():
    code = "import psyco\ndef f(): pass\npsyco.bind(f); f(); print(psyco.explain(f))"
    done = run_python(code, PSYCO_DISABLE="1")
    assert done.stdout == "f (<string>:2)\n  not compiled: psyco is off: PSYCO_DISABLE is set\n"


def test_no_tool_number():
    done = run_python("""
import sys
for number in (3, 4, 5):
    sys.monitoring.use_tool_id(number, "other")
import psyco
def f(): pass
psyco.jit()
psyco.full()
f()
print(psyco.explain(f))
""")
    assert "psyco cannot count: other tools have all the numbers of sys.monitoring it may use" in done.stdout


def test_never_two_answers_for_one_question(full):
    """Calls and each loop are either compiled or have one reason."""
    for name in ("loop", "nest", "small", "gen", "yields", "caller"):
        function = getattr(full, name)
        for argument in range(3):
            result = function(*[50] * function.__code__.co_argcount)
            if isinstance(result, types.GeneratorType):
                list(result)
        report = psyco.explain(function).report
        entries = [(each["entry"], each["line"]) for each in report["why_not"]]
        assert len(entries) == len(set(entries))
        assert entries or report["versions"]
    thread = threading.Thread(target=full.small, args=(1,))
    thread.start()
    thread.join()
