"""./dev test --asan: the tests on a build with the address and undefined behaviour sanitizers.

The interpreter is the stock one: the sanitizer's library is loaded before it, and Python allocates
with malloc, so that each object has bounds of its own. Machine code is not instrumented; what it
calls is. Tests marked `plain_only` or `no_asan` (what they measure is another thing here) are left
out.
"""

from __future__ import annotations

import os
from pathlib import Path

from devtool.build import build_apart
from devtool.console import Failure, capture
from devtool.environment import Environment

# Leaks: an interpreter that ends frees little. Fake stack frames would lie outside the stack whose
# bounds the run time asks for. Crashes are for faulthandler, which children set up themselves.
ASAN = ("detect_leaks=0:detect_stack_use_after_return=0:handle_segv=0:use_sigaltstack=0"
        ":allocator_may_return_null=1:quarantine_size_mb=32:malloc_context_size=8")
UBSAN = "print_stacktrace=1"


def sanitized(env: Environment) -> tuple[Environment, dict[str, str]]:
    """The build, and what is to be set in the environment of those who use it."""
    own, package = build_apart(env, "asan", ["-DPSYCO_SANITIZE=ON"])
    libraries = [_library(name) for name in ("libasan.so", "libubsan.so")]
    return own, {
        "LD_PRELOAD": " ".join(libraries), "PYTHONPATH": str(package), "PYTHONMALLOC": "malloc",
        "ASAN_OPTIONS": ASAN, "UBSAN_OPTIONS": UBSAN, "PSYCO_TEST_ASAN": "1",
    }


def _library(name: str) -> str:
    answer = capture([os.environ.get("CXX", "c++"), f"-print-file-name={name}"])
    path = Path(answer.stdout.strip())
    if not path.is_absolute():
        raise Failure(f"{name} is not there: install the sanitizers of the C++ compiler")
    return str(path.resolve())
