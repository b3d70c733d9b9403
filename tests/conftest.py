"""What all tests share: the same Hypothesis examples on every machine, and the book's tools on the path."""

import sys
from pathlib import Path

from hypothesis import settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "book" / "tools"))

# No deadline, because two busy cores are slow at times; derandomised, so that a red run is red again.
settings.register_profile("book", deadline=None, derandomize=True, database=None)
settings.load_profile("book")
