"""The sources of a matrix: every operation of an object whose class is known, after every way of assigning it.

`source` is a module with one function for each pair of an operation and an origin of the object: it does
the operation, has the class assigned, and does the operation again. `calls` are the expressions that run
them. Nothing here asserts anything: see test_class_assignment.py.
"""

from __future__ import annotations

import textwrap

# Operations, as the body that sets `r`. x is the object.
OPERATIONS = {
    "attribute of the class": "r = x.name",
    "attribute of the instance": "r = x.n",
    "attribute set": "x.n = i; r = x.n",
    "attribute deleted": "x.n = i; del x.n; x.n = i; r = x.n",
    "method": "r = x.who()",
    "method with arguments": "r = x.adds(i, k=2)",
    "bound method": "m = x.who; r = m()",
    "property": "r = x.p",
    "property set": "x.p = i; r = x.n",
    "property deleted": "del x.p; r = x.n",
    "static method": "r = x.s(i)",
    "class method": "r = x.c(i)",
    "super": "r = x.hook()",
    "super in two levels": "r = x.deep()",
    "addition": "r = x + i",
    "reflected addition": "r = i + x",
    "both operands": "r = x + x",
    "subtraction": "r = x - i",
    "multiplication": "r = x * i",
    "matrix multiplication": "r = x @ i",
    "division": "r = x / 2, x // 2, x % 2",
    "power": "r = x ** 2, 2 ** x",
    "shifts": "r = x << 1, x >> 1",
    "bits": "r = x & 1, x | 1, x ^ 1",
    "in place": "y = x; y += i; r = y",
    "unary": "r = -x, +x, ~x, abs(x)",
    "equal": "r = x == i, x != i",
    "less": "r = x < i, x <= i, x > i, x >= i",
    "compared in a test": "r = 1 if x < i else 2",
    "item": "r = x[i]",
    "item set": "x[i] = i; r = x.n",
    "item deleted": "del x[i]; r = x.n",
    "slice": "r = x[1:i]",
    "contains": "r = i in x, i not in x",
    "length": "r = len(x)",
    "truth": "r = 1 if x else 2",
    "not": "r = not x",
    "bool()": "r = bool(x)",
    "iteration": "r = [e for e in x]",
    "unpacking": "a, b = x; r = a, b",
    "starred": "r = [*x]",
    "next": "r = next(x)",
    "call": "r = x(i)",
    "call with keywords": "r = x(i, k=i)",
    "hash": "r = hash(x)",
    "key of a dictionary": "r = {x: i}, {i: i, x.n: 2}.get(x)",
    "with": "with x as y: r = y",
    "isinstance": "r = isinstance(x, A), isinstance(x, B)",
    "isinstance of several": "r = isinstance(x, (int, B)), isinstance(x, A | int)",
    "issubclass": "r = issubclass(type(x), A)",
    "type is": "r = type(x) is A, type(x) is B",
    "type's name": "r = type(x).__name__",
    "__class__": "r = x.__class__ is A, x.__class__.__name__",
    "match of the class": """
match x:
    case B(n=n):
        r = 'B', n
    case A(n=n):
        r = 'A', n
""",
    "match of positions": """
match x:
    case A(n):
        r = 'A', n
    case B(n):
        r = 'B', n
    case _:
        r = None
""",
    "__getattr__": "r = x.nothing",
    "getattr": "r = getattr(x, 'name'), getattr(x, 'who')()",
    "hasattr": "r = hasattr(x, 'only_a'), hasattr(x, 'only_b')",
    "text": "r = str(x), repr(x), f'{x}', f'{x:>9}', f'{x!r}'",
    "number": "r = int(x), float(x), [10, 20, 30][x]",
    "reversed": "r = reversed(x)",
    "method in a loop": "r = [x.who() for _ in (1, 2)]",
    "method in a method": "r = x.both()",
    "method by the class": "r = type(x).who(x)",
    "only one has it": "r = x.only_a if isinstance(x, A) and type(x) is A else x.only_b",
}

