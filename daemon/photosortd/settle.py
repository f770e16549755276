"""Hold a file until it is at rest, and look at an incomplete one at growing intervals.

Pure: the stat and both clocks are arguments. That a file is at rest does not say that it is
complete; a vision worker judges that, and `incomplete` is how this module hears of it.
"""

import heapq
import itertools
import math
from dataclasses import dataclass
from enum import Enum

from photosortd.records import Source, Stamp

LONGEST_WAIT = 600.0
"""Seconds after which an incomplete file is looked at again, at the latest."""

CLOCK_SET = 60.0
"""Seconds by which the clocks may part in a slow turn; beyond, somebody has set the wall clock."""

_SHORTEST_WAIT = 0.1
_SLACK = 1000  # stale items that the queue may hold beyond its live ones


class Rest(Enum):
    """What a look at a file says."""

    NOT_YET = "not yet"
    AT_REST = "at rest"
    LAST = "last"  # at rest, and settle.give_up is over: take it if it decodes


@dataclass(frozen=True, slots=True)
class Waiting:
    """One file that is being waited for. Times are of the monotonic clock, in seconds."""

    source: Source
    stamp: Stamp
    since: float  # when this state of the file was first seen
    due: float  # when to look again
    incomplete: bool  # it was at rest, but its container was not whole


@dataclass(slots=True)
class _Entry:
    stamp: Stamp
    since: float
    ripe: float  # from when on a look may answer AT_REST, if the stamp stays
    interval: float | None = None  # set once the file was found incomplete in this state
    queued: float = 0.0  # its place in the queue; any other place is stale


class Settler:
    """The files that are not at rest yet, or not complete, and when to look at each again.

    A file that comes to rest is forgotten, unless it was `incomplete` before: that one is
    remembered until `forget`, a change, or a look that answers LAST.
    """

    def __init__(self, quiet: float, give_up: float) -> None:
        """`quiet` and `give_up` in seconds: how long unchanged is at rest, is hopeless."""
        self._quiet = quiet
        self._give_up = give_up
        self._entries: dict[Source, _Entry] = {}
        self._queue: list[tuple[float, int, Source]] = []  # a heap; stale items are skipped
        self._counter = itertools.count()  # what is due at one moment comes in its order
        self._apart: float | None = None  # by how much the clocks were, when last looked at
        self._clock_set = -math.inf  # when the wall clock was found to have been set

    def look(
        self, source: Source, stamp: Stamp | None, now: float, wall: float, arrived: bool = False
    ) -> Rest:
        """Judge a file that has just been stat'ed; `stamp` is None if it is gone.

        `now` is the monotonic clock, `wall` seconds since the epoch; `arrived` says that it was
        renamed into place. A ctime in the future proves nothing: such a file has to be watched.
        """
        if stamp is None:
            self.forget(source)
            return Rest.NOT_YET
        entry = self._entries.get(source)
        age = self._age(stamp, now, wall)
        if entry is None or entry.stamp != stamp:
            first_sight = entry is None
            entry = _Entry(stamp, since=now, ripe=now + self._quiet)
            self._entries[source] = entry
            if arrived or (first_sight and age >= self._quiet):
                entry.ripe = now
        elif arrived and entry.interval is None:
            entry.ripe = now
        return self._judge(source, entry, age, now)

    def _age(self, stamp: Stamp, now: float, wall: float) -> float:
        """How long ago the file changed, as far as it is proved.

        A small computer without a clock of its own starts somewhere in the past, and a time server
        takes it to the present: what was written a second ago is not days old by that.
        """
        if self._apart is not None and abs(wall - now - self._apart) > CLOCK_SET:
            self._clock_set = now
        self._apart = wall - now
        return min(wall - stamp.ctime_ns / 1e9, now - self._clock_set)

    def _judge(self, source: Source, entry: _Entry, age: float, now: float) -> Rest:
        if now < entry.ripe:
            self._queue_at(entry.ripe, source, entry)
            return Rest.NOT_YET
        if max(age, now - entry.since) >= self._give_up:
            self.forget(source)
            return Rest.LAST
        if entry.interval is None:
            self.forget(source)
        else:
            # Kept for its growing interval, and due again should nobody tell how it went.
            self._queue_at(now + entry.interval, source, entry)
        return Rest.AT_REST

    def incomplete(self, source: Source, stamp: Stamp, now: float) -> None:
        """The file at rest in this state is not whole: look again later, each time later still."""
        entry = self._entries.get(source)
        if entry and entry.stamp != stamp:
            return  # it has changed since, and is being waited for anew
        if entry is None:
            entry = self._entries[source] = _Entry(stamp, since=now, ripe=now)
        wait = self._quiet if entry.interval is None else 2 * entry.interval
        entry.interval = min(max(wait, _SHORTEST_WAIT), LONGEST_WAIT)
        entry.ripe = now + entry.interval
        hopeless = entry.since + self._give_up
        if now < hopeless < entry.ripe:
            entry.ripe = hopeless
        self._queue_at(entry.ripe, source, entry)

    def forget(self, source: Source) -> None:
        """Stop waiting for this file: it is done, gone, or nobody's business."""
        self._entries.pop(source, None)

    def due(self, now: float) -> list[Source]:
        """The files to look at now, the longest due first.

        One that is handed out and not looked at comes again after `quiet`.
        """
        ready: list[Source] = []
        again = now + max(self._quiet, _SHORTEST_WAIT)
        while self._first() is not None and self._queue[0][0] <= now:
            source = heapq.heappop(self._queue)[2]
            self._queue_at(again, source, self._entries[source])
            ready.append(source)
        return ready

    def next_due(self) -> float | None:
        """When `due` has something next, by the monotonic clock; None if nothing waits."""
        return self._first()

    def waiting(self) -> list[Waiting]:
        """Every file that is waited for, those due first at the front."""
        entries = sorted(self._entries.items(), key=lambda item: item[1].ripe)
        return [
            Waiting(source, entry.stamp, entry.since, entry.ripe, entry.interval is not None)
            for source, entry in entries
        ]

    def _queue_at(self, when: float, source: Source, entry: _Entry) -> None:
        if entry.queued == when:
            return
        entry.queued = when
        heapq.heappush(self._queue, (when, next(self._counter), source))
        if len(self._queue) > 2 * len(self._entries) + _SLACK:
            self._queue = [item for item in self._queue if self._valid(item)]
            heapq.heapify(self._queue)

    def _first(self) -> float | None:
        while self._queue and not self._valid(self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def _valid(self, item: tuple[float, int, Source]) -> bool:
        entry = self._entries.get(item[2])
        return entry is not None and entry.queued == item[0]
