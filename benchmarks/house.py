"""A household to measure in: the tests' own, which starts the real command as a user does."""

import sys
from pathlib import Path

# Behind everything else: no module of the tests may pose as another.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from placing import place
from running import House, Running, eventually

__all__ = ["House", "Running", "eventually", "place"]
