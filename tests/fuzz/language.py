"""Rare statements of the language itself: classes, numbers, containers, control, generators, calls, text."""

from __future__ import annotations

from statements import FAILING

EXACT_INTS = ["2**53", "2**53 + 1", "-2**53 - 1", "2**63 - 1", "2**63", "-2**63", "-2**63 - 1", "2**64", "2**31 - 1", "-2**31", "10**30", "2**30 + 1",
              "2**60 - 1", "-1", "0", "1", "True", "False", "3 * 2**61", "-2**62", "2**62 - 1"]
EXACT_FLOATS = ["2.0**53", "2.0**53 + 2", "2.0**63", "-2.0**63", "9.3e18", "1.8446744073709552e19", "float('inf')", "float('-inf')", "float('nan')", "-0.0",
                "0.0", "1e308", "5e-324", "0.1", "1e22", "-1e-300", "2.5", "0.5", "-0.5"]
OWN = {"int": ["MyInt({})", "Odd({})"], "float": ["MyFloat({})"], "str": ["MyStr({})"], "list": ["MyList({})"], "dict": ["MyDict({})"], "tuple": ["MyTuple({})"]}
SPECS = {"int": ["d", "x", "#b", ",", "+d", "08d", ">{w}", "c", "e", "_", "n", " "], "float": [".2f", "e", "g", "+.3", "%", ",.1f", "010.2f", "{w}", "n"],
         "str": [">8", "^{w}", ".2", "*<5", "s"], "bool": ["d", "", ">7"], "obj": ["", ">3", "x"]}


