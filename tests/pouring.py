"""Small photos by the thousand: distinct, whole, and nearly free to make."""

import functools
import os
from collections.abc import Iterable
from pathlib import Path

from drawing import BLUE, GREEN, MAGENTA, RED, draw_photo
from running import Tree

COLORS = {"red": RED, "green": GREEN, "blue": BLUE, "magenta": MAGENTA}
CATEGORIES = {"red": ["red"], "green": ["green"], "blue": ["blue"], "magenta": ["red", "blue"]}


@functools.cache
def _drawn(color: str) -> bytes:
    return draw_photo(COLORS[color], size=(64, 48))


def photo(number: int, color: str | None = None) -> bytes:
    """A photo with its number in a comment: no two are the same bytes."""
    whole = _drawn(color or color_of(number))
    comment = b"photo %d" % number
    return whole[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + whole[2:]


def color_of(number: int) -> str:
    return list(COLORS)[number % len(COLORS)]


def categories_of(number: int) -> list[str]:
    return CATEGORIES[color_of(number)]


def pour(directory: Path, numbers: Iterable[int]) -> Tree:
    """Write numbered photos into a directory. Returns what the library shall hold of them."""
    directory.mkdir(parents=True, exist_ok=True)
    expected = {}
    for number in numbers:
        data, name = photo(number), f"IMG_{number:06}.jpg"
        beside = directory / f".{name}.part"
        beside.write_bytes(data)
        os.rename(beside, directory / name)
        expected |= {f"{category}/{name}": data for category in categories_of(number)}
    return expected
