import signal
import gc
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))

if threshold := os.environ.get("PSYCO_TEST_GC_THRESHOLD"):
    gc.set_threshold(int(threshold))


@pytest.fixture
def root():
    """The project's folder."""
    return ROOT


@pytest.fixture
def no_trials():
    """Compiled code runs whenever there is some, whatever the clock says of it."""
    from psyco import _core

    governor = _core.options()["governor"]
    _core.set_options({"governor": False})
    yield
    _core.set_options({"governor": governor})


# A run in the background of a script begins with the interrupt ignored, and so would what it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
