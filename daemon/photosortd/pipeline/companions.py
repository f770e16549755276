"""The files that travel with a photo: along with it if they are there, after it if they come late.

A photo never waits for them.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from photosortd import files
from photosortd.errors import PhotoError, WorldError
from photosortd.filing import Filing, Opened
from photosortd.ledger import Ledger, Note, Version
from photosortd.pipeline.intake import Intake
from photosortd.pipeline.values import Trip
from photosortd.records import Outcome, Source, Stamp, printable
from photosortd.shots import group
from photosortd.watch import Watcher

log = logging.getLogger(__name__)

MOST = 100
"""Companions that go along with a photo at once; any others follow it."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A companion at rest, opened; the descriptor is closed with its trip."""

    source: Source
    stamp: Stamp
    descriptor: int


class Companions:
    def __init__(self, ledger: Ledger, watcher: Watcher, intake: Intake) -> None:
        self._ledger = ledger
        self._watcher = watcher
        self._intake = intake
        self._unread: list[Source] = []
        self.between: Callable[[], None] = lambda: None  # called while many bytes are read

    def gather(self, trip: Trip, now: float, wall: float) -> Iterator[Companion]:
        """Those of a photo's companions that are there and at rest."""
        if not self._intake.rules.companions:
            return
        for name in trip.companions[:MOST]:
            source = trip.source.sibling(name)
            if self._is_ready(source, now, wall):
                # One that vanishes now is looked at again when its photo is done.
                with suppress(OSError, PhotoError, WorldError):
                    descriptor = self._watcher.open(source)
                    stamp = Stamp.of(os.fstat(descriptor))
                    yield Companion(source, stamp, descriptor)

    def _is_ready(self, source: Source, now: float, wall: float) -> bool:
        try:
            stamp = self._watcher.stat(source)
        except WorldError:
            return False
        return stamp is not None and self._intake.at_rest(source, stamp, now, wall)

    def readable(self, companions: Sequence[Companion], wall: float) -> list[tuple[Opened, Note]]:
        """Those that can be read, ready to be filed. One that cannot does not hold its photo up."""
        found = []
        for companion in companions:
            try:
                found.append(self.opened(companion, wall))
            except OSError as error:
                shown = printable(companion.source.full)
                log.warning("cannot read %s: %s", shown, error.strerror or error)
                self._unread.append(companion.source)
        return found

    def try_again(self, when: float) -> None:
        """Look again at those that could not be read; they follow their photo then."""
        for source in self._unread:
            self._intake.again(source, when)
        self._unread.clear()

    def opened(self, companion: Companion, wall: float) -> tuple[Opened, Note]:
        """Ready to be filed and noted, hashed from the open descriptor. Raises OSError."""
        source, stamp = companion.source, companion.stamp
        sha256 = files.sha256_of(companion.descriptor, self.between)
        seen_at = self._intake.first_seen(source, wall)
        note = Note(source, stamp, seen_at, wall, sha256)
        return Opened(source, stamp, companion.descriptor, seen_at, sha256), note

    def note_unfiled(self, leader: int, whole: Sequence[Companion], wall: float) -> None:
        """Their photo is filed nowhere, so neither are they."""
        for _, note in self.readable(whole, wall):
            reason = "its photo is in no category"
            self._ledger.finish(replace(note, leader=leader, reason=reason), Outcome.NONE)

    def follow(
        self, leader: Version, whole: Sequence[Companion], filing: Filing, batch: int, wall: float
    ) -> None:
        """File companions beside a photo that was filed before, unless it has the same ones."""
        known = {version.sha256: version.source for version in self._ledger.companions(leader.id)}
        news = []
        for opened, note in self.readable(whole, wall):
            if known.get(opened.sha256, opened.source) == opened.source:
                news.append((opened, note))
            else:
                reason = "its photo has the same companion"
                same = replace(note, leader=leader.id, reason=reason)
                self._ledger.finish(same, Outcome.DUPLICATE)
        if news:
            filing.follow(leader, news, batch, wall)

    def was_filed(self, before: Version, leader: Version | None) -> bool:
        """Whether a companion was filed with the content it had before, or with an earlier one."""
        if before.outcome is Outcome.PLACED or leader is None:
            return before.outcome is Outcome.PLACED
        return any(
            each.source == before.source and each.outcome is Outcome.PLACED
            for each in self._ledger.companions(leader.id)
        )

    def leader_of(self, companion: Source) -> Version | None:
        """The decided version of its photo; of a duplicate, the version that was filed."""
        listing = self._watcher.look(companion.root, companion.directory, (companion.name,))
        shots = group(listing.files) if listing else ()
        photo = next((shot.photo for shot in shots if companion.name in shot.companions), None)
        version = self._ledger.version(companion.sibling(photo)) if photo else None
        if version is not None and version.outcome is Outcome.DUPLICATE and version.sha256:
            return self._ledger.owner(version.sha256) or version
        return version
