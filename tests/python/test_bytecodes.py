"""At least one case for each opcode of CPython, run plainly and under psyco.

The table is held against the interpreter's list of opcodes, and each case against its own bytecode:
a case that no longer contains the opcode it stands for fails.
"""

from __future__ import annotations

import dis
import sys
import types

import pytest
from differential import FILE, check, native_entries, source_of

# Never in the code of a program: made by the interpreter for itself, or pseudo opcodes.
NOT_IN_CODE = {"CACHE", "ENTER_EXECUTOR", "EXIT_INIT_CHECK", "INTERPRETER_EXIT", "RESERVED", "TRACE_RECORD"}

CASES: list[tuple[str, str, str, list[str]]] = []


def case(opcodes, source, *calls):
    name = opcodes.split()[0].lower()
    number = sum(c[0].rstrip("0123456789_") == name for c in CASES)
    CASES.append((f"{name}{number or ''}", opcodes, source, list(calls)))


case("LOAD_FAST STORE_FAST LOAD_CONST RETURN_VALUE RESUME BINARY_OP LOAD_FAST_LOAD_FAST", """
def f(a, b):
    c = a + b
    d = c * 2
    return d - a
""", "f(1, 2)", "f(1.5, 2)", "f('a', 'b')", "f(2**62, 2**62)", "f(True, 3)")
case("LOAD_FAST STORE_FAST_LOAD_FAST STORE_FAST_STORE_FAST", """
def f(a, b):
    x = y = a
    x, y = y, b
    a, b = b, a
    out = []
    for i in [a, b]:
        out.append(i)
    for j in "xy":
        if j:
            out += j
    return x, y, a, b, out
def g(items):
    for x in items: y = x
    return x, y
""", "f(1, 2)", "f([1], 2.5)", "g([1, 2])", "g([])")
case("LOAD_FAST_CHECK", """
def f(n):
    for i in range(n):
        x = i
    return x
def g(flag):
    if flag:
        del flag
    return flag
""", "f(3)", "f(0)", "f(2)", "g(0)", "g(1)")
case("DELETE_FAST", """
def f(n):
    total = 0
    for i in range(n):
        x = i
        total += x
        del x
    del total
    return i
def g(a):
    del a
    del a
""", "f(5)", "g(1)")
case("LOAD_FAST_AND_CLEAR LIST_APPEND END_FOR FOR_ITER GET_ITER JUMP_BACKWARD SWAP", """
def f(items):
    x = 5
    squares = [x * x for x in items]
    return squares, x
def g(items):
    return [(a, b) for a in items for b in items if a < b]
""", "f([1, 2, 3])", "f((1.5, 2))", "f([])", "f(5)", "f(['a'])", "g(range(4))", "g('abc')")
case("SET_ADD MAP_ADD", """
def f(items):
    return {x % 3 for x in items}, {x: x + 1 for x in items}
""", "f(range(10))", "f([1.5, 2.5])", "f([[]])", "f('ab')")
case("MAKE_CELL COPY_FREE_VARS LOAD_DEREF STORE_DEREF DELETE_DEREF MAKE_FUNCTION SET_FUNCTION_ATTRIBUTE", """
def f(n):
    count = 0
    def inc(by=1, *, twice=False):
        nonlocal count
        count += by * (2 if twice else 1)
        return count
    for i in range(n):
        inc(i)
    inc(twice=True)
    return count
def g(delete):
    value = 1
    def read():
        return value
    first = read()
    if delete:
        del value
    return first, read()
def h():
    def inner():
        return later
    inner()
    later = 1
""", "f(10)", "g(False)", "g(True)", "h()")
case("LOAD_GLOBAL STORE_GLOBAL DELETE_GLOBAL", """
counter = 0
def f(n):
    global counter, fresh
    for i in range(n):
        counter += i
    fresh = counter
    del fresh
    return counter, len([n])
def g():
    global fresh
    del fresh
def h():
    return no_such_name
""", "f(10)", "f(5)", "g()", "h()")
case("LOAD_NAME STORE_NAME DELETE_NAME LOAD_BUILD_CLASS RETURN_CONST LOAD_LOCALS", """
def f(n):
    class C:
        value: int = n
        other = value + 1
        names = sorted(k for k in locals() if not k.startswith('_'))
        doomed = 5
        del doomed
        def method(self):
            return self.value
    return C.value, C.other, C.names, C().method(), hasattr(C, 'doomed'), C.__annotations__
def g():
    class C:
        x = missing_name
def h():
    class C:
        del missing_name
def typed[T](x: T) -> T:
    return x
class Outer[T]:
    alias: T
""", "f(3)", "f(2.5)", "g()", "h()", "typed(3)")
case("LOAD_FROM_DICT_OR_DEREF LOAD_FROM_DICT_OR_GLOBALS LOAD_LOCALS", """
glob = 'global'
def f(n):
    x = n
    class C:
        y = x
        x = 5
        z = x
        def method(self):
            return x
        type Alias[T] = tuple[T, glob]
    return C.y, C.z, C().method(), C.Alias.__value__
""", "f(1)", "f('a')")
case("LOAD_ATTR STORE_ATTR DELETE_ATTR POP_TOP", """
class C:
    shared = 1
    def __init__(self):
        self.n = 0
    def add(self, k):
        self.n += k
        return self
def f(c, n):
    for i in range(n):
        c.add(i).add(1)
        c.extra = i
        del c.extra
    return c.n, c.shared, C.shared
def g(c):
    del c.absent
def h(c):
    return c.absent
def k(c):
    c.absent = 1
""", "f(C(), 10)", "f(5, 1)", "g(C())", "g(5)", "h(C())", "h(None)", "k(5)")
case("LOAD_SUPER_ATTR", """
class A:
    x = 'A.x'
    def m(self, k=1):
        return ('A', k)
    @classmethod
    def make(cls):
        return cls.__name__
class B(A):
    x = 'B.x'
    def m(self, k=1):
        return ('B', super().m(k + 1), super().x, super(B, self).m())
    @classmethod
    def make(cls):
        return super().make() + '!'
    def bad(self):
        return super().nothing
def f(n):
    return [B().m(i) for i in range(n)], B.make()
def g():
    return B().bad()
""", "f(4)", "g()")
case("UNARY_NEGATIVE UNARY_INVERT UNARY_NOT TO_BOOL CALL_INTRINSIC_1", """
def f(a):
    return -a, +a, not a
def g(a):
    return ~a
class C:
    def __bool__(self):
        raise ValueError('no')
class D:
    def __len__(self):
        return 0
""", "f(1)", "f(-0.0)", "f(2**63)", "f(-2**63)", "f(True)", "f('a')", "g(5)", "g(-2**63)", "g(1.5)",
     "not C()", "not D()", "f(float('nan'))")
