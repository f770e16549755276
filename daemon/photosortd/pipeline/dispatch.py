"""Trips on their way through the workers: files opened once and safely, held until the answer."""

import os
from dataclasses import dataclass

from photosortd import files
from photosortd.pipeline.companions import Companion, Companions
from photosortd.pipeline.intake import Intake
from photosortd.pipeline.values import Trip
from photosortd.place import SourceChanged
from photosortd.records import Stamp
from photosortd.vision.worker import Answer, Job, Workers
from photosortd.watch import Watcher

IN_HAND = 4
"""Photos of either kind for each worker, which has two of them at most: as many again may wait to
be filed."""

MOMENT = 0.25
"""Seconds that most photos are at most with a worker. One that takes longer holds up nobody."""


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A trip whose files are open in our hand and in a worker's."""

    trip: Trip
    photo: int | None  # descriptor; None for a companion that comes late
    companions: tuple[Companion, ...]

    def close(self) -> None:
        for companion in self.companions:
            files.close(companion.descriptor)
        if self.photo is not None:
            files.close(self.photo)


class Dispatch:
    """What is with the workers now. Whoever takes an answer's trip closes it."""

    def __init__(
        self, watcher: Watcher, intake: Intake, workers: Workers, companions: Companions
    ) -> None:
        self._watcher = watcher
        self._intake = intake
        self._workers = workers
        self._companions = companions
        self._jobs: dict[int, Outstanding] = {}
        self._number = 0
        self._hurried = float("-inf")  # when a live photo set out last

    def __len__(self) -> int:
        return len(self._jobs)

    def in_hand(self, live: bool) -> int:
        """How many are, of those that go before the archive or of the others."""
        return sum(out.trip.live == live for out in self._jobs.values())

    def send(self, trip: Trip, now: float, wall: float) -> None:
        """Open the files of a shot and hand them to a worker, which must have room.

        Raises SourceChanged if the file is not as it was when it came to rest; OSError,
        PhotoError, WorldError if it cannot be opened.
        """
        descriptor = self._watcher.open(trip.source)
        try:
            stamp = Stamp.of(os.fstat(descriptor))
            if stamp != trip.stamp:
                raise SourceChanged(trip.source.full)
        except BaseException:
            files.close(descriptor)
            raise
        if trip.late:
            out = Outstanding(trip, None, (Companion(trip.source, stamp, descriptor),))
        else:
            companions = tuple(self._companions.gather(trip, now, wall))
            out = Outstanding(trip, descriptor, companions)
        if trip.live:
            self._hurried = now
        self._number += 1
        self._jobs[self._number] = out
        descriptors = tuple(each.descriptor for each in out.companions)
        job = Job(self._number, out.photo, descriptors, trip.last)
        self._workers.submit(job, behind=not trip.live)

    def is_live(self, answer: Answer) -> bool:
        """Whether it is about a photo that goes before the archive."""
        return self._jobs[answer.job].trip.live

    def hurry(self, now: float) -> float:
        """For how many seconds the archive may stand back: a live photo will be there soon."""
        if not any(out.trip.live for out in self._jobs.values()):
            return 0.0
        return max(0.0, self._hurried + MOMENT - now)

    def take(self, answer: Answer) -> Outstanding:
        """The trip that an answer is about; it is the caller's to close."""
        return self._jobs.pop(answer.job)

    def drop(self) -> None:
        """Let go of everything in hand."""
        while self._jobs:
            self._jobs.popitem()[1].close()