# What a class answers, so that no two classes answer alike.
CLASS = '''
class {name}({bases}):
    {slots}
    name = '{name}'
    only_{lower} = 'only {name}'
    __match_args__ = ('n',)
    def __init__(self, n):
        self.n = n
    def who(self):
        return '{name}.who', self.n
    def adds(self, i, j=1, *, k):
        return '{name}.adds', self.n + i + j + k
    def both(self):
        return self.who(), self.p, self.s(1)
    @property
    def p(self):
        return '{name}.p', self.n
    @p.setter
    def p(self, value):
        self.n = value + {number}
    @p.deleter
    def p(self):
        self.n = {number}
    @staticmethod
    def s(i):
        return '{name}.s', i
    @classmethod
    def c(cls, i):
        return '{name}.c', cls.__name__, i
    def hook(self):
        return '{name}', super().hook()
    def deep(self):
        return '{name}', self.hook(), super().deep()
    def __add__(self, other): return '{name} +', other if other.__class__ is int else other.n
    def __radd__(self, other): return '+ {name}', other
    def __sub__(self, other): return '{name} -', other
    def __mul__(self, other): return '{name} *', other
    def __matmul__(self, other): return '{name} @', other
    def __truediv__(self, other): return '{name} /', other
    def __floordiv__(self, other): return '{name} //', other
    def __mod__(self, other): return '{name} %', other
    def __pow__(self, other): return '{name} **', other
    def __rpow__(self, other): return '** {name}', other
    def __lshift__(self, other): return '{name} <<', other
    def __rshift__(self, other): return '{name} >>', other
    def __and__(self, other): return '{name} &', other
    def __or__(self, other): return '{name} |', other
    def __xor__(self, other): return '{name} ^', other
    {iadd}
    def __neg__(self): return '-{name}'
    def __pos__(self): return '+{name}'
    def __invert__(self): return '~{name}'
    def __abs__(self): return '|{name}|'
    def __eq__(self, other): return '{name} =='
    def __ne__(self, other): return '{name} !='
    def __lt__(self, other): return {number} > 1
    def __le__(self, other): return '{name} <='
    def __gt__(self, other): return '{name} >'
    def __ge__(self, other): return '{name} >='
    def __getitem__(self, key): return '{name}[]', key
    def __setitem__(self, key, value): self.n = '{name}[]=', key, value
    def __delitem__(self, key): self.n = 'del {name}[]', key
    def __contains__(self, item): return {number} > 1
    def __len__(self): return {number}
    def __bool__(self): return {number} > 1
    def __iter__(self): return iter(('{name}', 'iter'))
    def __next__(self): return '{name}.next'
    def __reversed__(self): return '{name}.reversed'
    def __call__(self, i, k=0): return '{name}()', i, k
    def __hash__(self): return {number}
    def __enter__(self): return '{name}.enter'
    def __exit__(self, *args): return False
    def __str__(self): return 'str {name}'
    def __repr__(self): return 'repr {name}'
    def __format__(self, spec): return 'format {name} ' + spec
    def __int__(self): return {number}
    def __float__(self): return {number} + 0.5
    def __index__(self): return {number}
    {hooks}
    # ---- ways for the object to change by itself
    def become(self, cls):
        self.__class__ = cls
    def become_deep(self, cls):
        self.become(cls)
    @property
    def turned(self):
        self.__class__ = B
        return 0
    @turned.setter
    def turned(self, cls):
        self.__class__ = cls
'''

IMPORTS = """
import ctypes, sys, threading, functools, weakref, gc, types
"""
# What the operations of a class are beside its own: reached by super().
ROOT = """
class {root}{base}:
    {slots}
    def hook(self):
        return '{root}.hook'
    def deep(self):
        return '{root}.deep'
"""

