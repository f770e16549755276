"""Which photos are nearly the same: copies in another size or quality, and bursts.

They must not stand on both sides of a split: a network that has learned from one of them knows
the others. Pure, but for `look`, which computes what is compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from photosortd.vision.decode import Picture

SAME = (6, 14)
CLOSE = (10, 10)
"""Bits (of 64) in which the two hashes of one scene may differ at most: either pair is enough.

Read off 903 photos of seven collections: scenes that a person calls different stay above both;
the two hashes of two arbitrary photos differ in 32 ± 4 bits.
"""

BURST_SECONDS = 3.0
BURST_BITS = 16
"""Photos taken at most so far apart, and still alike in the rough, are one burst: the time alone
would link everything that has lost its date to one default."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is compared."""

    waves: int  # 64 bits: signs of the low frequencies
    slopes: int  # 64 bits: signs of the differences of neighbours
    taken: datetime | None  # the camera's own clock


def look(picture: Picture) -> Look:
    """pHash and dHash: Zauner, "Implementation and Benchmarking of Perceptual Image Hash
    Functions" (2010); Krawetz, "Kind of Like That" (2013)."""
    import imagehash
    from PIL import Image

    image = Image.fromarray(picture.pixels)
    return Look(
        int(str(imagehash.phash(image)), 16), int(str(imagehash.dhash(image)), 16), picture.taken
    )


def groups(looks: Mapping[str, Look]) -> dict[str, int]:
    """The number of each photo's group, by its key; nearly the same photos share one.

    A group is whatever hangs together: a burst's first and last photo may differ a good deal.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    keys = sorted(looks)
    firsts, seconds = _pairs([looks[key] for key in keys])
    links = coo_array((np.ones(len(firsts), bool), (firsts, seconds)), (len(keys), len(keys)))
    _, numbers = connected_components(links, directed=False)
    return dict(zip(keys, numbers.tolist(), strict=True))


def is_like(new: Look, others: Sequence[Look]) -> bool:
    """Whether it is nearly the same as one of the others."""
    return bool(_Many(others).like(new).any())


def among(looks: Sequence[Look], others: Sequence[Look]) -> list[bool]:
    """Of each, whether it is nearly the same as one of the others."""
    every = _Many(others)
    return [bool(every.like(each).any()) for each in looks]


def _pairs(looks: Sequence[Look]) -> tuple[list[int], list[int]]:
    """The positions of the two of every pair that is nearly the same."""
    every, firsts, seconds = _Many(looks), [], []
    for place, each in enumerate(looks):
        found = np.flatnonzero(every.like(each)[place + 1 :]) + place + 1
        firsts += [place] * len(found)
        seconds += found.tolist()
    return firsts, seconds


class _Many:
    """Looks to be compared with one other at once."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._waves = np.array([each.waves for each in looks], np.uint64)
        self._slopes = np.array([each.slopes for each in looks], np.uint64)
        self._taken = np.array([each.taken for each in looks], "datetime64[ms]")

    def like(self, other: Look) -> NDArray[np.bool_]:
        """[looks]"""
        waves = _bits(self._waves ^ np.uint64(other.waves))
        slopes = _bits(self._slopes ^ np.uint64(other.slopes))
        same = (waves <= SAME[0]) & (slopes <= SAME[1])
        close = (waves <= CLOSE[0]) & (slopes <= CLOSE[1])
        apart = np.abs((self._taken - np.datetime64(other.taken, "ms")) / np.timedelta64(1, "s"))
        burst = (apart <= BURST_SECONDS) & (waves <= BURST_BITS)  # NaT compares false
        return np.asarray(same | close | burst, bool)


def _bits(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many bits are set in each."""
    octets = values.astype(np.uint64).view(np.uint8).reshape(len(values), 8)
    counted: NDArray[np.int64] = np.unpackbits(octets, axis=1).sum(axis=1, dtype=np.int64)
    return counted
