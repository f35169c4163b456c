"""Rare statements that look at or change what is around running code: frames, finalisers, tools, names, the world."""

from __future__ import annotations

from statements import FAILING

EVENTS = 13  # kinds of sys.monitoring events the prelude offers


class Surroundings:
    """Mixed into the Generator: see features.py."""

    # -- frames

    def do_keep_frame(self, scope, depth):
        way = self.rng.randint(0, 6)
        if way == 0:
            self.emit(depth, "kept.append(sys._getframe())")
        elif way == 1:
            self.emit(depth, f"kept.append({self.pick(['inspect.currentframe()', 'sys._getframe(1)', 'sys._getframe().f_back'])})")
        elif way == 2:
            self.emit(depth, f"keep({self.pick(['1', '2', '1', '3'])})")
        elif way == 3:
            self.emit(depth, f"if {self.expr('bool', scope, 1)}:")
            self.emit(depth + 1, "keep()")
        elif way == 4:
            self.name_for("int", scope, depth, f"{self.expr('int', scope, 1)} + keep({self.pick(['1', '2'])}) + {self.expr('int', scope, 1)}")
        elif way == 5:
            item = self.private()
            self.emit(depth, f"for {item} in range({self.rng.randint(1, 6)}):")
            self.emit(depth + 1, f"if {item} == {self.rng.randint(0, 5)}:")
            self.emit(depth + 2, "keep()")
            self.block(scope, depth + 1, 1)
        else:
            self.name_for("str", scope, depth, self.pick(["clear_kept()", "read_kept()[:50]"]))

    def do_observe(self, scope, depth):
        way = self.rng.randint(0, 4)
        if way == 0:
            self.emit(depth, f"log.append({self.pick(['look()', 'look(2)', 'look(1, 4)', 'stack_text(sys._getframe(), 3)', 'frame_text(sys._getframe())'])})")
        elif way == 1:
            self.name_for("int", scope, depth, self.pick(["line()", "line(2)", f"line() + {self.expr('int', scope, 1)}", "sys._getframe().f_lineno"]))
        elif way == 2:
            self.emit(depth, f"log.append({self.pick(['str(sorted(locals()))', 'len(locals())', 'sorted(vars())', 'dir()'])})")
        elif way == 3:
            self.emit(depth, "note(*[f'{n}={shown(v)}' for n, v in locals().items()])")
        else:
            name = self.variable(self.pick(["int", "float", "str", "list"]), scope, depth)
            self.emit(depth, f"note(locals().get('{name}', 'unbound') is {name})")

    def do_write_local(self, scope, depth):
        kind = self.pick(["int", "int", "float", "str"])
        name = self.variable(kind, scope, depth)
        value = self.expr(kind if self.chance(0.9) else self.pick(["int", "float"]), scope, 1)
        self.emit(depth, self.pick([f"poke('{name}', {value})", f"sys._getframe().f_locals['{name}'] = {value}", f"locals()['{name}'] = {value}",
                                    f"poke('turn', {value}, 2)", f"kept and kept[-1].f_locals.update({{'{name}': {value}}})"]))
        self.store(name, kind, depth)
        if self.chance(0.5):
            self.emit(depth, f"log.append(shown({name}))")

    def do_evaluate(self, scope, depth):
        kind = self.pick(["int", "int", "float", "bool"])
        text = self.expr(kind, scope, 2)
        if "'" in text or '"' in text or "\\" in text:
            text = self.variable(kind, scope, depth)
        way = self.rng.randint(0, 3)
        if way == 0:
            self.name_for(kind, scope, depth, f'eval("{text}")')
        elif way == 1:
            name = self.variable(kind, scope, depth)
            self.emit(depth, f'exec("{name} = {text}")')
            self.emit(depth, f"log.append(shown({name}))")
        elif way == 2:
            space = self.private()
            self.emit(depth, f"{space} = dict(locals())")
            self.emit(depth, f'exec("made = {text}", globals(), {space})')
            self.emit(depth, f"log.append(shown({space}['made']))")
        else:
            space = self.private()
            self.emit(depth, f"{space} = dict(globals())")
            body = self.pick(["made = sum(i * i for i in range(30))", "made = 0\\nfor i in range(40): made += i ^ 3", "def made(x): return x + factor\\nmade = made(3)"])
            self.emit(depth, f'exec("{body}", {space})')
            self.emit(depth, f"log.append(shown({space}['made']))")

    def do_keep_error(self, scope, depth):
        error = self.private("e")
        self.emit(depth, "try:")
        self.block(scope, depth + 1, 2)
        self.emit(depth + 1, self.pick([*FAILING[:9], "raise errors[-1]", "raise errors.pop()"]))
        self.emit(depth, f"except Exception as {error}:")
        self.emit(depth + 1, self.pick([f"errors.append({error})", f"keep_traceback({error})", f"log.append(traceback_text({error}))",
                                        f"errors.append({error}.with_traceback(None))", "log.append(sys.exception().__traceback__.tb_lineno)",
                                        "kept.append(sys.exc_info()[2].tb_frame)"]))
        if self.chance(0.3):
            self.block(scope, depth + 1, 2)
        self.emit(depth, "del errors[:-4]")

    def do_part_way(self, scope, depth):
        source = self.pick(["count_up(0, 9)", "chained(4)", "stubborn(6)", f"(q + {self.expr('int', scope, 0)} for q in range(5))", f"pairs({self.expr('list', scope, 1)})"])
        way = self.rng.randint(0, 3)
        if way == 0:
            self.emit(depth, f"hold({source}, {self.rng.randint(0, 4)})")
        elif way == 1:
            self.emit(depth, "log.append(len(resume()))")
        elif way == 2:
            self.emit(depth, f"hold({source}, {self.rng.randint(0, 4)})")
            self.emit(depth, "log.append(generator_text(waiting[-1]))")
        else:
            self.emit(depth, "if waiting and waiting[-1].gi_frame:")
            self.emit(depth + 1, f"waiting[-1].gi_frame.f_locals['i'] = {self.expr('int', scope, 0)}")

    def do_observe_context(self, scope, depth):
        self.emit(depth, "with Observer() as w:")
        self.block(scope, depth + 1, 3)
        if self.chance(0.4):
            self.emit(depth + 1, self.pick(["raise ValueError(w)", f"w += {self.expr('int', scope, 1)}", "keep()", "fail(w)"]))
        self.emit(depth, "log.append(shown(w))")

    # -- death

    def action(self, scope):
        """What a Dying does, as its arguments."""
        options = ["note, 'd'", "note_stack, 's'", "keep_outer", f"set_factor, {self.rng.randint(1, 4)}", "bump_total, 1", "swap_twist", "fail, 'd'",
                   self.pick(["collect", "collect", "gc.collect"]), f"set_volatile, {self.pick(['2', '2.5', repr('v')])}", "clear_kept"]
        lists = [n for n in scope.of("list") if n not in self.protected]
        if lists:
            name = self.pick(lists)
            options += [f"{name}.clear", f"{name}.append, 3"]
        names = [n for n in scope.of("int") if n not in self.protected]
        if names:
            options += [f"poke_outer, '{self.pick(names)}', {self.literal('int', scope)}"]
        if self.classes:
            cls = self.pick(self.classes)
            options += [f"alter, {cls}, 'weight', {self.rng.randint(1, 9)}", f"alter, {cls}, 'bump', new_bump", f"alter, {cls}, '__getattribute__', new_getattribute"]
        objects = scope.of("obj")
        if objects and self.classes:
            options += [f"setattr, {self.pick(objects)}, '__class__', {self.pick(self.classes)}", f"setattr, {self.pick(objects)}, 'n', 2.5"]
        return self.pick(options)

    def do_dying_local(self, scope, depth):
        name = self.private("d")
        self.emit(depth, f"{name} = Dying({self.action(scope)})")
        if self.chance(0.5):
            other = self.private("d")
            self.emit(depth, f"{other} = {name}")
        self.block(scope, depth, 2)
        self.emit(depth, self.pick([f"del {name}", f"{name} = None", f"{name} = {self.expr('int', scope, 1)}", "pass", f"{name} = [{name}]", f"{name} = Dying(note, 'again')"]))

    def do_dying_in_loop(self, scope, depth):
        name, item = self.private("d"), self.fresh("int")
        inner = scope.copy()
        inner.variables[item] = "int"
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 7)}):")
        self.protected |= {item}
        self.loop_depth += 1
        self.block(inner, depth + 1, 2)
        self.emit(depth + 1, self.pick([f"{name} = Dying({self.action(inner)})", f"{name} = [Dying({self.action(inner)})]", f"Dying({self.action(inner)})",
                                        f"{name} = Dying({self.action(inner)}) if {item} % 3 == 0 else {item}"]))
        self.block(inner, depth + 1, 2)
        self.loop_depth -= 1
        self.protected -= {item}

    def do_dying_in_container(self, scope, depth):
        box = self.private("d")
        self.emit(depth, f"{box} = [Dying({self.action(scope)}), {self.expr('int', scope, 1)}, Dying({self.action(scope)})]")
        self.emit(depth, self.pick([f"{box}[0] = {self.expr('int', scope, 1)}", f"del {box}[0]", f"{box}.clear()", f"{box}[:] = [1]", f"{box}.pop()", f"{box} *= 0",
                                    f"{box} = {box}[1:]", f"_, *{box} = {box}", f"{box} = {{1: {box}}}\n{'    ' * depth}{box}[1] = 2",
                                    f"{box}.sort(key=lambda q: 1)", f"{box} = sum({box}[1:2])"]))

    def do_dying_argument(self, scope, depth):
        self.emit(depth, self.pick([f"note(type(Dying({self.action(scope)})).__name__, {self.expr('int', scope, 1)})",
                                    f"log.append((Dying({self.action(scope)}), {self.expr('int', scope, 1)})[1])",
                                    f"log.append(len([Dying({self.action(scope)})]) + factor)",
                                    f"log.append(Dying({self.action(scope)}) is None)"]))

    def do_weak(self, scope, depth):
        name, ref = self.private("d"), self.private("w")
        self.emit(depth, f"{name} = Mortal()")
        self.emit(depth, f"{ref} = {self.pick([f'watch({name}, {ref!r})', f'weakref.ref({name})', f'watch_and({name}, {self.action(scope)})'])}")
        self.block(scope, depth, 2)
        self.emit(depth, self.pick([f"del {name}", f"{name} = 1", f"{name}.me = {name}", f"{name} = {name}", f"{name} = ({name}, 1)", "gc.collect()"]))
        self.emit(depth, f"log.append({ref}() is None)")

    # -- tools

    def do_trace(self, scope, depth):
        if self.chance(0.4):
            self.emit(depth, "trace_off()")
            return
        self.emit(depth, f"trace_on('{self.pick(['trace', 'trace', 'here', 'profile', 'profile'])}')")
        self.block(scope, depth, 3)
        if self.chance(0.7):
            self.emit(depth, "trace_off()")

    def do_monitoring(self, scope, depth):
        target = self.pick(["", "", ", twist", ", count_up", *(f", {f.name}" for f in self.functions)])
        self.emit(depth, f"monitor({self.rng.randint(0, EVENTS - 1)}{target})")
        self.block(scope, depth, 3)
        if self.chance(0.7):
            self.emit(depth, "trace_off()")

    # -- names

    def do_global_volatile(self, scope, depth):
        self.guarded(scope, depth, self.pick(["log.append(shown(volatile))", f"set_volatile({self.expr(self.pick(['int', 'float', 'str']), scope, 1)})", "drop_volatile()",
                                              "log.append(twist(3))", "swap_twist()", "volatile", "set_volatile(volatile + 1)"]), "NameError")
        if self.chance(0.4):
            item = self.private()
            self.emit(depth, f"for {item} in range({self.rng.randint(1, 6)}):")
            self.emit(depth + 1, f"if {item} == 3:")
            self.emit(depth + 2, self.pick(["swap_twist()", "set_volatile(0.5)", "drop_volatile()", "put_global('twist', str)"]))
            self.guarded(scope, depth + 1, self.pick([f"log.append(twist({item}))", f"log.append(shown(volatile + {item}))"]))
            self.emit(depth, "set_volatile(1)")

    def do_put_name(self, scope, depth):
        name, value = self.pick([("len", "lambda x: 4"), ("abs", "lambda x: -1"), ("min", "max"), ("sum", "lambda x: 2.5"), ("range", "lambda *a: [3, 4]"), ("isinstance", "lambda a, b: True"),
                                 ("int", "float"), ("str", "repr"), ("list", "tuple"), ("sorted", "list"), ("round", "lambda x: x")])
        self.emit(depth, f"{self.pick(['put_global', 'put_global', 'put_builtin'])}('{name}', {value})")

    def do_cells(self, scope, depth):
        if self.loop_depth > 1:
            return self.instead(scope, depth)
        kind = self.pick(["int", "float", "str"])
        shared, one, two = self.fresh(kind), self.private("c"), self.private("c")
        self.emit(depth, f"{shared} = {self.expr(kind, scope, 1)}")
        inner = scope.copy()
        inner.variables[shared] = kind
        self.emit(depth, f"def {one}():")
        self.emit(depth + 1, f"nonlocal {shared}")
        self.emit(depth + 1, self.pick([f"{shared} += {self.literal(kind, scope)}", f"{shared} = {self.expr(kind, inner, 1)}", f"{shared} = {shared}", f"{shared} = {self.literal('float', scope)}"]))
        self.emit(depth, self.pick([f"{two} = lambda: {shared}", f"def {two}(): return {shared}", f"{two} = lambda k=1: ({shared}, k, {one}())"]))
        item = self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 7)}):")
        self.loop_depth += 1
        self.emit(depth + 1, self.pick([f"{one}()", f"{shared} = {self.expr(kind, inner, 1)}", f"{one}() if {item} % 2 else {two}()"]))
        self.block(inner, depth + 1, 1)
        if self.chance(0.3):
            self.emit(depth + 1, f"if {item} == 2:")
            self.emit(depth + 2, f"del {shared}")
            self.guarded(scope, depth + 2, self.pick([f"{two}()", f"{one}()", shared]), "NameError")
            self.emit(depth + 2, f"{shared} = {self.literal(kind, scope)}")
        self.guarded(scope, depth + 1, f"log.append(shown({two}()))")
        self.loop_depth -= 1
        self.store(shared, kind, depth)
        scope.variables[shared] = kind
        return None

    def do_unbound(self, scope, depth):
        name, item = self.private("u"), self.private()
        self.emit(depth, f"for {item} in range({self.rng.randint(1, 6)}):")
        self.emit(depth + 1, f"if {self.pick([f'{item} % 2', f'{item} > 2', self.expr('bool', scope, 1)])}:")
        self.emit(depth + 2, f"{name} = {self.expr('int', scope, 1)}")
        self.guarded(scope, depth + 1, self.pick([f"note({name})", f"del {name}", f"{name} += 1", f"note(str({name})[:30], twist({name}))"]))

    # -- the world

    def do_signals(self, scope, depth):
        name = self.variable("int", scope, depth)
        call = f"interrupt({self.pick(['', '', repr('keep'), repr('raise'), f'({name!r}, {self.literal('int', scope)})'])})"
        if self.chance(0.5):
            item = self.private()
            self.emit(depth, f"for {item} in range({self.rng.randint(1, 5)}):")
            self.guarded(scope, depth + 1, call, "KeyError")
            self.block(scope, depth + 1, 2)
        else:
            self.guarded(scope, depth, self.pick([call, f"note({self.expr('int', scope, 1)} + {call})"]), "KeyError")
        self.store(name, "int", depth)

    def do_threads(self, scope, depth):
        result = self.private("r")
        options = ["twist, 4", "sink, 30", "look, 1", "list, chained(3)", "len, names", "seen_from_thread, threading.get_ident()"]
        callee = [f for f in self.functions if f.level < self.level]
        if callee:
            f = self.pick(callee)
            options += [", ".join([f.name, *(self.literal(k, scope) for _, k in f.params)])] * 3
        self.emit(depth, f"{result} = in_thread({self.pick(options)})")
        self.emit(depth, f"log.append(shown({result}))")

    def do_reference_counts(self, scope, depth):
        box = self.private("b")
        self.emit(depth, f"{box} = {self.pick(['[1, 2]', 'Mortal()', '{}'])}")
        if self.chance(0.5):
            self.emit(depth, f"{self.private('b')} = {box}")
        self.block(scope, depth, 1)
        self.emit(depth, f"log.append({self.pick([f'sys.getrefcount({box})', f'sys.getrefcount({box}) + {self.expr('int', scope, 1)} * 0', f'len(gc.get_referrers({box})) > 50', f'({box}, sys.getrefcount({box}))[1]'])})")

    def do_collect(self, scope, depth):
        name = self.private("d")
        self.emit(depth, f"{name} = Mortal()")
        self.emit(depth, f"{name}.me = {self.pick([name, f'[{name}]', f'(lambda: {name})'])}")
        self.emit(depth, f"{name}.last = Dying({self.action(scope)})")
        self.emit(depth, self.pick([f"del {name}", f"{name} = 2", "pass"]))
        self.emit(depth, "gc.collect()")

    def do_import_wrong(self, scope, depth):
        self.guarded(scope, depth, self.pick(["import nowhere_at_all", "from math import nothing", "import os.nothing", "from . import x", "from math import sin as s_in; note(s_in(0))", "import json.decoder as jd; note(jd.__name__)",
                                              "import os.path; note(os.path.basename('a/b'))", "from string import ascii_letters, digits; note(digits)"]))