class Language:
    """Mixed into the Generator: see features.py."""

    # -- classes

    def alteration(self):
        return self.pick(["'weight', 7", "'weight', 2.5", "'weight', MISSING", "'bump', new_bump", "'bump', lambda self, k=1: k * 3", "'scaled', MISSING", "'twice', property(new_twice)",
                          "'twice', 3", "'__len__', new_length", "'__bool__', new_truth", "'__bool__', MISSING", "'__getattribute__', new_getattribute", "'__getattr__', new_getattr",
                          "'__setattr__', new_setattr", "'__delattr__', new_delattr", "'__init__', new_init", "'__add__', new_add", "'__eq__', new_eq", "'__getitem__', new_item",
                          "'__call__', new_call", "'__iter__', new_iter", "'__format__', new_format", "'n', Watched(6)", "'f', Watched(2.5)", "'lazy', Lazy()", "'f', 9.5", "'n', MISSING",
                          "'__getitem__', MISSING", "'half', staticmethod(abs)", "'made', classmethod(new_length)", "'__init__', MISSING", "'__bases__', (object,)", "'__new__', MISSING",
                          "'__class_getitem__', 5", "'__doc__', 'x'"])

    def do_alter_class(self, scope, depth):
        if not self.classes:
            return self.instead(scope, depth)
        cls, name = self.pick(self.classes), self.variable("obj", scope, depth)
        change = f"alter({cls}, {self.alteration()})"
        use = self.pick([f"note(shown({name}.n), shown({name}.f))", f"note({name}.weight)", f"note({name}.bump(2))", f"note({name}.scaled())", f"note(len({name}))",
                         f"note(bool({name}))", f"note(shown({name}.twice))", f"note([q for q, _ in zip({name}, range(4))])", f"{name}.n = {self.expr('int', scope, 1)}",
                         f"del {name}.f", f"note(shown({name} + {name}))", f"note({name} == {name}, {name} != 1)", f"note(f'{{{name}:>3}}')", f"note({name}.lazy, {name}.nothing)",
                         f"note(shown({cls}(1, 2.0).n))", f"note({name}(1))", f"note(shown({name}.half))", f"{name}.n += 1", f"note({name}.made())", f"note({name}[1])",
                         f"note(hasattr({name}, 'f'), getattr({name}, 'f', 0))", f"{name}.f = {name}.f * 2"])
        if self.chance(0.5):
            item = self.private()
            self.emit(depth, f"for {item} in range({self.rng.randint(2, 6)}):")
            if self.chance(0.6):
                self.emit(depth + 1, f"if {item} == {self.rng.randint(0, 4)}:")
                self.emit(depth + 2, change)
            else:
                self.emit(depth + 1, f"{change} if {item} % 2 else {name}")
            self.guarded(scope, depth + 1, use)
            if self.chance(0.4):
                self.block(scope, depth + 1, 2)
        else:
            self.emit(depth, change)
            self.guarded(scope, depth, use)
        return None

    def do_meta(self, scope, depth):
        cls = self.pick(self.classes) if self.classes else "Mortal"
        name = self.private("k")
        self.emit(depth, f"class {name}({cls}, metaclass=Meta):")
        self.emit(depth + 1, f"weight = {self.rng.randint(1, 5)}")
        item = self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 6)}):")
        self.guarded(scope, depth + 1, self.pick([f"note({name}.weighty)", f"note({name}.nothing)", f"note(shown({name}({item})))", f"note(isinstance({item}, {name}))",
                                                  f"{name}.weight = {item}", f"note({name}({item}).weight, {name}.made_so_far)", f"{name}.weighty = 3", f"alter(Meta, 'weighty', {item})",
                                                  f"note(issubclass({name}, {cls}), {name}.weight)"]))

    def do_local_class(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        name, base = self.private("k"), self.pick(["", *(f"({c})" for c in self.classes)])
        captured = self.variable("int", scope, depth)
        self.emit(depth, f"class {name}{base}:")
        for line in self.rng.sample([f"mine = {captured} + 1", f"def get(self, k=2): return {captured} + k", "made = [q for q in range(3)]", f"if {self.expr('bool', scope, 1)}: other = 1",
                                     f"for mine in range({self.rng.randint(1, 40)}): pass", "mine: int = 3", "__slots__ = ('a', 'b')", "del names" if self.chance(0.1) else "total = total",
                                     "def __eq__(self, o): return __class__ is type(o)", "def get(self, k=2): return super().__repr__()[:2]", "@staticmethod\n" + "    " * (depth + 1) + "def get(k=3): return k"],
                                    self.rng.randint(1, 4)):
            self.emit(depth + 1, line)
        self.guarded(scope, depth, self.pick([f"note(shown({name}.mine))", f"note({name}.__dict__.get('other'), {name}.__name__)", f"note(shown({name}().get()))",
                                              f"note(shown({name}(3).get(4)))", f"note({name}().made)", f"note({name}() == {name}(), {name}() != 4)"]))
        return None

    def do_descriptors(self, scope, depth):
        name = self.private("k")
        self.emit(depth, f"class {name}:")
        self.emit(depth + 1, f"a = Watched({self.literal('int', scope)})")
        self.emit(depth + 1, "b = Lazy()")
        self.emit(depth + 1, self.pick(["lazy = 3", "c = 3", "lazy = Watched(2)", "__slots__ = ('c', '__dict__')"]))
        thing, item = self.private("k"), self.private()
        self.emit(depth, f"{thing} = {name}()")
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 6)}):")
        for _ in range(2):
            self.guarded(scope, depth + 1, self.pick([f"note({thing}.a, {thing}.b)", f"{thing}.a = {item}", f"{thing}.b = {item}", f"note({thing}.lazy)", f"del {thing}.lazy", f"{thing}.c = {item} * 2.5",
                                                      f"note({thing}.c)", f"alter({name}, 'c', Watched(1))", f"{thing}.a += {item}", f"{thing} = {name}()", f"{thing}.__dict__.clear()",
                                                      f"{thing}.__dict__ = {{'lazy': 8, 'c': {item}}}", f"note(vars({thing}))", f"vars({thing})['c'] = {item}", f"{thing}.__dict__['a'] = 50"]))

    def do_mix_objects(self, scope, depth):
        if not self.classes:
            return self.instead(scope, depth)
        item, text = self.private(), self.private("s")
        things = [f"{c}(q, 0.5)" for c in self.classes] + ["Mortal()", "3", "Odd(2)", "None"]
        self.emit(depth, f"{text} = []")
        self.emit(depth, f"for {item} in [{', '.join(self.pick(things).replace('q', str(i)) for i in range(self.rng.randint(2, 7)))}]:")
        self.guarded(scope, depth + 1, self.pick([f"{text}.append({item}.n)", f"{text}.append({item}.bump())", f"{text}.append({item}.weight)", f"{text}.append(bool({item}))", f"{text}.append(len({item}))",
                                                  f"{text}.append({item}(3))", f"{item}.n = 2", f"{text}.append({item}[0])", f"{text}.append({item} < 3)"]))
        self.emit(depth, f"log.append(str({text})[:60])")
        return None

    def do_operate(self, scope, depth):
        if not self.classes:
            return self.instead(scope, depth)
        item, box, cls = self.private(), self.private("k"), self.pick(self.classes)
        self.emit(depth, f"class {box}({cls}):")
        for line in self.rng.sample(["def __sub__(self, o): return self.n - o.n", "def __mul__(self, o): return type(self)(self.n * 3, 0.5) if o != 2 else NotImplemented",
                                     "def __setitem__(self, i, v): self.f = v; return i", "def __getitem__(self, i): return self.n if i else self.f", "def __iadd__(self, o): self.n += 1; return self",
                                     "def __radd__(self, o): return 'r', o", "def __or__(self, o): return look(1, 1)", "def __xor__(self, o): return (self.n << 60) + o", "mine = property(lambda self: self.n, lambda self, v: note('set', v))",
                                     "mine = staticmethod(len)", "mine = classmethod(lambda cls, x=1: cls.__name__[:1])", "def bump(self, k=1, *more): return super().bump(k, *more)", "def __add__(self, o): return NotImplemented"], 6):
            self.emit(depth + 1, line)
        one, two = self.private("k"), self.private("k")
        self.emit(depth, f"{one}, {two} = {box}(3, 1.5), {self.pick([f'{box}(2, 0.5)', f'{box}(2**62)', f'{cls}(5)', '4', '2.5'])}")
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 12)}):")
        for _ in range(3):
            operands = self.pick([f"{one} {{}} {two}", f"{one} {{}} {item}", f"{two} {{}} {one}", f"{one} {{}} {one}"])
            self.guarded(scope, depth + 1, self.pick([f"note(shown({operands.format(self.pick(['+', '-', '*', '|', '^', '+', '-']))}))", f"{one} += {self.pick([one, two, item])}", f"{one}[{item}] = {self.expr('float', scope, 0)}",
                                                      f"note(shown({one}[{item} % 3]))", f"{one}.mine = {item}", f"note(shown({one}.mine))", f"note({one}.mine())", f"note({box}.mine('ab'))", f"note({one}.bump({item}))"]))
        return None

    # -- numbers

    def number(self, scope):
        """A number of any kind, at the edge by preference."""
        if self.chance(0.35):
            return self.paren(self.pick(["int", "int", "float", "bool"]), scope, 0)
        return f"({self.pick(EXACT_INTS if self.chance(0.6) else EXACT_FLOATS)})"

    def numbers_in_variables(self, scope, depth):
        names = self.private("n"), self.private("n")
        for name in names:
            self.emit(depth, f"{name} = {self.number(scope)}")
        return names

    def do_number_edges(self, scope, depth):
        a, b = self.numbers_in_variables(scope, depth)
        item = self.private()
        loop = self.chance(0.5)
        if loop:
            self.emit(depth, f"for {item} in range({self.rng.randint(1, 8)}):")
        at = depth + loop
        operation = self.pick(["{a} + {b}", "{a} - {b}", "{a} * {b}", "{a} / {b}", "{a} // {b}", "{a} % {b}", "divmod({a}, {b})", "-{a}", "abs({a})", "{a} & 7 | {b}", "{a} ^ {b}", "~{a}",
                               "round({a}, {b} if -4 < {b} < 4 else 1)", "int({a})", "float({a})", "{a} + {b} - {a}", "{a} * {b} // {b}", "hash({a}) - hash({b}) if isinstance({a}, (int, float)) and isinstance({b}, (int, float)) and {a} == {a} and {b} == {b} else 0", "math.floor({a})",
                               "math.copysign({a}, {b})", "math.fmod({a}, {b})", "{a}.is_integer()", "{a}.bit_length()", "min({a}, {b})", "max({a}, {b}, 0)", "sum([{a}, {b}, 1])",
                               "{a} * {b} + {a}", "{a} - {b} * 2", "{a} * 0.5", "{a} % 2 + {b} % 3.0", "({a} + {b}) % 1000", "math.trunc({a})", "math.sqrt({a})", "math.atan2({a}, {b})",
                               "complex({a}, 1) * {b}", "str({a}) + str({b})", "range({a}, {b})[-1]", "pow({a}, 2, 7)", "{a}.real + {b}.imag"]).format(a=a, b=b)
        self.guarded(scope, at, f"note(shown({operation}))")
        if loop:
            name = self.pick((a, b))
            self.guarded(scope, at, self.pick([f"{name} {op}= {v}" for op, v in (("+", "1"), ("-", item), ("*", "2"), ("//", "2"), ("+", "0.5"), ("*", "-1"), ("-", "2**62"), ("/", "3"), ("%", "7"),
                                                                                ("+", "True"), ("*", "1.5"), ("-", self.number(scope)), ("+", self.number(scope)))]))
            self.emit(at, f"if isinstance({name}, int) and abs({name}) > 10**60:")
            self.emit(at + 1, f"{name} = 1")

    def do_compare_edges(self, scope, depth):
        a, b = self.numbers_in_variables(scope, depth)
        c = self.number(scope)
        compare = self.pick(["{a} < {b}", "{a} <= {b} < {c}", "{a} == {b}", "{a} != {b} != {c}", "{a} >= {b}", "{a} in [{b}, {c}]", "{a} in ({b}, {a})", "{b} is {a}", "{a} == {a}", "{a} < {b} or {b} < {a}",
                             "not {a} > {b}", "{a} == {b} == {c}", "{a} in {{{b}: 1, {c}: 2}}", "bool({a}) is ({a} != 0)", "[{a}, {b}] == [{b}, {a}]", "({a}, {c}) < ({b}, {c})", "{a} < {b} > {c}",
                             "{a} is not {b}", "[{a}].index({a})", "[{a}, {b}].count({b})", "sorted([{b}, {a}, {c}])"])
        item = self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 6)}):")
        self.emit(depth + 1, f"if {compare.format(a=a, b=b, c=c)}:")
        self.emit(depth + 2, self.pick(["log.append('yes')", f"{a} = -{a}", f"{a}, {b} = {b}, {a}", "break"]))
        self.emit(depth + 1, "else:")
        self.emit(depth + 2, self.pick(["log.append('no')", f"{b} = {b} + 1", f"{a} = {b}", "pass"]))
        self.emit(depth, f"note(shown({a}), shown({b}), {compare.format(a=a, b=b, c=c)})")

    def do_own_operators(self, scope, depth):
        kind = self.pick(["int", "float", "str", "list", "dict", "tuple"])
        name = self.private("o")
        self.emit(depth, f"{name} = {self.pick(OWN[kind]).format(self.expr(kind, scope, 1))}")
        other = self.expr(kind, scope, 1)
        item = self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 6)}):")
        uses = {
            "int": ["{n} + {o}", "{o} + {n}", "{n} < {o}", "{o} < {n}", "{o} * {n}", "{n} == {o}", "bool({n})", "-{n}", "{n} % 5", "[5, 6, 7][{n} % 3]", "range({n} % 9)", "{n} if {n} else {o}", "{n} in [{o}]",
                    "{n} << 2", "{n} - {o}", "not {n}", "divmod({n}, 3)", "[1, 2, 3][{n}]", "min({n}, {o})", "sum([{n}, {o}])", "{n} and {o}", "float({n})", "'x' * {n}"],
            "float": ["{n} + {o}", "{o} + {n}", "{n} * {o}", "{n} > {o}", "{o} < {n}", "abs({n})", "float({n})", "math.sin({n})", "{n} - 1", "max({n}, {o})", "-{n}", "{n} // 1", "{n} == {o}", "int({n})"],
            "str": ["{n} + {o}", "{o} + {n}", "{n} == {o}", "{n}[0]", "f'{{{n}}}-{{{n}:4}}'", "''.join([{n}, {o}])", "{n} in {o}", "[q for q in {n}]", "len({n})", "{{{n}: 1}}.get({o})", "{n} < {o}", "{n} * 2"],
            "list": ["{n}[0]", "len({n})", "{n}.append(9)", "3 in {n}", "[q for q in {n}]", "{n} + {o}", "{n}[-1]", "list({n})", "sum({n})", "bool({n})", "{n} == {o}", "sorted({n})", "{n}[1:]", "[*{n}]"],
            "dict": ["{n}['zz']", "'q' in {n}", "{n}.get('a')", "dict({n})", "{{**{n}}}", "len({n})", "[q for q in {n}]", "{n} == {o}", "{n}['new'] + 1"],
            "tuple": ["{n}[0]", "{n}[1]", "[q for q in {n}]", "{n} + {o}", "len({n})", "{n} == {o}", "tuple({n})", "[*{n}]", "spread(*{n})"],
        }[kind]
        self.guarded(scope, depth + 1, f"note(shown({self.pick(uses).format(n=name, o=other)}))")
        if kind == "int" and self.chance(0.5):
            self.guarded(scope, depth + 1, self.pick([f"{name} += {item}", f"{name} = {name} + 1", f"{name} -= 1", f"{name} = {name} * 2"]))

    def do_shift_and_power(self, scope, depth):
        a, b = self.numbers_in_variables(scope, depth)
        item = self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 9)}):")
        self.guarded(scope, depth + 1, "note(shown(" + self.pick([
            f"{a} << {item}", f"{a} >> {item}", f"{a} << ({item} * 17)", f"{a} >> ({item} * 17)", f"1 << {item} + 58", f"-1 << {item} + 60", f"{a} << {item} - 2", f"{a} ** {item}", f"{a} ** -{item}",
            f"{a} ** 0.5", f"{b} ** ({a} % 4)", f"2 ** ({item} * 9)", f"(-{a}) ** {item}", f"{a} ** 2", f"{a} >> 63", f"{a} >> 64", f"0 << ({item} * 10**19)", f"pow({a}, {item})", f"({a} >> {item}) & 255",
            f"{a} ** {item} // {b}", f"(-8) ** ({item} / 3)", f"{a} >> ({b} if 0 <= {b} < 99 else 1)", f"0.0 ** (1 - {item})"]) + "))")

    # -- containers

    def do_alias(self, scope, depth):
        kind = self.pick(["list", "list", "str", "tuple", "dict", "floats"])
        one, two = self.private("a"), self.private("a")
        self.emit(depth, f"{one} = {two} = {self.expr(kind, scope, 1)}")
        change = {"list": ["{a} += [4]", "{a} += (5,)", "{a} *= 2", "{a} = {a} + [1]", "{a}[:] = [7]", "{a}[0:1] = {b}", "{a} += {b}", "{a}.extend({a})", "{a} += 'xy'", "{a} += 3", "{a}[{a}[0]] = 0", "{a}[-1] += 2**62",
                           "{a}.insert(0, {b})", "{a}[0], {a}[-1] = {a}[-1], {a}[0]", "{a} += (q for q in range(2))", "{a}[0] += 0.5", "{a}.append(2**70)", "{a}[0] = {a}[0] + 1"],
                  "str": ["{a} += 'x'", "{a} = {a} + {b}", "{a} *= 2", "{a} += {a}", "{a} += 3", "{a} = 'z' + {a}"],
                  "tuple": ["{a} += (1,)", "{a} = {a} + {b}", "{a} *= 2", "{a} += [1]", "{a}[0] += 1", "({a},)[0] += 1"],
                  "dict": ["{a} |= {{'z': 9}}", "{a}['k'] = 1", "{a} = {a} | {b}", "{a}.setdefault('s', []).append(1)", "{a}['n'] += 1", "{a}.update({b}, q=3)", "{a} |= [('t', 5)]", "del {a}['k']"],
                  "floats": ["{a}[0] += 0.5", "{a}[0] = {b}[-1]", "{a}[-1] *= 2", "{a} += [{b}[0]]", "{a}[0] += 1", "{a}[0] -= {b}[0]", "{a}.append({a}[0])"]}[kind]
        item = self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 5)}):")
        self.guarded(scope, depth + 1, self.pick(change).format(a=one, b=two))
        if self.chance(0.4):
            self.guarded(scope, depth + 1, self.pick(change).format(a=two, b=one))
        self.emit(depth, f"note({one} is {two}, str({one})[:40], str({two})[:40])")

    def do_mutate_iterated(self, scope, depth):
        items, item, count = self.private("a"), self.private(), self.private("c")
        kind = self.pick(["list", "list", "dict", "set", "str", "bytearray", "tuple", "reversed", "enumerate", "zip"])
        start = {"dict": "{1: 2, 3: 4, 5: 6}", "set": "{1, 2, 3}", "str": "'abcd'", "bytearray": "bytearray(b'abcd')", "tuple": "(1, 2.5, 'x', None)"}.get(kind, f"[{self.expr('int', scope, 1)}, 2, 3, 4]")
        source = {"dict": self.pick([items, f"{items}.items()", f"{items}.values()"]), "reversed": f"reversed({items})", "enumerate": f"enumerate({items})", "zip": f"zip({items}, {items})"}.get(kind, items)
        changes = {"dict": ["{a}[{c}] = 1", "{a}.pop(3, None)", "{a}[1] = {c}", "{a}.clear()", "{a} = {{}}"], "set": ["{a}.add({c})", "{a}.discard(2)", "{a} |= {{9}}"],
                   "str": ["{a} += 'x'", "{a} = ''"], "bytearray": ["{a}.append(65)", "del {a}[0]", "{a}.clear()", "{a}[0] = 66"], "tuple": ["{a} = ()", "{a} += (1,)"]}.get(
                       kind, ["{a}.append({c})", "{a}.pop()", "{a}.pop(0)", "{a}.insert(0, 9)", "{a}[:] = [1]", "{a} = []", "{a}.clear()", "del {a}[0]", "{a}[-1] = 2.5", "{a}.sort(reverse=True)", "{a} *= 2"])
        self.emit(depth, f"{items} = {start}")
        self.emit(depth, f"{count} = 0")
        error = self.private("e")
        self.emit(depth, "try:")
        self.emit(depth + 1, f"for {item} in {source}:")
        self.emit(depth + 2, f"{count} += 1")
        self.emit(depth + 2, f"if {count} > 9:")
        self.emit(depth + 3, "break")
        self.emit(depth + 2, f"if {count} {self.pick(['> 1', '% 2', '== 3', '!= 2'])}:")
        self.emit(depth + 3, self.pick(changes).format(a=items, c=count))
        if self.chance(0.5):
            self.emit(depth + 2, f"log.append(shown({item}))")
        self.emit(depth, f"except (RuntimeError, IndexError, TypeError) as {error}:")
        self.emit(depth + 1, f"note({error})")
        self.emit(depth, f"note({count}, str({items})[:50])")

    def do_unpack_wrong(self, scope, depth):
        a, b = self.private("u"), self.private("u")
        sources = [self.expr("list", scope, 1), self.expr("str", scope, 1), self.expr("tuple", scope, 1), "range(3)", "{1: 2, 3: 4}", "count_up(0, 3)", "5", "None", "map(twist, [1, 2])", "[[1], 2]",
                   "zip('ab', 'cd')", "MyTuple((1, 2))", "iter([1])"]
        targets = [f"{a}, {b}", f"{a}, *{b}", f"*{a}, {b}", f"{a}, {b}, _", f"({a}, {b}), _", f"[{a}]", f"{a}, *{b}, _", f"{a}, {a}", f"{a}, names[0]"]
        if self.chance(0.4):
            item = self.private()
            self.emit(depth, f"for {item} in ({self.pick(sources)}, {self.pick(sources)}, (1, 2)):")
            self.guarded(scope, depth + 1, f"{self.pick(targets)} = {item}")
        else:
            self.guarded(scope, depth, f"{self.pick(targets)} = {self.pick(sources)}")
        self.guarded(scope, depth, f"note(shown({a}), shown({b}))", "NameError")

    def do_keyed(self, scope, depth):
        table = self.private("t")
        keys = ["1", "1.0", "True", "'a'", "(1, 2)", "None", "2**63", "float(2**63)", "float('nan')", "-1", "-2", "MyInt(1)", "Odd(1)", "[1]"]
        self.emit(depth, f"{table} = {{{', '.join(f'{self.pick(keys[:9])}: {i}' for i in range(self.rng.randint(0, 4)))}}}")
        item = self.private()
        self.emit(depth, f"for {item} in [{', '.join(self.pick(keys) for _ in range(self.rng.randint(2, 5)))}]:")
        self.guarded(scope, depth + 1, self.pick([f"note({table}[{item}])", f"{table}[{item}] = 5", f"{table}[{item}] += 1", f"note({item} in {table})", f"del {table}[{item}]", f"note({table}.pop({item}, 'no'))",
                                                  f"note({table}.setdefault({item}, 3))", f"note({{{item}, 1}} == {{1}})"]))
        self.emit(depth, f"note(str({table})[:60])")

    def do_slices(self, scope, depth):
        name = self.variable(self.pick(["list", "str", "tuple"]), scope, depth)
        bounds = [self.pick(["", "0", "-1", "2", "99", "-99", "None", "True", "2**70", self.expr("int", scope, 0), "1.5", "Odd(1)"]) for _ in range(3)]
        self.guarded(scope, depth, self.pick([f"note(str({name}[{bounds[0]}:{bounds[1]}])[:40])", f"note(str({name}[{bounds[0]}:{bounds[1]}:{bounds[2]}])[:40])",
                                              f"note(shown({name}[{bounds[0] or 0}]))", f"{name}[{bounds[0]}:{bounds[1]}] = (1, 2)", f"del {name}[{bounds[0] or 0}]"]))

    # -- control

    def do_finally_overrides(self, scope, depth):
        name, result = self.private("h"), self.fresh("int")
        inner = scope.copy()
        self.emit(depth, f"def {name}(k):")
        at = depth + 1
        loop = self.chance(0.6)
        if loop:
            self.emit(at, "for i in range(k):")
        at += loop
        self.emit(at, "try:")
        self.emit(at + 1, self.pick([f"return {self.expr('int', inner, 1)}", "return 1 // (k - 2)", "raise ValueError(k)", "fail(k)", "log.append(k)", f"if k == {self.rng.randint(0, 4)}: return k"]))
        if self.chance(0.5):
            self.emit(at, f"except {self.pick(['ValueError', 'ZeroDivisionError', 'Exception'])}:")
            self.emit(at + 1, self.pick(["raise", "return -1", "log.append('handled')", "raise KeyError(k)"]))
        self.emit(at, "finally:")
        self.emit(at + 1, self.pick(["return 5", "log.append(('finally', k))", "k -= 1", "return k", "raise TypeError('last')", *(["break", "continue"] if loop else [])]))
        if loop and self.chance(0.4):
            self.emit(depth + 1, "else:")
            self.emit(depth + 2, "log.append('else')")
        self.emit(depth + 1, "return k * 10")
        self.emit(depth, f"{result} = 0")
        self.guarded(scope, depth, f"{result} = {name}({self.rng.randint(0, 4)})")
        if self.chance(0.5):
            item = self.private()
            self.emit(depth, f"for {item} in range(4):")
            self.guarded(scope, depth + 1, f"{result} = {name}({item})")
        scope.variables[result] = "int"

    def do_except_star(self, scope, depth):
        kinds = self.rng.sample(["ValueError", "TypeError", "KeyError", "OSError", "ZeroDivisionError"], 3)
        error = self.private("e")
        item = self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 4)}):")
        at = depth + 1
        self.emit(at, "try:")
        self.emit(at + 1, "try:")
        self.emit(at + 2, self.pick([f"raise group({', '.join(kinds)})", f"raise group({kinds[0]}, {kinds[0]})", f"raise {kinds[1]}({item})", f"raise ExceptionGroup('o', [group({kinds[0]}, {kinds[1]}), {kinds[2]}()])",
                                     f"if {item}: raise group({kinds[2]})", f"1 // {item}"]))
        self.emit(at + 1, f"except* {kinds[0]} as {error}:")
        self.emit(at + 2, self.pick([f"log.append(described({error}))", f"raise {kinds[2]}('new')", "raise", f"log.append(len({error}.exceptions))"]))
        self.block(scope, at + 2, 1)
        if self.chance(0.6):
            self.emit(at + 1, f"except* ({kinds[1]}, {kinds[2]}):")
            self.emit(at + 2, self.pick(["log.append('second')", "raise", f"raise ValueError({item})"]))
        if self.chance(0.3):
            self.emit(at + 1, "else:")
            self.emit(at + 2, "log.append('else')")
        if self.chance(0.3):
            self.emit(at + 1, "finally:")
            self.emit(at + 2, "log.append('finally')")
        self.emit(at, f"except Exception as {error}:")
        self.emit(at + 1, f"log.append(described({error}))")

    def do_notes(self, scope, depth):
        error, outer, item = self.private("e"), self.private("e"), self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 4)}):")
        at = depth + 1
        self.emit(at, "try:")
        self.emit(at + 1, "try:")
        self.block(scope, at + 2, 1)
        self.emit(at + 2, self.pick(FAILING[:14]))
        self.emit(at + 1, f"except Exception as {error}:")
        self.emit(at + 2, self.pick([f"{error}.add_note('n{item}')", f"{error}.__cause__ = KeyError({item})", f"{error}.__context__ = None", f"{error}.__suppress_context__ = True"]))
        self.emit(at + 2, self.pick([f"raise {error}", "raise", f"raise RuntimeError from {error}", f"raise type({error})('again')", "raise ValueError from None", "{}[0]", f"del {error}", f"raise {error} from KeyError(1)",
                                     f"raise {error}.with_traceback(None)", "raise 5", "raise ValueError from 5"]))
        self.emit(at, f"except Exception as {outer}:")
        self.emit(at + 1, f"log.append(described({outer}))")

    def do_managers(self, scope, depth):
        name = self.private("m")
        log = self.private("l")
        self.emit(depth, f"{log} = []")
        parts = self.rng.sample([f"Manager({log}, True) as {name}", f"Manager({log})", f"managed({log}) as {name}", "suppress(ValueError, KeyError)", "Observer()", "BadExit()", "5", f"Mortal() as {name}"],
                                self.rng.randint(1, 2))
        error = self.private("e")
        loop = self.chance(0.5)
        if loop:
            self.emit(depth, f"for {self.private()} in range({self.rng.randint(1, 5)}):")
        at = depth + loop
        self.emit(at, "try:")
        self.emit(at + 1, f"with {', '.join(parts)}:")
        self.block(scope, at + 2, 2)
        self.emit(at + 2, self.pick([f"raise ValueError({self.expr('int', scope, 0)})", "fail('x')", "raise KeyError('k')", "pass", *(["break", "continue"] if loop else []), "1 // 0", f"{log}.append(4)"]))
        self.emit(at, f"except (RuntimeError, ValueError, LookupError, ArithmeticError, TypeError, AttributeError) as {error}:")
        self.emit(at + 1, f"log.append(described({error}))")
        self.emit(depth, f"note(*{log})")

    def do_wide_match(self, scope, depth):
        subjects = [self.expr(self.pick(["int", "list", "str", "dict", "tuple", "float", "obj"]), scope, 1) for _ in range(3)]
        item, w = self.private(), self.private("w")
        self.emit(depth, f"for {item} in ({', '.join(subjects)}, None):")
        self.emit(depth + 1, f"match {item}:")
        patterns = ["int(0 | 1)", f"int() | float() as {w}", f"[{w}]", f"[{w}, *_]", f"[1, *{w}, 2]", f"{{'a': {w}, **rest}}", "{}", f"str() as {w} if len({w}) > 2", f"({w}, str())", "None", "True", "'a' | 'abc'",
                    f"[int() as {w}, *_] if {w} > 1", "[]", f"[[{w}], *_]", "-1", "1.5", "bool()", f"float({w})"]
        patterns += [f"{c}(n={w})" for c in self.classes] + [f"{c}(n=int(), f={w})" for c in self.classes] + [f"{c}({w}, _)" for c in self.classes[:1]] + [f"{c}()" for c in self.classes]
        for pattern in self.rng.sample(patterns, 4):
            self.emit(depth + 2, f"case {pattern}:")
            self.emit(depth + 3, f"log.append(shown({w}))" if w in pattern.split("if")[0] else f"log.append({pattern[:12]!r})")
        self.emit(depth + 2, f"case {w}:")
        self.emit(depth + 3, f"log.append(shown({w}))")

    def do_walrus(self, scope, depth):
        name, item = self.fresh("int"), self.private()
        inner = scope.copy()
        inner.variables[name] = "int"
        way = self.rng.randint(0, 3)
        if way == 0:
            self.emit(depth, f"if ({name} := {self.expr('int', scope, 1)}) > {self.expr('int', scope, 1)}:")
            self.block(inner, depth + 1, 2)
        elif way == 1:
            self.emit(depth, f"{name} = {self.rng.randint(1, 9)}")
            self.emit(depth, f"while ({name} := {name} - {self.rng.randint(1, 3)}) > 0:")
            self.protected.add(name)
            self.loop_body(inner, depth)
            self.protected.discard(name)
        elif way == 2:
            self.emit(depth, f"{name} = 0")
            self.emit(depth, f"log.append(str([{name} := {name} + {item} for {item} in {self.expr('list', scope, 1)}])[:50])")
        else:
            self.emit(depth, f"{name} = 1")
            self.emit(depth, f"log.append([({item}, {name}) for {item} in range(3) if ({name} := {name} * 2 + {item}) % 3])")
        scope.variables[name] = "int"
        self.store(name, "int", depth)

    def do_loop_else(self, scope, depth):
        item = self.fresh("int")
        inner = scope.copy()
        inner.variables[item] = "int"
        self.emit(depth, self.pick([f"for {item} in range({self.rng.randint(0, 5)}):", f"for {item} in {self.expr('list', scope, 1)}:"]))
        self.loop_depth += 1
        self.block(inner, depth + 1, 2)
        self.emit(depth + 1, f"if {self.expr('bool', inner, 1)}:")
        self.emit(depth + 2, self.pick(["break", "continue"]))
        self.loop_depth -= 1
        self.emit(depth, "else:")
        self.emit(depth + 1, "log.append('else')")
        self.guarded(scope, depth, f"log.append({item})", "NameError")

    # -- generators

    def do_close_in_loop(self, scope, depth):
        gen, item = self.private("g"), self.private()
        self.emit(depth, f"{gen} = {self.pick(['count_up(0, 8)', 'chained(4)', 'stubborn(7)', '(q * q for q in range(6))', 'pairs([1, 2, 3])'])}")
        error = self.private("e")
        self.emit(depth, "try:")
        self.emit(depth + 1, f"for {item} in {gen}:")
        self.emit(depth + 2, f"log.append(shown({item}))")
        self.emit(depth + 2, f"if {self.pick([f'{item} == 2', f'{item} != 0', self.expr('bool', scope, 1)])}:")
        self.emit(depth + 3, self.pick([f"{gen}.close()", f"log.append({gen}.throw(ValueError('in loop')))", f"log.append({gen}.throw(KeyError))", f"log.append({gen}.send(3))", "break", f"log.append(next({gen}, 'end'))",
                                        f"del {gen}", f"log.append(generator_text({gen}))", f"kept.append({gen}.gi_frame) if {gen}.gi_frame else 0", f"{gen}.gi_frame.f_locals['n'] = 3"]))
        if self.chance(0.4):
            self.block(scope, depth + 2, 1)
        self.emit(depth, f"except (ValueError, LookupError, StopIteration, NameError, AttributeError, RuntimeError) as {error}:")
        self.emit(depth + 1, f"log.append(described({error}))")

    def do_yield_from(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        name = self.private("y")
        captured = self.variable("int", scope, depth)
        self.emit(depth, f"def {name}(k):")
        self.emit(depth + 1, f"{self.pick(['', 'got = '])}yield from {self.pick(['stubborn(k)', 'range(k)', 'count_up(0, k)', '[1, k]', 'pairs((k, 2))', f'({captured} + q for q in range(k))'])}")
        self.emit(depth + 1, self.pick([f"yield {captured}", "return k", "yield look()", "raise ValueError(k)", "keep()"]))
        self.guarded(scope, depth, self.pick([f"log.append(shown(list({name}(3))))", f"log.append(drive({name}(4)))", f"log.append(hold({name}(5), 2))", f"log.append(sum(1 for _ in {name}(2)))", f"next({name}(3))",
                                              f"log.append([*{name}(2), *{name}(1)])", f"a, b = {name}(1)"]))
        return None

    def do_expression_of_generators(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        values, captured = self.expr("list", scope, 1), self.variable("int", scope, depth)
        a, b = self.private(), self.private()
        self.guarded(scope, depth, "log.append(str(" + self.pick([
            f"[{a} + {b} for {a} in {values} for {b} in range({a} % 3)]", f"[(lambda: {a} + {captured})() for {a} in {values}]", f"[f() for f in [lambda: {a} for {a} in range(3)]]",
            f"{{{a} % 5: [{b} for {b} in range(2)] for {a} in {values}}}", f"any({a} > {captured} for {a} in {values})", f"all(twist({a}) for {a} in {values})", f"dict(({a}, {captured}) for {a} in range(3))",
            f"sorted({values}, key=lambda {a}: -{a})", f"list(map(lambda {a}, {b}: {a} * {b} + {captured} % 7, range(4), {values}))", f"max({values}, key=lambda {a}: {a} % 7)", f"list(filter(lambda {a}: {a} % 2, {values}))",
            f"sum(({a} for {a} in {values} if {a} != {captured}), 1)", f"[{captured} for {captured} in range(3)], {captured}", f"[look(1, 1) for {a} in range(2)]", f"[sys._getframe().f_lineno for {a} in range(2)]",
            f"min({a} * 1.5 for {a} in (*{values}, 2))", f"list(zip(*[{values}, {values}]))", f"[[{a} for {a} in range({b})] for {b} in range(3)]", f"next({a} for {a} in {values} if {a} > 2)"]) + ")[:60])")
        return None

    def do_coroutine(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        name, captured = self.private("z"), self.variable("int", scope, depth)
        inner = scope.copy()
        inner.variables["k"] = "int"
        self.emit(depth, f"async def {name}(k):")
        at = depth + 1
        for line in self.rng.sample(["k += await Await(1, 2)", "async for i in async_count(3):\n{0}    k += i", "async for i in AsyncCounter(2):\n{0}    log.append(i)", "async with AsyncManager(True) as w:\n{0}    fail('c')",
                                     "async with AsyncManager() as w:\n{0}    k += w", "k += sum([i async for i in async_count(2)])", "try:\n{0}    await Await(fail)\n{0}finally:\n{0}    log.append('f')", "await 5",
                                     "for i in range(3):\n{0}    k += len([await Await(i)])", "keep()", "log.append(look())", f"k += {captured}", "if k > 90: return k", "{0}k = 2".strip()], self.rng.randint(1, 4)):
            self.emit(at, line.format("    " * at))
        self.emit(at, f"return {self.expr('int', inner, 1)}")
        self.guarded(scope, depth, self.pick([f"log.append(str(drive_coroutine({name}(3)))[:60])", f"drive_coroutine({name}(1), 2)", f"{name}(3).close()", f"log.append(str(drive_coroutine({name}({self.rng.randint(0, 100)})))[:60])"]))
        return None

    # -- calls

    def do_odd_call(self, scope, depth):
        i = lambda: self.expr("int", scope, 1)  # noqa: E731
        calls = [f"many({i()}, d=1)", f"many({i()}, 2, 3, {i()}, d=4, e=5)", "many(1)", "many(a=1, d=2)", "many(1, a=2, d=3)", f"many(1, b={i()}, d=0)", "many(1, 2, b=3, d=1)", f"many(*{self.expr('list', scope, 1)}, d=7)",
                 "many(1, **{'d': 1, 'x': 2})", "many(1, d=1, **{'d': 2})", f"only_keywords(right={i()})", "only_keywords(left=3, right=2.5)", "only_keywords(2)", "only_keywords(left=1)", f"defaulted({i()})", "defaulted(1, [], c=2)",
                 "defaulted(b=[3], a=4)", "defaulted()", f"defaulted({i()}, c=0.5)", "defaulted(*(1,), **{})", f"(lambda *a, **k: (a, sorted(k)))(1, *{self.expr('tuple', scope, 0)}, k=2)", "twist()", "twist(1, 2)", "twist(y=1)",
                 f"twist(x={i()})", f"twist(*[{i()}])", "twist(**{'x': 5})", "only_keywords(**{'right': 1, 1: 2})", "spread(*5)", "spread(**5)", "Mortal(1)", "Mortal().x(3)", "(lambda: 0)(1)", f"int.__add__({i()}, 2)", "str.upper(5)",
                 "max()", "list.append([])", "many.__call__(1, d=2)", "twist.__get__(4)()", "getattr(spread, '__call__')(1, 2)"]
        item = self.private()
        if self.chance(0.5):
            self.emit(depth, f"for {item} in range({self.rng.randint(1, 5)}):")
            self.guarded(scope, depth + 1, f"note({self.pick(calls)})")
        else:
            self.guarded(scope, depth, f"note({self.pick(calls)})")

    def do_alter_callee(self, scope, depth):
        item = self.private()
        change = self.pick(["alter_function(defaulted, '__defaults__', (7,))", "alter_function(defaulted, '__defaults__', None)", "alter_function(defaulted, '__kwdefaults__', {'c': 50})", "alter_function(twist, '__code__', untwist.__code__)",
                            "alter_function(defaulted, '__code__', defaulted_otherwise.__code__)", "alter_function(only_keywords, '__kwdefaults__', None)", "alter_function(twist, '__name__', 'twisted')", "defaulted.__defaults__[0].clear()",
                            "defaulted.__kwdefaults__.update(c=9)", "alter_function(twist, '__defaults__', (4,))"])
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 6)}):")
        self.emit(depth + 1, f"if {item} == {self.rng.randint(0, 3)}:")
        self.emit(depth + 2, change)
        self.guarded(scope, depth + 1, f"note(str({self.pick([f'defaulted({item})', f'twist({item})', f'only_keywords(right={item})', 'twist()', 'twist(1.5)', f'defaulted({item}, c=2)', 'twist.__name__'])}))")

    def do_endless_recursion(self, scope, depth):
        if self.loop_depth > 0:
            return self.instead(scope, depth)
        count = self.private("c")
        self.emit(depth, f"{count} = [0]")
        error = self.private("e")
        self.emit(depth, "try:")
        self.emit(depth + 1, self.pick([f"endless({count})", f"endless_pair({count})", f"Endless({count}).missing", f"{count}[0] = sink({self.pick(['500', '2000', '900'])})"]))
        self.emit(depth, f"except RecursionError as {error}:")
        self.emit(depth + 1, f"note({count}, str({error}))")
        self.emit(depth, f"log.append({count}[0])")
        return None

    def do_local_function(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        name, item = self.private("h"), self.private()
        kind = self.pick(["int", "float", "str"])
        captured = self.variable(kind, scope, depth)
        head = self.pick(["k", "k, *more", f"k={captured}", "k, /, m=2", "*, k", "k, **rest", f"k: {captured} = 1", "k=2, *, m=3"])
        self.emit(depth, f"{self.pick(['', '', *(f'@{d}' + chr(10) + '    ' * depth for d in ('(lambda f: f)', 'passed_on', 'watched'))])}def {name}{self.pick(['', '', '[T]'])}({head}):")
        self.emit(depth + 1, self.pick([f"return k, {captured}", f"return {captured}", "return (lambda: k)()", "return [q for q in range(k)]", "return look(1, 1)", "return sorted(locals())", f"return {name}.__name__"]))
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 5)}):")
        self.guarded(scope, depth + 1, f"note(str({name}({self.pick([item, f'k={item}', '', f'*[{item}]', f'{item}, m=1', f'{item}, 2'])})))")
        return None

    def function_made_here(self, scope, captured, counted):
        """An expression of a function of one number, made when it is run."""
        k, v = self.rng.randint(1, 9), self.pick(captured)
        return self.pick([f"lambda x: x + {k}", "lambda x: x * 2", "lambda x: x", f"lambda x: x + {v}", f"lambda x: {v} * x - {self.pick(captured)}", f"lambda x, y={k}: x * y", f"lambda x, y={v}: x + y", "lambda x: x // (x - 3)",
                          f"lambda x: [{v}, x][x % 2]", f"lambda x: (lambda y: y + {v})(x)", "lambda x: sink(x % 5)", f"lambda x: x if x > {k} else {v}", f"lambda x: {v} if x % 2 else x + 2**62", "lambda x: x * 0.5",
                          f"lambda x: sum(q * {v} for q in range(x % 4))", "lambda *x: len(x)", "lambda x: note_stack('in') or 1", f"lambda x: {counted}(x)", f"after({counted}, lambda x: x + {v})", f"after(lambda x: x + {k}, {counted})",
                          f"Way({counted})", f"Way(lambda x: x - {v}).function", "abs", "float", "[5, 6, 7, 8].__getitem__", "(3).__add__", counted, "twist", "Mortal", "len", "None"])

    def do_pass_functions(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        captured = [self.variable(self.pick(["int", "int", "float"]), scope, depth) for _ in range(2)]
        shared, counted, functions, item = self.private("c"), self.private("h"), self.private("h"), self.private()
        self.emit(depth, f"{shared} = {self.rng.randint(0, 9)}")
        self.emit(depth, f"def {counted}(x{self.pick(['', '', ', y=1'])}):")
        if self.chance(0.7):
            self.emit(depth + 1, f"nonlocal {shared}")
            self.emit(depth + 1, f"{shared} {self.pick(['+= 1', '+= x', '= x', '*= 1.5', '= [x]' if self.chance(0.1) else '-= 2'])}")
        if self.chance(0.3):
            self.emit(depth + 1, f"if x == {self.rng.randint(1, 6)}:")
            self.emit(depth + 2, self.pick([f"raise KeyError({self.pick(captured)})", "return x + 0.5", f"if len({functions}) < 9: {functions}.append({functions}[0])" if self.chance(0.3) else "note(x)", f"{functions}.clear()" if self.chance(0.3) else "note('here')",
                                            f"{functions}[0] = None", "gc.collect()", f"{counted}.__code__ = twist.__code__", "return look(1, 1)"]))
        self.emit(depth + 1, self.pick([f"return x + {self.pick(captured)}", f"return {shared}", "return x", "return 1"]))
        made = ", ".join(f"({self.function_made_here(scope, [*captured, shared], counted)})" for _ in range(self.rng.randint(2, 5)))
        self.emit(depth, f"{functions} = [{made}]")
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 12)}):")
        at = depth + 1
        if self.chance(0.3):
            self.emit(at, f"if {item} == {self.rng.randint(0, 6)} and {functions}:")
            self.emit(at + 1, self.pick([f"{functions}[0] = {self.function_made_here(scope, captured, counted)}", f"del {functions}[0]", f"{functions}.append({self.function_made_here(scope, [shared], counted)})",
                                         f"{captured[0]} = {self.literal('int', scope)}" if captured[0] not in self.protected else "pass", f"{shared} = 2.5", f"{functions} = {functions}[::-1]"]))
        function = self.pick([f"{functions}[{item} % len({functions})]", f"{functions}[{item} // 3 % len({functions})]", f"({self.function_made_here(scope, [*captured, shared, item], counted)})"])
        items = self.pick([f"range({self.rng.randint(1, 30)})", f"range({item})", "(3, 1, 2)", "[1, 2**70, 3]", f"[{item}, 5]", "[1, 2.5, True]", "(4,)"])
        self.guarded(scope, at, f"note(shown({self.pick([f'sum_of({function}, {items})', f'sum_of({function}, {items})', f'sum_quietly({function}, {items})', f'chosen({function}, {items})', f'twice({function}, {item})', f'Way({function}).run({items})', f'last_of({functions}, {items})', f'{function}({item})', f'list(map({function}, {items}))', f'sorted({items}, key={function})', f'sum_of(after({function}, {function}), {items})'])}))")
        self.emit(depth, f"note(shown({shared}))")
        return None

    # -- text

    def do_format_text(self, scope, depth):
        kind = self.pick(list(SPECS))
        value = self.variable(kind, scope, depth) if kind != "bool" else self.private()
        if kind == "bool":
            self.emit(depth, f"{value} = {self.expr('bool', scope, 1)}")
        spec, w = self.pick(SPECS[kind]), self.private("w")
        self.emit(depth, f"{w} = {self.pick(['3', '12', '0'])}")
        spec = spec.replace("{w}", "{" + w + "}")
        self.guarded(scope, depth, "note(" + self.pick([f"f'{{{value}:{spec}}}'", f"f'a{{{value}!r:>9}}b'", f"f'{{{value}!s}}|{{{value}!a}}'", f"f'{{{value}=}}'[:20]", f"format({value}, '{spec.replace('{' + w + '}', '7')}')",
                                                        f"'%s %r' % ({value}, {w})", f"'{{:>{{}}}}|{{0}}'.format({value}, {w})", f"'{{0!r}}|{{x}}'.format({value}, x={w})", f"'%5d|%-4s|%x' % ({w}, {value}, {w})", f"'%d' % {value}"]) + ")")

    def do_text_methods(self, scope, depth):
        text, other = self.variable("str", scope, depth), self.paren("str", scope, 1)
        self.guarded(scope, depth, "note(" + self.pick([f"{text}.split({other} or None)", f"{text}.replace({other}, 'z')[:40]", f"{text}.join(names)", f"{text}.startswith(({other}, 'a'))", f"{text}.find({other})", f"{text}[{self.expr('int', scope, 0)}]",
                                                        f"ord({text}[0])", f"{text}.encode()[:9]", f"{text} * {self.pick(['0', '2', '-1', 'True'])}", f"{text}.partition({other} or ' ')", f"{other} in {text}", f"{text} < {other}", f"sorted({text})[:5]",
                                                        f"{text}.zfill(9)", f"{text} == {other}", f"{text} is {text}[:]", f"chr(len({text}) + 64)", f"{text}.count({other})", f"[q.upper() for q in {text}][:4]", f"bytes({text}, 'utf8')[-1]"]) + ")")
