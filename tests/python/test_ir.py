"""Graph-to-graph tests: every tests/ir/*.ir file is run by psyco-opt.

PSYCO_ACCEPT=1 rewrites the expectations; review the diff like code.
"""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "tests" / "ir").glob("*.ir"))


def find_tool() -> Path | None:
    """Return the newest psyco-opt of any build directory."""
    given = os.environ.get("PSYCO_OPT")
    if given:
        return Path(given)
    tools = [p for p in ROOT.glob("build*/**/psyco-opt") if p.is_file()]
    return max(tools, key=lambda p: p.stat().st_mtime, default=None)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_ir(path: Path) -> None:
    tool = find_tool()
    if tool is None:
        pytest.skip("psyco-opt is not built (configure with -DPSYCO_TESTS=ON)")
    command = [str(tool), str(path)]
    if os.environ.get("PSYCO_ACCEPT"):
        command.insert(1, "--accept")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
