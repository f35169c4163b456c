"""Productions for what programs rarely do: each is a method (scope, depth) that emits statements.

A program uses a few of the themes, so that what makes everything slow or interpreted (a tracer, say)
is not in all of them. The productions are in language.py, objects.py, identity.py, instances.py and surroundings.py; what they need
at run time is in prelude.py.
"""

from __future__ import annotations

from changes import Changes
from identity import Identity
from instances import Instances
from language import OWN, Language
from objects import Objects
from surroundings import Surroundings


class Features(Language, Objects, Identity, Instances, Changes, Surroundings):
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
        "text": ["format_text", "format_text", "text_methods"],
        "world": ["signals", "reference_counts", "collect", "import_wrong"],
        "threads": ["threads"],
        "tools_of_c": ["tools_of_c"],
        "exit": ["alive_at_exit"],
        "identity": ["identity", "identity_of_numbers", "same_names", "same_fields", "same_nested", "same_numbers", "same_after_locals", "same_results"],
        "instances": ["instances", "instances", "instances"],
        "kinds": ["assign_kind", "assign_kind_in_loop"],
        "changed": ["change_property", "change_function_descriptor", "change_functools", "set_name_again"],
        "caught": ["catch_key_error", "catch_stop", "catch_own", "catch_around_call"],
        "mixed": ["mixed_items", "mixed_attributes", "mixed_results"],
        "inner": ["recursive_inner", "inner_made_anew"],
    }
    # Themes of programs that get processes of their own: what they do stays with the process.
    OUTSIDE = {"tools": ("tools", "tools_of_c", "threads"), "exit": ("exit",)}

    def choose_features(self):
        """The themes of this program."""
        others = sorted(set(self.THEMES) - {theme for themes in self.OUTSIDE.values() for theme in themes})
        themes = self.rng.sample(others, self.rng.randint(1, 3))
        if self.part != "inside":
            themes += [self.pick(self.OUTSIDE[self.part])] * 3
        self.features = [f for theme in themes for f in self.THEMES[theme]]
        if self.only:
            name = self.only.removeprefix("do_")
            themes = [theme for theme, features in self.THEMES.items() if name in features]
            self.features = [name]
        self.deaths_show = not {"death", "frames", "generators", "world", "tools", "threads"}.isdisjoint(themes)
        self.own_numbers = 0.05 if "numbers" in themes or "classes" in themes else 0.0
        self.feature_share = 0.8 if self.only else self.pick([0.15, 0.3, 0.5])

    def feature(self, scope, depth):
        """One statement of this program's themes."""
        name = self.pick(self.features)
        self.produce(name if self.only == name else f"do_{name}", scope, depth)

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
