"""The frozen values that travel between the stages. Standard library only.

Paths are `str` as Python decodes them from the file system (surrogateescape), so that any
name survives; use `printable` before one is shown, logged or written as JSON.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple


class Outcome(StrEnum):
    """What became of one version of one file."""

    PLACED = "placed"  # filed into at least one category (or into the unsorted directory)
    NONE = "none"  # no category reached its threshold
    UNSURE = "unsure"  # none reached, at least one within the margin
    DUPLICATE = "duplicate"  # the same bytes were decided before
    TRUNCATED = "truncated"  # never became whole
    UNREADABLE = "unreadable"  # whole or not, it is no photo that we can decode
    SET_ASIDE = "set_aside"  # three attempts failed; `photosortd retry` tries again
    IGNORED = "ignored"  # a movie or RAW file of its own, or a companion without its photo
    LOST = "lost"  # an intent was noted, then both its part file and its source were gone


FAILED = frozenset({Outcome.TRUNCATED, Outcome.UNREADABLE, Outcome.SET_ASIDE, Outcome.LOST})
"""Outcomes that make `--once` exit 1."""


_facts = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_blocks", "st_ino")


class Stamp(NamedTuple):
    """What a file looked like at one glance. Inode and ctime are hints, never keys.

    A tuple: a scan makes one of every file that there is.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    blocks: int
    inode: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "Stamp":
        return cls._make(_facts(stat))

    def same_file_state(self, other: "Stamp") -> bool:
        """Equal for the ledger's purposes: a remount may renumber inodes, a backup touch ctime."""
        return self.size == other.size and self.mtime_ns == other.mtime_ns


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """One file under a watched root: the root as configured (absolute) and the path below it."""

    root: str
    path: str

    @property
    def directory(self) -> str:
        """The path of its directory below the root; '' for the root itself."""
        return os.path.dirname(self.path)

    @property
    def name(self) -> str:
        return os.path.basename(self.path)

    @property
    def full(self) -> str:
        return os.path.join(self.root, self.path)

    def sibling(self, name: str) -> "Source":
        return Source(self.root, os.path.join(self.directory, name))


class Kind(StrEnum):
    """What a file is, judged by its name alone (what it *contains* is vision's business)."""

    PHOTO = "photo"
    RAW = "raw"
    MOVIE = "movie"
    SIDECAR = "sidecar"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Shot:
    """What the camera took: names in one directory. `photo` is None for companions alone."""

    photo: str | None
    companions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a vision worker saw in one whole photo."""

    sha256: str  # lower-case hex of the bytes that were decoded
    format: str  # by content: 'JPEG', 'HEIF', …
    width: int  # pixels, upright
    height: int
    taken: datetime | None  # EXIF date, naive local time of the camera
    scores: tuple[float, ...]  # calibrated, in the bundle's category order, each 0…1


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which categories a shot belongs to. Both tuples in the bundle's order."""

    categories: tuple[str, ...]
    near: tuple[str, ...]  # below the threshold by no more than the margin

    @property
    def outcome(self) -> Outcome:
        if self.categories:
            return Outcome.PLACED
        return Outcome.UNSURE if self.near else Outcome.NONE


class PlaceMode(StrEnum):
    AUTO = "auto"
    REFLINK = "reflink"
    HARDLINK = "hardlink"
    COPY = "copy"
    SYMLINK = "symlink"


class Method(StrEnum):
    """How a placement came to be."""

    REFLINK = "reflink"
    HARDLINK = "hardlink"
    COPY = "copy"
    SYMLINK = "symlink"
    THERE = "there"  # the same bytes already had the name; undo never removes such a file


class PlacementState(StrEnum):
    INTENDED = "intended"
    PLACED = "placed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Placement:
    """One file in the library, or the intent to put it there."""

    category: str
    directory: str  # below the library, e.g. 'food' or 'food/2024/05'
    name: str
    sha256: str
    size: int
    method: Method
    device: int  # of the part file, which link and rename keep; 0 for THERE
    inode: int
    part: str = ""  # an intent's hidden part file, in the same directory

    @property
    def path(self) -> str:
        return os.path.join(self.directory, self.name)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one photo may cost a worker."""

    seconds: float = 60.0
    memory: int = 2 << 30  # bytes of address space (RLIMIT_AS)
    pixels: int = 100_000_000  # decoded at once; a JPEG counts after its reduced decode
    file_size: int = 512 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict with what it rests on, ready to be placed and noted."""

    seen: Seen
    verdict: Verdict
    bundle_id: str
    scores: Mapping[str, float] = field(default_factory=dict)  # by category name
    thresholds: Mapping[str, float | None] = field(default_factory=dict)


def printable(path: str) -> str:
    """`path` on one line for a terminal, a log or JSON: odd bytes and controls as escapes."""
    if path.isprintable():
        return path  # nearly all are
    return "".join(_shown(char) for char in path)


def _shown(char: str) -> str:
    if "\udc80" <= char <= "\udcff":
        return f"\\x{ord(char) - 0xDC00:02x}"
    if char.isprintable():
        return char
    return char.encode("unicode_escape").decode("ascii")
