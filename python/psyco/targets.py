"""Which functions a target means: the functions of a class, of a module, behind a decorator.

The rule throughout is that compiling acts where a function is *defined*. A class stands for the
functions in its own __dict__, never for what it inherits; a module stands for the functions whose
globals it is, never for what it imports.
"""

from __future__ import annotations

import sys
from types import CodeType, FunctionType, MethodType, ModuleType

# The type checker's word for "only for me"; importing it from typing would cost 6 ms.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FUNCTIONS = 1
METHODS = 2
BOTH = FUNCTIONS | METHODS

# Py_TPFLAGS_HEAPTYPE: what a class statement makes is made at run time, what int is was not.
_HEAP_TYPE = 1 << 9

# Nothing a program defines is nested or decorated deeper than this; a cycle would be.
_MAX_DEPTH = 20


def describe(target: object) -> str:
    """*target* as an error message names it."""
    name = getattr(target, "__qualname__", None) or getattr(target, "__name__", None)
    kind = type(target).__name__
    return f"{kind} {name}" if isinstance(name, str) else kind


def inner_functions(value: object, depth: int = 0) -> Iterator[FunctionType]:
    """The Python functions that a class attribute or a decorated name consists of."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, FunctionType):
        yield value
        # A decorator of functools' kind keeps what it decorates here.
        inner = value.__dict__.get("__wrapped__")
        if inner is not None:
            yield from inner_functions(inner, depth + 1)
    elif isinstance(value, (staticmethod, classmethod, MethodType)):
        yield from inner_functions(value.__func__, depth + 1)
    elif isinstance(value, property):
        for accessor in (value.fget, value.fset, value.fdel):
            yield from inner_functions(accessor, depth + 1)
    elif not isinstance(value, (type, ModuleType)):
        # functools.cached_property and lru_cache, and whoever follows their conventions. The
        # type is asked first: an instance's __getattr__ must not run for our curiosity.
        own = getattr(value, "__dict__", None)
        if isinstance(own, dict):
            for name in ("__wrapped__", "func"):
                if isinstance(own.get(name), FunctionType):
                    yield from inner_functions(own[name], depth + 1)


def class_functions(cls: type) -> Iterator[FunctionType]:
    """The functions in a class's own namespace."""
    for value in list(vars(cls).values()):
        yield from inner_functions(value)


def is_method(qualname: str) -> bool:
    """Whether a qualified name has a class in it: `C.m`, `f.<locals>.C.m`, `C.m.<locals>.g`."""
    parts = qualname.split(".")
    return any(
        left != "<locals>" and right != "<locals>"
        for left, right in zip(parts, parts[1:])
    )


def in_scope(qualname: str, scope: int) -> bool:
    """Whether a function of this name belongs to *scope*."""
    return bool(scope & (METHODS if is_method(qualname) else FUNCTIONS))


def namespace_functions(namespace: dict[str, Any], scope: int = BOTH) -> Iterator[FunctionType]:
    """The functions defined in the module whose globals are *namespace*."""
    module = namespace.get("__name__")
    seen: set[int] = set()

    def from_class(cls: type, depth: int) -> Iterator[FunctionType]:
        if id(cls) in seen or depth > _MAX_DEPTH:
            return
        seen.add(id(cls))
        for value in list(vars(cls).values()):
            if isinstance(value, type):
                if value.__module__ == module:
                    yield from from_class(value, depth + 1)
            else:
                yield from inner_functions(value)

    for value in list(namespace.values()):
        if isinstance(value, type):
            found = from_class(value, 0) if value.__module__ == module else iter(())
        else:
            found = inner_functions(value)
        for func in found:
            if func.__globals__ is not namespace or id(func) in seen:
                continue
            seen.add(id(func))
            if in_scope(func.__qualname__, scope):
                yield func


def nested_code(code: CodeType) -> Iterator[CodeType]:
    """The code of the functions, lambdas and comprehensions written inside *code*.

    Class bodies are passed through, not returned: they run once.
    """
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & 0x2:  # CO_NEWLOCALS: a function, not a class body
                yield constant
            yield from nested_code(constant)


def copy_code(code: CodeType) -> CodeType:
    """A code object that nobody has seen, down to the functions written inside."""
    constants = tuple(
        copy_code(constant) if isinstance(constant, CodeType) else constant
        for constant in code.co_consts
    )
    return code.replace(co_consts=constants)


def target_functions(target: object, caller: str) -> list[FunctionType]:
    """The functions that bind(), unbind() and their like act on.

    Raises:
        TypeError: *target* has no Python code of its own.

    """
    if isinstance(target, ModuleType):
        return list(namespace_functions(vars(target)))
    if isinstance(target, type) and target.__flags__ & _HEAP_TYPE:
        return list(class_functions(target))
    functions = list(inner_functions(target))
    if not functions:
        raise TypeError(
            f"{caller}() takes a function, method, class or module written in Python, "
            f"not {describe(target)}"
        )
    return functions


def single_function(target: object, caller: str) -> FunctionType:
    """The one function that *target* is, or is a method of.

    Raises:
        TypeError: it is something else.

    """
    if isinstance(target, (MethodType, staticmethod, classmethod)):
        target = target.__func__
    if not isinstance(target, FunctionType):
        raise TypeError(
            f"{caller}() takes a function or method written in Python, not {describe(target)}"
        )
    return target


def _is_library(code: CodeType) -> bool:
    """Whether the code belongs to the standard library, which programs call but do not write."""
    path = code.co_filename
    if path.startswith("<frozen"):
        return True
    return path.startswith(_LIBRARY) and "site-packages" not in path


_LIBRARY = (sys.modules["os"].__file__ or "").removesuffix("os.py") or "\0"


def callees(func: FunctionType, depth: int) -> list[FunctionType]:
    """The functions that *func* may call by name, and those they call, *depth* levels down.

    Found by name, nothing is run: globals, closure cells, attributes of modules and methods of
    classes that are called through the class. What is reached through instances is the compiler's
    own business, which sees the types. The standard library is left out.
    """
    found: dict[int, FunctionType] = {id(func): func}
    level = [func]
    for _ in range(depth):
        following: list[FunctionType] = []
        for each in level:
            for candidate in _referenced(each):
                if id(candidate) not in found and not _is_library(candidate.__code__):
                    found[id(candidate)] = candidate
                    following.append(candidate)
        if not following:
            break
        level = following
    del found[id(func)]
    return list(found.values())


def _referenced(func: FunctionType) -> list[FunctionType]:
    # No generator: CPython 3.13 goes round for ever in a long one when memory runs out.
    names: set[str] = set(func.__code__.co_names)
    for code in nested_code(func.__code__):
        names.update(code.co_names)
    values = [func.__globals__[name] for name in names if name in func.__globals__]
    for cell in func.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:  # not assigned yet
            continue
    found: list[FunctionType] = []
    for value in values:
        if isinstance(value, FunctionType):
            found.append(value)
        elif isinstance(value, ModuleType):
            found += _named(vars(value), names)
        elif isinstance(value, type):
            for cls in value.__mro__[:-1]:
                # Calling a class runs its constructor whether or not the code says so.
                if "__init__" in vars(cls):
                    found += _named(vars(cls), {"__init__"})
                    break
            found += _named(vars(value), names)
    return found


def _named(namespace: Any, names: set[str]) -> Iterator[FunctionType]:
    for name in names:
        value = namespace.get(name)
        if isinstance(value, (staticmethod, classmethod)):
            value = value.__func__
        if isinstance(value, FunctionType):
            yield value
