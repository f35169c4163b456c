"""Attributes and methods of objects of several classes at one place of the program."""

import pytest
from differential import check

import psyco

SHAPES = """
class A:
    def __init__(self, r):
        self.r = r
    def area(self):
        return self.r * 3.0
    def grow(self, by=1):
        self.r += by
        return self
class B:
    name = 'b'
    def __init__(self, r):
        self.r, self.w = r, 2
    def area(self):
        return self.r * self.w
    def grow(self, by=2):
        self.w = by
        return self
class S:
    __slots__ = ('w', 'r')
    name = 's'
    def __init__(self, r):
        self.r = r
    def area(self):
        return self.r + 1.5
    def grow(self, *by):
        self.r = by
        return self
class D(A):
    pass
class P:
    name = 'p'
    @property
    def r(self):
        return 7.5
    @property
    def area(self):
        return lambda: 8.5
class G:
    def __getattr__(self, name):
        if name == 'area':
            return lambda: 1.25
        if name == 'r':
            return 4
        raise AttributeError(name)
def make(n, *classes):
    return [classes[i % len(classes)](i * 0.5) if classes[i % len(classes)].__init__ is not object.__init__
            else classes[i % len(classes)]() for i in range(n)]
"""

CASES = {
    "methods": ("""
def total(items):
    t = 0.0
    for x in items:
        t += x.area()
    return t
""", ["total(make(2000, A, B))", "total(make(2000, A, B, S))", "total(make(500, D, A, P, G, S))",
      "total(make(9, A) + [None])", "total(make(2000, S, B, D, A))"]),
    "attributes": ("""
def total(items):
    t = 0.0
    for x in items:
        t += x.r
    return t
def names(items):
    return [getattr(x, 'name', '?') if i % 3 else x.name for i, x in enumerate(items)]
""", ["total(make(2000, A, B))", "total(make(2000, A, B, S))", "total(make(500, D, A, P, G))",
      "names(make(1500, B, S, P))", "names(make(9, B, S, A))", "total([S.__new__(S)])"]),
    "stores": ("""
def move(items):
    for i, x in enumerate(items):
        x.r = i * 0.25
        x.r += 1.0
    return [x.r for x in items]
def widen(items):
    for x in items:
        x.w = x.r
    return [vars(x) if hasattr(x, '__dict__') else x.w for x in items]
""", ["move(make(2000, A, B))", "move(make(2000, S, A, B))", "move(make(10, A, P))",
      "widen(make(2000, A, B))", "widen(make(2000, A, S))", "move(make(300, G, D))"]),
    "arguments": ("""
def grow(items):
    for x in items:
        x.grow()
        x.grow(3)
    return [x.r for x in items], [x.w for x in items if type(x) is B]
def too_many(items):
    for i, x in enumerate(items):
        x.grow(1) if i < len(items) - 1 else x.grow(1, 2)
""", ["grow(make(2000, A, B, S))", "grow(make(60, S, D, A))", "too_many(make(1200, A, B))",
      "too_many(make(1201, A, B))", "too_many(make(1200, B, S))"]),
    "exceptions": ("""
class E(A):
    def area(self):
        return 1 / (self.r - 500)
class F(B):
    def area(self):
        return self.inner()
    def inner(self):
        return [1][int(self.r) - 300]
def total(items):
    t = 0.0
    for x in items:
        t += x.area()
    return t
def counted(items):
    n = 0
    for x in items:
        try:
            n += x.area() > 3
        except (ZeroDivisionError, IndexError) as e:
            n += len(str(e))
    return n
""", ["total(make(2000, E, A))", "total(make(2000, F, E))", "total(make(700, E, A))",
      "counted(make(2000, E, F, A))"]),
    "classes change": ("""
def total(items, change):
    t = 0.0
    for i, x in enumerate(items):
        if i == 1500:
            change(x, items)
        t += x.area()
    return t
def replaced(x, items):
    class_of = type(items[1600])
    class_of.area = lambda self: 1000.0
def shadowed(x, items):
    for y in items[1550:1600]:
        y.area = lambda: 10.0
def exchanged(x, items):
    for y in items[1550:1600]:
        y.__class__ = A if type(y) is B else B
        y.w = 3
def deleted(x, items):
    del A.area
def fresh(n):
    class X:
        def __init__(self, r): self.r = r
        def area(self): return 2.0
    class Y(X):
        def area(self): return 3.0
    return make(n, X, Y)
""", ["total(make(2000, A, B), shadowed)", "total(make(2000, A, B), exchanged)",
      "[total(fresh(2000), replaced) for _ in range(4)]", "total(make(2000, A, B), deleted)"]),
    "conditional operands": ("""
def total(items, flag):
    t = 0
    for i, x in enumerate(items):
        t += x.grow(i if i & 1 else 2 if flag else 5).r
        y = x if i & 2 else items[0]
        t += (y.area if i & 4 else x.area)()
    return t
""", ["total(make(2000, A, B), 0)", "total(make(2000, D, B, A), 1)"]),
    "what is not read": ("""
def visit(items):
    for x in items:
        method = x.area
        attribute = x.r
        del attribute
    return method(), len(items)
""", ["visit(make(2000, A, B))", "visit(make(2000, B, S, A))"]),
}


