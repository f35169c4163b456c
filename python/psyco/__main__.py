"""`python -m psyco`."""

from psyco.cli import main

main()
