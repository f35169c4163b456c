"""./dev lint and ./dev fmt: formatting, ruff, types, and rules that no tool knows.

clang-format's releases lay out a few constructs differently, so a file is accepted when the
formatter at hand leaves it alone *or* when all it would do is break one statement at other places
than its author did. What a reader sees as style stays checked.
"""

from __future__ import annotations

import difflib
import re
import subprocess
from pathlib import Path

from devtool.build import PACKAGE
from devtool.console import ROOT, Failure, call, capture
from devtool.environment import LINT_NEEDS, Environment, ensure_debian

CPP_FOLDERS = ("src", "tests/cpp", "tools")
CPP_SUFFIXES = (".cpp", ".h")
PYTHON_PATHS = ("dev", "python", "tools", "tests", "bench", "examples")
TEXT_SUFFIXES = {".py", ".cpp", ".h", ".def", ".md", ".toml", ".txt", ".ir", ".pyi", ".cmake"}
COLUMNS = 100


def tracked_files() -> list[Path]:
    """All files that are in the repository or about to be."""
    listing = capture(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    if listing.returncode:
        raise Failure(f"git could not list the files: {listing.stderr.strip()}")
    names = sorted(set(filter(None, listing.stdout.split("\0"))))
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def cpp_files(files: list[Path]) -> list[Path]:
    """The C++ files whose layout clang-format decides (tables in .def are aligned by hand)."""
    folders = tuple(f"{ROOT / folder}/" for folder in CPP_FOLDERS)
    return [f for f in files if f.suffix in CPP_SUFFIXES and str(f).startswith(folders)]


def existing(names: tuple[str, ...]) -> list[str]:
    """Those of *names* that are there."""
    return [name for name in names if (ROOT / name).exists()]


# --- Formatting ----------------------------------------------------------------------------------


def formatted(path: Path) -> str:
    """What clang-format would make of the file."""
    answer = subprocess.run(
        ["clang-format", "--style=file", str(path)], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise Failure(f"clang-format failed on {path}: {answer.stderr.strip()}")
    return answer.stdout


def _tokens(lines: list[str]) -> str:
    return "".join("".join(lines).split())


def layout_problems(before: str, after: str) -> list[int]:
    """Lines (counted from 1) whose layout is wrong, not just differently continued."""
    old, new = before.splitlines(), after.splitlines()
    problems = []
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        # The same tokens, broken at other places: the formatter's release decides, not the author.
        ours = [line.strip() for line in old[start:end]]
        theirs = [line.strip() for line in new[new_start:new_end]]
        rebroken = ours != theirs and _tokens(ours) == _tokens(theirs) and len(ours) > 1
        if not rebroken or any(len(line) > COLUMNS for line in old[start:end]):
            problems.append(start + 1)
    return problems


def check_format(files: list[Path]) -> list[str]:
    """Complaints of clang-format."""
    complaints = []
    for path in cpp_files(files):
        text = path.read_text()
        after = formatted(path)
        if text == after:
            continue
        for line in layout_problems(text, after):
            complaints.append(f"{path.relative_to(ROOT)}:{line}: not laid out as clang-format does"
                              " (./dev fmt)")
    return complaints


def format_all(env: Environment) -> int:
    """Rewrite C++ and Python files in place."""
    ensure_debian(LINT_NEEDS)
    files = cpp_files(tracked_files())
    status = call(["clang-format", "--style=file", "-i", *files]) if files else 0
    ruff = [env.tool("ruff"), "check", "--fix", "--quiet", *existing(PYTHON_PATHS)]
    return call(ruff) or status


# --- Rules of our own ----------------------------------------------------------------------------

_TODO = re.compile(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))")
_FOREIGN_PATH = re.compile(r"(?<![\w.])/(work|home|root|tmp)/[\w.-]+/")


def text_problems(name: str, text: str) -> list[str]:
    """What is wrong with a file's text, as `name:line: what`."""
    problems = []
    if text and not text.endswith("\n"):
        problems.append(f"{name}:{text.count(chr(10)) + 1}: no newline at the end")
    if text.endswith("\n\n"):
        problems.append(f"{name}:{text.count(chr(10))}: empty line at the end")
    source = not name.endswith(".md")
    # Tables may be wide; the length of C++ and Python lines is the other checkers' business.
    narrow = source and not name.endswith((".def", ".ir", ".cpp", ".h", ".py"))
    for number, line in enumerate(text.splitlines(), 1):
        at = f"{name}:{number}: "
        if line != line.rstrip():
            problems.append(at + "white space at the end of the line")
        if "\t" in line:
            problems.append(at + "tab")
        if narrow and len(line) > COLUMNS and "://" not in line:
            problems.append(at + f"longer than {COLUMNS} columns")
        if source and _TODO.search(line):
            problems.append(at + "an open task without the number of its issue: TODO(#123)")
        if _FOREIGN_PATH.search(line):
            problems.append(at + "a path of one particular machine")
    return problems


def check_text(files: list[Path]) -> list[str]:
    """Complaints of the rules above, over all text files but this one."""
    complaints = []
    for path in files:
        name = str(path.relative_to(ROOT))
        # This file spells what it forbids, and so does the test of its rules.
        if path.suffix not in TEXT_SUFFIXES or name.endswith(("devtool/lint.py", "test_dev.py")):
            continue
        try:
            complaints += text_problems(name, path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            complaints.append(f"{name}: not UTF-8")
    return complaints


def lint(env: Environment) -> list[str]:
    """Run every check; returns the names of those that failed, after printing why."""
    ensure_debian(LINT_NEEDS)
    files = tracked_files()
    failed = []
    for name, check in (("format", check_format), ("text", check_text)):
        complaints = check(files)
        print("\n".join(complaints), end="\n" if complaints else "")
        if complaints:
            failed.append(name)
    if call([env.tool("ruff"), "check", "--quiet", *existing(PYTHON_PATHS)]):
        failed.append("ruff")
    answer = capture([env.python, "-m", "mypy", "--strict", "--no-error-summary", PACKAGE])
    if answer.returncode:
        print(answer.stdout + answer.stderr, end="")
        failed.append("mypy")
    return failed


def check_stubs(env: Environment) -> None:
    """Compare the types that users see with what is really there; needs a build."""
    answer = capture([env.python, "-m", "mypy.stubtest", "psyco"], cwd=PACKAGE.parent)
    if answer.returncode:
        print(answer.stdout + answer.stderr, end="")
        raise Failure("the package's types are not those of the modules (see above)")
