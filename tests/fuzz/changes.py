"""Objects that change in place: their class is assigned, or a descriptor is initialised once more.

The classes (Day, Night and the like) and what assigns are in changing.py.
"""

from __future__ import annotations

USES = ["{t}.name", "{t}.n", "{t}.light", "{t}.near({i})", "{t}.far({i})", "{t}.tell({i})", "{t} + {i}", "{i} + {t}", "{t} - {t}", "{t} * 2", "-{t}", "{t} < {i}", "{t} == {i}", "{t}[{i}]", "{i} in {t}",
        "len({t})", "bool({t})", "[q for q in {t}]", "next({t})", "{t}({i}, k=2)", "hash({t})", "isinstance({t}, Day)", "isinstance({t}, Night), isinstance({t}, (int, Night))", "type({t}) is Day",
        "type({t}).__name__", "{t}.__class__ is Night", "{t}.above()", "{t}.missing", "getattr({t}, 'light'), hasattr({t}, 'only_day')", "f'{{{t}}} {{{t}:>3}}'", "{{{t}: 1}}.get({t})", "[5, 6, 7, 8][{t}]",
        "{t}.tell({i}), {t}.light, {t}.tell({i})"]
STORES = ["{t}.n = {i}", "{t}.light = {i}", "{t}[{i}] = 5", "del {t}[{i}]", "{t}.n += {i}", "with {t} as q: note(q)", "q, *_ = {t}", "{u} = {t}; {u} += {i}",
          "match {t}:\n{d}case Night(n=q): note('night', q)\n{d}case Day(n=q): note('day', q)"]
WAYS = ["{t}.__class__ = {c}", "setattr({t}, '__class__', {c})", "object.__setattr__({t}, '__class__', {c})", "object.__dict__['__class__'].__set__({t}, {c})", "turn({t}, {c})", "turn_below({t}, {c})",
        "{u} = {t}; {u}.__class__ = {c}", "[{t}][0].__class__ = {c}", "{t}.become({c})", "{t}.turned = {c}", "{t}.turns", "Turner({t}, {c}) + {t}", "Turner({t}, {c})[{t}]", "Turner({t}, {c}) == {t}",
        "if Turner({t}, {c}): note(1)", "note(len(Turner({t}, {c})))", "note({t} in Turner({t}, {c}))", "Turner({t}, {c})()", "Turner({t}, {c}).anything", "for q in Turner({t}, {c}): note(q)",
        "with Turner({t}, {c}): note(2)", "note(f'{{Turner({t}, {c})}}')", "exec('t.__class__ = c', {{'t': {t}, 'c': {c}}})", "list(map(setattr, [{t}], ['__class__'], [{c}]))",
        "{u} = DyingTurner({t}, {c}); {u} = None", "DyingTurner({t}, {c})", "note([turn(q, {c}) for q in ({t},)])", "note(sorted((2, 1), key=lambda q: turn({t}, {c}) or q))",
        "{t}.__class__ = {c}; {t}.__class__ = Day; {t}.__class__ = {c}"]
AGAIN = ["'light', lambda self: ('again', {i})", "'light', lambda self: self.n + {i}, lambda self, value: setattr(self, 'n', -value)", "'light', old_light, set_light", "'light'", "'light', repr",
         "'near', lambda k: ('again', k, {i})", "'near', abs", "'far', lambda cls, k: (cls.__name__, k, {i})", "'far', old_far"]


class Changes:
    """Mixed into the Generator: see features.py."""

    def thing_of_day(self, depth):
        """A variable with an instance, or the one that the module has."""
        thing = self.private("k")
        self.emit(depth, f"{thing} = {self.pick(['Day(3)', 'Day(3)', 'SlottedDay(4)', 'Born(5)', 'THE_DAY'])}")
        return thing

    def use_of_day(self, depth, thing, item):
        text = self.pick(USES if self.chance(0.7) else STORES)
        text = text.format(t=thing, i=item, u=f"{thing}_u", d="    " * (depth + 2))
        self.guarded(None, depth, text if "\n" in text or self.is_statement(text) else f"note(shown({text}))" if "," not in text else f"note({text})")

    @staticmethod
    def is_statement(text):
        return text.startswith(("with ", "del ", "q, ")) or " = " in text or " += " in text

    def do_assign_class(self, scope, depth):
        thing, item = self.thing_of_day(depth), self.private()
        loop = self.chance(0.7)
        if loop:
            self.emit(depth, f"for {item} in range({self.rng.randint(2, 12)}):")
        else:
            self.emit(depth, f"{item} = {self.rng.randint(0, 3)}")
        at = depth + loop
        if loop and self.chance(0.5):
            self.emit(at, f"{thing} = {self.pick(['Day', 'SlottedDay', 'Night', 'Born'])}({item})")
        for _ in range(self.rng.randint(1, 2)):
            self.use_of_day(at, thing, item)
        way = self.pick(WAYS).format(t=thing, u=f"{thing}_u", c=self.pick(["Night", "Night", "SlottedNight", "Dusk", "Day"]))
        if self.chance(0.4):
            self.emit(at, f"if {item} {self.pick(['== 3', '% 2', '> 4'])}:")
            self.guarded(scope, at + 1, way, "TypeError")
        else:
            self.guarded(scope, at, way, "TypeError")
        for _ in range(self.rng.randint(1, 3)):
            self.use_of_day(at, thing, item)

    def do_change_descriptor(self, scope, depth):
        thing, item = self.thing_of_day(depth), self.private()
        owner = self.pick(["Day", "Day", "SlottedDay", "Night"])
        self.emit(depth, f"for {item} in range({self.rng.randint(2, 12)}):")
        self.use_of_descriptors(depth + 1, thing, item, owner)
        self.emit(depth + 1, f"if {item} {self.pick(['== 3', '% 2', '> 4', '% 5 == 1'])}:")
        self.guarded(scope, depth + 2, f"again({owner}, {self.pick(AGAIN).format(i=item)})")
        for _ in range(self.rng.randint(1, 2)):
            self.use_of_descriptors(depth + 1, thing, item, owner)

    def use_of_descriptors(self, depth, thing, item, owner):
        self.guarded(None, depth, self.pick([f"note({thing}.light)", f"{thing}.light = {item}", f"note({thing}.near({item}))", f"note({owner}.near({item}))", f"note({thing}.far({item}))", f"note({owner}.far({item}))",
                                             f"note({thing}.light, {thing}.light)", f"note({thing}.tell({item}), {thing}.light)"]))
