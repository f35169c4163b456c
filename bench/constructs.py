"""One construct of the language a loop, each a function of the number of iterations.

    constructs.py                        their names
    constructs.py --run NAME SECONDS     one of them in this process: ns an iteration, as JSON
"""
import json
import sys
import time

M = {}


def m(n=100000, per=1):
    def register(f):
        M[f.__name__] = (f, n, per)
        return f

    return register


# ---------- baselines
@m(300000)
def loop_range_pass(n):
    for i in range(n):
        pass
    return 0
@m(300000)
def loop_int_sum(n):
    t = 0
    for i in range(n):
        t += i
    return t
@m(300000)
def loop_while_int(n):
    i = t = 0
    while i < n:
        t += i & 7
        i += 1
    return t
@m()
def float_arith(n):
    x = 0.5
    for i in range(n):
        x = x * 0.999 + 0.25
    return x
@m()
def float_pow_div(n):
    x = 0.0
    for i in range(n):
        x += 1.0 / (i + 1.0) ** 2
    return x
@m()
def int_divmod_shift(n):
    t = 0
    for i in range(n):
        t += (i // 7) % 5 + (i << 2) - (i >> 1)
    return t
@m()
def divmod_call(n):
    t = 0
    for i in range(n):
        q, r = divmod(i, 7)
        t += q + r
    return t
@m()
def builtin_abs_min_max(n):
    t = 0
    for i in range(n):
        t += min(i, 50) + max(i, 9) + abs(i - 500)
    return t
@m()
def int_conv(n):
    t = 0
    for i in range(n):
        t += int(i * 0.5)
    return t
@m()
def math_sqrt_sin(n):
    from math import sqrt, sin
    t = 0.0
    for i in range(n):
        t += sqrt(i) + sin(t)
    return t
@m(20000)
def bigint_mul_mod(n):
    x = 3; p = (1 << 127) - 1
    for i in range(n):
        x = (x * x + i) % p
    return x & 0xffff
@m(50000)
def bigint_add(n):
    x = 1 << 80
    for i in range(n):
        x = x + i
    return x & 0xffff
@m(50000)
def int_mul_mask64(n):
    x = 88172645463325252
    for i in range(n):
        x ^= (x << 13) & 0xFFFFFFFFFFFFFFFF
        x ^= x >> 7
        x ^= (x << 17) & 0xFFFFFFFFFFFFFFFF
    return x & 0xffff
@m()
def complex_arith(n):
    z = 0j; c = 0.1 + 0.2j
    for i in range(n):
        z = z * z + c
    return abs(z) > 1

# ---------- generators
def gen_count(n):
    i = 0
    while i < n:
        yield i
        i += 1
@m()
def gen_for_loop(n):
    t = 0
    for x in gen_count(n):
        t += x
    return t
@m()
def genexpr_sum(n):
    return sum(i * 2 for i in range(n))
@m()
def genexpr_any_short(n):
    t = 0
    for i in range(n // 10):
        if any(x == 9 for x in (1, 3, 5, 7, 9, 10, 11, 12, 13, 14)):
            t += 1
    return t
def gen_yield_from(n):
    yield from gen_count(n)
@m()
def gen_yield_from_loop(n):
    t = 0
    for x in gen_yield_from(n):
        t += x
    return t
def gen_filter(src):
    for x in src:
        if x & 1:
            yield x
@m()
def gen_pipeline(n):
    t = 0
    for x in gen_filter(gen_count(n)):
        t += x
    return t
def gen_acc():
    t = 0
    while True:
        x = yield t
        t += x
@m()
def gen_send(n):
    g = gen_acc(); next(g)
    for i in range(n):
        r = g.send(i)
    return r
def gen_three(i):
    yield i
    yield i + 1
    yield i + 2
@m(30000)
def gen_short_lived(n):
    t = 0
    for i in range(n):
        for x in gen_three(i):
            t += x
    return t
async def coro_one(x):
    return x + 1
async def coro_loop(n):
    t = 0
    for i in range(n):
        t += await coro_one(i)
    return t
@m(50000)
def await_trivial(n):
    c = coro_loop(n)
    try:
        c.send(None)
    except StopIteration as e:
        return e.value
class Iter:
    def __init__(self, n): self.i = 0; self.n = n
    def __iter__(self): return self
    def __next__(self):
        i = self.i
        if i >= self.n: raise StopIteration
        self.i = i + 1
        return i
@m()
def iter_class_next(n):
    t = 0
    for x in Iter(n):
        t += x
    return t

# ---------- dicts, sets
@m()
def dict_get_int(n):
    d = {i: i for i in range(100)}; t = 0
    for i in range(n):
        t += d[i % 100]
    return t
@m()
def dict_set_int(n):
    d = {}
    for i in range(n):
        d[i % 100] = i
    return len(d)
@m()
def dict_get_str(n):
    keys = ["k%d" % i for i in range(16)]; d = {k: i for i, k in enumerate(keys)}; t = 0
    for i in range(n):
        t += d[keys[i & 15]]
    return t
@m()
def dict_const_str_get_set(n):
    d = {"a": 0, "b": 1}
    for i in range(n):
        d["a"] = d["a"] + d["b"]
    return d["a"]
@m()
def dict_get_tuple(n):
    d = {(i, j): i for i in range(10) for j in range(10)}; t = 0
    for i in range(n):
        t += d[i % 10, 3]
    return t
@m()
def dict_method_get(n):
    d = {i: i for i in range(50)}; t = 0
    for i in range(n):
        t += d.get(i % 100, 1)
    return t
@m()
def dict_in_count(n):
    d = {}
    for i in range(n):
        k = i & 63
        if k in d:
            d[k] += 1
        else:
            d[k] = 1
    return d[3]
@m()
def dict_setdefault_append(n):
    d = {}
    for i in range(n):
        d.setdefault(i & 63, []).append(i)
    return len(d)
@m()
def dict_items_iter(n):
    d = {i: i + 1 for i in range(1000)}; t = 0
    for _ in range(n // 1000):
        for k, v in d.items():
            t += k + v
    return t
@m()
def dict_values_sum_iter(n):
    d = {i: i + 1 for i in range(1000)}; t = 0
    for _ in range(n // 1000):
        for v in d.values():
            t += v
    return t
@m()
def dict_comp(n):
    t = 0
    for _ in range(n // 100):
        t += len({i: i * 2 for i in range(100)})
    return t
@m(30000)
def dict_literal(n):
    t = 0
    for i in range(n):
        d = {"x": i, "y": 2}
        t += d["x"]
    return t
@m()
def defaultdict_add(n):
    from collections import defaultdict
    d = defaultdict(int)
    for i in range(n):
        d[i & 63] += i
    return d[5]
@m()
def set_add_in(n):
    s = set()
    for i in range(n):
        k = i & 255
        if k not in s:
            s.add(k)
    return len(s)
@m()
def set_add_tuple(n):
    s = set()
    for i in range(n):
        s.add((i & 15, i & 7))
    return len(s)

# ---------- lists, tuples
@m()
def list_comp(n):
    t = 0
    for _ in range(n // 100):
        t += len([i * 2 for i in range(100)])
    return t
@m()
def list_comp_cond_call(n):
    t = 0
    for _ in range(n // 100):
        t += sum([abs(i) for i in range(100) if i & 1])
    return t
@m()
def list_append_loop(n):
    l = []
    for i in range(n):
        l.append(i)
    return len(l)
@m()
def list_append_pop(n):
    l = []
    for i in range(n):
        l.append(i); l.append(i)
        l.pop()
        if i & 1: l.pop()
    return len(l)
@m()
def list_index_int(n):
    l = list(range(1000)); t = 0
    for i in range(n):
        t += l[i % 1000]
    return t
@m()
def list_store_int(n):
    l = [0] * 1000
    for i in range(n):
        l[i % 1000] = i
    return l[5]
@m()
def list_store_float(n):
    l = [0.0] * 1000
    for i in range(n):
        l[i % 1000] = i * 0.5
    return l[5]
@m()
def list_swap(n):
    l = list(range(100))
    for i in range(n):
        j = i % 99
        l[j], l[j + 1] = l[j + 1], l[j]
    return l[0]
@m()
def list_iter_objs(n):
    l = [str(i) for i in range(1000)]; t = 0
    for _ in range(n // 1000):
        for s in l:
            if s is not None: t += 1
    return t
@m()
def list_in(n):
    l = [1, 3, 5, 7, 9, 11]; t = 0
    for i in range(n):
        if i % 20 in l: t += 1
    return t
@m()
def in_tuple_const(n):
    t = 0
    for i in range(n):
        if i % 20 in (1, 3, 5, 7): t += 1
    return t
@m(50000)
def list_slice(n):
    l = list(range(20)); t = 0
    for i in range(n):
        t += len(l[2:10])
    return t
@m(30000)
def list_concat_literal(n):
    t = 0
    for i in range(n):
        t += len([i, 1] + [2, 3])
    return t
@m(20000)
def list_matrix(n):
    a = [[float(i + j) for j in range(20)] for i in range(20)]; t = 0.0
    for _ in range(n // 400):
        for i in range(20):
            for j in range(20):
                t += a[i][j] * a[j][i]
    return t
@m()
def list_sum_builtin(n):
    l = list(range(10)); t = 0
    for i in range(n // 10):
        t += sum(l)
    return t
@m()
def tuple_pack_unpack(n):
    a, b = 1, 2
    for i in range(n):
        a, b = b, (a + b) & 1023
    return a
@m()
def tuple_build_keep(n):
    l = [None] * 100
    for i in range(n):
        l[i % 100] = (i, i + 1)
    return len(l)
@m()
def tuple_list_unpack_loop(n):
    l = [(i, i + 1, i + 2) for i in range(1000)]; t = 0
    for _ in range(n // 1000):
        for a, b, c in l:
            t += a + b + c
    return t
@m()
def star_unpack(n):
    t = 0; l = [1, 2, 3, 4]
    for i in range(n):
        a, *b = l
        t += a
    return t
@m(20000)
def sorted_key_lambda(n):
    l = [(i * 7919) % 1000 for i in range(1000)]; t = 0
    for _ in range(n // 1000):
        t += sorted(l, key=lambda x: -x)[0]
    return t
@m(20000)
def list_sort_ints(n):
    t = 0
    for _ in range(n // 1000):
        l = [(i * 7919) % 1000 for i in range(1000)]
        l.sort()
        t += l[0]
    return t
@m()
def iter_enumerate(n):
    l = list(range(1000)); t = 0
    for _ in range(n // 1000):
        for i, x in enumerate(l):
            t += i + x
    return t
@m()
def iter_zip(n):
    l = list(range(1000)); t = 0
    for _ in range(n // 1000):
        for a, b in zip(l, l):
            t += a + b
    return t
@m()
def iter_reversed(n):
    l = list(range(1000)); t = 0
    for _ in range(n // 1000):
        for a in reversed(l):
            t += a
    return t
@m()
def iter_map_lambda(n):
    t = 0
    for x in map(lambda v: v + 1, range(n)):
        t += x
    return t
@m()
def iter_filter_lambda(n):
    t = 0
    for x in filter(lambda v: v & 1, range(n)):
        t += x
    return t
@m()
def iter_product(n):
    from itertools import product
    t = 0
    for a, b in product(range(300), range(n // 300)):
        t += a + b
    return t
@m()
def iter_range_step_short(n):
    t = 0
    for i in range(n // 4):
        for j in range(0, 8, 2):
            t += j
    return t

# ---------- objects
class P:
    def __init__(self, x, y): self.x = x; self.y = y; self.z = 0
    def getx(self): return self.x
    def move(self, d): self.x += d; self.y -= d
    @property
    def prop(self): return self.x + 1
    @staticmethod
    def stat(a): return a + 1
    @classmethod
    def cls(cls, a): return a + 1
    def __add__(self, o): return P(self.x + o.x, self.y + o.y)
    def __eq__(self, o): return self.x == o.x and self.y == o.y
    def __hash__(self): return hash((self.x, self.y))
    def __lt__(self, o): return self.x < o.x
    def __getitem__(self, i): return self.x + i
    def __len__(self): return 3
    def __contains__(self, i): return i == 1
    def __call__(self, i): return i + 1
    def __enter__(self): return self
    def __exit__(self, *a): self.z += 1
class S:
    __slots__ = ("x", "y", "z")
    def __init__(self, x, y): self.x = x; self.y = y; self.z = 0
    def move(self, d): self.x += d; self.y -= d
@m()
def attr_get(n):
    p = P(1, 2); t = 0
    for i in range(n):
        t += p.x + p.y
    return t
@m()
def attr_set(n):
    p = P(1, 2)
    for i in range(n):
        p.x = i; p.y = p.x + 1
    return p.y
@m()
def attr_inc_float(n):
    p = P(1.0, 2.0)
    for i in range(n):
        p.x += p.y * 0.5
    return p.x
@m()
def attr_list_of_objs(n):
    l = [P(i, 1) for i in range(100)]; t = 0
    for _ in range(n // 100):
        for p in l:
            p.x += p.y; t += p.x & 3
    return t
@m()
def slots_get_set(n):
    p = S(1, 2)
    for i in range(n):
        p.x = p.x + p.y
    return p.x
@m()
def method_call(n):
    p = P(1, 2)
    for i in range(n):
        p.move(1)
    return p.x
@m()
def method_call_slots(n):
    p = S(1, 2)
    for i in range(n):
        p.move(1)
    return p.x
def _poly(k):
    out = []
    for j in range(k):
        def f(self, a, j=j): return a + j
        out.append(type("C%d" % j, (), {"f": eval("lambda self, a: a + self.v * %d" % j), "__init__": lambda self: setattr(self, "v", 1)}))
    return [c() for c in out]
class A0:
    def __init__(self): self.v = 1
    def f(self, a): return a + self.v
class A1:
    def __init__(self): self.v = 1
    def f(self, a): return a - self.v
class A2:
    def __init__(self): self.v = 1
    def f(self, a): return a + 2 * self.v
class A3:
    def __init__(self): self.v = 1
    def f(self, a): return a ^ self.v
class A4(A0):
    def f(self, a): return a + 4
class A5(A0):
    def f(self, a): return a - 3
class A6(A0):
    def f(self, a): return a | self.v
class A7(A0):
    def f(self, a): return a + 7
def poly(n, k):
    objs = [c() for c in (A0, A1, A2, A3, A4, A5, A6, A7)[:k]] * 8; t = 0
    L = len(objs)
    for _ in range(n // L):
        for o in objs:
            t = o.f(t)
    return t
@m()
def method_poly1(n): return poly(n, 1)
@m()
def method_poly2(n): return poly(n, 2)
@m()
def method_poly4(n): return poly(n, 4)
@m()
def method_poly8(n): return poly(n, 8)
@m(50000)
def instance_create(n):
    t = 0
    for i in range(n):
        p = P(i, 1)
        t += p.x
    return t
@m(50000)
def instance_create_keep(n):
    l = [None] * 100
    for i in range(n):
        l[i % 100] = P(i, 1)
    return len(l)
@m(50000)
def instance_create_slots(n):
    l = [None] * 100
    for i in range(n):
        l[i % 100] = S(i, 1)
    return len(l)
@m(30000)
def operator_add_objs(n):
    a = P(0, 0); b = P(1, 2)
    for i in range(n):
        a = a + b
    return a.x
@m(30000)
def operator_eq_lt_objs(n):
    a = P(0, 0); b = P(1, 2); t = 0
    for i in range(n):
        if a == b or a < b: t += 1
    return t
@m(30000)
def dunder_getitem_len(n):
    a = P(1, 0); t = 0
    for i in range(n):
        t += a[i] + len(a)
    return t
@m(30000)
def dunder_hash_dict(n):
    a = P(1, 0); d = {a: 1}; t = 0
    for i in range(n):
        t += d[a]
    return t
@m(30000)
def dunder_call(n):
    a = P(1, 0); t = 0
    for i in range(n):
        t = a(t)
    return t
@m()
def property_get(n):
    p = P(1, 2); t = 0
    for i in range(n):
        t += p.prop
    return t
@m()
def static_class_method(n):
    t = 0
    for i in range(n):
        t = P.stat(t) + P.cls(1)
    return t
class B1:
    def __init__(self, a): self.a = a
    def f(self, x): return x + 1
class B2(B1):
    def __init__(self, a): super().__init__(a); self.b = 1
    def f(self, x): return super().f(x) + 1
@m(30000)
def super_call(n):
    o = B2(1); t = 0
    for i in range(n):
        t = o.f(t)
    return t
@m(30000)
def super_init(n):
    t = 0
    for i in range(n):
        t += B2(i).a
    return t
class GA:
    def __init__(self): self.x = 1
    def __getattr__(self, k): return 5
@m(30000)
def getattr_dunder(n):
    o = GA(); t = 0
    for i in range(n):
        t += o.zzz
    return t
@m(30000)
def getattr_builtin(n):
    o = P(1, 2); t = 0
    for i in range(n):
        t += getattr(o, "x") + getattr(o, "nope", 1)
    return t
@m()
def hasattr_builtin(n):
    o = P(1, 2); t = 0
    for i in range(n):
        if hasattr(o, "x"): t += 1
    return t
class CV:
    limit = 5; count = 0
@m()
def class_attr_get(n):
    t = 0
    for i in range(n):
        t += CV.limit
    return t
@m()
def class_attr_inc(n):
    for i in range(n):
        CV.count += 1
    return 0
@m()
def isinstance_chain(n):
    l = [1, "a", 2.0, None, (1,)] * 20; t = 0
    for _ in range(n // 100):
        for o in l:
            if isinstance(o, int): t += 1
            elif isinstance(o, str): t += 2
            elif isinstance(o, (float, tuple)): t += 3
    return t
@m()
def type_is_check(n):
    l = [1, "a", 2.0] * 33; t = 0
    for _ in range(n // 99):
        for o in l:
            if type(o) is int: t += 1
            elif type(o) is str: t += 2
    return t
from collections import namedtuple, deque
from dataclasses import dataclass
NT = namedtuple("NT", "a b c")
@dataclass
class DC:
    a: int
    b: float = 0.0
@dataclass(frozen=True)
class FDC:
    a: int
    b: int
@m()
def namedtuple_get(n):
    p = NT(1, 2, 3); t = 0
    for i in range(n):
        t += p.a + p.c
    return t
@m(30000)
def namedtuple_create(n):
    t = 0
    for i in range(n):
        t += NT(i, 1, 2).a
    return t
@m(30000)
def dataclass_create_get(n):
    t = 0
    for i in range(n):
        t += DC(i).a
    return t
@m(30000)
def dataclass_frozen_hash(n):
    d = {FDC(i, 1): i for i in range(16)}; k = list(d); t = 0
    for i in range(n):
        t += d[k[i & 15]]
    return t
import enum
class E(enum.Enum):
    A = 1
    B = 2
@m(30000)
def enum_compare(n):
    l = [E.A, E.B]; t = 0
    for i in range(n):
        if l[i & 1] is E.A: t += 1
        if l[i & 1] == E.B: t += 1
    return t

# ---------- calls
def f1(a): return a + 1
def fdef(a, b=2, *, c=3): return a + b + c
def fstar(*a): return len(a)
def fkw(**k): return len(k)
@m()
def call_func(n):
    t = 0
    for i in range(n):
        t = f1(t)
    return t
@m()
def call_kwargs(n):
    t = 0
    for i in range(n):
        t += fdef(i, c=1)
    return t
@m(50000)
def call_star_args(n):
    t = 0; a = (1, 2, 3)
    for i in range(n):
        t += fstar(*a) + fstar(i, 1)
    return t
@m(50000)
def call_star_kwargs(n):
    t = 0; k = {"a": 1}
    for i in range(n):
        t += fkw(**k) + fkw(b=1)
    return t
@m()
def call_closure(n):
    k = 3
    def add(x): return x + k
    t = 0
    for i in range(n):
        t = add(t)
    return t
@m()
def call_nonlocal(n):
    c = 0
    def inc():
        nonlocal c
        c += 1
    for i in range(n):
        inc()
    return c
@m()
def call_lambda_var(n):
    fs = [lambda x: x + 1, lambda x: x + 2, lambda x: x - 1]; t = 0
    for i in range(n):
        t = fs[i % 3](t)
    return t
@m()
def call_callback_arg(n):
    def apply(f, x): return f(x)
    t = 0
    for i in range(n):
        t = apply(f1, t)
    return t
import functools
def deco(f):
    @functools.wraps(f)
    def w(*a, **k): return f(*a, **k)
    return w
@deco
def decorated(a): return a + 1
@m(50000)
def call_decorated(n):
    t = 0
    for i in range(n):
        t = decorated(t)
    return t
@functools.lru_cache(None)
def cached(a): return a + 1
@m(50000)
def call_lru_cache(n):
    t = 0
    for i in range(n):
        t += cached(i & 63)
    return t
part = functools.partial(fdef, 1)
@m(50000)
def call_partial(n):
    t = 0
    for i in range(n):
        t += part(i)
    return t
def rfib(n): return n if n < 2 else rfib(n - 1) + rfib(n - 2)
@m(21891)
def recursion_fib(n): return rfib(20)
def rlist(t):
    return 0 if t is None else 1 + rlist(t[1])
@m(20000)
def recursion_tuple_list(n):
    l = None
    for i in range(100): l = (i, l)
    t = 0
    for _ in range(n // 100): t += rlist(l)
    return t
class Node:
    __slots__ = ("l", "r")
    def __init__(self, l, r): self.l = l; self.r = r
    def check(self): return 1 if self.l is None else 1 + self.l.check() + self.r.check()
def mk(d): return Node(None, None) if d == 0 else Node(mk(d - 1), mk(d - 1))
@m(16384)
def tree_build(n): return mk(13).l is not None
TREE = mk(10)
@m(2047)
def tree_walk(n): return TREE.check()
gl = 0
@m()
def global_inc(n):
    global gl
    gl = 0
    for i in range(n):
        gl += 1
    return gl
GLIST = [0] * 10
@m()
def global_list_inc(n):
    for i in range(n):
        GLIST[3] += 1
    return 0
@m()
def lambda_made_in_loop(n):
    t = 0
    for i in range(n):
        f = lambda x: x + i
        t += f(1)
    return t

# ---------- control: exceptions, with, try
@m(50000)
def exc_raise_catch(n):
    t = 0
    for i in range(n):
        try:
            raise ValueError
        except ValueError:
            t += 1
    return t
def raiser(i):
    if i & 1: raise KeyError(i)
    return i
@m(50000)
def exc_from_call_half(n):
    t = 0
    for i in range(n):
        try:
            t += raiser(i)
        except KeyError:
            t += 1
    return t
@m(50000)
def exc_keyerror_dict(n):
    d = {}; t = 0
    for i in range(n):
        try:
            t += d[i]
        except KeyError:
            t += 1
    return t
@m(50000)
def exc_as_e_args(n):
    t = 0
    for i in range(n):
        try:
            raise ValueError(i)
        except ValueError as e:
            t += e.args[0]
    return t
@m()
def try_noraise(n):
    t = 0
    for i in range(n):
        try:
            t += i
        except ValueError:
            t = 0
    return t
@m()
def try_finally(n):
    t = 0
    for i in range(n):
        try:
            t += i
        finally:
            t -= 1
    return t
@m(50000)
def with_class(n):
    p = P(1, 2); t = 0
    for i in range(n):
        with p:
            t += 1
    return t
import contextlib
@contextlib.contextmanager
def cm(): yield 1
@m(10000)
def with_contextmanager(n):
    t = 0
    for i in range(n):
        with cm() as v:
            t += v
    return t
@m()
def match_stmt_int(n):
    t = 0
    for i in range(n):
        match i % 4:
            case 0: t += 1
            case 1: t += 2
            case 2: t += 3
            case _: t += 4
    return t
@m(50000)
def match_stmt_class(n):
    l = [P(1, 2), (1, 2), [3], 5]; t = 0
    for i in range(n):
        match l[i & 3]:
            case P(x=x): t += x
            case (a, b): t += a
            case [a]: t += a
            case int(v): t += v
    return t
@m()
def if_elif_chain_str(n):
    ops = ["add", "sub", "mul", "div"]; t = 0
    for i in range(n):
        op = ops[i & 3]
        if op == "add": t += 1
        elif op == "sub": t -= 1
        elif op == "mul": t += 2
        elif op == "div": t += 3
    return t

# ---------- strings
@m()
def str_index(n):
    s = "abcdefghij" * 10; t = 0
    for i in range(n):
        if s[i % 100] == "c": t += 1
    return t
@m()
def str_iter_cmp(n):
    s = "abcdefghij" * 100; t = 0
    for _ in range(n // 1000):
        for c in s:
            if c == "c" or c == "d": t += 1
    return t
@m()
def str_iter_ord(n):
    s = "abcdefghij" * 100; t = 0
    for _ in range(n // 1000):
        for c in s:
            t += ord(c)
    return t
@m()
def str_in_set(n):
    s = "abcdefghij" * 100; ok = set("aeiou"); t = 0
    for _ in range(n // 1000):
        for c in s:
            if c in ok: t += 1
    return t
@m()
def str_in_str(n):
    s = "abcdefghij" * 100; t = 0
    for _ in range(n // 1000):
        for c in s:
            if c in "aeiou": t += 1
    return t
@m()
def str_isdigit(n):
    s = "ab1def2hij" * 100; t = 0
    for _ in range(n // 1000):
        for c in s:
            if c.isdigit(): t += 1
    return t
@m(50000)
def str_concat_acc(n):
    s = ""
    for i in range(n):
        s += "x"
    return len(s)
@m(50000)
def str_concat_two(n):
    a = "abc"; t = 0
    for i in range(n):
        t += len(a + "def")
    return t
@m(50000)
def str_slice(n):
    s = "hello world, this is text"; t = 0
    for i in range(n):
        t += len(s[i % 10:i % 10 + 5])
    return t
@m(50000)
def str_startswith(n):
    s = "hello world"; t = 0
    for i in range(n):
        if s.startswith("wor", i % 11): t += 1
    return t
@m(50000)
def str_fstring(n):
    t = 0
    for i in range(n):
        t += len(f"{i}:{t}")
    return t
@m(50000)
def str_percent(n):
    t = 0
    for i in range(n):
        t += len("%d %s" % (i, "a"))
    return t
@m(50000)
def str_format_float(n):
    t = 0
    for i in range(n):
        t += len(f"{i * 0.5:.2f}")
    return t
@m(20000)
def str_join_list(n):
    t = 0
    for _ in range(n // 20):
        t += len(",".join([str(i) for i in range(20)]))
    return t
@m(20000)
def str_split(n):
    s = "a,b,c,d,e"; t = 0
    for i in range(n):
        t += len(s.split(","))
    return t
@m(50000)
def str_of_int(n):
    t = 0
    for i in range(n):
        t += len(str(i))
    return t
@m(50000)
def str_chr_ord(n):
    t = 0
    for i in range(n):
        t += ord(chr(97 + i % 26))
    return t
@m(50000)
def str_lower_strip_replace(n):
    s = " Hello "; t = 0
    for i in range(n):
        t += len(s.lower().strip().replace("l", "m"))
    return t
@m(50000)
def str_int_parse(n):
    l = ["1", "22", "333", "4"]; t = 0
    for i in range(n):
        t += int(l[i & 3])
    return t
@m(50000)
def str_eq_dynamic(n):
    a = ["foo%d" % i for i in range(8)]; b = ["foo%d" % i for i in range(8)]; t = 0
    for i in range(n):
        if a[i & 7] == b[(i * 3) & 7]: t += 1
    return t
@m(50000)
def str_chars_append_join(n):
    out = []
    for i in range(n):
        out.append("ab"[i & 1])
    return len("".join(out))

# ---------- bytes, buffers, C modules
@m()
def bytearray_rw(n):
    b = bytearray(1000)
    for i in range(n):
        j = i % 1000
        b[j] = (b[j] + 1) & 255
    return b[5]
@m()
def bytes_iter(n):
    b = bytes(range(250)) * 4; t = 0
    for _ in range(n // 1000):
        for x in b:
            t += x
    return t
@m()
def array_double(n):
    from array import array
    a = array("d", [0.5]) * 1000; t = 0.0
    for i in range(n):
        j = i % 1000
        a[j] = a[j] + 1.0
        t += a[j]
    return t
@m(50000)
def memoryview_rw(n):
    b = memoryview(bytearray(1000))
    for i in range(n):
        j = i % 1000
        b[j] = (b[j] + 1) & 255
    return b[5]
@m(50000)
def deque_append_popleft(n):
    d = deque()
    for i in range(n):
        d.append(i)
        if i & 1: d.popleft()
    return len(d)
@m(30000)
def heapq_push_pop(n):
    import heapq
    h = []
    for i in range(n):
        heapq.heappush(h, (i * 7919) % 1000)
        if i & 1: heapq.heappop(h)
    return len(h)
@m(30000)
def bisect_call(n):
    import bisect
    l = list(range(100)); t = 0
    for i in range(n):
        t += bisect.bisect_left(l, i % 100)
    return t
@m(30000)
def struct_unpack(n):
    import struct
    b = struct.pack("<IHf", 1, 2, 3.0); t = 0
    for i in range(n):
        a, c, d = struct.unpack("<IHf", b)
        t += a
    return t
@m(30000)
def re_match(n):
    import re
    p = re.compile(r"\w+"); t = 0
    for i in range(n):
        t += p.match("hello world").end()
    return t
@m(30000)
def random_random(n):
    import random
    random.seed(1)
    r = random.random; t = 0.0
    for i in range(n):
        t += r()
    return t
@m(10000)
def random_randint(n):
    import random
    random.seed(1)
    t = 0
    for i in range(n):
        t += random.randint(1, 6)
    return t
@m(50000)
def time_perf_counter(n):
    from time import perf_counter
    t = 0
    for i in range(n):
        if perf_counter() > 0: t += 1
    return t
# ---------- call-mode: many calls of a small function from a driver (no hot loop inside)
def _small(a, b):
    c = a * 2
    if c > b: c -= b
    return c
@m()
def many_small_calls_mapped(n):
    return sum(map(_small, range(n), range(n)))
@m(20000)
def min_key_lambda(n):
    l = list(range(100)); t = 0
    for _ in range(n // 100):
        t += min(l, key=lambda v: (v * 7) % 13)
    return t


def run(name, seconds):
    f, n, _ = M[name]
    times, result, clock = [], None, time.process_time
    end = clock() + seconds
    while len(times) < 4 or clock() < end:
        start = clock()
        result = f(n)
        times.append(clock() - start)
    return {"first": times[0] / n * 1e9, "least": min(times) / n * 1e9, "result": repr(result)[:200]}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        print(json.dumps(run(sys.argv[2], float(sys.argv[3]))))
    else:
        print(" ".join(M))