case("BINARY_OP", """
def f(a, b):
    out = []
    a1 = a
    for i in range(3):
        a1 += b
        a1 -= b
        out.append(a1)
    return out, a // b, a % b, a / b
def g(a, b):
    return a & b, a | b, a ^ b, a << b, a >> b
def h(a, b):
    return a ** b, a @ b
def k(a, b):
    a += b
    return a
""", "f(7, 2)", "f(-7, 2)", "f(7.5, -2)", "f(1, 0)", "f(1.0, 0)", "g(12, 5)", "g(1.5, 1)", "g(True, False)",
     "g(1, -1)", "h(2, 3)", "k([1], (2,))", "k((1,), [2])", "k('a', 1)", "k({1}, 2)")
case("BINARY_SUBSCR STORE_SUBSCR DELETE_SUBSCR", """
def f(c, k, v):
    out = [c[k]]
    c[k] = v
    out.append(c[k])
    del c[k]
    return out, c
class C:
    def __getitem__(self, k):
        return ('get', k)
    def __setitem__(self, k, v):
        self.last = (k, v)
    def __delitem__(self, k):
        self.deleted = k
""", "f([1, 2, 3], 1, 'v')", "f([1, 2], -1, 5)", "f([1], 5, 0)", "f({'a': 1}, 'a', 2)", "f({}, 'a', 2)", "f('abc', 1, 2)",
     "f((1, 2), 0, 1)", "f(C(), 3, 4)", "f(5, 0, 0)", "f([1, 2, 3], slice(1), [9])", "f({}, [], 1)", "f([1], 'x', 2)")
case("BINARY_SLICE STORE_SLICE BUILD_SLICE", """
def f(c, a, b):
    return c[a:b], c[a:], c[:b], c[::-1], c[a:b:2]
def g(c, a, b, v):
    c[a:b] = v
    c[::2] = c[::2]
    del c[a:b]
    return c
""", "f([1, 2, 3, 4], 1, 3)", "f('abcdef', -3, None)", "f((1, 2), 5, 1)", "f(5, 1, 2)", "f([1], 'x', 2)",
     "g([1, 2, 3], 0, 2, 'ab')", "g([1, 2], 0, 1, 5)", "g('ab', 0, 1, 'c')", "f(b'abc', 0, 2)")
