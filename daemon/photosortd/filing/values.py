"""What filing is given, and what it makes of it on the way."""

import stat as modes
from collections.abc import Sequence
from dataclasses import dataclass

from photosortd import files
from photosortd.layout import Layout
from photosortd.ledger import Filed
from photosortd.place import OpenSource, Part, Wanted
from photosortd.records import Placement, PlaceMode, Source, Stamp


@dataclass(frozen=True, slots=True)
class Opened:
    """One file of a shot, opened once; its descriptor is the pipeline's to close."""

    source: Source
    stamp: Stamp
    descriptor: int
    seen_at: float  # seconds since the epoch
    sha256: str

    def for_placing(self) -> OpenSource:
        return OpenSource(
            fd=self.descriptor,
            full=self.source.full,
            name=self.source.name,
            stamp=self.stamp,
            mode=modes.S_IMODE(files.mode_of(self.descriptor)),
            sha256=self.sha256,
        )

    def wanted(self, mode: PlaceMode) -> Wanted:
        link = self.source.full if mode is PlaceMode.SYMLINK else ""
        return Wanted(self.source.name, self.sha256, self.stamp.size, link)


@dataclass(frozen=True, slots=True)
class Style:
    """How placements look: the part of the configuration that filing needs."""

    mode: PlaceMode
    mode_add: int
    layout: Layout
    keep_free: int


@dataclass(frozen=True, slots=True)
class Target:
    """Where a shot goes; a late companion with the suffix that its photo got there."""

    category: str
    directory: str  # below the library
    suffix: str | None = None
    photo: str | None = None  # the photo's own name, if it is not among the files


@dataclass(frozen=True, slots=True)
class Errand:
    """Files of one shot that are to be brought to one target."""

    target: Target
    files: Sequence[Opened]


@dataclass(frozen=True, slots=True)
class Piece:
    """One file on its way into one category: its part file, unless the bytes are there."""

    opened: Opened
    part: Part | None
    placement: Placement


@dataclass(frozen=True, slots=True)
class Prepared:
    """A shot whose part files are made, and of which nothing is noted."""

    photo: Filed | None  # None: its photo was placed before, and these are late companions
    companions: tuple[Filed, ...]
    pieces: tuple[Piece, ...]
    batch: int
    bundle: str  # the id of the bundle that decided
    leader: int | None = None  # the photo's version, if that was placed before

    @property
    def sha256(self) -> str | None:
        """The photo's content."""
        return self.photo.note.sha256 if self.photo else None

    @property
    def directories(self) -> list[str]:
        """Below the library: where its parts are."""
        found = (piece.part.directory for piece in self.pieces if piece.part is not None)
        return list(dict.fromkeys(found))

    @property
    def filed(self) -> tuple[Filed, ...]:
        """What needs an intent: the photo first, unless it stands in all of its categories."""
        photo = (self.photo,) if self.photo is not None and self.placed else ()
        return (*photo, *self.companions)

    @property
    def placed(self) -> tuple[Placement, ...]:
        """The photo's new placements."""
        return self.photo.placements if self.photo else ()
