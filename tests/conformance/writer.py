"""Writes what became of each test, one JSON line each, for ./dev to compare.

A line is {"start": id}, {"id": id, "outcome": text, "detail": traceback} or {"end": seconds}, so
that a process which dies shows in which test it did.
"""

import json
import os
import re
import resource
import traceback

ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")
DETAIL = 6000


def stable(name):
    """The id of a test without addresses, which differ from process to process."""
    return ADDRESS.sub("0x..", name)


def shown(kind, value, trace):
    """The end of an exception's traceback."""
    return "".join(traceback.format_exception(kind, value, trace))[-DETAIL:]


class Writer:
    """Writes lines at once; children that tests have forked write nothing."""

    def __init__(self, path):
        self._path, self._pid, self._seen = path, os.getpid(), {}
        # Kept from before the tests, which put their own in place of some.
        self._open, self._write, self._close, self._getpid = os.open, os.write, os.close, os.getpid

    def line(self, **what):
        """One line, in one piece."""
        if self._getpid() != self._pid:
            return
        # Opened each time: some tests close all descriptors they do not know.
        file = self._open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._write(file, json.dumps(what).encode() + b"\n")
        self._close(file)

    def outcome(self, name, outcome, detail=""):
        """What became of a test."""
        self.line(id=name, outcome=outcome, detail=detail)

    def unique(self, name):
        """The stable id; of several that are the same all but the first get a number."""
        name = stable(name)
        count = self._seen[name] = self._seen.get(name, 0) + 1
        return name if count == 1 else f"{name} #{count}"

    def end(self):
        """The process has come to its end: what it and its children took."""
        seconds = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            seconds += usage.ru_utime + usage.ru_stime
        self.line(end=seconds)
