"""Noting what became of a trip, and telling those who listen."""

from collections.abc import Callable, Iterable

from photosortd.ledger import Ledger, Note
from photosortd.pipeline.intake import Intake
from photosortd.pipeline.values import Done, Trip
from photosortd.records import Decided, Outcome, Placement


def note_of(trip: Trip, wall: float, sha256: str | None = None, reason: str = "") -> Note:
    """What is known of a trip's file now; `wall` in seconds since the epoch."""
    return Note(trip.source, trip.stamp, trip.seen_at, wall, sha256, None, reason)


class Outcomes:
    """Ends trips: in the ledger, in the intake, and in the ears of `on_done`."""

    def __init__(self, ledger: Ledger, intake: Intake, on_done: Callable[[Done], None]) -> None:
        self._ledger = ledger
        self._intake = intake
        self._on_done = on_done

    def finish(self, note: Note, outcome: Outcome, trip: Trip) -> None:
        """Note an outcome without placements, and tell it. Raises WorldError."""
        self._ledger.finish(note, outcome)
        self.tell(trip, outcome, note.at, reason=note.reason)
        for name in trip.companions:  # they learn now that they have nobody to travel with
            self._intake.again(trip.source.sibling(name), 0.0)

    def tell(
        self,
        trip: Trip,
        outcome: Outcome,
        wall: float,
        decided: Decided | None = None,
        categories: Iterable[str] = (),
        placed: Iterable[Placement] = (),
        reason: str = "",
        batch: int | None = None,
    ) -> None:
        """Tell an outcome that is noted already."""
        self._intake.release(trip.source)
        self._on_done(
            Done(
                source=trip.source,
                outcome=outcome,
                at=wall,
                seconds=max(0.0, wall - trip.seen_at),
                live=trip.live,
                categories=tuple(categories),
                scores=decided.scores if decided else {},
                targets=tuple(placement.path for placement in placed),
                reason=reason,
                bundle=decided.bundle_id if decided else None,
                batch=batch,
            )
        )
