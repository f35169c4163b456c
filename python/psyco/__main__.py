"""`python -m psyco`. To import it, as tools do that look at all modules, does nothing."""

from psyco.cli import main

if __name__ == "__main__":
    main()
