"""The unit of undo: what one `--once` placed, or the daemon until it paused or the day ended."""

import time

from photosortd.ledger import Placements

GAP = 600.0
"""Seconds without a photo after which the daemon begins a new batch."""

SLEW = 60.0
"""Seconds that the clock may be set back without ending a batch: time servers do that."""


class Batches:
    """Says which batch a placement belongs to. Times are seconds since the epoch."""

    def __init__(self, placements: Placements, kind: str) -> None:
        """`kind`: 'once' for a run that is one batch, 'live' for the daemon."""
        self._placements = placements
        self._kind = kind
        self.current: int | None = None  # of the latest placement
        self._latest = 0.0
        if kind == "live" and (batch := placements.latest_batch(kind)) is not None:
            self.current, self._latest = batch.id, batch.latest

    def at(self, wall: float) -> int:
        """The batch of a placement made at `wall`; a new one is begun where needed."""
        if self.current is None or (self._kind == "live" and is_over(self._latest, wall)):
            self.current = self._placements.new_batch(self._kind, wall)
        self._latest = wall
        return self.current

    def goes_on(self, wall: float) -> None:
        """A photo was decided, and filed nowhere: that is no pause."""
        if not is_over(self._latest, wall):
            self._latest = wall


def is_over(latest: float, wall: float) -> bool:
    """Whether a batch with its latest photo then is over now."""
    return not -SLEW <= wall - latest < GAP or _day(wall) != _day(latest)


def _day(wall: float) -> tuple[int, int]:
    local = time.localtime(wall)
    return local.tm_year, local.tm_yday
