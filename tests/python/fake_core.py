"""A stand-in for psyco._core that remembers what it was told.

Tests of the API's own logic use it, so that they say what reaches the compiler without depending
on what the compiler makes of it.
"""


class FakeCore:
    def __init__(self):
        self.bound = []
        self.watched = []
        self.all = False
        self.scopes = {}
        self.filter = None
        self.settings = {}
        self.excluded = []
        self.reports = {}

    def status(self):
        return None

    def bind_function(self, func):
        if func not in self.bound:
            self.bound.append(func)

    def unbind_function(self, func):
        if func in self.bound:
            self.bound.remove(func)

    def is_bound(self, func):
        return func in self.bound

    def watch_code(self, code):
        assert not any(code is other for other in self.watched), "watched twice"
        self.watched.append(code)

    def unwatch_code(self, code):
        index = next(i for i, other in enumerate(self.watched) if other is code)
        del self.watched[index]

    def watch_all(self, on):
        self.all = on

    def jit_globals(self, namespace, scope):
        self.scopes[id(namespace)] = scope

    def jit_scope(self, namespace):
        return self.scopes.get(id(namespace), 0)

    def jit_nothing(self):
        self.scopes = dict.fromkeys(self.scopes, 0)

    def set_filter(self, hook):
        self.filter = hook

    def set_options(self, options):
        self.settings.update(options)

    def options(self):
        return dict(self.settings)

    def stats(self):
        return {"code_bytes": 64, "compile_ms": 0.5, "functions": []}

    def report(self, func):
        return self.reports.get(func)

    def run_alone(self, func, *args):
        return func(*args)

    def run_file(self, path, globals):
        pass

    def exclude(self, func):
        self.excluded.append(func)

    def names(self):
        """The qualified names of what is watched, sorted."""
        return sorted(code.co_qualname for code in self.watched)
