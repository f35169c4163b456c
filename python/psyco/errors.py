"""What psyco raises and warns with."""

from __future__ import annotations


# The lower-case names are the ones programs already catch.
class error(Exception):
    """A request that psyco understood and cannot fulfil; the message says why.

    >>> import psyco
    >>> try:
    ...     psyco.unproxy(lambda: 1)
    ... except psyco.error as refusal:
    ...     print(refusal)
    function <lambda> is not a proxy; unproxy() takes what proxy() returned
    """


class CannotCompile(error):
    """The function asked for is one that must stay plain.

    >>> import psyco
    >>> def plain():
    ...     pass
    >>> psyco.cannotcompile(plain)
    >>> psyco.bind(plain)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    psyco.errors.CannotCompile: ...: plain: cannotcompile() was called for it
    """


class warning(RuntimeWarning):
    """Something psyco was asked for has no effect.

    >>> import psyco, warnings
    >>> class Data:
    ...     x = 1
    >>> with warnings.catch_warnings(category=psyco.warning, action="error"):
    ...     psyco.bind(Data)
    Traceback (most recent call last):
    psyco.errors.warning: bind() has no effect: type Data defines no Python functions of its own
    """
