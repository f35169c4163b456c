"""Makes runnable Python programs from a seed.

A program is a prelude, some classes and functions, and main(), which calls them again and again with
arguments of changing types and prints every result or exception, with the lines of its traceback.
What functions are made of is in expressions.py, statements.py and features.py. Values are cut back when
stored, loops are short and functions have levels (a function calls only those below its own), so every
program ends soon.
"""

from __future__ import annotations

import random
import warnings

from expressions import KINDS, Expressions
from features import Features
from parts import FILE, PRELUDE, needed
from statements import COMMON, Statements

LASTING = {"list": 0, "floats": 1, "str": 2, "tuple": 3, "dict": 4, "float": 5, "int": 6, "obj": 8}  # of the prelude's lasting objects
TURNS = 3  # main() calls each function with so many kinds of arguments
FIRST = {"int": "i", "float": "f", "bool": "b", "str": "s", "list": "l", "floats": "fl", "dict": "d", "tuple": "t", "obj": "o"}


class Scope:
    def __init__(self, variables=None):
        self.variables = dict(variables or {})

    def of(self, kind):
        return [n for n, k in self.variables.items() if k == kind]

    def copy(self):
        return Scope(self.variables)


class Function:
    def __init__(self, name, params, result, level, defaults=0, keyword=None):
        self.name, self.params, self.result, self.level = name, params, result, level
        self.defaults, self.keyword = defaults, keyword


class Program:
    """What was generated: text, the code of it, and the lines of it that each production wrote."""

    def __init__(self, text, code, marks=()):
        self.text, self.code, self.marks = text, code, marks

    @property
    def whole(self):
        """The text with what it needs of the prelude: a program of its own."""
        return "\n\n".join([*(PRELUDE[i].text for i in needed(self.code)), self.text])


