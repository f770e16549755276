"""The life of the daemon: startup, loop, shutdown. Signals set flags, and nothing else.

The loop does the work and feeds systemd's watchdog, so a loop that hangs stops feeding it.
"""

import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from photosortd.errors import PhotosortdError, WorldError
from photosortd.pipeline import Done, Pipeline
from photosortd.records import Source, printable
from photosortd.sdnotify import Notifier
from photosortd.status import StatusFile
from photosortd.watch import Hint, RootState

log = logging.getLogger(__name__)

HEARTBEAT = 5.0
"""Seconds that the loop sleeps at most: requests are looked for at least that often."""

SCAN_SLICE = 0.05
"""Seconds of scanning between two looks at what else there is to do."""

TELL_EVERY = 1.0
"""Seconds between two looks at everything that status tells."""

PATIENCE = 30.0
"""Seconds without an outcome after which `--once` leaves files that still change."""

LAST_WORDS = 3.0
"""Seconds that photos in hand get to finish when the daemon stops."""


class Flags:
    """What the signals asked for, and a pipe that wakes the loop."""

    def __init__(self) -> None:
        self.stop = self.reload = self.request = False
        self.wake, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        """Wake the loop; safe from any thread and from a signal handler."""
        with suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._bell, b"\0")

    def silence(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self.wake, 4096):
                continue

    def close(self) -> None:
        os.close(self.wake)
        os.close(self._bell)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload = True
        elif number == signal.SIGUSR1:
            self.request = True
        else:
            self.stop = True
        self.ring()

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Listen to TERM, INT, HUP and USR1; the old handlers come back afterwards."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
        before = {number: signal.signal(number, self._handle) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Tempo:
    """How many photos were done lately: what `status` calls the rate."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=1000)

    def beat(self, now: float) -> None:
        self._times.append(now)

    def per_minute(self, now: float) -> float:
        recent = [when for when in self._times if now - when < 60]
        return float(len(recent))


class Service:
    """Runs a pipeline until it is told to stop.

    `reload` exchanges the pipeline for a new one, or raises and leaves the old; `requests` carries
    out what other commands left in the ledger; `describe` gives status its unchanging part.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        flags: Flags,
        notifier: Notifier,
        status: StatusFile | None,
        reload: Callable[[Pipeline], Pipeline],
        requests: Callable[[Pipeline], None],
        describe: Callable[[], dict[str, Any]],
    ) -> None:
        self._pipeline = pipeline
        self._flags = flags
        self._notifier = notifier
        self._status = status
        self._reload = reload
        self._requests = requests
        self._describe = describe
        self._recent: deque[Done] = deque(maxlen=20)
        self._tempo = Tempo()
        self._counts: dict[str, int] = {}
        self._counted: Done | None = None
        self._status_line = ""
        self._once = False
        self._missed = False  # a trouble made us drop files that only a scan finds again
        self._tell_at = 0.0
        self._told: object = None  # what is told anew when it changes
        self._progressed = time.monotonic()

    def done(self, done: Done) -> None:
        """The pipeline's `on_done`."""
        self._progressed = time.monotonic()
        self._recent.append(done)
        self._tempo.beat(self._progressed)

    def run(self, once: bool = False) -> None:
        """Work until a signal says stop or, with `once`, until there is nothing left to do.

        The caller listens to signals: they may come long before the first turn.
        """
        self._once = once
        self._startup()
        while not (self._flags.stop or (once and self._is_finished())):
            self.tick()
        self._shutdown()

    def _is_finished(self) -> bool:
        """Everything found is decided, or the world is in the way, or nobody stops writing."""
        pipeline = self._pipeline
        if pipeline.outstanding:
            return False
        if pipeline.trouble is not None:
            return True
        if pipeline.watcher.scanning:
            return False
        idle = time.monotonic() - self._progressed
        if idle > PATIENCE:
            return True
        return not len(pipeline.intake) and pipeline.intake.next_due() is None

    def _startup(self) -> None:
        now = time.monotonic()
        self._pipeline.workers.start()
        self._pipeline.watcher.start(now)
        self._notifier.ready()
        self._tell(now)

    def tick(self) -> None:
        """One turn: hints, scan, work, requests; then sleep until there is something to do."""
        now, wall = time.monotonic(), time.time()
        if self._flags.reload:
            self._do_reload()
        try:
            self._work(self._pipeline, now, wall)
            self._tell(time.monotonic())
            self._notifier.watchdog()
            self._wait()
        except WorldError as error:
            self._pipeline.shut(error, time.monotonic())
            self._missed = True

    def _work(self, pipeline: Pipeline, now: float, wall: float) -> None:
        pipeline.watcher.tick(now, wall)
        if self._missed and pipeline.trouble is None:
            self._missed = False
            pipeline.watcher.request_scan()
        self._hear(pipeline, now, wall)
        if not self._missed:
            self._scan(pipeline, wall)
        pipeline.feed(time.monotonic(), wall)
        self._flags.request = False
        self._requests(pipeline)

    def _hear(self, pipeline: Pipeline, now: float, wall: float) -> None:
        """Look at every path that an event named or that is due for another look."""
        named: dict[tuple[str, str], set[str]] = {}
        arrived: set[Source] = set()
        hints = pipeline.watcher.hints()
        due = [Hint(source, False) for source in pipeline.intake.due(now)]
        for hint in (*hints, *due):
            source = hint.source
            named.setdefault((source.root, source.directory), set()).add(source.name)
            if hint.arrived:
                arrived.add(source)
        for (root, directory), names in named.items():
            listing = pipeline.watcher.look(root, directory, names)
            pipeline.intake.forget_gone(root, directory, names, listing)
            if listing is None:
                continue
            moved = {name for name in names if _below(root, directory, name) in arrived}
            pipeline.intake.consider(listing, now, wall, live=True, arrived=moved)
            self._notifier.watchdog()

    def _scan(self, pipeline: Pipeline, wall: float) -> None:
        """Let the running scan go on for a moment, as long as there is little in the queue."""
        until = time.monotonic() + SCAN_SLICE
        few = 2 * max(1, pipeline.workers.count) + 2
        while len(pipeline.intake) < few and time.monotonic() < until:
            listing = pipeline.watcher.next_listing()
            if listing is None:
                return
            now, live = time.monotonic(), listing.hinted  # a directory that has just appeared
            news = pipeline.intake.consider(listing, now, wall, live=live)
            if news:
                pipeline.watcher.unnamed(listing.root, news)

    def _wait(self) -> None:
        """Sleep until an answer, an event, a signal, or the next thing that is due."""
        now = time.monotonic()
        for answer in self._pipeline.workers.collect(self._patience(now), self._flags.wake):
            self._pipeline.answered(answer, time.monotonic(), time.time())
        self._flags.silence()

    def _patience(self, now: float) -> float:
        pipeline = self._pipeline
        busy = pipeline.watcher.scanning and len(pipeline.intake) == 0
        can_feed = len(pipeline.intake) > 0 and pipeline.workers.room and not pipeline.trouble
        over = self._once and self._is_finished()
        if busy or can_feed or over or self._flags.stop or self._flags.reload:
            return 0.0
        times = [
            now + HEARTBEAT,
            pipeline.watcher.next_due(),
            pipeline.intake.next_due(),
            pipeline.gate.next_due() if pipeline.gate else None,
            self._status.next_due() if self._status else None,
        ]
        if self._news() != self._told:
            times.append(self._tell_at)
        if self._notifier.interval is not None:
            times.append(now + self._notifier.interval / 2)
        return max(0.0, min(when for when in times if when is not None) - now)

    def _do_reload(self) -> None:
        self._flags.reload = False
        self._notifier.reloading()
        try:
            self._pipeline = self._reload(self._pipeline)
            log.info("configuration loaded again")
        except PhotosortdError as error:
            log.error("keeping the old configuration: %s", error)
        self._notifier.ready()

    def _shutdown(self) -> None:
        """Let photos in hand finish for a moment; what is dropped is found by the next scan."""
        self._notifier.stopping()
        pipeline = self._pipeline
        deadline = time.monotonic() + LAST_WORDS
        while pipeline.outstanding and (left := deadline - time.monotonic()) > 0:
            for answer in pipeline.workers.collect(left):
                pipeline.answered(answer, time.monotonic(), time.time())
        self._tell(time.monotonic(), stopped=True)

    # ---- telling

    def _tell(self, now: float, stopped: bool = False) -> None:
        """Say how things are, at most once a second: a backfill has better things to do."""
        if now < self._tell_at and not stopped:
            return
        self._tell_at = now + TELL_EVERY
        self._told = self._news()
        state = self._state(now, stopped)
        line = _one_line(state)
        if line != self._status_line:
            self._notifier.status(line)
            self._status_line = line
        if self._status is not None:
            try:
                self._status.update(state, now + (3600 if stopped else 0))
            except WorldError as error:
                log.debug("%s", error)  # a full disk is said by the gate; this is a courtesy

    def _news(self) -> object:
        return _mood(self._pipeline), self._recent[-1] if self._recent else None

    def _state(self, now: float, stopped: bool) -> dict[str, Any]:
        pipeline = self._pipeline
        latest = self._recent[-1] if self._recent else None
        if not self._counts or latest is not self._counted:
            self._counts, self._counted = pipeline.ledger.counts(), latest
        waiting = list(pipeline.intake.waiting.items())
        return {
            **self._describe(),
            "pid": os.getpid(),
            "state": "stopped" if stopped else _mood(pipeline),
            "trouble": pipeline.trouble,
            "roots": [_root(state) for state in pipeline.watcher.states()],
            "queue": {
                "live": pipeline.intake.live,
                "backlog": len(pipeline.intake) - pipeline.intake.live,
                "in_hand": pipeline.outstanding,
                "settling": len(pipeline.intake.settler.waiting()),
            },
            "incomplete": [
                {"path": printable(source.full), "lacks": lack} for source, lack in waiting[:20]
            ],
            "counts": self._counts,
            "per_minute": self._tempo.per_minute(now),
            "recent": [done.as_json() for done in reversed(self._recent)],
        }


def _below(root: str, directory: str, name: str) -> Source:
    return Source(root, os.path.join(directory, name))


def _mood(pipeline: Pipeline) -> str:
    if pipeline.trouble is not None:
        return "paused"
    if pipeline.outstanding or len(pipeline.intake):
        return "sorting"
    return "scanning" if pipeline.watcher.scanning else "idle"


def _root(state: RootState) -> dict[str, Any]:
    return {
        "path": printable(state.path),
        "watched": state.watched,
        "reason": state.reason,
        "filesystem": state.filesystem,
        "directories": state.directories,
        "last_scan": state.last_scan,
        "scanning": state.scanning,
    }


def _one_line(state: dict[str, Any]) -> str:
    """What `systemctl status` shows."""
    if state["trouble"]:
        return f"Waiting: {state['trouble']}"
    queue = state["queue"]
    waiting = queue["live"] + queue["backlog"] + queue["in_hand"]
    roots = ", ".join(f"{root['path']} by {root['watched']}" for root in state["roots"])
    last = f"; last {state['recent'][0]['path']}" if state["recent"] else ""
    return f"{state['state'].capitalize()}, {waiting} queued{last}; {roots}"
