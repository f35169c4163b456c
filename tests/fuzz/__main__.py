"""./dev fuzz: see run.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from run import main  # noqa: E402 (the path above must come first)

sys.exit(main(sys.argv[1:]))