class Generator(Expressions, Statements, Features):
    def __init__(self, seed, part="inside", only=None):
        self.rng = random.Random(seed)
        self.part, self.only = part, only
        self.lines = []
        self.marks = []  # (production, its first and its last line)
        self.production = None
        self.counter = 0
        self.functions = []
        self.classes = []
        self.level = 0
        self.loop_depth = 0
        self.in_function = None
        self.in_generator = False
        self.budget = 0
        self.protected = set()
        self.wrong = 0.01
        self.choose_features()

    # -- small tools

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, items):
        return self.rng.choice(items)

    def fresh(self, kind):
        self.counter += 1
        return f"{FIRST[kind]}{self.counter}"

    def emit(self, depth, text):
        self.lines += ("    " * depth + text).split("\n")

    def produce(self, name, scope, depth):
        """What the production of that name writes."""
        outer, self.production = self.production, name.removeprefix("do_")
        first = len(self.lines)
        getattr(self, name)(scope, depth)
        if self.production and len(self.lines) > first:
            self.marks.append((self.production, first + 1, len(self.lines)))
        self.production = outer

    def instead(self, scope, depth):
        """A production that does not fit in here leaves its place to an assignment."""
        self.production = None
        self.assign(scope, depth)

    # -- definitions

    def make_class(self, number):
        name = f"C{number}"
        base = self.pick(self.classes) if self.classes and self.chance(0.5) else None
        slots = base is None and self.chance(0.3)
        self.emit(0, f"class {name}({base or ''}):")
        if slots:
            self.emit(1, "__slots__ = ('n', 'f', 'items')")
        if self.chance(0.2):
            self.emit(1, "__match_args__ = ('n', 'f')")
        if self.chance(0.5):
            self.emit(1, f"weight = {self.rng.randint(1, 9)}")
        elif base is None:
            self.emit(1, "weight = 1")
        self.emit(1, "def __init__(self, n, f=0.5):")
        if base and self.chance(0.6):
            self.emit(2, "super().__init__(n, f)")
            self.emit(2, f"self.n += {self.rng.randint(0, 3)}")
        else:
            for line in self.rng.sample(["self.n = n", "self.f = f", "self.items = [n]"], 3):
                self.emit(2, line)
        self.emit(1, "def bump(self, k=1):")
        self.emit(2, self.pick(["self.n += k", "self.n = self.n + k * self.weight", "self.n ^= k"]))
        self.emit(2, "self.n %= 10**25")
        self.emit(2, "return self.n")
        self.emit(1, "def scaled(self):")
        ways = ["return self.n * self.weight", "return self.bump(2) - 1", "return len(self.items) + self.n"]
        if base:
            ways += ["return super().scaled() + 1", "return super().twice - self.n", "return super(__class__, self).scaled() * 2"]
        self.emit(2, self.pick(ways))
        self.emit(1, "@property")
        self.emit(1, "def twice(self):")
        self.emit(2, "return self.n * 2")
        self.emit(1, "@twice.setter")
        self.emit(1, "def twice(self, value):")
        self.emit(2, "self.n = value")
        self.emit(1, "half = property(lambda self: self.n // 2)")
        self.emit(1, self.pick(["@classmethod", "@staticmethod"]))
        self.emit(1, "def made(*args):")
        self.emit(2, "return len(args)")
        self.emit(1, "def __getitem__(self, i):")
        self.emit(2, "if i > 8:")  # iteration goes on until then
        self.emit(3, "raise IndexError('no more')")
        self.emit(2, self.pick(["return self.items[i % len(self.items)] if self.items else i", "return i * self.weight"]))
        self.emit(1, "def __call__(self, k, *rest, scale=2):")
        self.emit(2, "return k * scale + len(rest)")
        if self.chance(0.3):
            self.emit(1, "def __len__(self):")
            self.emit(2, "return len(self.items)")
        if self.chance(0.3):
            self.emit(1, "def __lt__(self, other):")
            self.emit(2, "return self.n < (other.n if hasattr(other, 'n') else other)")
        if base is None and not slots and self.chance(0.3):
            self.emit(1, "def __getattr__(self, name):")
            self.emit(2, "if name.startswith('__'):")
            self.emit(3, "raise AttributeError(name)")
            self.emit(2, "return len(name)")
        if self.chance(0.4):
            self.emit(1, "def __add__(self, other):")
            self.emit(2, f"return {name}(self.n + (other.n if isinstance(other, {name}) else 1), self.f)")
        if self.chance(0.3):
            self.emit(1, "def __eq__(self, other):")
            self.emit(2, f"return isinstance(other, {name}) and self.n == other.n")
            self.emit(1, "__hash__ = None")
        if self.chance(0.2):
            self.emit(1, "def __bool__(self):")
            self.emit(2, "return self.n % 2 == 0")
        self.emit(1, "def __repr__(self):")
        self.emit(2, f"return f'{name}({{self.n}}, {{self.f}}, {{self.items}})'")
        self.emit(0, "")
        self.emit(0, "")
        self.classes.append(name)

    def make_function(self, number):
        level = self.pick([1, 1, 2, 2, 3]) if number else 1
        params = [(self.fresh(k), k) for k in (self.pick(KINDS[:2] + KINDS) for _ in range(self.rng.randint(1, 3)))]
        result = self.pick(["int", "int", "float", "str", "list"])
        keyword = self.fresh("int") if self.chance(0.25) else None
        default = params[-1][1] in ("int", "float", "str") and self.chance(0.3)
        function = Function(f"f{number}", params, result, level, int(default), keyword)
        heads = [n for n, _ in params]
        if default:
            heads[-1] += f"={self.literal(params[-1][1], None)}"
        if keyword:
            heads += ["*", f"{keyword}={self.rng.randint(0, 9)}"]
        self.level, self.in_function = level, result
        self.budget = self.rng.randint(3, 8)
        self.loop_depth = 0 if level > 1 else self.rng.randint(0, 1)
        scope = Scope(params)
        if keyword:
            scope.variables[keyword] = "int"
        if self.chance(0.2):
            self.emit(0, self.pick(["@passed_on", "@watched"]))
        self.emit(0, f"def {function.name}({', '.join(heads)}):")
        if level == 1 and self.chance(0.12) and params[0][1] == "int":
            # Recursion that ends.
            first = params[0][0]
            self.emit(1, f"if not 0 < {first} < 12:")
            self.emit(2, f"return {self.literal(result, scope)}")
            others = "".join(f", {n}" for n, _ in params[1:])
            name = self.fresh(result)
            self.emit(1, f"{name} = {function.name}({first} - 1{others})")
            scope.variables[name] = result
            self.store(name, result, 1)
        kind = self.pick(["int", "float"])
        name = self.fresh(kind)
        self.emit(1, f"{name} = {self.literal(kind, scope)}")
        scope.variables[name] = kind
        for _ in range(self.rng.randint(2, 6)):
            self.statement(scope, 1)
        self.emit(1, f"return {self.expr(result, scope, 2)}")
        self.emit(0, "")
        self.emit(0, "")
        self.in_function = None
        self.functions.append(function)

    def argument(self, kind, turn):
        scope = Scope()
        self.wrong, before = (0.05 if turn > 1 else 0.0), self.wrong
        text = self.expr(kind, scope, 1) if kind != "obj" else self.literal(kind, scope)
        self.wrong = before
        if self.chance(0.15) and kind in LASTING:
            return f"lasting[{LASTING[kind]}]"
        if turn and kind == "int" and self.chance(0.25):
            return self.pick(["2.5", "True", "2**63", "-2**64", "10**25"])
        if turn and kind == "float" and self.chance(0.25):
            return self.pick(["3", "True", "float('nan')", "10**20"])
        return text

    def attempt(self, function, turn):
        """main() calls the function a few times with arguments of that turn."""
        args = [self.argument(k, turn) for _, k in function.params]
        keyword = [f"{function.keyword}={self.argument('int', turn)}"] if function.keyword and self.chance(0.5) else []
        self.emit(1, f"for turn in range({self.pick([1, 2, 2]) if turn < TURNS - 1 else 2}):")
        if self.chance(0.5):
            self.emit(2, f"attempt('{function.name}.{turn}', lambda: {function.name}({', '.join(args + keyword)}))")
            return
        # The function itself is the entry; its arguments are made first.
        self.emit(2, "try:")
        self.emit(3, f"args = [{', '.join(args)}]")
        self.emit(2, "except Exception as error:")
        self.emit(3, "tell('no arguments', type(error).__name__)")
        self.emit(3, "continue")
        self.emit(2, f"attempt('{function.name}.{turn}', {function.name}, *args)")

    def make_main(self):
        self.emit(0, "def main():")
        for turn in range(TURNS):
            for function in self.functions:
                self.attempt(function, turn)
        # Objects that outlive the calls: nobody may have taken a reference to them, or given one back.
        self.emit(1, "probe = [1, 2.5, 'p']")
        for function in self.functions:
            if [kind for _, kind in function.params] == ["list"]:
                self.emit(1, "for turn in range(3):")
                self.emit(2, f"attempt('{function.name}.probe', {function.name}, [1, 2, 3])")
                self.emit(2, f"attempt('{function.name}.same', {function.name}, probe)")
                self.emit(2, "del probe[3:]")
        # What only a cycle refers to is gone when the collector comes, and that depends on what is allocated.
        self.emit(1, "gc.collect()")
        self.emit(1, "tell('refs', references([probe, *lasting]))")
        self.emit(1, "show('total', total)")
        self.emit(1, "show('factor', factor)")
        self.emit(0, "")

    def make_end(self):
        """The program runs by itself, and ends in one way or another."""
        for _ in range(4):
            self.produce("do_alive_at_exit", Scope(), 0)
        self.emit(0, "if __name__ != 'elsewhere':")
        self.emit(1, "for turn in range(3):")
        self.emit(2, "main()")
        self.emit(1, self.pick(["pass", "pass", "sys.exit(3)", "sys.exit('the end')", "raise KeyError('end')", "last = Farewell('last')", "leave(3)", "del alive[0]", "del main"]))

    def module_code(self):
        """Module code has loops too, and functions change what it names."""
        change = self.pick(["spun = 3", "spun = 2**62", "spun = 0.25", "del spun; spun = 1.5", "globals()['fresh'] = spun", "spun = MyInt(4)", "spin = twist"])
        self.emit(0, "spun = 1")
        self.emit(0, "def spin(n):")
        self.emit(1, "global spun, fresh")
        self.emit(1, "for i in range(n):")
        self.emit(2, f"spun = spun {self.pick(['+', '-', '*'])} {self.pick(['i', '2', '0.5'])}")
        if self.chance(0.3):
            self.emit(2, "fresh = spun")
        self.emit(1, "return spun")
        self.emit(0, f"module_sum, module_f = 0, {self.pick(['0.5', '1', '2**61'])}")
        self.emit(0, f"for module_i in range({self.rng.randint(0, 40)}):")
        self.emit(1, f"module_sum += module_i {self.pick(['*', '-', '^'])} {self.rng.randint(1, 9)}")
        self.emit(1, f"module_f = module_f {self.pick(['*', '+', '-'])} {self.pick(['1.25', '3', 'module_i'])}")
        self.emit(1, "names.append(str(module_sum))")
        if self.chance(0.5):
            self.emit(1, "module_list = [module_f for q in range(2)]")
        self.emit(1, f"if module_i == {self.rng.randint(0, 30)}:")
        self.emit(2, change)
        self.emit(1, "names.append(str(spin(module_i % 5)))")
        self.emit(1, "if module_sum % 7 == 3:")
        self.emit(2, "last_module_i = module_i")
        self.emit(2, f"factor = {self.pick(['module_i', '2', '0.5'])}")
        self.emit(1, "del names[5:]")
        self.emit(0, "tell(module_sum, module_f, spun, names)")
        self.emit(0, "")
        self.emit(0, "")

    def program(self):
        if self.deaths_show:
            self.emit(0, "gc.disable()")  # collections come when they are called for: in every run at the same moment
        for number in range(self.pick([1, 1, 1, 2])):
            self.make_class(number)
        self.emit(0, f"lasting.append({self.pick(self.classes)}(3, 0.5))")
        if self.chance(0.4) and not self.only:
            self.module_code()
        for number in range(1 if self.only else self.pick([1, 2, 2])):
            self.make_function(number)
        self.make_main()
        if self.part == "exit":
            self.make_end()
        return "\n".join(self.lines) + "\n"


