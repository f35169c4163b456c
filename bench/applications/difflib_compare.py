"""difflib: sequences matched, texts compared."""

import difflib

from inputs import paragraphs

from support import main


def run(n):
    """Compare n pairs of texts; lines of difference."""
    total = 0
    for i in range(n):
        old = " ".join(paragraphs(3, i)).split(". ")
        new = [line.replace("time", "day") if k % 3 else line + " more" for k, line in enumerate(old)]
        total += len(list(difflib.unified_diff(old, new, lineterm="")))
        total += len(list(difflib.ndiff(old[:5], new[:5])))
        total += round(difflib.SequenceMatcher(None, " ".join(old), " ".join(new), autojunk=False).ratio() * 1000) if i % 8 == 0 else 0
    return total


main(run)
