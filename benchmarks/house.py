"""Where to measure: the tests' own household, which starts the real command as a user does, and
their machine with a real systemd, on which photosortd is installed.
"""

import sys
from pathlib import Path

# Behind everything else: no module of the tests may pose as another.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import booted
from booting import install
from drawing import RED, draw_photo
from placing import place
from running import House, Running, eventually
from serving import LIBRARY, STATE, UNIT, Household
from tiny import TINY

__all__ = [
    "LIBRARY",
    "RED",
    "STATE",
    "TINY",
    "UNIT",
    "House",
    "Household",
    "Running",
    "booted",
    "draw_photo",
    "eventually",
    "install",
    "place",
]
