"""Each runtime helper against the operation it stands for, by family in test_helpers_*.py; here, that none is left out."""

from __future__ import annotations

from pathlib import Path

from psyco import _core


def test_every_row_is_tested():
    """A new row needs a test; the names are looked up in the text of the files."""
    files = sorted(Path(__file__).parent.glob("test_helpers_*.py"))
    text = "".join(file.read_text(encoding="utf-8") for file in files)
    missing = [name for name, *_ in _core._test_helper_rows() if f'"{name}"' not in text]
    assert not missing
