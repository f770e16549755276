"""From parts to names: intents, names and deeds of several shots, in that order.

Wherever a crash cuts it off, `recover` puts it right.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from photosortd.errors import PhotoError, WorldError
from photosortd.filing.parts import discard
from photosortd.filing.values import Opened, Piece, Prepared
from photosortd.ledger import Entry, Filed, Ledger, PlacementRow
from photosortd.place import Library, Part
from photosortd.records import Method, Placement, PlaceMode, Stamp

PUBLISH_TRIES = 20
"""How often another writer may snatch the name that we chose before we call it trouble."""


class HalfFiled(WorldError):
    """The world failed between intent and deed: `recover` has to finish it."""


Result = tuple[Placement, ...] | WorldError
"""What became of a shot: its photo's new placements, or why there are none yet."""


@dataclass(slots=True)
class _Course:
    """How far one shot has come."""

    shot: Prepared
    versions: list[int] = field(default_factory=list)  # that have an intent
    placed: tuple[Placement, ...] = ()
    failure: WorldError | PhotoError | None = None

    @property
    def result(self) -> Result:
        assert not isinstance(self.failure, PhotoError)  # after its intent: HalfFiled
        return self.placed if self.failure is None else self.failure


class Commit:
    """Lets `place` and `ledger` take turns."""

    def __init__(self, library: Library, ledger: Ledger, mode: PlaceMode) -> None:
        self._library = library
        self._ledger = ledger
        self._mode = mode

    def carry_out(self, shots: Sequence[Prepared], at: float) -> Sequence[Result]:
        """As `Filing.commit` says."""
        courses = [_Course(shot) for shot in shots]
        # The intent that names a part must not outlive it: its entry is made durable first.
        going = self._synced(courses)
        for each in courses:
            if each.failure is not None:
                discard(self._library, each.shot.pieces)
        try:
            with self._ledger.write():
                for each in going:
                    each.versions = self._intend(each.shot)
        except BaseException:
            for each in going:
                discard(self._library, each.shot.pieces)
            raise
        for each in going:
            self._name(each)
        self._note_deeds(self._synced([each for each in going if each.failure is None]), at)
        for each in going:
            if each.failure is not None:
                each.failure = _half(each.failure)
        return [each.result for each in courses]

    def _synced(self, courses: Sequence[_Course]) -> list[_Course]:
        """Those of which all parts, under whatever name, have durable entries now."""
        failures: dict[str, WorldError | None] = {}
        for each in courses:
            for directory in each.shot.directories:
                if directory not in failures:
                    failures[directory] = self._sync(directory)
                each.failure = each.failure or failures[directory]
        return [each for each in courses if each.failure is None]

    def _sync(self, directory: str) -> WorldError | None:
        try:
            self._library.sync(directory)
        except WorldError as error:
            return error
        return None

    def _note_deeds(self, courses: Sequence[_Course], at: float) -> None:
        if not any(each.versions for each in courses):
            return
        try:
            with self._ledger.write():
                for each in courses:
                    self._complete(each.shot, each.versions, at)
        except WorldError as error:
            for each in courses:
                each.failure = error

    def _intend(self, shot: Prepared) -> list[int]:
        """Note what shall be placed; the versions that have an intent then."""
        leader = shot.leader
        if shot.photo is not None and not shot.placed:  # it stands in all of its categories
            leader = self._ledger.finish(shot.photo.note, shot.photo.outcome)
        if not shot.filed:
            return []
        entry = Entry(shot.batch, shot.bundle, leader)
        return self._ledger.intend(shot.filed, self._library.path, entry)

    def _name(self, course: _Course) -> None:
        """Give the parts of a shot their names; what becomes of its photo's placements."""
        shot, placed = course.shot, []
        try:
            rows = self._intended(course.versions)
            for piece in shot.pieces:
                placement = piece.placement
                if piece.part is not None:
                    row = rows[placement.category, placement.part]
                    placement = self._publish(piece.opened, piece.part, placement, row.id)
                if shot.photo is not None and piece.opened.source == shot.photo.note.source:
                    placed.append(placement)
        except (WorldError, PhotoError) as error:
            course.failure = error
        course.placed = tuple(placed)

    def _complete(self, shot: Prepared, versions: Sequence[int], at: float) -> None:
        self._ledger.complete(versions, at)
        self._note_links(shot.filed, versions, shot.pieces)

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
            if each.note.source not in linked:
                continue
            with suppress(OSError):  # it cannot be looked at any more: that is news
                stamp = Stamp.of(os.fstat(linked[each.note.source]))
                if stamp.same_file_state(each.note.stamp):
                    self._ledger.touch(version, replace(each.note, stamp=stamp))

    def _intended(self, versions: Sequence[int]) -> dict[tuple[str, str], PlacementRow]:
        return {
            (row.placement.category, row.placement.part): row
            for version in versions
            for row in self._ledger.placements.of(version)
        }

    def _publish(self, opened: Opened, part: Part, placement: Placement, row: int) -> Placement:
        """Give the part its name; if somebody took that name meanwhile, note and take the next."""
        for _ in range(PUBLISH_TRIES):
            try:
                self._library.publish(part, placement.name)
                return placement
            except FileExistsError:
                names = self._library.choose_names(part.directory, [opened.wanted(self._mode)])
                method = Method.THERE if names.there[0] else placement.method
                placement = replace(placement, name=names.names[0], method=method)
                self._ledger.placements.renamed(row, placement.name, method)
                if names.there[0]:
                    self._library.discard(part)
                    return placement
        raise WorldError(f"{part.directory}: another program keeps taking the names chosen here")


def _half(error: WorldError | PhotoError) -> HalfFiled:
    failure = HalfFiled(str(error))
    failure.__cause__ = error
    return failure
