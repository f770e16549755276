"""Photos of an archive that are filed together: what makes them durable is waited for once.

Their parts are made one by one as they come. Intents, names and deeds follow for all of them, in
two syncs of a directory and two commits of the ledger, as databases group their commits. A crash
before that has cost the work on a few photos, which the next scan finds again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from photosortd.filing import Filing, Prepared
from photosortd.pipeline.dispatch import Outstanding
from photosortd.pipeline.gate import Gate
from photosortd.pipeline.intake import Intake
from photosortd.records import Decided

MOST = 8
"""Photos that are filed together: of what they share, each bears an eighth. More would only cost
more open files."""

WAIT = 0.25
"""Seconds that a photo whose parts are made waits for others."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A photo whose parts are made, and what is to be told of it once it is filed."""

    out: Outstanding
    filing: Filing  # that made the parts
    prepared: Prepared
    decided: Decided
    targets: Sequence[str]  # categories


class Together:
    """Those that wait to be filed. Whoever takes them closes their files."""

    def __init__(self, gate: Gate | None, intake: Intake) -> None:
        self._gate = gate
        self._intake = intake
        self._ready: list[Ready] = []
        self._since = 0.0  # when the first of them came, monotonic

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, ready: Ready, now: float) -> None:
        if not self._ready:
            self._since = now
        self._ready.append(ready)

    def has(self, out: Outstanding) -> bool:
        return any(each.out is out for each in self._ready)

    def concerns(self, sha256: str) -> bool:
        """Whether the ledger will soon know more of this content."""
        return any(each.prepared.sha256 == sha256 for each in self._ready)

    def due(self, others: int) -> float | None:
        """When they are to be filed, in monotonic seconds; `others` may come to them."""
        if not self._ready:
            return None
        return self._since + WAIT if others and len(self._ready) < MOST else self._since

    def take(self) -> list[Ready]:
        """Those whose parts are there; the others set out once more."""
        there = [each for each in self._ready if self._is_there(each)]
        gone = [each for each in self._ready if not self._is_there(each)]
        self._ready.clear()
        for each in gone:
            self._put_back(each)
        return there

    def put_back(self) -> None:
        """They are not filed now: no part is left, and they set out once more."""
        for each in self.take():
            each.filing.discard(each.prepared)
            self._put_back(each)

    def _is_there(self, ready: Ready) -> bool:
        """Whether its parts are: no library was closed or swept since they were made."""
        return self._gate is not None and self._gate.is_current(ready.filing)

    def _put_back(self, ready: Ready) -> None:
        self._intake.put_back(ready.out.trip, blocked=False)
        ready.out.close()
