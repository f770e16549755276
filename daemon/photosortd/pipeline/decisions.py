"""What becomes of a photo that was seen: is it news, whose is it, where does it go?"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from photosortd.errors import PhotoError
from photosortd.filing import Filing, Opened, Prepared
from photosortd.ledger import Ledger, Note, Version, thresholds_text
from photosortd.pipeline.batches import Batches
from photosortd.pipeline.companions import Companion, Companions
from photosortd.pipeline.dispatch import Outstanding
from photosortd.pipeline.gate import Gate
from photosortd.pipeline.intake import Intake
from photosortd.pipeline.outcomes import Outcomes, note_of
from photosortd.pipeline.setbacks import Setbacks
from photosortd.pipeline.together import Ready, Together
from photosortd.pipeline.values import Rules, Trip
from photosortd.place import SourceChanged
from photosortd.records import Decided, Outcome, Placement, Seen, Source, Stamp, printable
from photosortd.vision.decide import decide

DECIDED = (Outcome.PLACED, Outcome.NONE, Outcome.UNSURE, Outcome.DUPLICATE)


class Decisions:
    """Decides, has filed, and notes. All of it may raise WorldError, PhotoError, SourceChanged."""

    def __init__(
        self,
        ledger: Ledger,
        intake: Intake,
        gate: Gate | None,
        companions: Companions,
        outcomes: Outcomes,
        setbacks: Setbacks,
        together: Together,
        batch_kind: str,
    ) -> None:
        self._ledger = ledger
        self._intake = intake
        self._gate = gate  # None: a dry run files nothing
        self._companions = companions
        self._outcomes = outcomes
        self._setbacks = setbacks
        self._together = together
        self._batches = Batches(ledger.placements, batch_kind)

    @property
    def _rules(self) -> Rules:
        return self._intake.rules

    def seen(
        self,
        out: Outstanding,
        seen: Seen,
        missing: Sequence[str | None],
        now: float,
        wall: float,
    ) -> None:
        """A photo was decoded and scored: is it news, whose is it, where does it go?"""
        trip = out.trip
        assert out.photo is not None
        if Stamp.of(os.fstat(out.photo)) != trip.stamp:
            raise SourceChanged(trip.source.full)
        whole = [each for each, lack in zip(out.companions, missing, strict=True) if lack is None]
        note = note_of(trip, wall, sha256=seen.sha256)
        before = self._ledger.version(trip.source)
        owner = self._ledger.owner(seen.sha256)
        if before is not None and self._unchanged(before, seen):
            self._ledger.touch(before.id, note)
            self._intake.release(trip.source)
            whole = []
        elif owner is None or owner.outcome is None or (before and owner.id == before.id):
            # An unfinished claim yields to whoever comes next.
            self._decide(out, note, seen, whole, now, wall)
        else:
            self._duplicate(out, note, owner, whole, wall)
        self.look_after(trip, whole, now)

    def _unchanged(self, before: Version, seen: Seen) -> bool:
        """Only the stat changed: the content was decided already, and not by another bundle."""
        same = before.sha256 == seen.sha256 and before.outcome in DECIDED
        return same and not self._decide_anew(before)

    def _decide_anew(self, version: Version) -> bool:
        written = thresholds_text(version.thresholds)
        return self._rules.again and version.current and self._rules.differ(version.bundle, written)

    def _duplicate(
        self, out: Outstanding, note: Note, owner: Version, whole: list[Companion], wall: float
    ) -> None:
        """The companions that came with it may still be news to the photo that was filed."""
        if whole and not self._rules.dry:
            self._companions.follow(owner, whole, self._filing(wall), self._batches.at(wall), wall)
        reason = f"the same bytes as {printable(owner.source.full)}"
        self._outcomes.finish(replace(note, reason=reason), Outcome.DUPLICATE, out.trip)

    def _decide(
        self,
        out: Outstanding,
        note: Note,
        seen: Seen,
        whole: list[Companion],
        now: float,
        wall: float,
    ) -> None:
        rules = self._rules
        scores = dict(zip(rules.names, seen.scores, strict=True))
        verdict = decide(scores, rules.thresholds, rules.margin)
        decided = Decided(seen, verdict, rules.bundle_id, scores, rules.thresholds)
        note = replace(note, decided=decided)
        targets = list(verdict.categories)
        if not targets and rules.unsorted is not None:
            targets = [rules.unsorted]
        if not targets or rules.dry:
            version = self._ledger.finish(note, verdict.outcome)
            self._companions.note_unfiled(version, whole, wall)
            self._batches.goes_on(wall)
            self._outcomes.tell(out.trip, verdict.outcome, wall, decided, targets)
            return
        filing = self._filing(wall)
        prepared = self._prepared(filing, out, note, whole, targets, wall)
        ready = Ready(out, filing, prepared, decided, targets)
        if self._may_wait(ready):
            self._together.add(ready, now)
        else:
            self.filed(ready, filing.file(prepared, wall), wall)

    def _prepared(
        self,
        filing: Filing,
        out: Outstanding,
        note: Note,
        whole: list[Companion],
        targets: list[str],
        wall: float,
    ) -> Prepared:
        assert out.photo is not None
        assert note.sha256 is not None
        trip, batch = out.trip, self._batches.at(wall)
        photo = Opened(trip.source, trip.stamp, out.photo, trip.seen_at, note.sha256)
        shot = [(photo, note), *self._companions.readable(whole, wall)]
        try:
            return filing.prepare(shot, targets, batch)
        except PhotoError:
            if len(shot) == 1:
                raise
            # Perhaps a companion that no file there may be as large as: not its photo's fault.
            # They are looked at once more by themselves, and found out.
            whole.clear()
            return filing.prepare(shot[:1], targets, batch)

    def _may_wait(self, ready: Ready) -> bool:
        """Whether it may be filed together with others: of an archive, and nobody waits for it.

        In trouble each is filed by itself: that shows whether it is over, and whose fault it was.
        """
        trip = ready.out.trip
        alone = not trip.live and not (self._rules.companions and trip.companions)
        return alone and bool(ready.prepared.placed) and not (self._gate and self._gate.trouble)

    def filed(self, ready: Ready, placed: tuple[Placement, ...], wall: float) -> None:
        """It has all of its names, and that is noted."""
        trip, decided = ready.out.trip, ready.decided
        self._went_well(trip.source)
        self._outcomes.tell(
            trip,
            decided.verdict.outcome,
            wall,
            decided,
            ready.targets,
            placed,
            batch=ready.prepared.batch if placed else None,
        )

    def _went_well(self, source: Source) -> None:
        self._setbacks.success(source)
        if self._gate is not None:
            self._gate.went_well()

    def _filing(self, wall: float) -> Filing:
        assert self._gate is not None
        return self._gate.filing(self._rules.style, wall)

    def late(self, out: Outstanding, wall: float) -> None:
        """A whole companion whose photo was decided before."""
        trip, (companion,) = out.trip, out.companions
        _, note = self._companions.opened(companion, wall)
        before = self._ledger.version(trip.source)
        leader = self._companions.leader_of(trip.source)
        if before is not None and before.sha256 == note.sha256 and before.outcome in DECIDED:
            self._ledger.touch(before.id, note)
            self._intake.release(trip.source)
        elif before is not None and self._companions.was_filed(before, leader):
            reason = "changed after it was filed; the filed copy stays as it is"
            self._outcomes.finish(
                replace(note, leader=before.leader, reason=reason), Outcome.IGNORED, trip
            )
        elif leader is None:
            self._outcomes.finish(replace(note, reason="without its photo"), Outcome.IGNORED, trip)
        elif self._rules.dry:
            self._outcomes.finish(replace(note, leader=leader.id), Outcome.PLACED, trip)
        else:
            filing, batch = self._filing(wall), self._batches.at(wall)
            self._companions.follow(leader, [companion], filing, batch, wall)
            self._intake.release(trip.source)

    def look_after(self, trip: Trip, taken: Iterable[Companion], now: float) -> None:
        """Companions that did not travel along are looked at once more, now that it is known."""
        along = set()
        for each in taken:
            along.add(each.source)
            self._intake.release(each.source)
            if _has_changed(each):  # what was heard of that is forgotten now
                self._intake.again(each.source, now + self._rules.quiet)
        for name in trip.companions:
            source = trip.source.sibling(name)
            if source not in along:
                self._intake.again(source, now)


def _has_changed(companion: Companion) -> bool:
    try:
        return Stamp.of(os.fstat(companion.descriptor)) != companion.stamp
    except OSError:  # whoever looks again finds out why
        return True
