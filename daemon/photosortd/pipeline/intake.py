"""Which files of a directory are news, and are they at rest?

Keeps the queues: live photos before the backlog, and an agenda of what to look at again. What is
lost here by a crash is found again by the next scan.
"""

import heapq
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping

from photosortd.ledger import Known, Ledger, Note
from photosortd.pipeline.calm import mark_of
from photosortd.pipeline.values import Done, Rules, Trip
from photosortd.records import Kind, Outcome, Shot, Source, Stamp
from photosortd.settle import Rest, Settler
from photosortd.shots import group, kind
from photosortd.watch import Listing

STRIDE = 200
"""Known files between two signs of life."""


class Intake:
    """Turns listings into trips. Volatile, except that it notes files that go nowhere."""

    def __init__(
        self,
        ledger: Ledger,
        settler: Settler,
        rules: Rules,
        on_done: Callable[[Done], None],
    ) -> None:
        self.rules = rules
        self._on_done = on_done
        self.settler = settler
        self._ledger = ledger
        self._live: deque[Trip] = deque()
        self._backlog: deque[Trip] = deque()
        self._blocked: deque[Trip] = deque()  # where they belong nothing can be filed now
        self._queued: dict[Source, Trip] = {}  # and with a worker, and waiting to be filed
        self._after: dict[Source, set[Source]] = {}  # what changed since: looked at when it is done
        self._agenda: list[tuple[float, Source]] = []
        self._first_seen: dict[Source, float] = {}
        self._resting: dict[Source, Stamp] = {}  # companions that wait for their photo
        self._lonely: dict[Source, tuple[Stamp, float]] = {}  # until when a photo may still come
        self.waiting: dict[Source, str] = {}  # what is waited for, where it is known
        self.between: Callable[[], None] = lambda: None  # called for each shot: it may be noted

    def remember(self, before: "Intake") -> None:
        """Follow an older intake: what was named to it and is not done is no news to a scan."""
        self._first_seen.update(before._first_seen)

    # ---- what the pipeline takes

    def __len__(self) -> int:
        return self.untried + len(self._blocked)

    @property
    def untried(self) -> int:
        """How many stand before the blocked ones: scans bring more while these are few."""
        return len(self._live) + len(self._backlog)

    @property
    def live(self) -> int:
        return len(self._live)

    def peek(self) -> Trip | None:
        """The next trip, live ones first, blocked ones last. One that was live when it was put back
        is so still."""
        queue = self._queue()
        return queue[0] if queue else None

    def next(self) -> Trip | None:
        """Take it out. It stays in hand until `release`."""
        queue = self._queue()
        return queue.popleft() if queue else None

    def _queue(self) -> deque[Trip]:
        return self._live or self._backlog or self._blocked

    def put_back(self, trip: Trip, blocked: bool) -> None:
        """The world failed on it: it waits behind the others, which may fare better.

        `blocked`: where it belongs alone. It does not hold up what scans will bring, either.
        """
        (self._blocked if blocked else self._backlog).append(trip)

    def release(self, source: Source, when: float = 0.0) -> None:
        """Nobody is working on this file any more. What was heard of it meanwhile is looked at
        `when` (monotonic seconds)."""
        self.settler.forget(source)
        self._unqueue(source, when)
        self._first_seen.pop(source, None)
        self._resting.pop(source, None)
        self._lonely.pop(source, None)
        self.waiting.pop(source, None)

    def keep_waiting(self, source: Source, lack: str) -> None:
        """It is not whole: the settler says when to look again."""
        self._unqueue(source)
        self.waiting[source] = lack

    def _unqueue(self, source: Source, when: float = 0.0) -> None:
        self._queued.pop(source, None)
        for each in self._after.pop(source, ()):
            self.again(each, when)

    def waits(self) -> Iterator[tuple[Source, str]]:
        """Every file that is waited for, and what for."""
        yield from self.waiting.items()
        for each in self.settler.waiting():
            if each.source not in self.waiting:
                yield each.source, "its writer, who changed it a moment ago"

    def at_rest(self, source: Source, stamp: Stamp, now: float, wall: float) -> bool:
        """Whether a companion may travel with its photo now."""
        if self._resting.get(source) == stamp:
            return True
        return self.settler.look(source, stamp, now, wall) is not Rest.NOT_YET

    def first_seen(self, source: Source, wall: float) -> float:
        return self._first_seen.get(source, wall)

    def again(self, source: Source, when: float) -> None:
        """Look at this file again at `when` (monotonic seconds)."""
        heapq.heappush(self._agenda, (when, source))

    def due(self, now: float) -> list[Source]:
        """Files to look at again now: those that settle, and those on the agenda."""
        found = self.settler.due(now)
        while self._agenda and self._agenda[0][0] <= now:
            found.append(heapq.heappop(self._agenda)[1])
        return found

    def next_due(self) -> float | None:
        times = [when for when, _ in self._agenda[:1]]
        settling = self.settler.next_due()
        if settling is not None:
            times.append(settling)
        return min(times, default=None)

    # ---- what the service brings

    def forget_gone(
        self, root: str, directory: str, names: Collection[str], listing: Listing | None
    ) -> None:
        """Stop waiting for files that were to be looked at and are not there any more.

        With a root that is away, too: the scan after its return finds them again.
        """
        here = listing.files if listing is not None else {}
        for name in names:
            source = Source(root, f"{directory}/{name}" if directory else name)
            if name not in here and source not in self._queued:
                self.release(source)

    def consider(
        self,
        listing: Listing,
        now: float,
        wall: float,
        *,
        live: bool,
        arrived: Collection[str] = (),
    ) -> int:
        """Take in what is new in one directory. Returns how many files nobody had named before.

        `arrived` are names that were renamed into place; `now` is monotonic, `wall` since the
        epoch, both in seconds.
        """
        mark = None if self.rules.again else mark_of(listing)
        if mark is not None and self._ledger.marks.stands(mark):
            return 0
        moment = self._ledger.marks.moment() if mark is not None else None
        found, calm = self._news(listing, wall)
        if calm and mark is not None and moment is not None:
            self._ledger.marks.make(mark, moment)
        news = 0
        for shot in group(listing.files) if found else ():
            self.between()
            fresh = [name for name in _names(shot) if name in found]
            news += sum(_source(listing, name) not in self._first_seen for name in fresh)
            if fresh:
                self._take_in(shot, fresh, listing, now, wall, live, arrived)
        return news

    def keep_marks(self) -> None:
        """The scan is over: the next one shall recognise what was calm in this one."""
        self._ledger.marks.keep()

    def _news(self, listing: Listing, wall: float) -> tuple[set[str], bool]:
        """What is to be looked at in a directory, and whether all that we know in it is calm: then
        it is no news for as long as the files look like that, and nobody says otherwise."""
        if not listing.files:
            return set(), False
        at = listing.root, listing.directory
        calm = {} if self.rules.again else self._ledger.calm(*at, listing.files)
        rest = [name for name, stamp in listing.files.items() if calm.get(name) != stamp[:3]]
        known = self._ledger.known(*at, rest)
        found, others = set(), 0
        for number, name in enumerate(rest, 1):
            if number % STRIDE == 0:
                self.between()
            if kind(name) is Kind.OTHER:
                others += 1
            elif self._fresh(name, listing, known, wall):
                found.add(name)
        return found, others == len(rest) < len(listing.files)

    def _fresh(self, name: str, listing: Listing, known: Mapping[str, Known], wall: float) -> bool:
        before, stamp = known.get(name), listing.files[name]
        if before is None or before.outcome is None or not before.matches(stamp):
            return True
        if before.outcome is Outcome.TRUNCATED and before.done_at is not None:
            deadline = stamp.ctime_ns / 1e9 + self.rules.give_up
            return before.done_at < deadline <= wall
        if before.outcome is Outcome.LOST:
            return True  # and yet it stands there: its root had been away
        decided = before.outcome in (Outcome.PLACED, Outcome.NONE, Outcome.UNSURE)
        return self.rules.again and decided and self.rules.differ(before.bundle, before.thresholds)

    def _take_in(
        self,
        shot: Shot,
        fresh: Collection[str],
        listing: Listing,
        now: float,
        wall: float,
        live: bool,
        arrived: Collection[str],
    ) -> None:
        photo_waits = shot.photo in fresh
        for name in fresh:
            source, stamp = _source(listing, name), listing.files[name]
            if source in self._queued:
                if stamp != self._queued[source].stamp:
                    self._after.setdefault(source, set()).add(source)
                continue
            self._first_seen.setdefault(source, wall)
            rest = self.settler.look(source, stamp, now, wall, name in arrived)
            if rest is Rest.NOT_YET:
                continue
            if name == shot.photo:
                self._enqueue(source, stamp, live, rest, shot.companions)
            elif shot.photo is None or not self.rules.companions:
                self._alone(source, stamp, now, wall, has_photo=shot.photo is not None)
            elif not photo_waits:
                self._enqueue(source, stamp, live, rest, (), late=True)
            else:
                self._resting[source] = stamp
                self._travels(source, source.sibling(shot.photo))

    def _travels(self, companion: Source, photo: Source) -> None:
        """Its photo takes it along, or has set out without it."""
        trip = self._queued.get(photo)
        if trip is not None and companion.name not in trip.companions:
            self._after.setdefault(photo, set()).add(companion)

    def _enqueue(
        self,
        source: Source,
        stamp: Stamp,
        live: bool,
        rest: Rest,
        companions: tuple[str, ...],
        late: bool = False,
    ) -> None:
        seen_at = self._first_seen.get(source, 0.0)
        trip = Trip(source, stamp, seen_at, live, rest is Rest.LAST, companions, late)
        self._queued[source] = trip
        (self._live if live else self._backlog).append(trip)

    def _alone(
        self, source: Source, stamp: Stamp, now: float, wall: float, has_photo: bool
    ) -> None:
        """A file that is no photo and has none: after a while it is counted, not skipped."""
        until = self._photo_until(source, stamp, now, wall)
        if now < until and not has_photo and not self.rules.once:
            self._resting[source] = stamp
            self.waiting[source] = "its photo, which may still come"
            self.again(source, until)
            return
        what = _WHAT.get(kind(source.name), "a file")
        reason = f"{what}: place.companions is none" if has_photo else f"{what} without its photo"
        seen_at = self._first_seen.get(source, wall)
        note = Note(source, stamp, seen_at, wall, reason=reason)
        self._ledger.finish(note, Outcome.IGNORED)
        self.release(source)
        done = Done(source, Outcome.IGNORED, wall, wall - seen_at, live=False, reason=reason)
        self._on_done(done)

    def _photo_until(self, source: Source, stamp: Stamp, now: float, wall: float) -> float:
        """Until when its photo may come (monotonic): said once, whatever becomes of the clock."""
        seen, until = self._lonely.get(source, (None, 0.0))
        if seen != stamp:
            age = max(0.0, wall - stamp.ctime_ns / 1e9)
            until = now + self.rules.group_wait - age
            self._lonely[source] = stamp, until
        return until


_WHAT = {Kind.MOVIE: "a movie", Kind.RAW: "a RAW file", Kind.SIDECAR: "a sidecar"}


def _names(shot: Shot) -> tuple[str, ...]:
    return shot.companions if shot.photo is None else (shot.photo, *shot.companions)


def _source(listing: Listing, name: str) -> Source:
    return Source(listing.root, f"{listing.directory}/{name}" if listing.directory else name)