# Doers: objects and functions that assign the class of another object.
DOERS = """
class Doer:
    def __init__(self, x, cls):
        self.x, self.cls = x, cls
    def __enter__(self): return self
    def __exit__(self, *args): self.x.__class__ = self.cls
    def __iter__(self): return self
    def __next__(self):
        if self.x is None:
            raise StopIteration
        self.x.__class__ = self.cls
        self.x = None
        return 1
    def __add__(self, other): other.__class__ = self.cls; return 1
    def __getitem__(self, other): other.__class__ = self.cls; return 1
    def __setitem__(self, other, value): other.__class__ = value
    def __eq__(self, other): other.__class__ = self.cls; return True
    def __hash__(self): return 1
    def __lt__(self, other): self.x.__class__ = self.cls; return True
    def __bool__(self): self.x.__class__ = self.cls; return True
    def __len__(self): self.x.__class__ = self.cls; return 1
    def __contains__(self, other): other.__class__ = self.cls; return True
    def __str__(self): self.x.__class__ = self.cls; return ''
    def __call__(self, *args): self.x.__class__ = self.cls
    @property
    def turns(self): self.x.__class__ = self.cls
    def __getattr__(self, name): self.x.__class__ = self.cls; return name
class Bomb:
    def __init__(self, x, cls):
        self.x, self.cls = x, cls
    def __del__(self):
        self.x.__class__ = self.cls
class Weak:
    pass
three_objects = ctypes.PYFUNCTYPE(ctypes.c_int, *[ctypes.py_object] * 3)
SetAttr = three_objects(('PyObject_SetAttr', ctypes.pythonapi))
GenericSetAttr = three_objects(('PyObject_GenericSetAttr', ctypes.pythonapi))
def turn(x, cls):
    x.__class__ = cls
def turn_deep(x, cls):
    turn(x, cls)
    return x
def turn_if(x, cls, i):
    if i % 2:
        x.__class__ = cls
def turn_by_keyword(*, x, cls):
    x.__class__ = cls
def turn_all(*args, **kwargs):
    turn(*args, **kwargs)
def generate(x, cls):
    yield 1
    x.__class__ = cls
    yield 2
def in_thread(x, cls):
    thread = threading.Thread(target=turn, args=(x, cls))
    thread.start()
    thread.join()
"""

WAYS = {
    "statement": "x.__class__ = B",
    "setattr": "setattr(x, '__class__', B)",
    "setattr of object": "object.__setattr__(x, '__class__', B)",
    "descriptor of object": "object.__dict__['__class__'].__set__(x, B)",
    "function": "turn(x, B)",
    "function below": "turn_deep(x, B)",
    "function, sometimes": "turn_if(x, B, i)",
    "keyword argument": "turn_by_keyword(x=x, cls=B)",
    "starred call": "turn_all(x, B)",
    "lambda": "(lambda y: setattr(y, '__class__', B))(x)",
    "another name": "y = x; y.__class__ = B",
    "item of a list": "z = [x]; z[0].__class__ = B",
    "tuple unpacked": "y, z = x, B; y.__class__ = z",
    "method": "x.become(B)",
    "method below": "x.become_deep(B)",
    "bound method": "m = x.become; m(B)",
    "property": "x.turned",
    "setter of a property": "x.turned = B",
    "branch": "if i % 2: x.__class__ = B",
    "handler": """
try:
    1 // (i - i)
except ZeroDivisionError:
    x.__class__ = B
""",
    "finally": """
try:
    x.n
finally:
    x.__class__ = B
""",
    "loop": "for y in (x, x): y.__class__ = B",
    "there and back": "x.__class__ = B; x.__class__ = A; x.__class__ = B",
    "comprehension": "[turn(y, B) for y in (x,)]",
    "map": "list(map(setattr, [x], ['__class__'], [B]))",
    "partial": "functools.partial(setattr, x, '__class__')(B)",
    "exec": "exec('x.__class__ = B', {'x': x, 'B': B})",
    "generator": "for _ in generate(x, B): pass",
    "thread": "in_thread(x, B)",
    "finaliser": "y = Bomb(x, B); y = None",
    "finaliser of a temporary": "Bomb(x, B)",
    "weak reference": "y = Weak(); z = weakref.ref(y, lambda _: turn(x, B)); y = None",
    "collector": "y = Bomb(x, B); z = [y]; z.append(z); y = z = None; gc.collect(0)",
    "sort key": "sorted((2, 1), key=lambda e: turn(x, B) or e)",
    "operator": "Doer(x, B) + x",
    "item": "Doer(x, B)[x]",
    "item set": "Doer(x, B)[x] = B",
    "comparison": "Doer(x, B) == x",
    "key": "{Doer(x, B): 1}.get(Doer(x, B)); turn(x, B)",
    "truth": "1 if Doer(x, B) else 2",
    "length": "len(Doer(x, B))",
    "contains": "x in Doer(x, B)",
    "text": "f'{Doer(x, B)}'",
    "call": "Doer(x, B)()",
    "attribute": "Doer(x, B).turns",
    "attribute made up": "Doer(x, B).made_up",
    "iteration": "for _ in Doer(x, B): pass",
    "unpacking": "y, = Doer(x, B)",
    "with": "with Doer(x, B): pass",
    "C function": "SetAttr(x, '__class__', B)",
    "another C function": "GenericSetAttr(x, '__class__', B)",
    "loop's test": "while Doer(x, B) and i < 0: pass",
}

HOOKS = """
    def __getattr__(self, key):
        return '{name}.__getattr__', key
"""
INPLACE = "def __iadd__(self, other): return '{name} +=', other"


