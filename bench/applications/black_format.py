"""Source code formatted by Black, pure Python."""

import black
from inputs import python_source

from support import main


def run(n):
    """Format n modules; characters."""
    mode = black.Mode(line_length=80)
    return sum(len(black.format_str(python_source(8, i), mode=mode)) for i in range(n))


main(run)
