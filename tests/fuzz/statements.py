"""Statements of every kind, as programs usually have them; what they rarely do is in features.py."""

from __future__ import annotations

import re

from expressions import KINDS, STRINGS

FAILING = ["1 // 0", "[][0]", "{}['k']", "int('x')", "None.x", "'a' + 1", "(1, 2)[5]", "next(iter(()))", "fail('own')", "raise StopIteration(3)",
           "raise KeyboardInterrupt if total < 0 else OSError(2, 'no')", "1.0 % 0.0", "2 ** -1 // 0", "1 << -1", "[1] * -1 + ()", "len(5)", "del names[99]", "nowhere",
           "(lambda: nowhere)()", "float('x')", "many()", "only_keywords(1)", "defaulted(1, 2, 3)", "(yes := 1).x", "a, b = 1, 2, 3", "a, b = ()", "a, *b = 5"]

# What is drawn for a statement: each name as often as its weight says.
SIMPLE = ["assign", "augment", "container", "assign", "augment", "attribute"]
COMMON = [name for name, weight in {
    "assign": 7, "augment": 7, "container": 4, "attribute": 4, "if_statement": 5, "for_loop": 5, "while_loop": 2, "try_statement": 3, "with_statement": 1, "closure": 1, "unpack": 1, "match": 1,
    "early_return": 1, "global_update": 1, "raise_statement": 1, "delete": 1, "nested_errors": 1, "generator": 1, "change_class": 1, "finally_in_loop": 1, "build_string": 1, "delete_attribute": 1,
    "imports": 1}.items() for _ in range(weight)]


