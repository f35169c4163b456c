"""Expressions, made for a kind (int, float, list...) so that nearly all run; a few deliberately are of the wrong kind."""

from __future__ import annotations

INT_EDGES = ["0", "1", "-1", "2", "3", "7", "10", "-5", "100", "255", "256", "257", "-6", "1000", "2**30 - 1", "2**30", "2**31",
             "2**60", "2**62", "2**63 - 1", "-2**63", "2**63", "10**20"]
FLOAT_EDGES = ["0.0", "-0.0", "1.0", "0.5", "-1.5", "2.25", "3.75", "1e16", "1e-7", "1e300", "float('inf')", "float('-inf')", "float('nan')"]
STRINGS = ["''", "'a'", "'abc'", "'hello world'", "'é'", "'日本'", "'x' * 3", "'12'"]
KINDS = ["int", "float", "bool", "str", "list", "floats", "dict", "tuple", "obj"]
# What may stand in for a kind by mistake: nothing that a large int could multiply.
WRONG = {"int": ["float", "bool", "obj"], "float": ["int", "bool", "obj"], "bool": KINDS, "str": ["int", "float", "obj"],
         "list": ["floats", "obj"], "floats": ["list", "obj"], "dict": ["list", "obj"], "tuple": ["int", "obj"],
         "obj": ["int", "float", "bool"]}


