"""The layers of the compiler: what each folder may include."""

import re

import pytest

pytestmark = pytest.mark.plain_only

# The folders under src/, in the order of the pipeline. A file may include what lies in its own
# folder or in one named before it.
ORDER = ["support", "ir", "analysis", "passes", "lir", "cpython", "frontend", "emit", "runtime",
         "driver", "ext"]
WITHOUT_PYTHON = ["support", "ir", "analysis", "passes", "lir", "emit"]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)
PYTHON_HEADER = re.compile(
    r"^(Python\.h|internal/|cpython/\w+\.h$(?<!port\.h)|pycore_|structmember|opcode|object\.h|"
    r"frameobject|patchlevel)"
)


def sources(root, *folders):
    """(path below src/, text) of the C++ files and tables in some folders, or in all."""
    for path in sorted((root / "src").rglob("*")):
        if path.suffix in (".cpp", ".h", ".def", ".inc"):
            name = path.relative_to(root / "src")
            if not folders or name.parts[0] in folders:
                yield str(name), path.read_text()


def local_includes(root, name, text):
    """The files under src/ that a file includes, as paths below src/."""
    for target in INCLUDE.findall(text):
        beside = (root / "src" / name).parent / target
        if (root / "src" / target).exists():
            yield target
        elif beside.exists():
            yield str(beside.resolve().relative_to(root / "src"))


def layering_problems(files, exists):
    """Includes against the order; *files* maps a name to what it includes."""
    problems = []
    for name, includes in files.items():
        folder = name.split("/")[0]
        for target in includes:
            other = target.split("/")[0]
            if not exists(target):
                continue
            if ORDER.index(other) > ORDER.index(folder):
                problems.append(f"src/{name} includes {target}, which lies further down")
            if {folder, other} == {"frontend", "emit"}:
                problems.append(f"src/{name} includes {target}: front and back end must not meet")
    return problems


def test_the_rule_notices_what_it_forbids():
    files = {
        "ir/graph.cpp": ["ir/graph.h", "passes/dce.h"],
        "emit/code.cpp": ["frontend/build.h", "lir/lir.h"],
        "runtime/deopt.cpp": ["support/log.h"],
    }
    problems = layering_problems(files, lambda target: True)
    assert len(problems) == 2
    assert "ir/graph.cpp includes passes/dce.h" in problems[0]
    assert "emit/code.cpp includes frontend/build.h" in problems[1]


def test_every_folder_is_in_the_order(root):
    folders = {path.name for path in (root / "src").iterdir() if path.is_dir()}
    assert folders <= set(ORDER)


def test_includes_go_upwards_only(root):
    files = {name: list(local_includes(root, name, text)) for name, text in sources(root)}
    assert layering_problems(files, lambda target: True) == []


def test_local_includes_are_written_from_src(root):
    """One spelling per file, so that the rules above see every include."""
    odd = [
        f"src/{name}: {target}"
        for name, text in sources(root)
        for target in INCLUDE.findall(text)
        if target.startswith(".")
    ]
    assert odd == []


def test_the_middle_does_not_know_python(root):
    found = [
        f"src/{name}: {target}"
        for name, text in sources(root, *WITHOUT_PYTHON)
        for target in INCLUDE.findall(text)
        if PYTHON_HEADER.match(target)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("header", "python"),
    [("Python.h", True), ("internal/pycore_frame.h", True), ("pycore_code.h", True),
     ("cpython/code.h", True), ("cpython/port.h", False), ("ir/graph.h", False), ("vector", False)],
)
def test_what_counts_as_python(header, python):
    assert bool(PYTHON_HEADER.match(header)) is python


def test_versions_are_compared_in_one_place(root):
    users = [
        name for name, text in sources(root)
        if re.search(r"^(?!\s*//).*\bPY_(VERSION_HEX|MINOR_VERSION)\b", text, re.MULTILINE)
    ]
    assert [name for name in users if name != "cpython/port.h"] == []


def test_only_the_emitter_knows_the_encoder(root):
    users = [name for name, text in sources(root) if re.search(r"#\s*include.*xbyak", text)]
    assert [name for name in users if not name.startswith("emit/")] == []


def test_every_file_says_what_it_is(root):
    """Each file opens with a comment; a .cpp file may leave that to the header of its name."""

    def says(text):
        return text.lstrip().startswith(("//", "/*"))

    texts = dict(sources(root))
    silent = [
        f"src/{name}" for name, text in texts.items()
        if text.strip() and not says(text)
        and not (name.endswith(".cpp") and says(texts.get(f"{name[:-4]}.h", "")))
    ]
    assert silent == []


def test_no_exceptions_and_no_standard_output_in_the_compiler(root):
    """The compiler returns Result and logs; it neither throws nor talks to the user's stdout."""
    found = [
        f"src/{name}:{number}: {line.strip()}"
        for name, text in sources(root)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"^\s*throw\s|std::cout|(?<![fn\w])printf\s*\(", line)
        and not line.lstrip().startswith("//")
    ]
    assert found == []