case("COMPARE_OP CONTAINS_OP IS_OP", """
def f(a, b):
    return a < b, a <= b, a == b, a != b, a > b, a >= b
def g(a, b):
    return a in b, a not in b, a is b, a is not b, a == b
def h(a, b, c):
    return a < b < c
class Odd:
    def __eq__(self, other):
        return 'odd'
    def __lt__(self, other):
        return []
""", "f(1, 2)", "f(1, 1.0)", "f(2**53 + 1, 2.0**53)", "f(float('nan'), 1.0)", "f('a', 'b')", "f([1], [2])", "f(1, 'a')",
     "f(2**100, 1)", "f(True, 1)", "g(1, [1, 2])", "g('a', 'abc')", "g(1, 5)", "g([], {})", "h(1, 2, 3)", "h(3, 2, 1)",
     "f(None, None)", "g(Odd(), [1])", "bool(Odd() < 1), Odd() == 2")
case("POP_JUMP_IF_FALSE POP_JUMP_IF_TRUE POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE COPY JUMP_FORWARD NOP", """
def f(a, b):
    if a is None:
        x = 1
    elif b is not None:
        x = 2
    else:
        x = 3
    y = a or b
    z = a and b
    w = not (a and b) or a
    while a:
        if not b:
            break
        a = None
    return x, y, z, w, a
def nothing(a):
    if a:
        pass
    else:
        pass
    pass
    return a
""", "f(None, 1)", "f(1, None)", "f(0, 0)", "f([], 'x')", "f('x', [])", "f(1, 2)", "nothing(1)", "nothing('')")
case("BUILD_LIST BUILD_TUPLE BUILD_SET BUILD_MAP BUILD_CONST_KEY_MAP BUILD_STRING", """
def f(a, b):
    return [a, b], (a, b), {a, b}, {a: b}, {'x': a, 'y': b}, f'{a}-{b}'
""", "f(1, 2)", "f('a', 1.5)", "f([], 1)", "f(1, 1.0)")
case("LIST_EXTEND SET_UPDATE DICT_UPDATE DICT_MERGE CALL_FUNCTION_EX", """
def target(*args, **kwargs):
    return args, kwargs
def f(a, m):
    return [1, *a, 2], {*a}, {'k': 0, **m}, target(*a, **m), target(0, *a, z=1, **m)
def g(m):
    return target(**m, **m)
def const():
    x = [1, 2, 3]
    y = {1, 2, 3}
    return x, y
""", "f([1, 2], {'q': 1})", "f('ab', {})", "f(5, {})", "f([], 5)", "f([], {1: 2})", "f([[]], {})", "g({'a': 1})", "g({})",
     "const()", "f([], [1])")
case("UNPACK_SEQUENCE UNPACK_EX", """
def f(x):
    a, b = x
    return b, a
def g(x):
    a, *b, c = x
    *d, e = x
    return a, b, c, d, e
def h(items):
    out = []
    for (a, b), c in items:
        out.append(a + b * c)
    return out
""", "f((1, 2))", "f([1, 2])", "f('ab')", "f((1,))", "f((1, 2, 3))", "f(5)", "f({1: 2, 3: 4})", "f(iter([1, 2]))",
     "g([1, 2, 3, 4])", "g('ab')", "g([1])", "g(None)", "h([((1, 2), 3), ((4, 5.0), 6)])", "h([(1, 2)])")
case("CALL CALL_KW PUSH_NULL", """
def target(a, b=2, *rest, c=3, **more):
    return a, b, rest, c, more
class C:
    def __init__(self, a, b=1):
        self.v = (a, b)
    def m(self, x, y=0):
        return self.v, x, y
    def __call__(self, *a):
        return a
def f(k):
    return (target(k), target(1, k), target(1, 2, 3, k), target(a=k), target(k, c=5), target(k, z=k),
            C(k).v, C(k, b=2).v, C(k).m(1), C(k).m(x=1, y=2), C(k)(1, 2), len('abc'), max(1, 2), int('7', base=8))
def g():
    return target()
def h():
    return target(1, a=2)
def k(x):
    return x(1)
""", "f(1)", "f('s')", "g()", "h()", "k(5)", "k(len)", "k(str)", "k(C)", "k(C(1))", "k(C(1).m)")
case("FORMAT_SIMPLE FORMAT_WITH_SPEC CONVERT_VALUE BUILD_STRING", """
def f(a):
    return f'{a}|{a!r}|{a!s:>8}|{a!a}|{a:>{8}}'
def g(a):
    return f'{a:d}'
""", "f(1)", "f('é')", "f(1.5)", "f(None)", "f([1])", "g(5)", "g('x')")
case("GET_LEN MATCH_CLASS MATCH_MAPPING MATCH_SEQUENCE MATCH_KEYS", """
class P:
    __match_args__ = ('x', 'y')
    def __init__(self, x, y):
        self.x, self.y = x, y
def f(v):
    match v:
        case 0 | 1:
            return 'small'
        case P(x, y=0):
            return ('P', x)
        case P(0, b):
            return ('P0', b)
        case [a, b]:
            return ('two', a, b)
        case [a, *rest]:
            return ('many', a, rest)
        case {'k': k, **others}:
            return ('map', k, others)
        case {}:
            return 'map'
        case str() as s if s:
            return ('str', s)
        case _:
            return 'other'
""", "[f(v) for v in (0, P(1, 0), P(0, 5), P(2, 3), [1, 2], (1,), [], {'k': 1, 'z': 2}, {}, 'text', '', 2.5, None)]",
     "f(P(0, 1))", "f(5)")
