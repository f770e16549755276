"""The values that go in and out of the ledger."""

import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from photosortd.records import Decided, Outcome, Placement, PlacementState, Source, Stamp

_AT_ONCE = 400  # and a question may name them twice
_END = 1 << 63  # SQLite's integers are smaller
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}


Looks = tuple[int, int, int]
"""Size, mtime and ctime as the ledger keeps them: the first three of a Stamp."""


class Known(NamedTuple):
    """What a scan needs to know of a file: is it new to us? A tuple, as there are so many."""

    size: int
    mtime_ns: int
    ctime_ns: int
    outcome: Outcome | None
    bundle: str | None
    done_at: float | None
    thresholds: str | None  # as `thresholds_text` writes them

    def matches(self, stamp: Stamp) -> bool:
        """False sends the file through again; the same content then only updates the row."""
        return (
            self.size == stamp.size
            and self.mtime_ns == nanoseconds(stamp.mtime_ns)
            and self.ctime_ns == nanoseconds(stamp.ctime_ns)
        )


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one file, as the ledger remembers it."""

    id: int
    source: Source
    size: int
    mtime_ns: int
    sha256: str | None
    outcome: Outcome | None
    leader: int | None
    bundle: str | None
    scores: Mapping[str, float]
    thresholds: Mapping[str, float | None]
    taken: str | None
    format: str | None
    reason: str
    attempts: int
    seen_at: float
    done_at: float | None
    current: bool


@dataclass(frozen=True, slots=True)
class Note:
    """One file's version and what became of it: what `finish` and `intend` write."""

    source: Source
    stamp: Stamp
    seen_at: float  # when we first noticed it, seconds since the epoch
    at: float  # now
    sha256: str | None = None
    decided: Decided | None = None
    reason: str = ""
    leader: int | None = None  # of a companion: the version of its photo


@dataclass(frozen=True, slots=True)
class Filed:
    """A file of a shot with the placements it shall have."""

    note: Note
    outcome: Outcome  # what it becomes when they are done
    placements: tuple[Placement, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """What the files of one shot have in common when they are noted."""

    batch: int
    bundle: str  # the id of the bundle that decided, for companions too
    leader: int | None = None  # the photo, if it is not among the files


@dataclass(frozen=True, slots=True)
class PlacementRow:
    id: int
    version: int
    batch: int
    library: str
    placement: Placement
    state: PlacementState
    bundle: str
    at: float


@dataclass(frozen=True, slots=True)
class Batch:
    """The unit of undo."""

    id: int
    kind: str  # 'live' or 'once'
    started: float
    latest: float
    placed: int
    undone: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Which placements to undo; every criterion that is given must hold."""

    batch: int | None = None
    since: float | None = None  # seconds since the epoch
    until: float | None = None
    category: str | None = None
    bundle: str | None = None  # a prefix of the id is enough


def thresholds_text(thresholds: Mapping[str, float | None]) -> str:
    """Thresholds as the ledger keeps them; equal texts are equal thresholds."""
    return json.dumps(dict(thresholds), sort_keys=True)


def several(numbers: Collection[int]) -> Iterator[tuple[tuple[int, ...], str]]:
    """Numbers for a question that names many, and its marks: any SQLite takes a thousand values."""
    rest = iter(numbers)
    while some := tuple(islice(rest, _AT_ONCE)):
        yield some, ",".join("?" * len(some))


def blob(path: str) -> bytes:
    return os.fsencode(path)


def text(path: bytes) -> str:
    return os.fsdecode(path)


def signed(number: int) -> int:
    """SQLite's integers are signed; inodes of some network file systems use all 64 bits."""
    return number - (1 << 64) if number >= 1 << 63 else number


def nanoseconds(time: int) -> int:
    """The nearest that SQLite can hold, up to the year 2262: file systems take stranger times."""
    return time if -_END <= time < _END else max(-_END, min(time, _END - 1))


def unsigned(number: int) -> int:
    return number + (1 << 64) if number < 0 else number


def outcome_of(value: str | None) -> Outcome | None:
    """Raises ValueError for what is no outcome."""
    if value is None:
        return None
    known = _OUTCOMES.get(value)
    return Outcome(value) if known is None else known
