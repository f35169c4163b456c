"""What every program of this folder ends with."""

import sys


def main(run) -> None:
    """Call run(n), n being the command line's only argument, and print what it returns."""
    print(run(int(sys.argv[1])))
