"""The order in which `place` and `ledger` take turns, so that `recover` can put any crash right."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from photosortd.errors import PhotoError, WorldError
from photosortd.filing.errands import Errands, beside
from photosortd.filing.values import Errand, Opened, Piece, Prepared, Style, Target
from photosortd.ledger import Entry, Filed, Ledger, Note, PlacementRow, Version
from photosortd.place import Library, Names, Part, Wanted
from photosortd.records import Method, Outcome, Placement, PlaceMode, Stamp

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


class Filing:
    """Files shots into one open library and notes it in the ledger."""

    def __init__(self, library: Library, ledger: Ledger, style: Style) -> None:
        self._library = library
        self._ledger = ledger
        self._style = style
        self._errands = Errands(ledger, library.path, style.layout)
        self._adopted = ledger.adopted(library.path)
        self._written: set[str] = set(ledger.placements.written(library.path))

    def prepare(
        self, shot: Sequence[tuple[Opened, Note]], categories: Sequence[str], batch: int
    ) -> Prepared:
        """Make the parts of a photo (first) and its companions for every category that lacks them.

        What is returned is to be committed or discarded. Raises SourceChanged, PhotoError or
        WorldError, and leaves no part then.
        """
        photo, note = shot[0]
        assert note.decided is not None
        pieces = self._prepare_all(self._errands.of_shot(shot, note.decided, categories))
        placed = tuple(piece.placement for piece in pieces if piece.opened is photo)
        return Prepared(
            Filed(note, note.decided.verdict.outcome, placed),
            _companions(shot[1:], pieces),
            tuple(pieces),
            batch,
            note.decided.bundle_id,
        )

    def follow(
        self, leader: Version, companions: Sequence[tuple[Opened, Note]], batch: int, at: float
    ) -> None:
        """File companions that came late beside every standing copy of their photo.

        Raises as `prepare` and `file` do.
        """
        rows = self._errands.standing(leader)
        if not rows:
            for _, note in companions:
                reason = note.reason or "its photo is in no category"
                self._ledger.finish(replace(note, leader=leader.id, reason=reason), Outcome.NONE)
            return
        bundle = leader.bundle or ""
        errands = [
            Errand(beside(leader, row.placement), lacking)
            for row in rows
            if (lacking := self._errands.lacking(companions, row.placement.category, bundle))
        ]
        pieces = self._prepare_all(errands)
        filed = _companions(companions, pieces)
        self.file(Prepared(None, filed, tuple(pieces), batch, bundle, leader.id), at)

    def file(self, shot: Prepared, at: float) -> tuple[Placement, ...]:
        """Commit one shot; its photo's new placements. Raises WorldError, as `commit` has it."""
        (result,) = self.commit([shot], at)
        if isinstance(result, WorldError):
            raise result
        return result

    def commit(self, shots: Sequence[Prepared], at: float) -> Sequence[Result]:
        """Note the intents of several shots, give every part its name, and note the deeds.

        What has to be durable before the next step is so for all of them at once. Returns for each
        shot its photo's new placements; HalfFiled, when `recover` must finish it; or another
        WorldError, with nothing of it noted and no part left. Raises WorldError if the ledger
        fails, with that so for all of them.
        """
        courses = [_Course(shot) for shot in shots]
        # The intent that names a part must not outlive it: its entry is made durable first.
        going = self._synced(courses)
        for each in courses:
            if each.failure is not None:
                self.discard(each.shot)
        try:
            with self._ledger.write():
                for each in going:
                    each.versions = self._intend(each.shot)
        except BaseException:
            for each in going:
                self.discard(each.shot)
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

    def discard(self, shot: Prepared) -> None:
        """Remove the parts of a shot that is not to be filed now."""
        self._discard(shot.pieces)

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
        if self._adopted and target.photo is None and not names.there[0]:
            names = self._elsewhere(directory, wanted[0], names)
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

    def _elsewhere(self, directory: str, photo: Wanted, names: Names) -> Names:
        """A photo that an earlier ledger filed under another name is there already."""
        name = self._library.same_bytes(directory, photo.sha256, photo.size)
        if name is None:
            return names
        return replace(names, names=(name, *names.names[1:]), there=(True, *names.there[1:]))

    def _wanted(self, opened: Opened) -> Wanted:
        link = opened.source.full if self._style.mode is PlaceMode.SYMLINK else ""
        return Wanted(opened.source.name, opened.sha256, opened.stamp.size, link)

    def _make_part(self, opened: Opened, directory: str, name: str) -> Part:
        style = self._style
        return self._library.make_part(
            opened.for_placing(), directory, name, style.mode, style.mode_add
        )

    def _intend(self, shot: Prepared) -> list[int]:
        """Note what shall be placed; the versions that have an intent then."""
        filed, leader = shot.companions, shot.leader
        if shot.placed:
            assert shot.photo is not None
            filed = (shot.photo, *filed)
        elif shot.photo is not None:  # it stands in all of its categories already
            leader = self._ledger.finish(shot.photo.note, shot.photo.outcome)
        if not filed:
            return []
        entry = Entry(shot.batch, shot.bundle, leader)
        return self._ledger.intend(filed, self._library.path, entry)

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
        filed = (shot.photo, *shot.companions) if shot.placed else shot.companions
        self._note_links([each for each in filed if each is not None], versions, shot.pieces)

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
                names = self._library.choose_names(part.directory, [self._wanted(opened)])
                method = Method.THERE if names.there[0] else placement.method
                placement = replace(placement, name=names.names[0], method=method)
                self._ledger.placements.renamed(row, placement.name, method)
                if names.there[0]:
                    self._library.discard(part)
                    return placement
        raise WorldError(f"{part.directory}: another program keeps taking the names chosen here")

    def _discard(self, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            if piece.part is not None:
                # What cannot be unlinked now is swept at the next start: its directory is noted.
                with suppress(OSError, WorldError):
                    self._library.discard(piece.part)


def _companions(shot: Sequence[tuple[Opened, Note]], pieces: Sequence[Piece]) -> tuple[Filed, ...]:
    """Those that got pieces, each with its placements."""
    found = (
        Filed(note, Outcome.PLACED, tuple(p.placement for p in pieces if p.opened is each))
        for each, note in shot
    )
    return tuple(each for each in found if each.placements)


def _half(error: WorldError | PhotoError) -> HalfFiled:
    failure = HalfFiled(str(error))
    failure.__cause__ = error
    return failure
