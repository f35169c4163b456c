"""Runs a package's own tests with pytest and writes what became of each.

    python runner.py OUT IDS ARGUMENT...      IDS: a file with the ids that are to be left out, or -
"""

import json
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent / "conformance")

import pytest
from writer import Writer, stable

del sys.path[0]


class Outcomes:
    """A plugin of pytest's."""

    def __init__(self, writer, left_out):
        self._writer, self._left_out = writer, left_out
        self._name, self._outcomes, self._details = None, [], []
        self._subtests = 0

    def pytest_configure(self):
        quiet_hypothesis()

    def pytest_collection_modifyitems(self, items):
        items[:] = [item for item in items if stable(item.nodeid) not in self._left_out]

    def pytest_collectreport(self, report):
        if report.failed or report.skipped:
            name = self._writer.unique(f"collecting {report.nodeid}")
            self._writer.outcome(name, report.outcome, str(report.longrepr)[-6000:])

    def pytest_runtest_logstart(self, nodeid):
        self._name, self._outcomes, self._details = self._writer.unique(nodeid), [], []
        self._subtests = 0
        self._writer.line(start=self._name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call):
        report = yield
        report.kind = call.excinfo.type.__name__ if call.excinfo else ""
        return report

    def pytest_runtest_logreport(self, report):
        if hasattr(report, "context"):  # of a subtest
            self._subtests += 1
        elif report.when != "call" and report.passed:
            return
        if hasattr(report, "context") and report.passed:
            return
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = f"x{outcome}"
        if report.failed:
            outcome += f" {report.when} {getattr(report, 'kind', '')}"
            self._details.append(str(report.longrepr)[-6000:])
        self._outcomes.append(outcome)

    def pytest_runtest_logfinish(self):
        outcome = "+".join(self._outcomes) or "no outcome"
        if self._subtests:
            outcome += f", {self._subtests} subtests"
        self._writer.outcome(self._name, outcome, "\n".join(self._details))


def quiet_hypothesis():
    """Tests made by hypothesis are the same in each run, however long they take."""
    try:
        from hypothesis import HealthCheck, settings
    except ImportError:
        return
    settings.register_profile("psyco", derandomize=True, database=None, deadline=None,
                              suppress_health_check=list(HealthCheck))
    settings.load_profile("psyco")


def main():
    """Run what the command line names."""
    out, ids, *arguments = sys.argv[1:]
    left_out = set()
    if ids != "-":
        with open(ids, encoding="utf-8") as file:
            left_out = set(json.load(file))
    sys.argv[1:] = arguments
    writer = Writer(out)
    pytest.main(["-q", "-p", "no:cacheprovider", *arguments], plugins=[Outcomes(writer, left_out)])
    writer.end()


if __name__ == "__main__":
    main()
