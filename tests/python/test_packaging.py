"""What is said in more than one place must be the same, and what is shipped must be complete."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

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
    assert project["project"]["requires-python"] == ">=3.13,<3.16"


def test_licence(root, project):
    text = (root / "LICENSE").read_text()
    assert text.startswith("MIT License")
    assert "The psyco authors" in text
    assert project["project"]["license"] == "MIT"


def test_links_lead_to_what_their_labels_say(project):
    """The project has no page of its own; the one after which it is named does."""
    assert project["project"]["urls"] == {"The original Psyco": "https://psyco.sourceforge.net/"}


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


def configure(root, tmp_path, *options, **environ):
    """Run CMake's first half without any compiler on the path."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    cmake = shutil.which("cmake", path="/usr/local/bin:/usr/bin") or shutil.which("cmake")
    ninja = shutil.which("ninja", path="/usr/local/bin:/usr/bin") or shutil.which("ninja")
    for program in (cmake, ninja, shutil.which("sh"), shutil.which("uname")):
        (tools / Path(program).name).symlink_to(program)
    clean = {name: value for name, value in os.environ.items() if name not in ("CXX", "CC")}
    done = subprocess.run(
        [cmake, "-S", root, "-B", tmp_path / "b", "-G", "Ninja", f"-DPython_EXECUTABLE={sys.executable}", *options],
        capture_output=True, text=True, check=False, env={**clean, "PATH": str(tools), **environ},
    )
    assert done.returncode
    return " ".join(done.stderr.split())


def test_without_a_compiler_the_packages_are_named(root, tmp_path):
    told = configure(root, tmp_path)
    assert "psyco is built with a C++20 compiler, and there is none: install g++ (Debian" in told
    assert told.count("CMake Error") == 1


def test_without_headers_the_packages_are_named(root, tmp_path):
    told = configure(root, tmp_path, "-DPython_INCLUDE_DIR=/nonexistent", PATH=os.environ["PATH"])
    assert "psyco is built with the C headers of" in told and "install python{}.{}-dev (Debian".format(*sys.version_info[:2]) in told
    assert told.count("CMake Error") == 1


def test_the_licence_of_what_is_compiled_in(root, project):
    """Only xbyak's headers become part of the compiled module."""
    assert project["project"]["license-files"] == ["LICENSE", "NOTICE"]
    notice = (root / "NOTICE").read_text()
    assert "Copyright (c) 2007 MITSUNARI Shigeo" in notice
    assert "Redistributions in binary form must reproduce the above copyright notice" in notice


@pytest.mark.skipif("PSYCO_TEST_WHEEL" not in os.environ, reason="slow: set PSYCO_TEST_WHEEL")
def test_sdist(root, tmp_path):
    """Sources, whatever lies about in the checkout, and all that a build needs."""
    copy, tools = tmp_path / "copy", tmp_path / "tools"
    own = shutil.ignore_patterns("build", "build-*", ".venv*", ".git", ".*_cache")
    shutil.copytree(root, copy, symlinks=True, ignore=lambda folder, names: own(folder, names) if folder == str(root) else ())
    # What `pip install .` leaves.
    left = copy / "build" / "pip-cp313-cp313-linux_x86_64" / "CMakeFiles" / "_core.dir" / "src" / "ext"
    left.mkdir(parents=True)
    (left / "module.cpp.o").write_bytes(b"object")
    (copy / "build-debian" / "src").mkdir(parents=True)
    (copy / "build-debian" / "src" / "x.o").write_bytes(b"object")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", tools, "scikit-build-core>=0.10"], check=True)
    subprocess.run(
        [sys.executable, "-c", f"from scikit_build_core.build import build_sdist; build_sdist({str(tmp_path)!r})"],
        check=True, cwd=copy, env={**os.environ, "PYTHONPATH": str(tools)}, stdout=subprocess.DEVNULL,
    )
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert not [name for name in names if name.endswith((".o", ".so", ".pyc")) or name.startswith(("build", ".venv", ".ci"))]
    wanted = {"CMakeLists.txt", "LICENSE", "NOTICE", "README.md", "pyproject.toml", "PKG-INFO"}
    for folder in ("src", "python/psyco"):
        wanted |= {str(path.relative_to(root)) for path in (root / folder).rglob("*")
                   if path.suffix in (".cpp", ".h", ".def", ".py", ".pyi", ".typed")}
    assert wanted <= names


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
    assert sum(name.endswith(("/LICENSE", "/NOTICE")) for name in names) == 2
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
