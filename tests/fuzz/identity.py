"""Rare statements about which object is which: names, parts and results of what may not be built yet.

Each production makes something that compiled code can leave virtual, gives it several names, leaves in one
of many ways (or lets somebody look at the variables), and tells which names still mean one object.
"""

from __future__ import annotations

VIRTUAL = ["({a}, 1)", "(({a}, 2), ({f}, {a}))", "({f},)", "range({a} % 9, 99)", "slice({a}, 9)", "iter(({a}, 1, 2, 3, 4, 5))", "iter([{a}, 1, 2, 3, 4, 5])", "iter(range({a} % 5, 50))",
           "iter(range(0, 90, 7))", "iter(b'abcdefgh')", "iter(bytearray(b'abcdefgh'))", "[{a}].append"]
NUMBERS = ["{f} * 1.5", "{a} * 1001", "{f} + {i}", "{i} * 3000 + 7", "abs({i} * 5000 - 9000)", "{f} - {f}", "float({i}) / 3", "max({i} * 1000, {a})"]
# What happens in the midst of it: i counts 0, 1, 2, ...
WAYS = ["{y} = ({i} + 1) * 2**61", "{y} = ({i} if {i} < 3 else 0.5) + 1", "{y} = (1, 2.5, 'x', None)[{i} % 4]", "{y} = [{i}, 7][{i} & 1] << {i} * 20", "{y} = handed({v}, {t}, {i})",
        "{y} = handed_twice({v}, {t}, {i})", "{y} = ({v}, {t}, len(locals()), {v}, {t})", "{y} = ({v}, {t}, variable('{v}'), variable('{t}'), {v})", "{y} = ({t}, eval('{v}'), {t}, {v})",
        "{y} = ({t}, keep(), {t}, {v})", "{y} = (Dying(keep_outer), {v}, {t})[1:]", "{y} = ({v}, handed_and_read({v}, {t}), {t})"]


class Identity:
    """Mixed into the Generator."""

    def names_in_a_loop(self, scope, depth, made):
        """Several names of what is made, and a way out somewhere."""
        v, w, t, y, i = (self.private(letter) for letter in "vwtyi")
        names = {"v": v, "w": w, "t": t, "y": y, "i": i, "a": self.variable("int", scope, depth), "f": self.variable("float", scope, depth)}
        outside = self.chance(0.4)
        if outside:
            self.emit(depth, f"{i} = {y} = 0")
            self.emit(depth, f"{v} = {made.format(**names)}")
            self.emit(depth, f"{w}, {t} = {v}, ({v}, ({v}, {i}))")
        self.emit(depth, f"for {i} in range({self.rng.randint(2, 6)}):")
        if not outside or self.chance(0.3):
            if self.chance(0.3):
                self.emit(depth + 1, f"if {i} {self.pick(['% 2', '> 2', '== 1'])}:")
                self.emit(depth + 2, f"{v} = {made.format(**names)}")
                self.emit(depth + 1, "else:")
                self.emit(depth + 2, f"{v} = {self.pick(VIRTUAL + NUMBERS).format(**names)}")
            else:
                self.emit(depth + 1, f"{v} = {made.format(**names)}")
            self.emit(depth + 1, f"{w} = {v}")
            self.emit(depth + 1, f"{t} = ({v}, ({w}, {i}))")
        way = self.pick(WAYS).format(**names)
        error = self.private("e")
        self.emit(depth + 1, "try:")
        if self.chance(0.3):
            self.emit(depth + 2, f"[1, 2][{i}]")
        self.emit(depth + 2, way)
        self.emit(depth + 1, f"except (TypeError, ValueError, LookupError) as {error}:")
        self.emit(depth + 2, f"{y} = ({t}, {v})")
        told = f"note({v} is {w}, {t}[0] is {v}, {t}[1][0] is {w}, where({y}, {v}, {t}), where({t}, {v}, {y}), twice_next({v}))"
        self.emit(depth + self.pick([0, 1, 1]), told)
        if self.chance(0.3):
            self.emit(depth, f"note({v} is {w}, {t}[1][0] is {v}, twice_next({w}))")

    def do_identity(self, scope, depth):
        self.names_in_a_loop(scope, depth, self.pick(VIRTUAL))

    def do_identity_of_numbers(self, scope, depth):
        self.names_in_a_loop(scope, depth, self.pick(NUMBERS))