case("IMPORT_NAME IMPORT_FROM", """
def f():
    import math
    import os.path as p
    from math import pi, sqrt as root
    return math.floor(pi), root(4), p.join('a', 'b')
def g():
    import no_such_module
def h():
    from math import no_such_name
""", "f()", "g()", "h()")
case("CALL_INTRINSIC_1 CALL_INTRINSIC_2", """
from math import *
def f(a):
    def gen():
        yield from a
    def generic[T: int, *Ts, **P](x: T, *y: *Ts) -> T:
        return x
    type Alias = int
    return (*a, 0), list(gen()), generic.__type_params__[0].__bound__, Alias.__value__, generic(1)
def stop():
    def gen():
        raise StopIteration('x')
        yield
    return list(gen())
""", "f([1, 2])", "f('ab')", "stop()", "floor(pi)")
case("CHECK_EXC_MATCH PUSH_EXC_INFO POP_EXCEPT RERAISE RAISE_VARARGS", """
def f(kind):
    out = []
    for i in range(3):
        try:
            out.append('try')
            if kind:
                raise kind('text', i)
        except (KeyError, IndexError) as e:
            out.append(('key', e.args))
        except ValueError:
            out.append('value')
        else:
            out.append('else')
        finally:
            out.append('finally')
    return out
def chain(a, b):
    try:
        raise a
    except Exception as e:
        raise b from e
def context(a):
    try:
        raise ValueError(1)
    except ValueError:
        raise a
def bare():
    raise
def again():
    try:
        1 / 0
    except ZeroDivisionError:
        raise
def bad_match():
    try:
        1 / 0
    except 5:
        pass
""", "f(None)", "f(KeyError)", "f(ValueError)", "f(OSError)", "chain(ValueError('a'), KeyError('b'))", "chain(5, None)",
     "context(TypeError)", "context(7)", "bare()", "again()", "bad_match()")
