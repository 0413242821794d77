"""Runs the outside suites at length, with cases that no run has drawn yet: `python -m tests.outside`.

Two of them need node and npm, and it says so where these are missing. Further words go to pytest, such as `--db=embedded`.
"""

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ.setdefault("OUTSIDE_CASES", "1000")
    at_length = ["-n", "0", "-q", "-rs", "--hypothesis-profile=search"]
    raise SystemExit(pytest.main([*at_length, str(Path(__file__).parent), *sys.argv[1:]]))
