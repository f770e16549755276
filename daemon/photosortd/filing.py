"""Filing one decided shot: parts, names, the intent, the deed — in that order.

Owns the order in which `place` and `ledger` take turns, so that a crash between any two steps is
put right by `recover`. Decides nothing about categories.
"""

import os
import stat as modes
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from photosortd import files
from photosortd.errors import PhotoError, WorldError
from photosortd.layout import Layout
from photosortd.ledger import Entry, Filed, Ledger, Note, PlacementRow, Version
from photosortd.place import Library, OpenSource, Part, Wanted, suffix_of
from photosortd.records import (
    Decided,
    Method,
    Outcome,
    Placement,
    PlacementState,
    PlaceMode,
    Source,
    Stamp,
)

PUBLISH_TRIES = 20
"""How often another writer may snatch the name that we chose before we call it trouble."""


class HalfFiled(WorldError):
    """The world failed between intent and deed: `recover` has to finish it."""


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


class Filing:
    """Files shots into one open library and notes it in the ledger."""

    def __init__(self, library: Library, ledger: Ledger, style: Style) -> None:
        self._library = library
        self._ledger = ledger
        self._style = style
        self._written: set[str] = set(ledger.placements.written(library.path))

    def file_shot(
        self, shot: Sequence[tuple[Opened, Note]], categories: Sequence[str], batch: int, at: float
    ) -> tuple[Placement, ...]:
        """File a photo (first) and its companions into every category that lacks them.

        Returns the photo's new placements. Raises SourceChanged or PhotoError, with nothing noted;
        WorldError, with nothing noted; HalfFiled, when `recover` must finish it.
        """
        photo, note = shot[0]
        assert note.decided is not None
        pieces = self._prepare_all(self._errands(shot, note.decided, categories))
        placed = tuple(piece.placement for piece in pieces if piece.opened is photo)
        outcome = note.decided.verdict.outcome
        filed = _filed([(each, note, Outcome.PLACED) for each, note in shot[1:]], pieces)
        if placed:
            whole = [Filed(note, outcome, placed), *filed]
            self._carry_out(whole, pieces, Entry(batch, note.decided.bundle_id), at)
        else:
            leader = self._ledger.finish(note, outcome)
            entry = Entry(batch, note.decided.bundle_id, leader)
            self._carry_out(filed, pieces, entry, at)
        return placed

    def follow(
        self, leader: Version, companions: Sequence[tuple[Opened, Note]], batch: int, at: float
    ) -> None:
        """File companions that came late beside every standing copy of their photo.

        Raises as `file_shot` does.
        """
        rows = self._standing(leader)
        if not rows:
            for _, note in companions:
                reason = note.reason or "its photo is in no category"
                self._ledger.finish(replace(note, leader=leader.id, reason=reason), Outcome.NONE)
            return
        bundle = leader.bundle or ""
        errands = [
            Errand(_beside(leader, row.placement), lacking)
            for row in rows
            if (lacking := self._lacking(companions, row.placement.category, bundle))
        ]
        pieces = self._prepare_all(errands)
        news = [(each, note, Outcome.PLACED) for each, note in companions]
        self._carry_out(_filed(news, pieces), pieces, Entry(batch, bundle, leader.id), at)

    def _errands(
        self, shot: Sequence[tuple[Opened, Note]], decided: Decided, categories: Sequence[str]
    ) -> list[Errand]:
        """Which files of a shot are to be brought where."""
        photo, note = shot[0]
        before = self._ledger.version(photo.source)
        known = before if before is not None and before.sha256 == note.sha256 else None
        standing = {row.placement.category: row for row in self._standing(known)} if known else {}
        taken = decided.seen.taken or _written_at(photo.stamp)
        errands = []
        for category in categories:
            lacking = self._lacking(shot, category, decided.bundle_id)
            if known is not None and category in standing:
                target = _beside(known, standing[category].placement)
            elif photo in lacking:
                target = Target(category, self._style.layout.directory(category, taken))
            else:
                continue  # its photo was taken back from there, and stays away
            if lacking:
                errands.append(Errand(target, lacking))
        return errands

    def _standing(self, photo: Version) -> list[PlacementRow]:
        return [
            row
            for row in self._ledger.placements.of(photo.id)
            if row.state is PlacementState.PLACED and row.library == self._library.path
        ]

    def _lacking(
        self, shot: Sequence[tuple[Opened, Note]], category: str, bundle_id: str
    ) -> list[Opened]:
        """The files that never stood in a category; what was undone returns by a new bundle."""
        return [each for each, note in shot if not self._stood(note, category, bundle_id)]

    def _stood(self, note: Note, category: str, bundle_id: str) -> bool:
        version = self._ledger.version(note.source)
        if version is None or version.sha256 != note.sha256:
            return False
        return any(
            row.state is PlacementState.PLACED
            or (row.state is PlacementState.UNDONE and row.bundle == bundle_id)
            for row in self._ledger.placements.of(version.id)
            if row.placement.category == category
        )

    def _prepare_all(self, errands: Sequence[Errand]) -> list[Piece]:
        """Part files for every errand; all of them or none."""
        pieces: list[Piece] = []
        try:
            for errand in errands:
                self._prepare(errand.files, errand.target, pieces)
        except BaseException:
            self._discard(pieces)
            raise
        return pieces

    def _prepare(self, shot: Sequence[Opened], target: Target, pieces: list[Piece]) -> None:
        wanted = [self._wanted(each) for each in shot]
        directory = target.directory
        if directory not in self._written:
            self._ledger.placements.writing(self._library.path, directory)
            self._written.add(directory)
        names = self._library.choose_names(directory, wanted, target.suffix, target.photo)
        self._library.room(sum(each.size for each in wanted), self._style.keep_free)
        for each, name, there in zip(shot, names.names, names.there, strict=True):
            part = None if there else self._make_part(each, directory, name)
            placement = Placement(
                category=target.category,
                directory=directory,
                name=name,
                sha256=each.sha256,
                size=each.stamp.size,
                method=part.method if part else Method.THERE,
                device=part.device if part else 0,
                inode=part.inode if part else 0,
                part=part.part if part else "",
            )
            pieces.append(Piece(each, part, placement))

    def _wanted(self, opened: Opened) -> Wanted:
        link = opened.source.full if self._style.mode is PlaceMode.SYMLINK else ""
        return Wanted(opened.source.name, opened.sha256, opened.stamp.size, link)

    def _make_part(self, opened: Opened, directory: str, name: str) -> Part:
        style = self._style
        return self._library.make_part(
            opened.for_placing(), directory, name, style.mode, style.mode_add
        )

    def _carry_out(
        self,
        filed: Sequence[Filed],
        pieces: Sequence[Piece],
        entry: Entry,
        at: float,
    ) -> None:
        if not filed:
            return
        try:
            versions = self._ledger.intend(filed, self._library.path, entry)
        except BaseException:
            self._discard(pieces)
            raise
        try:
            rows = self._intended(versions)
            for piece in pieces:
                if piece.part is not None:
                    row = rows[piece.placement.category, piece.placement.part]
                    self._publish(piece.opened, piece.part, piece.placement, row.id)
            self._ledger.complete(versions, at)
            self._note_links(filed, versions, pieces)
        except (WorldError, PhotoError) as error:
            raise HalfFiled(str(error)) from error

    def _note_links(
        self, filed: Sequence[Filed], versions: Sequence[int], pieces: Sequence[Piece]
    ) -> None:
        """A hard link changes the ctime of its source, which must not make it news."""
        linked = {
            piece.opened.source: piece.opened.descriptor
            for piece in pieces
            if piece.placement.method is Method.HARDLINK
        }
        for each, version in zip(filed, versions, strict=True):
            if each.note.source in linked:
                stamp = Stamp.of(os.fstat(linked[each.note.source]))
                if stamp.same_file_state(each.note.stamp):
                    self._ledger.touch(version, replace(each.note, stamp=stamp))

    def _intended(self, versions: Sequence[int]) -> dict[tuple[str, str], PlacementRow]:
        return {
            (row.placement.category, row.placement.part): row
            for version in versions
            for row in self._ledger.placements.of(version)
        }

    def _publish(self, opened: Opened, part: Part, placement: Placement, row: int) -> None:
        """Give the part its name; if somebody took that name meanwhile, note and take the next."""
        for _ in range(PUBLISH_TRIES):
            try:
                self._library.publish(part, placement.name)
                return
            except FileExistsError:
                names = self._library.choose_names(part.directory, [self._wanted(opened)])
                placement = replace(placement, name=names.names[0])
                method = Method.THERE if names.there[0] else placement.method
                self._ledger.placements.renamed(row, placement.name, method)
                if names.there[0]:
                    self._library.discard(part)
                    return
        raise WorldError(f"{part.directory}: another program keeps taking the names chosen here")

    def _discard(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if piece.part is not None:
                # What cannot be unlinked now is swept at the next start: its directory is noted.
                with suppress(OSError, WorldError):
                    self._library.discard(piece.part)


def _filed(shot: Sequence[tuple[Opened, Note, Outcome]], pieces: Sequence[Piece]) -> list[Filed]:
    """The files that got pieces, each with its placements."""
    found = [
        Filed(note, outcome, tuple(p.placement for p in pieces if p.opened is each))
        for each, note, outcome in shot
    ]
    return [each for each in found if each.placements]


def _written_at(stamp: Stamp) -> datetime:
    """In local time, as EXIF has it. File systems take times that no calendar has."""
    try:
        return datetime.fromtimestamp(stamp.mtime_ns / 1e9)  # noqa: DTZ006
    except (ValueError, OverflowError, OSError):
        return datetime(1970, 1, 1)  # noqa: DTZ001


def _beside(leader: Version, placement: Placement) -> Target:
    name = leader.source.name
    suffix = suffix_of(name, placement.name)
    return Target(placement.category, placement.directory, suffix, name)
