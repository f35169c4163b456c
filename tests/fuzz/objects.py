"""Rare statements about objects: which are the same, whose class, descriptor or kind changes, what is caught and made anew."""

from __future__ import annotations

CAUSES = ["x * 3", "x + big", "x << 62", "x / (i - 3) if i != 3 else x", "names[i % 3]", "[1, 2.5, 'p', None][i % 4]", "x + 0.5", "x"]


class Objects:
    """Mixed into the Generator: see features.py."""

    def head(self, scope, depth):
        """A loop in which some guard fails now and then; gives the names of its counter and of what varies."""
        item, x = self.private("i"), self.private("x")
        big = self.pick(["1", "2**61", "2**62", "2**63", "0.5"])
        self.emit(depth, f"{x} = {self.pick(['1', '3', '2.5', '2**60'])}")
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 12)}):")
        change = self.pick(["{x} = {x} + {big}", "{x} = {big} * {i} - 1", "{x} = [1, 2, 3, 0.5, 2**63][{i} % 5]", "{x} = {x} + 1 if {i} != {n} else {big}", "{x} = -{x}", "{x} = {x} * 2 if {i} % {n} else {big}"])
        return item, x, change.format(x=x, big=big, i=item, n=self.rng.randint(1, 5))

    def an_object(self, scope, item, x):
        """An expression that makes one: small enough that it may never be built."""
        options = [f"({item}, {x})", f"[{x}, {item}]", f"{{'k': {x}}}", f"({x},)", f"Pair({x}, {item})", f"({item}, [{x}])", f"lambda: {x}", f"range({item})", f"{x} * 1.5", f"{x} + 1", f"Pair({item}, ({x}, 1))"]
        if self.classes:
            options += [f"{self.pick(self.classes)}({item}, 0.5)"] * 2
        return self.pick(options)

    # -- identity

    def do_same_names(self, scope, depth):
        item, x, change = self.head(scope, depth)
        a, b, c = self.private("a"), self.private("a"), self.private("a")
        self.emit(depth + 1, f"{a} = {b} = {self.an_object(scope, item, x)}")
        self.emit(depth + 1, self.pick([f"{c} = {a}", f"{c} = ({b}, {a})[{item} % 2]", f"{c} = {a} if {item} % 2 else {b}", f"{c}, _ = {a}, {b}"]))
        self.emit(depth + 1, change)
        self.emit(depth + 1, self.pick([f"log.append(({a} is {b}, {c} is {a}))", f"if {a} is not {c}:\n{'    ' * (depth + 2)}log.append('another')", f"note({a} is {b} is {c}, shown({x}))", f"log.append(same({a}, {b}, {c}))"]))

    def do_same_fields(self, scope, depth):
        item, x, change = self.head(scope, depth)
        a, b = self.private("a"), self.private("a")
        self.emit(depth + 1, f"{a} = {self.an_object(scope, item, x)}")
        self.emit(depth + 1, f"{b} = {self.pick(['Pair({a}, {a})', 'Pair({a}, ({a}, 1))', 'Pair(Pair({a}, 1), {a})'])}".format(a=a))
        self.emit(depth + 1, self.pick([change, f"{b}.left = {b}.right", f"{change}; {b}.right = {a}", f"if {item} == 3:\n{'    ' * (depth + 2)}{b}.left = {a}"]))
        if self.chance(0.5):
            self.emit(depth + 1, change)
        self.emit(depth + 1, self.pick([f"log.append(({b}.left is {a}, {b}.right is {a}))", f"note({b}.left is {b}.right, {b}.left is not {a})", f"log.append({b}.same())", f"log.append(same({b}.left, {a}, {b}.right))"]))

    def do_same_nested(self, scope, depth):
        item, x, change = self.head(scope, depth)
        a, b = self.private("a"), self.private("a")
        self.emit(depth + 1, f"{a} = {self.an_object(scope, item, x)}")
        shape, path = self.pick([("({a}, 1)", "{b}[0]"), ("[{a}, {a}]", "{b}[1]"), ("(({a}, 2), {a})", "{b}[0][0]"), ("{{'in': {a}}}", "{b}['in']"), ("[({a},)]", "{b}[0][0]"), ("Pair(({a}, 0), 1)", "{b}.left[0]"), ("(1, [{a}, ({a}, 3)])", "{b}[1][1][0]")])
        self.emit(depth + 1, f"{b} = {shape.format(a=a)}")
        self.emit(depth + 1, change)
        if self.chance(0.4):
            self.emit(depth + 1, f"{x} = passing({a}, {x}, {self.pick(['1', '2**62', '0.5'])})[0]")
        self.emit(depth + 1, self.pick([f"log.append({path.format(b=b)} is {a})", f"if {path.format(b=b)} is not {a}:\n{'    ' * (depth + 2)}log.append('twice')", f"note({path.format(b=b)} is {a}, len(locals()) > 2)", f"log.append(same({a}, {path.format(b=b)}))"]))

    def do_same_numbers(self, scope, depth):
        item, x, change = self.head(scope, depth)
        a, b, c = self.private("a"), self.private("a"), self.private("a")
        self.emit(depth + 1, f"{a} = {x} {self.pick(['* 3.5', '+ 300', '- 0.25', '* 1000', '+ 2**40', '* 1', '+ 0.0', '** 2'])}")
        self.emit(depth + 1, self.pick([f"{b} = {a}", f"{b} = [{a}][0]", f"{b} = ({a}, 1)[0]", f"{b} = Pair({a}, 1).left", f"{b} = passing({a}, 1, 1)[1]", f"{b} = (lambda: {a})()"]))
        self.emit(depth + 1, change)
        self.emit(depth + 1, f"{c} = {self.pick([a, b, '({a}, {b})[{i} % 2]'])}".format(a=a, b=b, i=item))
        # Whether equal numbers are one object is left open; that one number stays one object is not.
        self.emit(depth + 1, self.pick([f"log.append(({a} is {b}, {c} is {a}))", f"note({a} is {b}, shown({a}))", f"log.append(same({a}, {b}, {c}))", f"log.append([{a}] == [{b}] and {a} in ({c},))"]))

    def do_same_after_locals(self, scope, depth):
        item, x, change = self.head(scope, depth)
        a, r = self.private("a"), self.private("r")
        self.emit(depth + 1, f"{a} = {self.pick([x + ' * 3.5', x + ' + 1000', self.an_object(scope, item, x)])}")
        look = self.pick(["len(locals())", "locals()", "sys._getframe().f_locals", "look()", "keep()", "dict(vars())", "eval('1')"])
        self.emit(depth + 1, self.pick([f"{r} = ({a}, {look}, {a})", f"{r} = [{a}, {look}, {a}]"]))
        if self.chance(0.5):
            self.emit(depth + 1, change)
        self.emit(depth + 1, f"log.append(({r}[0] is {a}, {r}[2] is {a}))")
        self.emit(depth + 1, f"log.append(locals()['{a}'] is {a})")

    def do_same_results(self, scope, depth):
        item, x, change = self.head(scope, depth)
        a, b = self.private("a"), self.private("b")
        self.emit(depth + 1, f"{a} = {self.an_object(scope, item, x)}")
        self.emit(depth + 1, f"{x}, {b} = passing({a}, {x}, {self.pick(['1', '2**61', '2**62', '0.5', item])})")
        self.emit(depth + 1, change)
        self.emit(depth + 1, f"if not isinstance({x}, int) or abs({x}) > 2**80:\n{'    ' * (depth + 2)}{x} = 1")
        self.emit(depth + 1, self.pick([f"log.append({a} is {b})", f"log.append(identity({a}) is {a})", f"log.append((identity({b}) is {a}, same({a}, {b})))", f"log.append(Pair({a}, {b}).same())"]))

    # -- classes assigned

    def way_of_class(self, name, cls):
        return self.pick([f"{name}.__class__ = {cls}", f"setattr({name}, '__class__', {cls})", f"object.__setattr__({name}, '__class__', {cls})", f"become({name}, {cls})", f"{name}.become({cls})", f"{name}.kind = {cls}",
                          f"[{name}][0].__class__ = {cls}", f"(lambda o: become(o, {cls}))({name})", f"become_both({name}, {name}, {cls})", f"type({name}).__setattr__({name}, '__class__', {cls})", f"exec('o.__class__ = c', {{'o': {name}, 'c': {cls}}})"])

    def use_of_kind(self, name):
        return self.pick([f"note({name}.what)", f"note({name}.tell())", f"note({name} + 1)", f"note({name}[2])", f"note(isinstance({name}, Second), isinstance({name}, First))", f"note(len({name}))", f"note(bool({name}))", f"note({name}.shared)",
                          f"note(type({name}).__name__)", f"note({name} == 3)", f"note({name}())", f"note([q for q in {name}])", f"{name}.what = 5", f"note(str({name}), f'{{{name}}}')", f"{name}[1] = 4", f"note(3 in {name})", f"note(-{name})", f"note(hash({name}))",
                          f"note({name}.made(), {name}.fixed())", f"{name}.n += 1", f"note({name} < 2)", f"match {name}:\n{{0}}    case Second(): note('second')\n{{0}}    case First(): note('first')"])

    def do_assign_kind(self, scope, depth):
        name, other = self.private("o"), self.private("o")
        self.emit(depth, f"{name} = {self.pick(['First(3)', 'Second(4)', 'First(2.5)'])}")
        if self.chance(0.4):
            self.emit(depth, f"{other} = {name}")
        else:
            other = name
        use = self.use_of_kind(name)
        self.guarded(scope, depth, use.replace("{0}", "    " * (depth + 1)))
        self.guarded(scope, depth, self.way_of_class(other, self.pick(["Second", "First", "Second", "Third", "int"])))
        self.guarded(scope, depth, (use if self.chance(0.6) else self.use_of_kind(name)).replace("{0}", "    " * (depth + 1)))

    def do_assign_kind_in_loop(self, scope, depth):
        name, item = self.private("o"), self.private("i")
        outside = self.chance(0.5)
        if outside:
            self.emit(depth, f"{name} = First({self.expr('int', scope, 1)})")
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 9)}):")
        at = depth + 1
        if not outside:
            self.emit(at, f"{name} = {self.pick(['First', 'Second'])}({item})")
        use = self.use_of_kind(name).replace("{0}", "    " * (at + 1))
        self.guarded(scope, at, use)
        self.emit(at, f"if {item} {self.pick(['% 2', '== 3', '> 1', '!= 0'])}:")
        self.guarded(scope, at + 1, self.way_of_class(name, self.pick(["Second", "First", f"(First, Second)[{item} % 2]", "Third"])))
        self.guarded(scope, at, use if self.chance(0.6) else self.use_of_kind(name).replace("{0}", "    " * (at + 1)))

    # -- descriptors changed in place

    def do_change_property(self, scope, depth):
        name, item, cls = self.private("o"), self.private("i"), self.private("k")
        self.emit(depth, f"class {cls}(First):")
        self.emit(depth + 1, self.pick(["p = property(lambda self: self.n)", "p = property(lambda self: 1, lambda self, v: note('set', v))", "@property\n" + "    " * (depth + 1) + "def p(self): return self.n + 1"]))
        self.emit(depth, f"{name} = {cls}(3)")
        self.emit(depth, f"for {item} in range({self.rng.randint(3, 12)}):")
        self.guarded(scope, depth + 1, self.pick([f"note({name}.p)", f"{name}.p = {item}", f"note({name}.p, {name}.p)", f"note(getattr({name}, 'p'))"]))
        self.emit(depth + 1, f"if {item} {self.pick(['== 1', '% 3 == 2', '== 4'])}:")
        self.guarded(scope, depth + 2, self.pick([f"vars({cls})['p'].__init__(lambda self: 100)", f"{cls}.p.__init__(lambda self: {item}, lambda self, v: note('other', v))", f"{cls}.p = {cls}.p.getter(lambda self: 7)", f"vars({cls})['p'].__init__()",
                                                  f"vars({cls})['p'].__init__(new_twice)", f"{cls}.p = {cls}.p.setter(lambda self, v: note('late', v))", f"vars({cls})['p'].__doc__ = 'x'"]))
        self.guarded(scope, depth + 1, f"note({name}.p)")

    def do_change_function_descriptor(self, scope, depth):
        name, item, cls = self.private("o"), self.private("i"), self.private("k")
        kind = self.pick(["staticmethod", "classmethod"])
        self.emit(depth, f"class {cls}(First):")
        self.emit(depth + 1, f"m = {kind}(lambda *a: len(a))")
        self.emit(depth, f"{name} = {cls}(3)")
        self.emit(depth, f"for {item} in range({self.rng.randint(3, 10)}):")
        self.guarded(scope, depth + 1, self.pick([f"note({name}.m(1))", f"note({cls}.m(1, 2))", f"note({name}.m.__name__)"]))
        self.emit(depth + 1, f"if {item} {self.pick(['== 1', '% 3 == 2', '== 4'])}:")
        self.guarded(scope, depth + 2, self.pick([f"vars({cls})['m'].__init__(lambda *a: 10 + len(a))", f"vars({cls})['m'].__init__(spread)", f"vars({cls})['m'].__init__(twist)", f"vars({cls})['m'].__func__.__code__ = (lambda *a: 50).__code__"]))
        self.guarded(scope, depth + 1, f"note({name}.m({item}))")

    def do_change_functools(self, scope, depth):
        thing, item = self.private("o"), self.private("i")
        self.emit(depth, f"{thing} = {self.pick(['functools.partial(spread, 1)', 'functools.partial(many, 1, d=2)', 'functools.lru_cache(twist)', 'functools.partial(twist)', 'functools.cmp_to_key(lambda a, b: a - b)'])}")
        self.emit(depth, f"for {item} in range({self.rng.randint(3, 10)}):")
        self.guarded(scope, depth + 1, f"note(shown({thing}({item})))")
        self.emit(depth + 1, f"if {item} == {self.rng.randint(0, 4)}:")
        self.guarded(scope, depth + 2, self.pick([f"{thing}.__setstate__((twist, (), {{}}, None))", f"{thing}.__setstate__((spread, (1, 2, 3), {{'k': 1}}, {{}}))", f"{thing}.cache_clear()", f"{thing}.keywords['k'] = {item}", f"{thing}.func = twist", "swap_twist()"]))

    def do_set_name_again(self, scope, depth):
        name, item, cls = self.private("o"), self.private("i"), self.private("k")
        self.emit(depth, f"class {cls}:")
        self.emit(depth + 1, self.pick(["c = functools.cached_property(lambda self: 5)", "c = Named()"]))
        self.emit(depth, f"for {item} in range({self.rng.randint(3, 9)}):")
        self.emit(depth + 1, f"{name} = {cls}()")
        self.guarded(scope, depth + 1, f"note({name}.c, {name}.c, sorted(vars({name})))")
        self.emit(depth + 1, f"if {item} == {self.rng.randint(0, 4)}:")
        self.guarded(scope, depth + 2, self.pick([f"vars({cls})['c'].__set_name__({cls}, 'other')", f"vars({cls})['c'].attrname = 'd'", f"vars({cls})['c'].func = lambda self: 6", f"vars({cls})['c'].name = 'changed'", f"{cls}.c.__set_name__({cls}, 'c')", f"{cls}.c = 8"]))

    # -- exceptions caught around calls

    def do_catch_key_error(self, scope, depth):
        table, item, found = self.private("t"), self.private("i"), self.private("r")
        self.emit(depth, f"{table} = {{0: 'a', 2: 'b', 'k': {self.expr('int', scope, 0)}}}")
        self.emit(depth, f"for {item} in range({self.rng.randint(3, 20)}):")
        self.emit(depth + 1, "try:")
        self.emit(depth + 2, f"{found} = {self.pick(['{t}[{i}]', '{t}[{i} % 4]', 'looked_up({t}, {i})', '{t}.pop({i})', '{t}[str({i})]', 'getattr({t}, str({i}))', 'names[{i}]'])}".format(t=table, i=item))
        self.emit(depth + 1, self.pick(["except KeyError:", "except (KeyError, IndexError):", "except LookupError as error:", "except (LookupError, AttributeError):"]))
        self.emit(depth + 2, self.pick([f"{table}[{item}] = {found} = {item}", f"{found} = None", f"{found} = -1; log.append({item})", "continue"]))
        self.emit(depth + 1, f"log.append({found})")

    def do_catch_stop(self, scope, depth):
        source, item, total = self.private("s"), self.private("i"), self.private("r")
        again = self.pick(["iter(range(3))", "iter([1, 2.5])", "count_up(0, 2)", "iter('ab')", "(q for q in (1, 2, 3))", "Counting(2)", "iter(())"])
        self.emit(depth, f"{source}, {total} = {again}, 0")
        self.emit(depth, f"for {item} in range({self.rng.randint(3, 20)}):")
        self.emit(depth + 1, "try:")
        self.emit(depth + 2, self.pick([f"log.append(next({source}))", f"log.append({source}.__next__())", f"log.append(stepped({source}))", f"{total} += next({source})"]))
        self.emit(depth + 1, self.pick(["except StopIteration:", "except StopIteration as stop:\n" + "    " * (depth + 2) + "log.append(stop.value)", "except (StopIteration, TypeError):"]))
        self.emit(depth + 2, f"{source} = {again}")
        self.emit(depth, f"note(shown({total}))")

    def do_catch_own(self, scope, depth):
        item, found = self.private("i"), self.private("r")
        self.emit(depth, f"for {item} in range({self.rng.randint(3, 14)}):")
        at = depth + 1
        self.emit(at, "try:")
        self.emit(at + 1, f"{found} = {self.pick(['checked({i}, 3)', 'checked(-{i}, {i} - 2)', 'checked({i} * 0.5, 2)', 'deeper({i}, 3)', 'deeper(3, {i} % 5)'])}".format(i=item))
        if self.chance(0.3):
            self.block(scope, at + 1, 1)
        self.emit(at, self.pick(["except Small as error:", "except Wrong as error:", "except (Large, Small) as error:", "except (ValueError, Wrong) as error:"]))
        self.emit(at + 1, self.pick([f"{found} = error.value", f"{found} = described(error)", f"{found} = error.args", f"{found} = traceback_text(error)"]))
        if self.chance(0.5):
            self.emit(at, "except Exception as error:")
            self.emit(at + 1, f"{found} = type(error).__name__")
        if self.chance(0.3):
            self.emit(at, "finally:")
            self.emit(at + 1, "log.append('f')")
        self.emit(at, f"log.append({found})")

    def do_catch_around_call(self, scope, depth):
        item, function = self.private("i"), self.private("h")
        self.emit(depth, f"def {function}(k):")
        self.emit(depth + 1, self.pick(["return [1, 2, 3][k]", "return 10 // (k - 2)", "return int('12x'[k])", "return checked(k, 2)", "return (1, 2)[k] + None if k == 1 else k", "raise [KeyError, ValueError, Small][k % 3](k)", "assert k != 2, k", "return names[k].nothing", "return k()"]))
        self.emit(depth, f"for {item} in range({self.rng.randint(3, 14)}):")
        at = depth + 1
        self.emit(at, "try:")
        self.emit(at + 1, f"log.append({self.pick(['{f}({i})', '{f}({i} % 4)', 'called({f}, {i})', 'list(map({f}, [{i}, 0]))', '[{f}(q) for q in range({i} % 4)]', 'sorted([{i}, 1], key={f})'])})".format(f=function, i=item))
        self.emit(at, self.pick(["except Exception as error:", "except (LookupError, ArithmeticError, ValueError, TypeError, AssertionError, AttributeError) as error:"]))
        self.emit(at + 1, self.pick(["log.append(described(error))", "note(type(error).__name__, error)", "errors.append(error)\n" + "    " * (at + 1) + "del errors[:-3]", "pass", "log.append(traceback_text(error))"]))

    # -- kinds that vary

    MIXED = ["1", "2.5", "True", "None", "'s'", "2**70", "-3", "0.0", "False", "2**62"]

    def mixed(self, count):
        return ", ".join(self.pick(self.MIXED) for _ in range(count))

    def do_mixed_items(self, scope, depth):
        items, item, total = self.private("a"), self.private("i"), self.private("r")
        count = self.rng.randint(2, 6)
        self.emit(depth, f"{items} = [{self.mixed(count)}]")
        self.emit(depth, f"{total} = 0")
        self.emit(depth, f"for {item} in range({self.rng.randint(4, 20)}):")
        self.guarded(scope, depth + 1, self.pick([f"{total} += {items}[{item} % {count}]", f"{total} = {total} + {items}[{item} % {count}] * 2", f"{items}[{item} % {count}] += 1", f"{items}[{item} % {count}] = {items}[{item} % 2] * 1.5",
                                                  f"log.append({items}[{item} % {count}] < 2)", f"log.append(sum({items}))", f"log.append(max({items}[:2]))", f"{total} -= {items}[0]"]))
        self.emit(depth + 1, f"{items}[{item} % {count}] = {self.pick(['({m},)[{i} % 1]', '[{m}, {m2}][{i} % 2]', '{m}'])}".format(m=self.pick(self.MIXED), m2=self.pick(self.MIXED), i=item))
        self.emit(depth + 1, f"if isinstance({total}, (int, float)) and abs({total}) > 1e30:\n{'    ' * (depth + 2)}{total} = 1")
        self.emit(depth, f"note(shown({total}), shown({items}))")

    def do_mixed_attributes(self, scope, depth):
        things, item, total = self.private("o"), self.private("i"), self.private("r")
        count = self.rng.randint(2, 4)
        maker = self.pick(["Pair({}, 1)", "First({})", *(f"{c}({{}}, 0.5)" for c in self.classes)])
        field = "left" if maker.startswith("Pair") else "n"
        self.emit(depth, f"{things} = [{', '.join(maker.format(self.pick(self.MIXED)) for _ in range(count))}]")
        self.emit(depth, f"{total} = 0.0")
        self.emit(depth, f"for {item} in range({self.rng.randint(4, 20)}):")
        thing = f"{things}[{item} % {count}]"
        self.guarded(scope, depth + 1, self.pick([f"{total} += {thing}.{field} * {thing}.{field}", f"{total} = {thing}.{field} + {total}", f"{thing}.{field} += {item}", f"{thing}.{field} = {thing}.{field} + 0.5", f"log.append({thing}.{field} == 1)",
                                                  f"if {thing}.{field}: {total} += 1", f"{thing}.{field} -= {things}[0].{field}", f"log.append(-{thing}.{field})"]))
        self.emit(depth + 1, f"{self.pick([thing, f'{things}[0]'])}.{field} = {self.pick(self.MIXED)}")
        self.emit(depth + 1, f"if isinstance({total}, (int, float)) and abs({total}) > 1e30:\n{'    ' * (depth + 2)}{total} = 1")
        self.emit(depth, f"note(shown({total}), [shown(o.{field}) for o in {things}])")

    def do_mixed_results(self, scope, depth):
        function, item, total = self.private("h"), self.private("i"), self.private("r")
        count = self.rng.randint(2, 5)
        self.emit(depth, f"def {function}(k):")
        self.emit(depth + 1, self.pick([f"return ({self.mixed(count)})[k % {count}]", f"if k % {count}:\n{'    ' * (depth + 2)}return {self.pick(self.MIXED)}\n{'    ' * (depth + 1)}return {self.pick(self.MIXED)}", f"return k + [{self.mixed(count)}][k % {count}]"]))
        self.emit(depth, f"{total} = 0")
        self.emit(depth, f"for {item} in range({self.rng.randint(4, 16)}):")
        self.guarded(scope, depth + 1, self.pick([f"{total} = {total} + {function}({item})", f"{total} = {function}({item}) * 2", f"log.append({function}({item}) > 1)", f"{total} += {function}({item}) or 1", f"{total} -= ({function}({item}), 1)[{item} % 2]"]))
        self.emit(depth + 1, f"log.append(shown({total}))")

    # -- inner functions

    def do_recursive_inner(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        name, item, shared = self.private("h"), self.private("i"), self.private("c")
        captured = self.variable("int", scope, depth)
        self.emit(depth, f"{shared} = 0")
        self.emit(depth, f"def {name}(k{self.pick(['', ', m=1'])}):")
        if self.chance(0.6):
            self.emit(depth + 1, f"nonlocal {shared}")
            self.emit(depth + 1, f"{shared} += {self.pick(['1', 'k', '0.5'])}")
        self.emit(depth + 1, f"if k < {self.rng.randint(1, 3)}:")
        self.emit(depth + 2, self.pick(["return 1", f"return {captured} % 7", "return 0.5", "return k", "raise Small(k)" if self.chance(0.3) else "return [k][0]"]))
        self.emit(depth + 1, self.pick([f"return {name}(k - 1) + k", f"return {name}(k - 1) + {name}(k - 2)", f"return k * {name}(k - 1)", f"return {name}(k - 2) if k % 2 else {name}(k - 1)", f"return [{name}(k - 1), k][0]", f"return (lambda: {name}(k - 1))() + 1"]))
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 7)}):")
        self.guarded(scope, depth + 1, f"log.append(shown({name}({item})))")
        self.emit(depth, f"note(shown({shared}))")
        return None

    def do_inner_made_anew(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        name, item, made = self.private("h"), self.private("i"), self.private("l")
        captured = self.variable(self.pick(["int", "float"]), scope, depth)
        self.emit(depth, f"{made} = []")
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 9)}):")
        at = depth + 1
        self.emit(at, f"def {name}(k, m={self.pick([item, captured, '2'])}):")
        self.emit(at + 1, self.pick([f"return k + m + {item}", f"return {captured} + k", f"return {name} if k < 0 else k * m", f"return k if k < 1 else {name}(k - 1) + m", f"return sum(q + {item} for q in range(k % 4))"]))
        self.emit(at, self.pick([f"{made}.append({name})", f"{made} = [{name}, *{made}[:2]]", f"{made}.append(lambda k: {name}(k) + 1)"]))
        self.guarded(scope, at, self.pick([f"log.append(shown({name}({item})))", f"log.append(shown({made}[0](2)))", f"log.append([f(1) for f in {made}][-1])", f"log.append(shown(sum_of({name}, range({item}))))", f"log.append({made}[0] is {name})"]))
        self.guarded(scope, depth, f"log.append([shown(f(1)) for f in {made}][:4])")
        return None

    # -- what outlives the program, and tools written in C: in processes of their own

    def do_alive_at_exit(self, scope, depth):
        number = self.counter = self.counter + 1
        cls = self.pick(self.classes)
        function = self.pick(["main", *(f.name for f in self.functions)])
        self.emit(depth, self.pick([f"alive.append(Farewell({number}))", f"{cls}.last = Farewell({number})", f"{function}.kept = Farewell({number})", f"alive.append(opened('file{number}', {self.expr('int', scope, 0)}))",
                                    f"alive.append(weakref.finalize(Mortal, print, 'finalized', {number}))", f"alive.append(leaving({number})); next(alive[-1])", f"atexit.register(print, 'atexit', {number})",
                                    f"alive.append([Farewell({number}), alive])", f"{function}.__defaults__ = (*({function}.__defaults__ or ()), Farewell({number}))[-1:] if {function} is main else {function}.__defaults__",
                                    f"globals()['last{number}'] = Farewell({number})", f"names.append(Farewell({number})); names.pop(0)", f"alive.append(lambda k=Farewell({number}): k)", f"alive.append(weakref.ref({cls}, lambda r: print('class died', {number})))",
                                    f"sys.modules['kept{number}'] = Farewell({number})", f"alive.append(opened('csv{number}', 1).write)"]))
        self.emit(depth, "del alive[40:]")

    def do_tools_of_c(self, scope, depth):
        events = self.private("t")
        self.emit(depth, f"{events} = []")
        self.emit(depth, f"trace_from_c({events})")
        self.block(scope, depth, 3)
        if self.functions and self.chance(0.5):
            self.guarded(scope, depth, f"note({self.call(self.pick(['int', 'float', 'list']), scope, 1) or 'twist(3)'})")
        self.emit(depth, "trace_off()")
        self.emit(depth, f"log.append(events_text({events}))")
