"""The unit of undo: what one `--once` placed, or the daemon until it paused or the day ended."""

import time

from photosortd.ledger import Placements

GAP = 600.0
"""Seconds without a placement after which the daemon begins a new batch."""


class Batches:
    """Says which batch a placement belongs to. Times are seconds since the epoch."""

    def __init__(self, placements: Placements, kind: str) -> None:
        """`kind`: 'once' for a run that is one batch, 'live' for the daemon."""
        self._placements = placements
        self._kind = kind
        self._current: int | None = None
        self._latest = 0.0
        if kind == "live" and (batch := placements.latest_batch(kind)) is not None:
            self._current, self._latest = batch.id, batch.latest

    def at(self, wall: float) -> int:
        """The batch of a placement made at `wall`; a new one is begun where needed."""
        if self._current is None or (self._kind == "live" and self._is_over(wall)):
            self._current = self._placements.new_batch(self._kind, wall)
        self._latest = wall
        return self._current

    def _is_over(self, wall: float) -> bool:
        gap = wall - self._latest
        return not 0 <= gap < GAP or _day(wall) != _day(self._latest)


def _day(wall: float) -> tuple[int, int]:
    local = time.localtime(wall)
    return local.tm_year, local.tm_yday