class Expressions:
    """Mixed into the Generator: each method returns the text of an expression."""

    def expr(self, kind, scope, depth=2):
        if self.chance(self.wrong):
            kind = self.pick(WRONG[kind])
        if depth <= 0 or self.chance(0.25):
            names = scope.of(kind)
            if names and self.chance(0.8):
                return self.pick(names)
            return self.literal(kind, scope)
        return getattr(self, "expr_" + kind)(scope, depth - 1)

    def literal(self, kind, scope):
        return self.own(kind, self.plain_literal(kind, scope))

    def plain_literal(self, kind, scope):
        r = self.rng
        if kind == "int":
            return self.pick(INT_EDGES) if self.chance(0.3) else str(r.randint(-3, 20))
        if kind == "float":
            return self.pick(FLOAT_EDGES) if self.chance(0.4) else repr(round(r.uniform(-10, 10), 3))
        if kind == "bool":
            return self.pick(["True", "False"])
        if kind == "str":
            return self.pick(STRINGS)
        if kind == "list":
            return "[" + ", ".join(self.literal("int", scope) for _ in range(r.randint(0, 5))) + "]"
        if kind == "floats":
            return "[" + ", ".join(self.literal("float", scope) for _ in range(r.randint(1, 5))) + "]"
        if kind == "dict":
            return "{" + ", ".join(f"{self.literal('str', scope)}: {self.literal('int', scope)}" for _ in range(r.randint(0, 3))) + "}"
        if kind == "tuple":
            return f"({self.literal('int', scope)}, {self.literal('str', scope)})"
        cls = self.pick(self.classes) if self.classes else None
        return f"{cls}({self.literal('int', scope)}, {self.literal('float', scope)})" if cls else "None"

    def paren(self, kind, scope, depth):
        text = self.expr(kind, scope, depth)
        return text if text.isidentifier() or text.replace(".", "").isdigit() else f"({text})"

    def call(self, kind, scope, depth):
        level = self.level if self.loop_depth < 2 else min(self.level, 1)
        options = [f for f in self.functions if f.result == kind and f.level < level]
        if not options:
            return None
        f = self.pick(options)
        args = [self.expr(k, scope, min(depth, 1)) for _, k in f.params]
        if f.defaults and self.chance(0.4):
            args.pop()
        if f.keyword and self.chance(0.5):
            args.append(f"{f.keyword}={self.expr('int', scope, 1)}")
        elif args and self.chance(0.1):
            names = [n for n, _ in f.params][: len(args)]
            args[-1] = f"{names[-1]}={args[-1]}"
        elif args and not f.keyword and self.chance(0.08):
            return f"{f.name}(*[{', '.join(args)}])"
        return f"{f.name}({', '.join(args)})"

    def expr_int(self, scope, depth):
        p = lambda kind="int": self.paren(kind, scope, depth)  # noqa: E731
        choice = self.rng.randint(0, 29)
        if choice <= 4:
            return f"{p()} {self.pick(['+', '-', '+', '-', '*'])} {p()}"
        if choice == 5:
            return f"{p()} {self.pick(['//', '%'])} {self.pick(['3', '7', '-2', '10', '1000', p()])}"
        if choice == 6:
            return f"{p()} {self.pick(['&', '|', '^'])} {p()}"
        if choice == 7:
            return f"{p()} {self.pick(['<<', '>>'])} {self.pick(['1', '3', '5', '31', '40'])}"
        if choice == 8:
            return f"{p()} ** {self.pick(['0', '1', '2', '3'])}"
        if choice == 9:
            return f"{self.pick(['-', '~', '+'])}{p()}"
        if choice == 10:
            return f"len({self.expr(self.pick(['list', 'str', 'dict', 'tuple']), scope, depth)})"
        if choice == 11:
            return f"{self.pick(['abs', 'int', 'round'])}({self.expr('int', scope, depth)})"
        if choice == 12:
            return f"{self.pick(['min', 'max'])}({self.expr('int', scope, depth)}, {self.expr('int', scope, depth)})"
        if choice == 13 and scope.of("list"):
            name = self.pick(scope.of("list"))
            return f"({name}[{p()} % len({name})] if {name} else {p()})"
        if choice == 14 and scope.of("dict"):
            return f"{self.pick(scope.of('dict'))}.get({self.expr('str', scope, 0)}, {self.literal('int', scope)})"
        if choice in (15, 16) and scope.of("obj"):
            return f"{self.pick(scope.of('obj'))}.{self.pick(['n', 'n', 'twice', 'bump(' + self.expr('int', scope, 0) + ')', 'scaled()'])}"
        if choice in (17, 18):
            return self.call("int", scope, depth) or p()
        if choice == 19:
            return f"({p()} if {self.expr('bool', scope, depth)} else {p()})"
        if choice == 20:
            return f"sum({self.expr('list', scope, depth)})"
        if choice == 21:
            return f"({p()} + {p('bool')})"
        if choice == 22 and self.loop_depth < 2:
            return f"sum({self.small_comprehension(scope, depth)})"
        if choice == 23:
            return self.pick(["total", "factor", "len(names)"])
        if choice == 24:
            return f"{self.pick(scope.of('tuple'))}[0]" if scope.of("tuple") else p()
        if choice == 26:
            return self.pick([f"spread(*{self.paren('list', scope, depth)}, k={p()})", f"spread({p()}, **{self.paren('dict', scope, depth)})",
                              f"spread({p()}, *{self.paren('tuple', scope, depth)})"])
        if choice == 27 and scope.of("floats"):
            name = self.pick(scope.of("floats"))
            return f"{name}.count({name}[{p()} % len({name})])"
        if choice == 28 and scope.of("obj"):
            return f"{self.pick(scope.of('obj'))}{self.pick(['.half', '.made(2)', '.weight', '[1]', '(3)'])}"
        if choice == 29:
            return self.pick([f"len({{{p()}, {p()}, 3}})", f"len({{q % 3 for q in {self.expr('list', scope, 1)}}})",
                              f"len({{{p()}, *{self.paren('list', scope, 1)}}})"])
        if choice == 25:
            return f"int({self.pick(['True', '2.9', repr('42'), p()])})"
        return p()

    def small_comprehension(self, scope, depth):
        inner = scope.copy()
        name = self.fresh("int")
        inner.variables[name] = "int"
        source = self.pick([f"range({self.rng.randint(0, 6)})", self.expr("list", scope, 1)])
        condition = f" if {self.expr('bool', inner, 1)}" if self.chance(0.4) else ""
        return f"{self.expr('int', inner, min(depth, 1))} for {name} in {source}{condition}"

    def expr_float(self, scope, depth):
        p = lambda kind="float": self.paren(kind, scope, depth)  # noqa: E731
        choice = self.rng.randint(0, 16)
        if choice == 15:
            return self.pick([f"math.atan({p()})", f"math.sin({p()} % 10.0)", f"math.hypot({p()}, 1.5)", f"math.exp(-abs({p()}))"])
        if choice == 16:
            return f"{p()} ** {self.pick(['2', '2.0', '0.5', '-1', '3.0'])}"
        if choice <= 5:
            left, right = (p(), p("int")) if self.chance(0.25) else (p(), p())
            return f"{left} {self.pick(['+', '-', '*', '+', '-'])} {right}"
        if choice == 6:
            return f"{p()} / {self.pick(['2.0', '3', '-0.5', p('int'), p()])}"
        if choice == 7:
            return f"{p('int')} / {self.pick(['2', '7', '-3'])}"
        if choice == 8:
            return f"{p()} {self.pick(['//', '%'])} {self.pick(['2.0', '-1.5', '3'])}"
        if choice == 9:
            return f"{self.pick(['abs', 'float', '-', '+'])}({self.expr('float', scope, depth)})"
        if choice == 10:
            return f"math.sqrt(abs({self.expr('float', scope, depth)}))"
        if choice == 11 and scope.of("obj"):
            return f"{self.pick(scope.of('obj'))}.f"
        if choice == 12 and scope.of("floats"):
            name = self.pick(scope.of("floats"))
            return f"{name}[{self.paren('int', scope, depth)} % len({name})]"
        if choice == 13:
            return self.call("float", scope, depth) or p()
        return f"({p()} if {self.expr('bool', scope, depth)} else {p()})"

    def expr_bool(self, scope, depth):
        choice = self.rng.randint(0, 9)
        if choice <= 3:
            kind = self.pick(["int", "int", "float", "str"])
            op = self.pick(["<", "<=", "==", "!=", ">", ">="])
            other = "int" if kind == "float" and self.chance(0.3) else kind
            return f"{self.paren(kind, scope, depth)} {op} {self.paren(other, scope, depth)}"
        if choice == 4:
            item, items = self.pick([("int", "list"), ("float", "floats"), ("float", "floats"), ("str", "dict"), ("int", "tuple")])
            return f"{self.paren(item, scope, depth)} {self.pick(['in', 'not in'])} {self.paren(items, scope, depth)}"
        if choice == 5:
            return f"not {self.paren(self.pick(KINDS), scope, depth)}"
        if choice == 6:
            return f"({self.expr('bool', scope, depth)} {self.pick(['and', 'or'])} {self.expr('bool', scope, depth)})"
        if choice == 7:
            names = list(scope.variables)
            if len(names) > 1:
                a, b = self.rng.sample(names, 2)
                if scope.variables[a] == scope.variables[b] or self.chance(0.3):
                    return f"{a} {self.pick(['is', 'is not'])} {b}"
            return f"{self.paren('obj', scope, 0)} is None"
        if choice == 8:
            return f"isinstance({self.expr(self.pick(KINDS), scope, depth)}, {self.pick(['int', 'float', '(str, list)', 'bool', 'dict'])})"
        p = self.paren
        return f"{p('int', scope, 0)} < {p('int', scope, depth)} <= {p('int', scope, 0)}"

    def expr_str(self, scope, depth):
        p = lambda kind="str": self.paren(kind, scope, depth)  # noqa: E731
        choice = self.rng.randint(0, 9)
        if choice <= 1:
            return f"{p()} + {p()}"
        if choice == 2:
            return f"{p()}[{self.pick(['1:', ':2', '::-1', ':-1', '0:1'])}]"
        if choice == 3:
            kind = self.pick(["int", "float", "str", "bool"])
            return "f'{" + self.quote_free(kind, scope) + self.pick(["}", "!r}", ":>6}"]) + "-'"
        if choice == 4:
            return f"{p()}.{self.pick(['upper()', 'strip()', 'title()', 'lower()', 'swapcase()'])}"
        if choice == 5:
            return f"str({self.expr(self.pick(['int', 'float', 'bool', 'list']), scope, depth)})"
        if choice == 6:
            return f"'%s/%s' % ({self.expr('int', scope, depth)}, {self.expr('str', scope, depth)})"
        if choice == 7:
            return f"','.join(str(q) for q in {self.expr('list', scope, 1)})"
        if choice == 8:
            return self.call("str", scope, depth) or p()
        return f"({p()} if {self.expr('bool', scope, depth)} else {p()})"

    def quote_free(self, kind, scope):
        names = scope.of(kind)
        return self.pick(names) if names else str(self.rng.randint(0, 9))

    def expr_list(self, scope, depth):
        choice = self.rng.randint(0, 8)
        if choice == 0:
            return f"[{self.small_comprehension(scope, depth)}]" if self.loop_depth < 2 else self.literal("list", scope)
        if choice == 1:
            return f"{self.paren('list', scope, depth)}[{self.pick(['1:', ':3', '::2', '-2:', '::-1'])}]"
        if choice == 2:
            return f"sorted({self.expr('list', scope, depth)})"
        if choice == 3:
            return f"list(range({self.rng.randint(0, 6)}))"
        if choice == 4:
            return f"[{self.expr('int', scope, depth)}, *{self.paren('list', scope, depth)}]"
        if choice == 5:
            return f"[{self.expr('int', scope, depth)}] * {self.rng.randint(0, 4)}"
        if choice == 6:
            return f"{self.paren('list', scope, depth)} + {self.paren('list', scope, depth)}"
        if choice == 7:
            return f"list({self.pick(['count_up(0, 4)', 'chained(2)', 'reversed(' + self.expr('list', scope, 1) + ')'])})"
        return self.call("list", scope, depth) or self.literal("list", scope)

    def expr_floats(self, scope, depth):
        return self.pick([self.literal("floats", scope), f"[{self.expr('float', scope, depth)}, {self.expr('float', scope, depth)}]",
                          f"[{self.expr('float', scope, depth)}] * {self.rng.randint(1, 4)}"])

    def expr_dict(self, scope, depth):
        choice = self.rng.randint(0, 3)
        if choice == 0:
            return "{" + f"{self.expr('str', scope, depth)}: {self.expr('int', scope, depth)}, **{self.paren('dict', scope, 0)}" + "}"
        if choice == 1:
            return "{str(k): k * 2 for k in " + self.expr("list", scope, 1) + "}"
        if choice == 2:
            return f"dict(zip('abc', {self.expr('list', scope, 1)}))"
        return self.literal("dict", scope)

    def expr_tuple(self, scope, depth):
        return f"({self.expr('int', scope, depth)}, {self.expr('str', scope, depth)})"

    def expr_obj(self, scope, depth):
        if not self.classes:
            return "None"
        return f"{self.pick(self.classes)}({self.expr('int', scope, depth)}, {self.expr('float', scope, depth)})"