def generate(seed, part="inside", only=None):
    """The program of that seed: text that compiles. With *only* it is small, and of that production above all."""
    # A combination of statements Python rejects (nonlocal of a global, say) is tried again.
    for attempt in range(50):
        generator = Generator(f"{seed}/{attempt}", part, f"do_{only}" if only and hasattr(Generator, f"do_{only}") else only)
        text = generator.program()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                code = compile(text, FILE, "exec")
        except SyntaxError:
            continue
        return Program(text, code, generator.marks)
    raise AssertionError(f"seed {seed} gives no program")


def example(production, part="inside"):
    """A small program with that production."""
    for attempt in range(100):
        program = generate(f"{production} {attempt}", part, production)
        if any(name == production for name, *_ in program.marks):
            return program
    raise AssertionError(f"no program has the production {production}")


def productions():
    """The names of all, by the part that they are for."""
    parts = {part: [] for part in ("inside", *Generator.OUTSIDE)}
    for theme, names in Generator.THEMES.items():
        part = next((part for part, themes in Generator.OUTSIDE.items() if theme in themes), "inside")
        parts[part] += dict.fromkeys(names)
    parts["inside"] += sorted(set(COMMON))
    return {part: list(dict.fromkeys(names)) for part, names in parts.items()}


if __name__ == "__main__":
    import sys

    print(generate(*sys.argv[1:]).whole, end="")