@pytest.mark.parametrize("name", CASES, ids=[n.replace(" ", "_") for n in CASES])
def test_case(name):
    source, calls = CASES[name]
    check(SHAPES + source, calls, repeat=3)


@pytest.mark.plain_only
@pytest.mark.usefixtures("no_trials")
def test_methods_of_several_classes_are_inlined():
    space = {}
    exec(SHAPES + CASES["methods"][0], space)
    total, make = space["total"], space["make"]
    psyco.bind(total)
    items = make(3000, space["A"], space["B"], space["S"])
    expected = sum(x.area() for x in items)
    for _ in range(3):
        assert total(items) == expected
    report = str(psyco.explain(total))
    assert all(f"inlined {c}.area" in report for c in "ABS"), report

    def exits():
        return psyco.stats()["exits"].get("NotMet", 0)

    before = exits()
    items += make(10, space["P"])  # not met before: the interpreter's
    assert total(items) == expected + sum(x.area() for x in items[-10:])
    assert before < exits() <= before + 11
    items += make(60, space["P"])  # often: by the general way
    expected += sum(x.area() for x in items[-70:])
    for _ in range(3):
        assert total(items) == expected
    before = exits()
    assert total(items) == expected
    assert exits() <= before + 1
    report = str(psyco.explain(total))
    assert all(f"inlined {c}.area" in report for c in "ABS"), report
    psyco.unbind(total)


@pytest.mark.plain_only
@pytest.mark.usefixtures("no_trials")
@pytest.mark.parametrize("count", [2, 5, 8])
def test_classes_that_come_in_turns_are_all_met(count):
    space = {}
    exec("class Base:\n    def m(self, a): return a + 1\n" + "".join(
        f"class C{k}(Base):\n    def m(self, a): return a + {k}\n" for k in range(count)
    ) + "def total(items, n):\n    t = 0\n    for i in range(n): t = items[i % len(items)].m(t)\n    return t", space)
    items = [space[f"C{k}"]() for k in range(count)]
    psyco.bind(space["total"])
    for _ in range(4):
        assert space["total"](items, 4 * 840) == 4 * 840 * (count - 1) // 2
    report = str(psyco.explain(space["total"]))
    assert all(f"inlined C{k}.m" in report for k in range(count)), report


@pytest.mark.plain_only  # under stress exits make the code again
def test_many_types_of_arguments_take_few_compilations():
    classes = [type(f"K{i}", (), {"k": i, "get": lambda self, d=i: d}) for i in range(8)]

    def both(a, b, n):
        total = 0
        for i in range(n):
            total += i
        return [type(a).__name__, a == b, (a, b, total)]

    psyco.bind(both)
    before = psyco.stats()["compiled"]
    values = [c() for c in classes] + [None, True, "s", b"b", (1,), [2], {3: 4}, 1.5]
    for a in values:
        for b in values:
            name, equal, (x, y, total) = both(a, b, 5)
            assert (name, equal) == (type(a).__name__, a is b) and x is a and y is b and total == 10
    assert psyco.stats()["compiled"] - before <= 10  # not one for each pair
    assert both(2, 2.0, 4) == ["int", True, (2, 2.0, 6)]
    assert both(1 << 70, 1 << 70, 2**3) == ["int", True, (1 << 70, 1 << 70, 28)]
    psyco.unbind(both)


@pytest.mark.parametrize("operation", [
    "a + b", "(a, b)", "a == b", "a.x", "a.m(b)", "a[b]", "a < b", "not a or b", "-a", "f'{a}{b}'",
    "[z for z in a]", "a(b)", "b in a", "len(a)", "a if a is b else [b]",
])
def test_arguments_of_any_type(operation):
    check("""
class C:
    def __init__(self, x): self.x = x
    def m(self, b): return self.x, b
    def __add__(self, b): return self.x
    def __repr__(self): return f'C({self.x!r})'
    def __call__(self, b): return (b, self.x)
class D(C):
    def __len__(self): return 3
    def __getitem__(self, i):
        if i == 3: raise IndexError(i)
        return i
    def __lt__(self, b): return NotImplemented
values = [C(1), D(2), 'ab', [1, 2], {0: 1}, None, 3, 2.5, 1 << 80, True, len, (0, 1)]
def f(a, b):
    return OPERATION
def run():
    got = []
    for _ in range(3):
        for a in values:
            for b in values:
                try:
                    got.append(repr(f(a, b)))
                except Exception as error:
                    got.append(repr(error))
    return got
""".replace("OPERATION", operation), ["run()"], repeat=3)
