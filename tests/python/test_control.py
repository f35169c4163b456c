"""Control flow: loops, handlers, closures, generators and recursion, plainly and under psyco."""

from __future__ import annotations

import pytest
from differential import check

CASES = {
    "continue before an inner while loop": ("""
def f(n, m):
    out = []
    while n > 0:
        n -= 1
        if n % 3 == 1:
            continue
        k = m
        while k > 0:
            k -= 2
            out.append(n * k)
    return out, n
""", ["f(3, 4)", "f(9, 7)", "f(0, 1)", "f(2, 0)", "f(20, 30)"]),
    "nested loops": ("""
def f(n, m):
    out = []
    for i in range(n):
        for j in range(m):
            if j == i:
                continue
            if i * j > 6:
                break
            out.append((i, j))
        else:
            out.append(('all', i))
    else:
        out.append('end')
    return out
""", ["f(4, 4)", "f(0, 5)", "f(6, 3)"]),
    "while else": ("""
def f(n):
    out = []
    while n:
        n -= 1
        if n == 3:
            continue
        if n == 1:
            break
        out.append(n)
    else:
        out.append('else')
    return out, n
""", ["f(6)", "f(0)", "f(1)", "f(2.0)"]),
    "zero trips": ("""
def f(items, x):
    for i in items:
        x = x.missing + i[0]
    return x
""", ["f([], 1)", "f((), 'a')", "f(range(0), 2.5)", "f([1], 1)"]),
    "try in loop": ("""
def f(items):
    out = []
    for x in items:
        try:
            out.append(10 // x)
        except ZeroDivisionError:
            out.append('zero')
            continue
        except TypeError as e:
            out.append(str(e))
            break
        finally:
            out.append('fin')
    return out
""", ["f([1, 2, 0, 5])", "f([1, 'x', 2])", "f([1.5, 0.0])", "f([])"]),
    "finally overrides": ("""
def f(n):
    out = []
    for i in range(n):
        try:
            if i == 2:
                return ('returned', out)
            if i == 1:
                continue
            out.append(i)
        finally:
            out.append('f')
            if i == n - 1:
                break
    return out
def g():
    try:
        return 1
    finally:
        return 2
def h():
    while True:
        try:
            raise ValueError
        finally:
            break
    return 'gone'
""", ["f(2)", "f(5)", "g()", "h()"]),
    "exception leaves the loop": ("""
def f(items, limit):
    total = 0
    for i, x in enumerate(items):
        if i > limit:
            raise IndexError(i, total)
        total += x
    return total
""", ["f(range(5), 10)", "f(range(5), 2)", "f([1, 'a'], 5)", "f([1.5] * 3, 1)"]),
    "nested handlers": ("""
def f(kind):
    log = []
    try:
        try:
            try:
                raise kind('inner')
            except KeyError:
                log.append('key')
                raise ValueError('second')
            finally:
                log.append('f1')
        except ValueError as e:
            log.append((str(e), repr(e.__context__)))
            raise
        finally:
            log.append('f2')
    except (ValueError, OSError) as e:
        log.append(type(e).__name__)
        e = None
    return log
""", ["f(KeyError)", "f(ValueError)", "f(OSError)", "f(TypeError)"]),
    "handler variable is unbound": ("""
def f(fail):
    e = 'before'
    try:
        if fail:
            raise ValueError(1)
    except ValueError as e:
        pass
    return e
""", ["f(False)", "f(True)"]),
    "with in loop": ("""
class M:
    def __init__(self, log, n):
        self.log, self.n = log, n
    def __enter__(self):
        self.log.append(('in', self.n))
        if self.n == 4:
            raise RuntimeError('enter')
        return self.n
    def __exit__(self, t, v, tb):
        self.log.append(('out', t and t.__name__))
        if self.n == 5:
            raise KeyError('exit')
        return t is ValueError
def f(items):
    log = []
    try:
        for n in items:
            with M(log, n) as x:
                if x == 1:
                    continue
                if x == 2:
                    raise ValueError
                if x == 3:
                    break
                log.append(10 // x)
    except Exception as e:
        log.append((type(e).__name__, type(e.__context__).__name__))
    return log
""", ["f([1, 2, 7])", "f([3, 7])", "f([4])", "f([0])", "f([5])", "f([7, 7])"]),
    "closures in loops": ("""
def f(n):
    late = [lambda: i for i in range(n)]
    early = [lambda i=i: i for i in range(n)]
    fs = []
    for k in range(n):
        def g(x, k=k):
            return x + k + i_global + len(fs)
        fs.append(g)
    i_global = 100
    return [h() for h in late], [h() for h in early], [h(1) for h in fs]
def counter():
    n = 0
    def up(by):
        nonlocal n
        n += by
        return n
    def get():
        return n
    return up, get
def use(times, by):
    up, get = counter()
    for i in range(times):
        up(by)
    return get()
""", ["f(4)", "use(10, 1)", "use(5, 0.5)", "use(3, 2**62)", "use(2, 'x')"]),
    "recursion": ("""
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def ack(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ack(m - 1, 1)
    return ack(m - 1, ack(m, n - 1))
def even(n):
    return True if n == 0 else odd(n - 1)
def odd(n):
    return False if n == 0 else even(n - 1)
def depth(t):
    return 1 + max((depth(x) for x in t), default=0) if isinstance(t, list) else 0
""", ["fib(12)", "fib(5.5)", "ack(2, 3)", "even(20), odd(7)", "depth([1, [2, [3, []]], [4]])", "fib('x')"]),
    "recursion limit": ("""
def f(n):
    return f(n + 1)
def g(n):
    try:
        return g(n + 1)
    except RecursionError:
        return 'caught'
class C:
    def __getattr__(self, name):
        return self.missing
    def __eq__(self, other):
        return self == other
def a(n):
    return b(n)
def b(n):
    return a(n)
def catch(fn, *args):
    try:
        return fn(*args)
    except RecursionError as e:
        return type(e).__name__
""", ["catch(f, 0)", "g(0)", "catch(lambda: C().x)", "catch(lambda: C() == C())", "catch(a, 1)"]),
    "generators in loops": ("""
def count(n, log):
    try:
        for i in range(n):
            got = yield i
            if got:
                log.append(got)
    finally:
        log.append('closed')
def f(n):
    log = []
    for x in count(n, log):
        if x == 2:
            break
        log.append(x)
    return log
def g(n):
    return [x * y for x in count(n, []) for y in count(x, [])], sum(x for x in count(n, [])), dict(zip(count(n, []), 'abc'))
def h(n):
    log = []
    gen = count(n, log)
    for x in gen:
        log.append(('sent', gen.send('s') if x < n - 1 else None))
    return log
def fails():
    yield 1
    raise KeyError('in generator')
def k():
    out = []
    for x in fails():
        out.append(x)
    return out
def deep(n):
    if n:
        yield n
        yield from deep(n - 1)
        yield -n
""", ["f(5)", "f(1)", "g(4)", "h(4)", "k()", "list(deep(5))"]),
    "comprehensions": ("""
def f(n):
    x = 'outer'
    a = [x for x in range(n) if x % 2]
    b = {x: [y for y in range(x)] for x in a}
    c = {(i, j) for i in range(n) for j in range(i) if i != j}
    d = list(map(lambda q: [q + z for z in range(2)], a))
    e = [(lambda: w)() for w in a]
    return x, a, b, c, d, e, any(v > 3 for v in a), [k for k, v in sorted(b.items(), key=lambda p: -p[0])]
""", ["f(6)", "f(0)", "f(3)"]),
    "iterating what changes": ("""
def f(items):
    out = []
    for x in items:
        out.append(x)
        if len(items) < 8:
            items.append(x * 2)
        if x == 4:
            del items[0]
    return out, items
def g(d):
    for k in d:
        d[k + 'x'] = 1
def h(s):
    for x in s:
        s.add(x + 10)
        s.discard(x)
def nested(items):
    it = iter(items)
    return [(x, next(it, 'end')) for x in it], list(it)
""", ["f([1, 2, 3])", "f([4, 5])", "g({'a': 1})", "h({1})", "nested(range(5))", "nested('ab')"]),
    "own iterators": ("""
class Count:
    def __init__(self, n, fail=None):
        self.i, self.n, self.fail = 0, n, fail
    def __iter__(self):
        return self
    def __next__(self):
        if self.i == self.fail:
            raise KeyError(self.i)
        if self.i >= self.n:
            raise StopIteration
        self.i += 1
        return self.i
class Old:
    def __getitem__(self, i):
        if i > 3:
            raise IndexError
        return i
def f(it):
    out = []
    for x in it:
        out.append(x)
    return out
""", ["f(Count(4))", "f(Count(4, 2))", "f(Old())", "f(iter([1, 2]))", "f({1: 2}.items())", "f(open)", "f('ab')", "f(zip([1], 'a'))",
      "f(iter(iter([3, 2, 1]).__next__, 1))"]),
    "match in loop": ("""
def f(items):
    total = 0
    for item in items:
        match item:
            case int(n) if n > 2:
                total += n
            case float() | bool():
                total -= 1
            case (a, b):
                total += a * b
            case {'add': x}:
                total += x
            case 'stop':
                break
            case _:
                continue
        total += 100
    return total
""", ["f([1, 5, 2.5, True, (3, 4), {'add': 7}, None, 'stop', 9])", "f([3] * 20)", "f([(1, 2)] * 5)"]),
    "many locals and deep stack": ("""
def f(a, b, c, d, e, g, h, i):
    j = a + b; k = c + d; l = e + g; m = h + i
    n = j * k; o = l * m; p = n - o; q = a * i; r = b * h
    for s in range(3):
        a, b, c, d, e, g, h, i = b, c, d, e, g, h, i, a + s
    return (a, (b, (c, (d, (e, (g, (h, (i, (j, (k, (l, (m, (n, (o, (p, (q, r))))))))))))))))
""", ["f(1, 2, 3, 4, 5, 6, 7, 8)", "f(1.5, 2, 3.5, 4, 5, 6, 7, 8)", "f(1, 2, 3, 4, 5, 6, 7, 'x')"]),
    "conditional expressions": ("""
def f(a, b, c):
    x = a if b else c
    y = (a and b) or (c and not a)
    z = [p if p else q for p in (a, b) for q in (c,)]
    return x, y, z, 1 < a < 5 < b, a == b == c, not a, a is None or b is None
""", ["f(1, 2, 3)", "f(0, [], None)", "f(None, 1.5, 'x')", "f(2, 6, 2)"]),
    "assignment expressions": ("""
def f(items):
    out = []
    i = 0
    while (x := items[i]) is not None:
        out.append(y := x * 2)
        i += 1
    if any((hit := v) > 4 for v in out):
        out.append(hit)
    return out, x, y
""", ["f([1, 2, 3, None])", "f([1.5, None])", "f([None])"]),
}


@pytest.mark.parametrize("name", CASES, ids=[n.replace(" ", "_") for n in CASES])
def test_case(name):
    source, calls = CASES[name]
    # How deep the recursion went when it hit the limit is not compared.
    check(source, calls, traceback=name != "recursion limit")


def test_code_of_a_handler_jumps_back():
    """A loop in `finally`, reached only through a handler, is entered from the interpreter."""
    check("""
def f(n, c):
    s = ''
    if c:
        try:
            raise KeyError('k')
        except LookupError as e:
            s += 'kept'
        finally:
            a = 0
            for j in range(n):
                a += j
            s += str(a)
    for j in range(3):
        s += str(j)
    return s
def g(n):
    s = ''
    for k in range(n):
        if k % 3:
            try:
                raise KeyError('k')
            except LookupError as e:
                s += 'kept'
            finally:
                a = 0
                for j in range(n):
                    a += j
                s += str(a)
        else:
            s += 'no'
        s += '.'
    return s
""", ["f(3000, 1)", "f(3, 0)", "f(3, 1)", "g(60)"])
