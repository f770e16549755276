"""What the daemon tells the journal of its photos: one line a batch, and one a failure.

With -v every photo has its line. Fields are passed through logging's `extra`, and arrive where
the journal's own protocol is used; the line alone says enough. By the journal's rules their names
are capitals, digits and underscores, begin with a letter, and are no longer than 64 characters
(a leading underscore is for what journald itself vouches for); values are text.

A photo's line:
  PHOTOSORTD_PHOTO         its full path
  PHOTOSORTD_OUTCOME       placed, none, unsure, duplicate, truncated, unreadable, …
  PHOTOSORTD_CATEGORIES    where it was filed, separated by commas; absent if nowhere
  PHOTOSORTD_BUNDLE        the whole id of the bundle that decided; absent if none did
  PHOTOSORTD_BATCH         the batch's number, for `undo --batch`; absent if it was not filed
  PHOTOSORTD_DURATION_MS   from when it was first noticed until its outcome, the wait for its
                           writer included
A batch's line: PHOTOSORTD_BATCH, _CATEGORIES and _DURATION_MS (from its first outcome to its
last), and counts of files: PHOTOSORTD_FILES is the sum of _FILED, _NONE, _UNSURE, _DUPLICATE,
_IGNORED and _FAILED.
"""

import logging

from photosortd.pipeline import Done
from photosortd.records import FAILED
from photosortd.service.tally import Tally

NAMED = 20
"""Failures of one kind that get a line of their own in a batch; the others are counted."""

log = logging.getLogger(__name__)


class Diary:
    """Hears of every outcome. Times are seconds since the epoch."""

    def __init__(self, dry: bool = False) -> None:
        self._dry = dry
        self._tally = Tally(dry)

    def hear(self, done: Done) -> None:
        """One more outcome; one that belongs to another batch ends this one."""
        if not self._tally.belongs(done):
            self.end()
        self._tally.add(done)
        if done.outcome in FAILED:
            self._failure(done)
        else:
            self._say(done)

    def turn(self, wall: float) -> None:
        """To be called now and then: some batches end by nothing but time."""
        if self._tally.is_over(wall):
            self.end()

    def end(self) -> None:
        """Tell of the batch if anything happened in it."""
        tally, self._tally = self._tally, Tally(self._dry)
        if tally.outcomes:
            level = logging.WARNING if tally.withheld else logging.INFO
            log.log(level, "%s", tally.line(), extra=tally.fields())

    def _failure(self, done: Done) -> None:
        named = self._tally.outcomes[done.outcome] <= NAMED
        self._tally.withheld += not named
        level = logging.WARNING if named else logging.DEBUG
        text = (done.source.full, done.outcome.value, done.reason)
        log.log(level, "%s: %s: %s", *text, extra=_fields(done))

    def _say(self, done: Done) -> None:
        level = logging.INFO if self._dry else logging.DEBUG
        verb = "would be placed" if self._dry and done.categories else done.outcome.value
        where = ", ".join(done.categories) or done.reason
        text = (done.source.full, verb, f": {where}" if where else "")
        log.log(level, "%s: %s%s", *text, extra=_fields(done))


def _fields(done: Done) -> dict[str, str]:
    fields = {
        "PHOTOSORTD_PHOTO": done.source.full,
        "PHOTOSORTD_OUTCOME": done.outcome.value,
        "PHOTOSORTD_DURATION_MS": str(round(1000 * done.seconds)),
    }
    if done.categories:
        fields["PHOTOSORTD_CATEGORIES"] = ",".join(done.categories)
    if done.bundle is not None:
        fields["PHOTOSORTD_BUNDLE"] = done.bundle
    if done.batch is not None:
        fields["PHOTOSORTD_BATCH"] = str(done.batch)
    return fields
