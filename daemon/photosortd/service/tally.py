"""What became of the files of one batch, counted, and put into a line. Pure."""

from collections import Counter

from photosortd.pipeline import Done, is_over
from photosortd.records import FAILED, Outcome

_WORDS = {Outcome.PLACED: "filed", Outcome.SET_ASIDE: "set aside"}
"""Where the outcome's own name is not what a person would say."""


class Tally:
    """Of the files whose outcome was told since the last line. Seconds since the epoch."""

    def __init__(self, dry: bool = False) -> None:
        """`dry`: nothing is really filed."""
        self._dry = dry
        self.batch: int | None = None  # none while nothing was filed
        self.outcomes: Counter[Outcome] = Counter()
        self.categories: Counter[str] = Counter()
        self.withheld = 0  # failures that got no line of their own
        self._first = self._latest = 0.0

    def add(self, done: Done) -> None:
        if not self.outcomes:
            self._first = done.at
        self._latest = done.at
        self.outcomes[done.outcome] += 1
        if done.outcome is Outcome.PLACED:
            self.categories.update(done.categories)
        self.batch = self.batch if done.batch is None else done.batch

    def is_over(self, wall: float) -> bool:
        """Whether the batch has ended by now: a pause, or midnight. An empty one never does."""
        return bool(self.outcomes) and is_over(self._latest, wall)

    def belongs(self, done: Done) -> bool:
        """Whether that file is part of this batch."""
        other = None not in (self.batch, done.batch) and self.batch != done.batch
        return not other and not self.is_over(done.at)

    def line(self) -> str:
        """`batch 12: 14 files in 3 min: 12 filed (animal 5, food 7, me 2), 2 none`."""
        total = self.outcomes.total()
        batch = "" if self.batch is None else f"batch {self.batch}: "
        files = "1 file" if total == 1 else f"{total} files"
        parts = [self._part(outcome) for outcome in Outcome if self.outcomes[outcome]]
        line = f"{batch}{files}{_span(self._latest - self._first)}: {', '.join(parts)}"
        if self.withheld:
            line += f" ({self.withheld} failures not named here, see `photosortd status`)"
        return line

    def _part(self, outcome: Outcome) -> str:
        count = self.outcomes[outcome]
        if outcome is not Outcome.PLACED:
            plural = "s" if outcome is Outcome.DUPLICATE and count > 1 else ""
            return f"{count} {_WORDS.get(outcome, outcome.value)}{plural}"
        where = ", ".join(f"{name} {n}" for name, n in sorted(self.categories.items()))
        verb = "would be filed" if self._dry else "filed"
        return f"{count} {verb}" + (f" ({where})" if where else "")

    def fields(self) -> dict[str, str]:
        """The same for the journal: see `service/diary`."""
        failed = sum(self.outcomes[outcome] for outcome in FAILED)
        milliseconds = round(1000 * max(0.0, self._latest - self._first))
        return {
            **({} if self.batch is None else {"PHOTOSORTD_BATCH": str(self.batch)}),
            "PHOTOSORTD_FILES": str(self.outcomes.total()),
            "PHOTOSORTD_FILED": str(self.outcomes[Outcome.PLACED]),
            "PHOTOSORTD_NONE": str(self.outcomes[Outcome.NONE]),
            "PHOTOSORTD_UNSURE": str(self.outcomes[Outcome.UNSURE]),
            "PHOTOSORTD_DUPLICATE": str(self.outcomes[Outcome.DUPLICATE]),
            "PHOTOSORTD_IGNORED": str(self.outcomes[Outcome.IGNORED]),
            "PHOTOSORTD_FAILED": str(failed),
            "PHOTOSORTD_CATEGORIES": ",".join(sorted(self.categories)),
            "PHOTOSORTD_DURATION_MS": str(milliseconds),
        }


def _span(seconds: float) -> str:
    """` in 3 min`; nothing where it was but a moment."""
    if seconds < 1:
        return ""
    if seconds < 60:
        return f" in {int(seconds)} s"
    if seconds < 5400:
        return f" in {round(seconds / 60)} min"
    return f" in {round(seconds / 3600)} h"