def make_class(name, bases, number, *, own="", hooks=False, iadd=False):
    fill = {"name": name, "lower": name.lower(), "bases": bases, "number": number, "slots": own}
    text = CLASS.replace("{hooks}", HOOKS.strip() if hooks else "").replace("{iadd}", INPLACE if iadd else "")
    return text.format(**fill)


def make_root(name, base="", slots=""):
    return ROOT.format(root=name, base=base and f"({base})", slots=slots)


def two_classes(base="", slots="", **kwargs):
    return make_root("Root", base, slots) + make_class("A", "Root", 1, **kwargs) + make_class("B", "Root", 2, hooks=True, iadd=True, **kwargs)


EMPTY = "__slots__ = ()"
FAMILIES = {
    # Two classes of their own, with instance dictionaries.
    "plain": make_root("RootA") + make_root("RootB") + make_class("A", "RootA", 1, iadd=True) + make_class("B", "RootB", 2, hooks=True),
    # The new class is below the old one.
    "subclass": make_root("Root") + make_class("A", "Root", 1, hooks=True) + make_class("B", "A", 2, iadd=True),
    # No dictionaries.
    "slots": two_classes(slots=EMPTY, own="__slots__ = ('n',)"),
    # Below classes written in C.
    "list": two_classes("list", "def __new__(cls, n): return list.__new__(cls)"),
    "int": two_classes("int", "def __new__(cls, n): return int.__new__(cls, 5)"),
    "exception": two_classes("ValueError", "def __new__(cls, n): return ValueError.__new__(cls, 5)"),
    "module": two_classes("types.ModuleType", "def __new__(cls, n): return types.ModuleType.__new__(cls, 'm')"),
    "metaclass": two_classes("type", "def __new__(meta, n): return type.__new__(meta, 'X', (), {'__module__': 'made'})"),
}
# Assigns its class itself, in __init__.
BORN = """
class Born(A):
    {slots}
    def __init__(self, n):
        A.__init__(self, n)
        self.__class__ = A
"""


# Where x comes from: the parameters and the first line of a function, and how it is called.
ORIGINS = {
    "made": ("i", "x = A(i)", "function(i)"),
    "given": ("i, x", "", "function(i, A(i))"),
    "field": ("i, holder", "x = holder.x", "function(i, Holder(A(i)))"),
    "known": ("i", "x = IT", "function(i)"),
    "born": ("i", "x = Born(i)", "function(i)"),
}


def indent(text, by):
    return textwrap.indent(text.strip("\n"), " " * by)


def one_function(number, operation, way, origin):
    """An operation, the assignment, the operation again; whatever is raised is part of the result."""
    step = f"try:\n{indent(operation, 4)}\nexcept Exception as error:\n    r = type(error).__name__, str(error)"
    parameters, begin, _ = ORIGINS[origin]
    return f"""
def {origin}_{number}({parameters}):
    r = None
    {begin}
{indent(step, 4)}
    first = r
{indent(way, 4)}
{indent(step, 4)}
    return first, r
"""


DRIVER = """
def drive_{origin}(function, n):
    out = []
    for i in range(1, n):
        IT.__class__ = A
        IT.n = i
        out.append({call})
    return out
"""


HOLDER = """
class Holder:
    def __init__(self, x):
        self.x = x
IT = A(7)
"""


def pairs_of(way, everything):
    """Pairs of an origin and the number of an operation: all, or each operation with one origin in turn."""
    origins, first = list(ORIGINS), list(WAYS).index(way)
    numbers = range(len(OPERATIONS))
    if everything:
        return [(origin, number) for origin in origins for number in numbers]
    return [(origins[(first + number) % len(origins)], number) for number in numbers]


def source(family, way, pairs):
    """The module for one way."""
    operations = list(OPERATIONS.values())
    born = BORN.format(slots=EMPTY if family == "slots" else "")
    drivers = [DRIVER.format(origin=origin, call=call) for origin, (_, _, call) in ORIGINS.items()]
    functions = [one_function(number, operations[number], WAYS[way], origin) for origin, number in pairs]
    return "".join([IMPORTS, FAMILIES[family], born, DOERS, HOLDER, *drivers, *functions])


def calls(pairs, n=5):
    """The expressions to evaluate; the number says which operation."""
    return [f"drive_{origin}({origin}_{number}, {n})" for origin, number in pairs]
