"""Type checking by mypy's Python code."""

import pathlib
import tempfile

from mypy import api

from support import main

CODE = '''
from typing import Generic, Iterable, TypeVar
T = TypeVar("T")
class Box{n}(Generic[T]):
    def __init__(self, value: T) -> None:
        self.value = value
    def map(self, items: Iterable[T]) -> list[T]:
        return [item for item in items if item is not None] + [self.value]
def use{n}(a: int, b: str = "x") -> dict[str, list[int]]:
    box = Box{n}(a)
    result = {{b: box.map(range(a))}}
    if a > 10:
        result[b].append(len(b))
    bad: str = a
    return result
'''


def run(n):
    """Check n classes and functions; lines of the report."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "made.py")
        path.write_text("".join(CODE.format(n=k) for k in range(n)))
        out, _, status = api.run(["--no-incremental", "--cache-dir", "/dev/null", "--no-site-packages", str(path)])
    return status, len(out.splitlines())


main(run)