case("CHECK_EG_MATCH", """
def f(errors):
    out = []
    try:
        raise ExceptionGroup('g', errors)
    except* ValueError as eg:
        out.append(('value', [repr(e) for e in eg.exceptions]))
    except* (KeyError, TypeError) as eg:
        out.append(('key', [repr(e) for e in eg.exceptions]))
    return out
""", "f([ValueError(1)])", "f([ValueError(1), KeyError(2)])", "f([OSError(1), ValueError(2)])")
case("BEFORE_WITH WITH_EXCEPT_START", """
class M:
    def __init__(self, log, swallow=False):
        self.log, self.swallow = log, swallow
    def __enter__(self):
        self.log.append('enter')
        return self
    def __exit__(self, kind, value, tb):
        self.log.append(('exit', kind and kind.__name__, str(value), tb is not None))
        return self.swallow
def f(n, swallow):
    log = []
    for i in range(n):
        with M(log) as m, M(log, swallow):
            if i == 1:
                raise ValueError(i)
            if i == 2:
                continue
            log.append(i)
    return log
def g():
    with M([]):
        return 5
def bad(x):
    with x:
        pass
""", "f(4, True)", "f(3, False)", "f(1, False)", "g()", "bad(5)")
case("LOAD_ASSERTION_ERROR", """
def f(a):
    assert a, ('message', a)
    return a
def g(a):
    assert a > 0
""", "f(1)", "f(0)", "f([])", "g(1)", "g(-1)", "g('')")
case("RETURN_GENERATOR YIELD_VALUE SEND END_SEND GET_YIELD_FROM_ITER JUMP_BACKWARD_NO_INTERRUPT CLEANUP_THROW", """
def gen(n):
    total = 0
    for i in range(n):
        got = yield i + total
        total += got or 0
    return total
def outer(n):
    result = yield from gen(n)
    yield ('result', result)
    yield from [1, 2]
def f(n):
    return list(gen(n)), list(outer(n)), sum(x for x in gen(n))
def drive(n):
    g = outer(n)
    out = [next(g)]
    for i in range(n):
        out.append(g.send(i))
    try:
        g.throw(KeyError('in'))
    except KeyError as e:
        out.append(e.args)
    g.close()
    return out
""", "f(5)", "f(0)", "drive(3)", "list(outer('x'))")
case("GET_AWAITABLE BEFORE_ASYNC_WITH GET_AITER GET_ANEXT END_ASYNC_FOR SEND", """
import asyncio
class M:
    async def __aenter__(self):
        return 'entered'
    async def __aexit__(self, *args):
        return args[0] is KeyError
class It:
    def __init__(self, n):
        self.n = n
    def __aiter__(self):
        return self
    async def __anext__(self):
        if not self.n:
            raise StopAsyncIteration
        self.n -= 1
        return self.n
async def agen(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)
async def work(n):
    out = []
    async with M() as m:
        out.append(m)
        async for x in It(n):
            out.append(x)
        async for x in agen(n):
            out.append(x)
        raise KeyError
    out.append([x async for x in agen(n)])
    return out
async def bad(x):
    await x
async def bad_for(x):
    async for y in x:
        pass
async def bad_with(x):
    async with x:
        pass
def f(n):
    return asyncio.run(work(n))
""", "f(3)", "asyncio.run(bad(5))", "asyncio.run(bad_for(5))", "asyncio.run(bad_with(5))")
case("EXTENDED_ARG", "def f(x):\n    total = 0\n" + "".join(f"    v{i} = x + {i}\n" for i in range(300))
     + "    while x:\n        x -= 1\n" + "".join(f"        total += v{i}\n" for i in range(300))
     + "    return total\n", "f(3)", "f(2.0)")
case("SETUP_ANNOTATIONS", '''
from __future__ import annotations
def f(n):
    class C:
        value: int = n
        later: Unknown
    return C.value, C.__annotations__
''', "f(1)", "f('a')")
case("LOAD_FAST_BORROW LOAD_FAST_BORROW_LOAD_FAST_BORROW LOAD_SMALL_INT LOAD_COMMON_CONSTANT POP_ITER NOT_TAKEN", '''
def f(a, b):
    total = 0
    for i in (a, b, 200):
        if i != 7:
            total += a + b + i
        assert total < 1000, total
    return total, all(x for x in (a, b)), tuple(x for x in (a, b)), any(x for x in (a, b))
''', "f(1, 2)", "f(7, 1.5)", "f(900, 80)")
case("LOAD_SPECIAL", '''
import threading
def f(lock, n):
    with lock as got:
        n += 1
    return got, n
''', "f(threading.Lock(), 1)", "f(5, 1)")
if sys.version_info >= (3, 14):
    case("BUILD_TEMPLATE BUILD_INTERPOLATION", '''
def f(a, b):
    t = t"{a} and {b!r:>4}"
    return t.strings, t.values, [(i.expression, i.conversion, i.format_spec) for i in t.interpolations]
''', "f(1, 2)", "f('x', [])")


def codes_in(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_in(constant)


def opcodes_of(source):
    code = compile(source_of(source), FILE, "exec", dont_inherit=True)
    names = {i.opname for c in codes_in(code) for i in dis.get_instructions(c)}
    return names | {name.replace("_BORROW", "") for name in names}


@pytest.mark.parametrize(("name", "opcodes", "source", "calls"), CASES, ids=[c[0] for c in CASES])
def test_case(name, opcodes, source, calls):
    missing = {o for o in opcodes.split() if o in dis.opmap} - opcodes_of(source)
    assert not missing, "the case does not contain what it stands for"
    check(source, calls, leaks=True)


def test_no_opcode_is_forgotten():
    named = {opcode for _, opcodes, _, _ in CASES for opcode in opcodes.split()}
    base = {name for name, number in dis.opmap.items() if number < 256 and not name.startswith("INSTRUMENTED_")}
    assert base - NOT_IN_CODE - named == set()


def test_compiled_code_ran():
    before = native_entries()
    check("def f(n):\n    t = 0\n    for i in range(n):\n        t += i\n    return t\n", "f(100)")
    assert native_entries() > before
