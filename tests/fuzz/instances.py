"""Statements that make instances and look at their attributes only, now and then at more of them.

What is made lives for one iteration or goes round the loop, changes on some of the paths, has other
names, lies in others, and leaves in one of many ways (WAYS of identity.py).
"""

from __future__ import annotations

from identity import WAYS

CLASSES = ["Spot", "Spot", "Spot", "Slotted", "Slotted", "Below", "Late", "Wrong", "Empty", "Ending", "Told"]
VALUES = ["{a}", "{i}", "{i} * 3", "{f}", "{f} * {i}", "{i} / 2", "'s'", "None", "({i}, {f})", "({i} + 1) * 2**61", "[{i}]", "{i} > 1", "Spot({i}, {f})", "Slotted({a})",
          "Dying(note, 'dies', {i})", "(Dying(note, 'first'), Dying(note, 'second'))", "{y}"]
CHANGES = ["{v}.x += 1", "{v}.x = {value}", "{v}.y = {value}", "{v}.y = {v}.x", "{v}.swap()", "{v}.shift({i})", "{v}.both = {i}, {f}", "{v}.extra = {value}", "del {v}.y", "{v}.leave()", "{v}.y = {v}",
           "{v}.y = ({v}, 1)", "setattr({v}, 'x', {value})", "{v}.become(Late)", "{v} = {v}.moved(1)", "{v} = {v} + {v}", "{y} = {v} < {v}", "{v}.__dict__['x'] = {value}", "{w}.x = {value}",
           "{v}.x, {v}.y = {value}, {v}.x", "{y} = {v}.both", "{v}.y = {made}", "{v}.__init__({value})"]
USES = ["note({v}.x)", "note({v}.y)", "{y} = {v}.x", "note({v}.x == {v}.y, {v} is {w})", "note(bool({v}), not {v}, {v} is None, {v} is not {w})", "note({v} == {w})", "note(isinstance({v}, Spot), type({v}).__name__)",
        "note(attributes({v}))", "note({v}.z)", "note({v}.weight)", "note(hash({v}) if 0 else len({v}))", "kept_things.append({v})", "note([attributes(p) for p in kept_things[-2:]])", "{y} = {v}, {w}"]


class Instances:
    """Mixed into the Generator."""

    def do_instances(self, scope, depth):
        v, w, t, y, i, error = (self.private(letter) for letter in "vwtyie")
        names = {"v": v, "w": w, "t": t, "y": y, "i": i, "a": self.variable("int", scope, depth), "f": self.variable("float", scope, depth)}

        def value():
            return self.pick(VALUES).format(**names)

        def made():
            return f"{self.pick(CLASSES)}({value()}{self.pick(['', ', ' + value(), ', y=' + value()])})"

        def some(texts):
            return self.pick(texts).format(**names, value=value(), made=made())

        self.emit(depth, f"kept_things, {i}, {y} = [], 0, 1")
        carried = self.chance(0.4)
        if carried or self.chance(0.2):
            self.emit(depth, f"{v} = {made()}")
            self.emit(depth, f"{w} = {self.pick([v, v, made()])}")
            self.emit(depth, f"{t} = {v}, 1")
        self.emit(depth, f"for {i} in range({self.rng.randint(3, 9)}):")
        self.emit(depth + 1, "try:")
        if not carried:
            self.emit(depth + 2, f"{v} = {made()}")
            self.emit(depth + 2, f"{w} = {self.pick([v, v, made()])}")
            self.emit(depth + 2, f"{t} = {v}, {i}")
        for _ in range(self.rng.randint(2, 6)):
            inner = depth + 2
            if self.chance(0.35):
                self.emit(inner, f"if {i} {self.pick(['% 2', '> 2', '== 1', '< 4'])}:")
                inner += 1
            text = some(self.pick([CHANGES, CHANGES, USES, USES, WAYS]))
            self.emit(inner, text)
        if self.chance(0.3):
            self.emit(depth + 2, f"{self.pick([v, w])} = {self.pick([made(), v, 'None'])}")
        self.emit(depth + 1, f"except (AttributeError, TypeError, ValueError, LookupError, UnboundLocalError) as {error}:")
        self.emit(depth + 2, f"note(type({error}).__name__)")
        if self.chance(0.7):
            self.guarded(scope, depth, f"note(attributes({v}), attributes({w}), {v} is {w}, {t}[0] is {v}, [attributes(p) for p in kept_things])")
