"""Runs one of CPython's own test files and writes what became of each test.

    python runner.py NAME OUT [IDS]      IDS: a file with the ids that are to be left out

Of subtests those that fail have lines, the others are counted in the outcome of their test.
"""

import importlib
import json
import sys
import unittest

from writer import Writer, shown, stable

# What tests ask for with support.requires(): computing time, but neither network nor screen.
RESOURCES = ("cpu", "decimal", "subprocess", "walltime")


class Result(unittest.TestResult):
    """Writes each outcome as it comes."""

    def __init__(self, writer):
        super().__init__()
        self._writer = writer
        self._forget(None)

    def _forget(self, name):
        self._name, self._outcomes, self._details, self._subtests = name, [], [], 0

    def startTest(self, test):
        super().startTest(test)
        self._forget(self._writer.unique(test.id()))
        self._writer.line(start=self._name)

    def stopTest(self, test):
        super().stopTest(test)
        outcome = "+".join(self._outcomes) or "no outcome"
        if self._subtests:
            outcome += f", {self._subtests} subtests"
        self._writer.outcome(self._name, outcome, "\n".join(self._details))
        self._forget(None)

    def _note(self, test, outcome, err=None):
        if err:
            outcome += f" {err[0].__name__}"
        detail = shown(*err) if err else ""
        if self._name is None:  # the preparation of a class or module
            self._writer.outcome(self._writer.unique(test.id()), outcome, detail)
        else:
            self._outcomes.append(outcome)
            self._details.append(detail)

    def addSuccess(self, test):
        self._note(test, "passed")

    def addError(self, test, err):
        self._note(test, "error", err)

    def addFailure(self, test, err):
        self._note(test, "failed", err)

    def addSkip(self, test, reason):
        self._note(test, "skipped")

    def addExpectedFailure(self, test, err):
        self._note(test, "expected failure")

    def addUnexpectedSuccess(self, test):
        self._note(test, "unexpected success")

    def addSubTest(self, test, subtest, err):
        if err is None:
            self._subtests += 1
            return
        name = self._writer.unique(subtest.id())
        self._writer.outcome(name, f"failed {err[0].__name__}", shown(*err))
        self._outcomes.append("subtest failed")


def adapt(module):
    """Take back two things that some files assert of the interpreter and not of the language.

    They are taken back plainly as well, so that the rest of these tests is compared instead of
    being skipped: that no tool of sys.monitoring is there at all (psyco is one, with the last id),
    and which specialised instructions the interpreter has chosen for code that it may not run.
    """
    if module.__name__ == "test.test_monitoring":
        leave_last_tool_out(module)
    elif module.__name__ == "test.test_opcache":
        module.TestBase.assert_specialized = lambda *_: None
    elif module.__name__ == "test.test_type_cache":
        module.TypeCacheWithSpecializationTests._check_specialization = run_often


def leave_last_tool_out(module):
    """Let the tests of sys.monitoring look at all tools but the last."""
    last = 1 << 5
    all_events = sys.monitoring._all_events

    def events_of_others():
        of_others = {name: mask & ~last for name, mask in all_events().items()}
        return {name: mask for name, mask in of_others.items() if mask}

    def wrapped(method):
        def looks_at_others(test):
            module.range = lambda limit: range(limit - 1)
            try:
                method(test)
            finally:
                # Events of the tests themselves must not come from here.
                del module.range
        return looks_at_others

    sys.monitoring._all_events = events_of_others
    base = module.MonitoringTestBase
    base.setUp, base.tearDown = wrapped(base.setUp), wrapped(base.tearDown)


def run_often(test, function, argument, opname, *, should_specialize):
    """What test_type_cache does before it looks at the instructions."""
    for _ in range(100):
        function(argument)


def leave_out(suite, ids):
    """The suite without some tests."""
    kept = []
    for test in suite._tests:
        if isinstance(test, unittest.TestSuite):
            leave_out(test, ids)
            kept.append(test)
        elif stable(test.id()) not in ids:
            kept.append(test)
    suite._tests = kept


def run(name, writer, left_out):
    """Load the file's tests and run them."""
    from test import support

    support.use_resources = dict.fromkeys(RESOURCES)
    support.verbose = 0
    support.record_original_stdout(sys.stdout)
    try:
        module = importlib.import_module(name)
        adapt(module)
        suite = unittest.TestLoader().loadTestsFromModule(module)
    except unittest.SkipTest:
        writer.outcome(name, "skipped")
        return
    except BaseException as failure:
        kind = type(failure)
        detail = shown(kind, failure, failure.__traceback__)
        writer.outcome(name, f"not imported: {kind.__name__}", detail)
        return
    leave_out(suite, left_out)
    suite.run(Result(writer))


def main():
    """Run what the command line names."""
    name, out, *rest = sys.argv[1:]
    left_out = set()
    if rest:
        with open(rest[0], encoding="utf-8") as file:
            left_out = set(json.load(file))
    # Some tests look at them.
    del sys.path[0], sys.argv[1:]
    writer = Writer(out)
    run(f"test.{name}", writer, left_out)
    writer.end()


if __name__ == "__main__":
    main()
