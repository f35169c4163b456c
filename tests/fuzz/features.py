"""Productions for what programs rarely do: each is a method (scope, depth) that emits statements.

A program uses a few of the themes, so that what makes everything slow or interpreted (a tracer, say)
is not in all of them. The productions are in language.py, identity.py and surroundings.py; what they need
at run time is in prelude.py.
"""

from __future__ import annotations

from changes import Changes
from identity import Identity
from language import OWN, Language
from surroundings import Surroundings


class Features(Language, Identity, Surroundings, Changes):
    """Mixed into the Generator, whose expressions and statements these use."""

    THEMES = {
        "frames": ["keep_frame", "keep_frame", "observe", "observe", "write_local", "evaluate", "keep_error", "part_way", "observe_context"],
        "death": ["dying_local", "dying_local", "dying_in_loop", "dying_in_container", "weak", "weak", "dying_argument"],
        "tools": ["trace", "trace", "monitoring"],
        "names": ["global_volatile", "global_volatile", "put_name", "cells", "cells", "unbound"],
        "classes": ["alter_class", "alter_class", "alter_class", "meta", "local_class", "descriptors", "mix_objects", "operate", "operate"],
        "changes": ["assign_class", "assign_class", "change_descriptor"],
        "numbers": ["number_edges", "number_edges", "number_edges", "compare_edges", "own_operators", "shift_and_power"],
        "containers": ["alias", "alias", "mutate_iterated", "mutate_iterated", "unpack_wrong", "keyed", "slices"],
        "control": ["finally_overrides", "finally_overrides", "except_star", "notes", "managers", "managers", "wide_match", "walrus", "loop_else"],
        "generators": ["close_in_loop", "close_in_loop", "yield_from", "expression_of_generators", "coroutine", "coroutine"],
        "calls": ["odd_call", "odd_call", "alter_callee", "endless_recursion", "local_function", "pass_functions"],
        "functions": ["pass_functions"],
        "identity": ["identity", "identity_of_numbers"],
        "text": ["format_text", "format_text", "text_methods"],
        "world": ["signals", "threads", "reference_counts", "collect", "import_wrong"],
    }

    def choose_features(self):
        """The themes of this program."""
        themes = self.rng.sample(sorted(self.THEMES), self.rng.randint(1, 4))
        self.features = [f for theme in themes for f in self.THEMES[theme]]
        self.deaths_show = not {"death", "frames", "generators", "world", "tools"}.isdisjoint(themes)
        self.own_numbers = 0.05 if "numbers" in themes or "classes" in themes else 0.0
        self.feature_share = self.pick([0.15, 0.3, 0.5])

    def feature(self, scope, depth):
        """One statement of this program's themes."""
        getattr(self, "do_" + self.pick(self.features))(scope, depth)

    # -- small tools

    def own(self, kind, text):
        """Now and then an instance of a subclass, with its own operators."""
        return self.pick(OWN[kind]).format(text) if kind in OWN and self.chance(self.own_numbers) else text

    def name_for(self, kind, scope, depth, text):
        """A variable of that value."""
        name = self.target(kind, scope)
        self.emit(depth, f"{name} = {text}")
        scope.variables[name] = kind
        self.store(name, kind, depth)
        return name

    def variable(self, kind, scope, depth):
        """One that exists, by preference."""
        names = [n for n in scope.of(kind) if n not in self.protected]
        return self.pick(names) if names else self.name_for(kind, scope, depth, self.literal(kind, scope))

    def private(self, letter="q"):
        """A name that no expression will use."""
        self.counter += 1
        return f"{letter}_{self.counter}"

    def guarded(self, scope, depth, text, errors="Exception"):
        """The statement, with any error of it told by the log."""
        error = self.private("e")
        self.emit(depth, "try:")
        self.emit(depth + 1, text)
        self.emit(depth, f"except {errors} as {error}:")
        self.emit(depth + 1, f"note(type({error}).__name__, {error})")