class Statements:
    """Mixed into the Generator: each method emits statements at an indentation."""

    def block(self, scope, depth, size):
        """Statements at that indentation; new names stay inside."""
        inner = scope.copy()
        start = len(self.lines)
        for _ in range(self.rng.randint(1, size)):
            if self.budget <= 0:
                break
            self.statement(inner, depth)
        if len(self.lines) == start:
            self.emit(depth, "pass")
        return inner

    def statement(self, scope, depth):
        self.budget -= 1
        deep = depth >= 5
        if not deep and self.in_function and self.chance(self.feature_share):
            self.feature(scope, depth)
            return
        name = self.pick(SIMPLE) if deep else self.pick(COMMON)
        if self.fits(name):
            self.produce(name, scope, depth)
        else:
            self.produce("assign", scope, depth)

    def fits(self, name):
        if name in ("for_loop", "while_loop", "finally_in_loop"):
            return self.loop_depth < 2
        if name in ("closure", "generator"):
            return self.loop_depth == 0
        return name != "early_return" or self.in_function

    def store(self, name, kind, depth):
        """Keep what grows within bounds."""
        if kind == "int":
            self.emit(depth, f"if not -10**40 < {name} < 10**40:")
            self.emit(depth + 1, f"{name} %= 1000003")
        elif kind == "str":
            self.emit(depth, f"if len({name}) > 60:")
            self.emit(depth + 1, f"{name} = {name}[:7]")
        elif kind == "list":
            self.emit(depth, f"if len({name}) > 30:")
            self.emit(depth + 1, f"del {name}[5:]")

    def target(self, kind, scope):
        names = [n for n in scope.of(kind) if n not in self.protected]
        return self.pick(names) if names and self.chance(0.6) else self.fresh(kind)

    def assign(self, scope, depth):
        kind = self.pick(KINDS[:5] + KINDS)
        text = self.expr(kind, scope, 3)
        name = self.target(kind, scope)
        if self.chance(0.05):
            other = self.fresh(kind)
            self.emit(depth, f"{other} = {name} = {text}")
            scope.variables[other] = kind
        else:
            self.emit(depth, f"{name} = {text}")
        scope.variables[name] = kind
        if kind in ("int", "str", "list") and any(c in text for c in "*<+("):
            self.store(name, kind, depth)

    def augment(self, scope, depth):
        kind = self.pick(["int", "int", "float", "float", "str", "list"])
        names = [n for n in scope.of(kind) if n not in self.protected]
        if not names:
            return self.instead(scope, depth)
        name = self.pick(names)
        op = {"int": ["+", "-", "*", "^", "|", "&", "//", "%", "<<", ">>"], "float": ["+", "-", "*", "/"], "str": ["+"], "list": ["+"]}[kind]
        op = self.pick(op[: 2 if self.chance(0.6) else len(op)])
        value = {"<<": "2", ">>": "1", "//": "3", "%": "1009", "/": "1.5"}.get(op) or self.expr(kind, scope, 2)
        self.emit(depth, f"{name} {op}= {value}")
        self.store(name, kind, depth)
        return None

    def container(self, scope, depth):
        lists = [n for n in scope.of("list") if n not in self.protected]
        choice = self.rng.randint(0, 9)
        if choice <= 5 and lists:
            name = self.pick(lists)
            value = self.expr("int", scope, 2)
            if choice == 0:
                self.emit(depth, f"{name}.append({value})")
            elif choice == 1:
                self.emit(depth, f"if {name}:")
                self.emit(depth + 1, f"{name}[{self.expr('int', scope, 1)} % len({name})] = {value}")
            elif choice == 2:
                self.emit(depth, f"if {name}:")
                self.emit(depth + 1, f"{name}.pop()")
            elif choice == 3:
                self.emit(depth, f"{name}[1:2] = {self.expr('list', scope, 1)}")
            elif choice == 4:
                self.emit(depth, f"{name}.{self.pick(['sort()', 'reverse()', 'extend((1, 2))', 'insert(0, ' + value + ')'])}")
            else:
                self.emit(depth, f"if len({name}) > 2:")
                op = self.pick(["+", "-", "*"])
                self.emit(depth + 1, f"{name}[0] {op}= {self.rng.randint(0, 5) if op == '*' else value}")
            self.store(name, "list", depth)
            return
        if choice == 6 and scope.of("floats"):
            name = self.pick(scope.of("floats"))
            self.emit(depth, f"{name}[{self.expr('int', scope, 1)} % len({name})] {self.pick(['=', '+=', '*='])} {self.expr('float', scope, 2)}")
            return
        if scope.of("dict"):
            name = self.pick([n for n in scope.of("dict")])
            if name in self.protected:
                return
            key = self.expr("str", scope, 1)
            if choice == 7:
                self.emit(depth, f"{name}[{key}] = {self.expr('int', scope, 2)}")
            elif choice == 8:
                self.emit(depth, f"{name}.pop({key}, None)")
            else:
                self.emit(depth, f"{name}[{key}] = {name}.get({key}, 0) + 1")
            self.emit(depth, f"if len({name}) > 12:")
            self.emit(depth + 1, f"{name}.clear()")
            return
        self.assign(scope, depth)

    def attribute(self, scope, depth):
        names = scope.of("obj")
        if not names or not self.classes:
            return self.instead(scope, depth)
        name = self.pick(names)
        choice = self.rng.randint(0, 5)
        if choice == 5:
            self.emit(depth, f"{name}.twice {self.pick(['=', '+='])} {self.expr('int', scope, 1)}")
            self.emit(depth, f"{name}.n %= 10**30")
        elif choice == 0:
            self.emit(depth, f"{name}.n = {self.expr('int', scope, 2)}")
            self.emit(depth, f"{name}.n %= 10**30")
        elif choice == 1:
            self.emit(depth, f"{name}.f {self.pick(['=', '+=', '*='])} {self.expr('float', scope, 2)}")
        elif choice == 2:
            self.emit(depth, f"{name}.n += {self.rng.randint(-3, 9)}")
        elif choice == 3:
            self.emit(depth, f"{name}.items.append({self.expr('int', scope, 1)})")
            self.emit(depth, f"del {name}.items[6:]")
        else:
            self.emit(depth, f"{name}.bump({self.expr('int', scope, 1)})")
        return None

    def if_statement(self, scope, depth):
        self.emit(depth, f"if {self.expr('bool', scope, 2)}:")
        self.block(scope, depth + 1, 3)
        if self.chance(0.3):
            self.emit(depth, f"elif {self.expr('bool', scope, 2)}:")
            self.block(scope, depth + 1, 2)
        if self.chance(0.5):
            self.emit(depth, "else:")
            self.block(scope, depth + 1, 2)

    def for_loop(self, scope, depth):
        inner = scope.copy()
        kind, name = "int", self.fresh("int")
        header = name
        choice = self.rng.randint(0, 10)
        if choice <= 3:
            stop = self.rng.randint(0, 14)
            source = self.pick([f"range({stop})", f"range({self.rng.randint(-3, 3)}, {stop}, {self.rng.randint(1, 3)})",
                                f"range({stop}, 0, -{self.rng.randint(1, 3)})"])
        elif choice == 4:
            lists = scope.of("list")
            source = self.pick(lists) if lists else "[1, 2, 3]"
        elif choice == 5:
            index = self.fresh("int")
            header = f"{index}, {name}"
            inner.variables[index] = "int"
            source = f"enumerate({self.expr('list', scope, 1)})"
        elif choice == 6:
            kind, header = "str", name
            source = self.expr("str", scope, 1)
        elif choice == 7:
            key = self.fresh("str")
            header = f"{key}, {name}"
            inner.variables[key] = "str"
            source = f"list({self.expr('dict', scope, 1)}.items())"
        elif choice == 8:
            source = self.pick([f"count_up(0, {self.rng.randint(0, 8)})", f"chained({self.rng.randint(0, 4)})",
                                f"(q * 2 for q in range({self.rng.randint(0, 6)}))"])
        elif choice == 9:
            kind = "float"
            source = self.expr("floats", scope, 1)
        else:
            other = self.fresh("int")
            header = f"{name}, {other}"
            inner.variables[other] = "int"
            source = f"zip({self.expr('list', scope, 1)}, range({self.rng.randint(0, 9)}))"
        self.emit(depth, f"for {header} in {source}:")
        inner.variables[name] = kind
        # What is iterated over must not grow in the body.
        added = set(re.findall(r"\w+", source)) & set(scope.variables) - self.protected
        self.protected |= added
        self.loop_body(inner, depth)
        self.protected -= added

    def while_loop(self, scope, depth):
        name = self.fresh("int")
        self.emit(depth, f"{name} = {self.rng.randint(0, 12)}")
        inner = scope.copy()
        inner.variables[name] = "int"
        self.emit(depth, f"while {name} > 0:")
        self.emit(depth + 1, f"{name} -= {self.rng.randint(1, 3)}")
        self.protected.add(name)
        self.loop_body(inner, depth)
        self.protected.discard(name)
        scope.variables[name] = "int"

    def loop_body(self, scope, depth):
        self.loop_depth += 1
        self.block(scope, depth + 1, 5)
        if self.chance(0.3):
            self.emit(depth + 1, f"if {self.expr('bool', scope, 1)}:")
            self.emit(depth + 2, self.pick(["break", "continue"]))
            self.block(scope, depth + 1, 2)
        self.loop_depth -= 1
        if self.chance(0.15):
            self.emit(depth, "else:")
            self.block(scope, depth + 1, 1)

    def try_statement(self, scope, depth):
        self.emit(depth, "try:")
        inner = self.block(scope, depth + 1, 3)
        if self.chance(0.25):
            failing = [f"1 // ({self.expr('int', inner, 1)} % 2)", "[][0]", "{}['k']", "int('x')", "None.x", "'a' + 1",
                       "(1, 2)[5]", "next(iter(()))", "1.0 / 0.0"]
            self.emit(depth + 1, self.pick(failing))
        handlers = self.rng.randint(0, 2)
        kinds = self.rng.sample(["ValueError", "(KeyError, IndexError)", "ZeroDivisionError", "TypeError", "Exception", "AttributeError",
                                 "OverflowError"], handlers)
        kinds.sort(key=lambda k: k == "Exception")
        for kind in kinds:
            if self.chance(0.5):
                name = self.fresh("str")
                self.emit(depth, f"except {kind} as {name}:")
                text = self.fresh("str")
                self.emit(depth + 1, f"{text} = str({name})[:20]")
                handler = scope.copy()
                handler.variables[text] = "str"
                self.block(handler, depth + 1, 2)
            else:
                self.emit(depth, f"except {kind}:")
                self.block(scope, depth + 1, 2)
            if self.chance(0.08):
                self.emit(depth + 1, "raise")
        if kinds and self.chance(0.25):
            self.emit(depth, "else:")
            self.block(scope, depth + 1, 1)
        if not kinds or self.chance(0.35):
            self.emit(depth, "finally:")
            self.block(scope, depth + 1, 2)

    def with_statement(self, scope, depth):
        lists = scope.of("list")
        log = self.fresh("list")
        self.emit(depth, f"{log} = []")
        self.emit(depth, f"with Manager({log}, {self.pick(['True', 'False', 'True'])}) as m{self.counter}:")
        self.block(scope, depth + 1, 2)
        if self.chance(0.3):
            self.emit(depth + 1, f"raise ValueError({self.expr('int', scope, 1)})")
        if lists and self.chance(0.5) and lists[0] not in self.protected:
            self.emit(depth, f"{lists[0]}.append(len({log}))")

    def closure(self, scope, depth):
        if not self.in_function or not scope.of("int"):
            return self.instead(scope, depth)
        self.counter += 1
        name, captured = f"g{self.counter}", self.pick(scope.of("int"))
        parameter = self.fresh("int")
        inner = scope.copy()
        inner.variables[parameter] = "int"
        self.emit(depth, f"def {name}({parameter}, k={self.rng.randint(0, 5)}):")
        if captured not in self.protected and captured not in self.parameters_only():
            self.emit(depth + 1, f"nonlocal {captured}")
            self.emit(depth + 1, f"{captured} = ({captured} + {parameter}) % 1000003")
        self.emit(depth + 1, f"return {self.expr('int', inner, 2)} + k")
        result = self.fresh("int")
        if self.chance(0.5):
            self.emit(depth, f"{result} = {name}({self.expr('int', scope, 1)}) + {name}(2, k=1)")
        else:
            item = self.fresh("int")
            self.emit(depth, f"{result} = 0")
            self.emit(depth, f"for {item} in range({self.rng.randint(0, 8)}):")
            self.emit(depth + 1, f"{result} += {name}({item}) % 10007")
        scope.variables[result] = "int"
        self.store(result, "int", depth)
        return None

    def parameters_only(self):
        return ()

    def unpack(self, scope, depth):
        choice = self.rng.randint(0, 3)
        a, b = self.fresh("int"), self.fresh("int")
        if choice == 0:
            self.emit(depth, f"{a}, {b} = {self.expr('int', scope, 2)}, {self.expr('int', scope, 2)}")
            self.emit(depth, f"{a}, {b} = {b}, {a}")
        elif choice == 1:
            rest = self.fresh("list")
            self.emit(depth, f"{a}, *{rest}, {b} = [{self.expr('int', scope, 1)}, 1, 2, {self.expr('int', scope, 1)}]")
            scope.variables[rest] = "list"
        elif choice == 2:
            text = self.fresh("str")
            self.emit(depth, f"{a}, {text} = {self.expr('tuple', scope, 2)}")
            self.emit(depth, f"{b} = {a}")
            scope.variables[text] = "str"
        else:
            self.emit(depth, f"({a}, {b}), _ = ({self.expr('int', scope, 1)}, 3), None")
        scope.variables[a] = scope.variables[b] = "int"
        self.store(a, "int", depth)
        self.store(b, "int", depth)

    def match(self, scope, depth):
        kind = self.pick(["int", "list", "str", "tuple", "dict", "float"])
        self.emit(depth, f"match {self.expr(kind, scope, 1)}:")
        for pattern in self.rng.sample(["0 | 1", "int(w) if w > 5", "[]", "[w, *_]", "(w, str())", "{'a': w}", "'a' | 'abc'", "float()", "str(w)"], 3):
            self.emit(depth + 1, f"case {pattern}:")
            self.block(scope, depth + 2, 1)
        self.emit(depth + 1, "case _:")
        self.block(scope, depth + 2, 1)

    def early_return(self, scope, depth):
        self.emit(depth, f"if {self.expr('bool', scope, 2)}:")
        self.emit(depth + 1, f"return {self.expr(self.in_function, scope, 2)}")

    def global_update(self, scope, depth):
        if not self.in_function:
            return
        self.emit(depth, self.pick([f"bump_total({self.expr('int', scope, 1)})", f"set_factor({self.rng.randint(1, 5)})",
                                    f"set_factor({self.expr('float', scope, 0)})" if self.chance(0.2) else "bump_total(1)"]))

    def raise_statement(self, scope, depth):
        self.emit(depth, f"if {self.expr('bool', scope, 2)}:")
        kind = self.pick(["ValueError", "KeyError", "RuntimeError"])
        self.emit(depth + 1, self.pick([f"raise {kind}({self.expr('int', scope, 1)})", f"raise {kind}", f"assert {self.expr('bool', scope, 1)}, 'no'"]))

    def delete(self, scope, depth):
        kind = self.pick(["int", "float", "str", "list", "obj"])
        names = [n for n in scope.of(kind) if n not in self.protected]
        if not names:
            return self.instead(scope, depth)
        name = self.pick(names)
        if self.chance(0.6):
            self.emit(depth, f"if {self.expr('bool', scope, 1)}:")
            self.emit(depth + 1, f"del {name}")
        else:
            self.emit(depth, f"del {name}")
        other = self.fresh(kind)
        self.emit(depth, "try:")
        self.emit(depth + 1, f"{other} = {name}")
        self.emit(depth, "except NameError:")
        self.emit(depth + 1, f"{other} = {name} = {self.literal(kind, scope)}")
        scope.variables[other] = kind
        return None

    def nested_errors(self, scope, depth):
        error, outer, text = self.fresh("obj"), self.fresh("obj"), self.fresh("str")
        self.emit(depth, f"{text} = ''")
        self.emit(depth, "try:")
        self.emit(depth + 1, "try:")
        self.block(scope, depth + 2, 2)
        self.emit(depth + 2, self.pick(["1 // 0", "[][3]", "raise KeyError('k')", f"int({self.expr('str', scope, 1)})", "None.x"]))
        self.emit(depth + 1, f"except (ArithmeticError, LookupError, ValueError, AttributeError) as {error}:")
        self.block(scope, depth + 2, 1)
        self.emit(depth + 2, self.pick([f"raise RuntimeError({self.expr('int', scope, 1)}) from {error}", "raise TypeError('t') from None",
                                        "{}['inner']", "raise", f"{text} += 'kept'"]))
        if self.chance(0.5):
            self.emit(depth + 1, "finally:")
            self.emit(depth + 2, f"{text} += 'f'")
            self.block(scope, depth + 2, 1)
        self.emit(depth, f"except Exception as {outer}:")
        self.emit(depth + 1, f"{text} += described({outer})")
        scope.variables[text] = "str"

    def generator(self, scope, depth):
        if not self.in_function:
            return self.instead(scope, depth)
        self.counter += 1
        name, parameter, item = f"y{self.counter}", self.fresh("int"), self.fresh("int")
        inner = scope.copy()
        inner.variables |= {parameter: "int", item: "int"}
        self.emit(depth, f"def {name}({parameter}):")
        self.emit(depth + 1, f"for {item} in range({self.rng.randint(0, 6)}):")
        guarded = self.chance(0.3)
        if guarded:
            self.emit(depth + 2, "try:")
        self.emit(depth + 2 + guarded, f"got = yield {self.expr('int', inner, 2)}")
        self.emit(depth + 2 + guarded, f"{parameter} += 1 if got is None else got")
        if guarded:
            self.emit(depth + 2, "except ValueError:")
            self.emit(depth + 3, f"yield {parameter}")
        self.emit(depth + 1, f"return {parameter}")
        result = self.fresh("list")
        self.emit(depth, self.pick([f"{result} = list({name}(3))", f"{result} = [q for q in {name}(2) if q]", f"{result} = drive({name}(1))"]))
        scope.variables[result] = "list"
        return None

    def change_class(self, scope, depth):
        names = scope.of("obj")
        if not names or not self.classes:
            return self.instead(scope, depth)
        name, cls = self.pick(names), self.pick(self.classes)
        if self.chance(0.3):
            self.emit(depth, f"{cls}.weight = {self.pick(['3', '7', '2.5'])}")
            return None
        self.emit(depth, "try:")
        self.emit(depth + 1, f"{name}.__class__ = {cls}")
        self.emit(depth, "except (TypeError, AttributeError):")
        self.emit(depth + 1, "pass")
        return None

    def delete_attribute(self, scope, depth):
        names = scope.of("obj")
        if not names or not self.classes:
            return self.instead(scope, depth)
        name, text = self.pick(names), self.fresh("float")
        self.emit(depth, "try:")
        self.emit(depth + 1, f"del {name}.f")
        self.emit(depth + 1, f"{text} = {name}.f")
        self.emit(depth, "except AttributeError:")
        self.emit(depth + 1, f"{text} = {name}.f = {self.literal('float', scope)}")
        scope.variables[text] = "float"
        return None

    def imports(self, scope, depth):
        result = self.fresh("int")
        self.counter += 1
        name = f"m{self.counter}"
        self.emit(depth, self.pick([f"import math as {name}", f"from math import trunc as {name}", f"import os.path as {name}"]))
        self.emit(depth, f"{result} = len(str(type({name}))) + len(names)")
        scope.variables[result] = "int"

    def finally_in_loop(self, scope, depth):
        item, log = self.fresh("int"), self.fresh("int")
        inner = scope.copy()
        inner.variables |= {item: "int", log: "int"}
        self.emit(depth, f"{log} = 0")
        self.emit(depth, f"for {item} in range({self.rng.randint(0, 9)}):")
        self.loop_depth += 1
        self.protected |= {item}
        self.emit(depth + 1, "try:")
        self.emit(depth + 2, f"if {self.expr('bool', inner, 1)}:")
        self.emit(depth + 3, self.pick(["break", "continue", f"{log} //= {item} - 2", "pass"]))
        self.block(inner, depth + 2, 2)
        if self.chance(0.4):
            self.emit(depth + 1, "except ZeroDivisionError:")
            self.emit(depth + 2, self.pick(["continue", "break", f"{log} = -1"]))
        self.emit(depth + 1, "finally:")
        self.emit(depth + 2, f"{log} += {self.pick([item, '1'])}")
        self.loop_depth -= 1
        self.protected -= {item}
        scope.variables[log] = "int"

    def build_string(self, scope, depth):
        name, item = self.fresh("str"), self.fresh("int")
        inner = scope.copy()
        inner.variables[item] = "int"
        self.emit(depth, f"{name} = {self.pick(STRINGS)}")
        if self.chance(0.3):
            other = self.fresh("str")
            self.emit(depth, f"{other} = {name}")
            scope.variables[other] = "str"
        self.emit(depth, f"for {item} in range({self.rng.randint(0, 12)}):")
        self.emit(depth + 1, f"{name} {self.pick(['+=', '+=', '= ' + name + ' +'])} {self.expr('str', inner, 1)}")
        self.emit(depth + 1, f"if len({name}) > 200:")
        self.emit(depth + 2, f"{name} = {name}[-3:]")
        scope.variables[name] = "str"
        self.store(name, "str", depth)
