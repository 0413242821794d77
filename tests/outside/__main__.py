"""Runs the outside suites at length: `python -m tests.outside`. Needs node and npm for two of them, and says so where they are missing.

Further words go to pytest, such as `--db=embedded`.
"""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ.setdefault("OUTSIDE_CASES", "1000")
    raise SystemExit(pytest.main(["-n", "0", "-q", "-rs", str(Path(__file__).parent), *sys.argv[1:]]))
