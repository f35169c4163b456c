"""What psyco raises and warns with."""

from __future__ import annotations


# The lower-case names are the ones programs already catch.
class error(Exception):
    """A request that psyco understood and cannot fulfil; the message says why."""


class CannotCompile(error):
    """The function asked for is one that must stay plain."""


class warning(Warning):
    """Something psyco was asked for has no effect."""
