"""Filing shots: which files go where, their parts, and then their names."""

from collections.abc import Sequence
from dataclasses import replace

from photosortd.errors import WorldError
from photosortd.filing.commit import Commit, Result
from photosortd.filing.errands import Errands, beside
from photosortd.filing.parts import Parts, discard
from photosortd.filing.values import Errand, Opened, Piece, Prepared, Style
from photosortd.ledger import Filed, Ledger, Note, Version
from photosortd.place import Library
from photosortd.records import Outcome, Placement


class Filing:
    """Files shots into one open library and notes it in the ledger."""

    def __init__(self, library: Library, ledger: Ledger, style: Style) -> None:
        self._library = library
        self._ledger = ledger
        self._errands = Errands(ledger, library.path, style.layout)
        self._parts = Parts(library, ledger, style)
        self._commit = Commit(library, ledger, style.mode)

    def prepare(
        self, shot: Sequence[tuple[Opened, Note]], categories: Sequence[str], batch: int
    ) -> Prepared:
        """Make the parts of a photo (first) and its companions for every category that lacks them.

        What is returned is to be committed or discarded. Raises SourceChanged, PhotoError or
        WorldError, and leaves no part then.
        """
        photo, note = shot[0]
        assert note.decided is not None
        pieces = self._parts.prepare(self._errands.of_shot(shot, note.decided, categories))
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
        pieces = self._parts.prepare(errands)
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
        return self._commit.carry_out(shots, at)

    def discard(self, shot: Prepared) -> None:
        """Remove the parts of a shot that is not to be filed now."""
        discard(self._library, shot.pieces)


def _companions(shot: Sequence[tuple[Opened, Note]], pieces: Sequence[Piece]) -> tuple[Filed, ...]:
    """Those that got pieces, each with its placements."""
    found = (
        Filed(note, Outcome.PLACED, tuple(p.placement for p in pieces if p.opened is each))
        for each, note in shot
    )
    return tuple(each for each in found if each.placements)
