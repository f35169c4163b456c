"""What is said in more than one place must be the same, and what is shipped must be complete."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile

import psyco
import pytest

pytestmark = pytest.mark.plain_only


@pytest.fixture(scope="module")
def project(request):
    return tomllib.loads((request.config.rootpath / "pyproject.toml").read_text())


def test_one_version_everywhere(root):
    cmake = re.search(r"project\(psyco VERSION ([\d.]+)", (root / "CMakeLists.txt").read_text())
    assert cmake.group(1) == psyco.__version__
    assert f"## {psyco.__version__}" in (root / "CHANGELOG.md").read_text()


def test_nothing_is_needed_at_run_time(project):
    assert "dependencies" not in project["project"]
    assert project["project"]["requires-python"] == "==3.13.*"


def test_licence(root, project):
    text = (root / "LICENSE").read_text()
    assert text.startswith("MIT License")
    assert "The psyco authors" in text
    assert project["project"]["license"] == "MIT"


def test_the_package_is_typed_and_clean(root):
    package = root / "python" / "psyco"
    assert (package / "py.typed").exists()
    assert (package / "_core.pyi").exists()


def test_imports_only_the_standard_library(root):
    """A run-time dependency would show up as an import of something foreign."""
    foreign = set()
    for path in (root / "python" / "psyco").rglob("*.py"):
        for name in re.findall(r"^\s*(?:from|import)\s+(\w+)", path.read_text(), re.MULTILINE):
            if name not in sys.stdlib_module_names and name not in ("psyco", "_weakref"):
                foreign.add(f"{path.name}: {name}")
    assert foreign == set()


@pytest.mark.skipif("PSYCO_TEST_WHEEL" not in os.environ, reason="slow: set PSYCO_TEST_WHEEL")
def test_wheel(root, tmp_path):
    """`pip install .` gives a small wheel that works elsewhere than in the source tree."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, root],
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.stat().st_size < 3_000_000
    names = zipfile.ZipFile(wheel).namelist()
    assert "psyco/py.typed" in names
    assert sum(name.startswith("psyco/_core.") and name.endswith(".so") for name in names) == 1
    target = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(target)
    done = subprocess.run(
        [sys.executable, "-I", "-c",
         f"import sys; sys.path.insert(0, {str(target)!r}); import psyco, psyco._core;"
         "print(psyco._core.__file__, psyco._core.status())"],
        check=True, capture_output=True, text=True, cwd=tmp_path,
    )
    assert done.stdout.startswith(str(target))
    assert done.stdout.endswith("None\n")
