"""Startup, turns, shutdown.

The loop does the work and feeds systemd's watchdog, so a loop that hangs stops feeding it.
"""

import logging
import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from photosortd.errors import PhotosortdError, WorldError
from photosortd.pipeline import Done, Pipeline
from photosortd.records import Source
from photosortd.sdnotify import Notifier
from photosortd.service.answers import Answers
from photosortd.service.diary import Diary
from photosortd.service.flags import Flags, Stopped
from photosortd.service.sandbox import Sandbox
from photosortd.service.startup import set_watches
from photosortd.service.telling import Teller
from photosortd.status import StatusFile
from photosortd.watch import Hint

log = logging.getLogger(__name__)

HEARTBEAT = 5.0
"""Seconds that the loop sleeps at most: requests are looked for at least that often."""

SCAN_SLICE = 0.05
"""Seconds of scanning between two looks at what else there is to do."""

PATIENCE = 30.0
"""Seconds without an outcome after which `--once` leaves files that still change."""

LAST_WORDS = 3.0
"""Seconds that photos in hand get to finish when the daemon stops."""


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
        diary: Diary | None = None,
        sandbox: Sandbox | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._flags = flags
        self._notifier = notifier
        self._reload = reload
        self._requests = requests
        self._teller = Teller(notifier, status, describe)
        self._diary = diary  # None: whoever runs us says in its own way what became of each file
        self._sandbox = sandbox
        pipeline.keep_alive(self.between)
        self._once = False
        self._missed = False  # a trouble made us drop files that only a scan finds again
        self._progressed = time.monotonic()
        self._check_at = 0.0
        self._answers = Answers(pipeline)

    def done(self, done: Done) -> None:
        """The pipeline's `on_done`."""
        self._progressed = time.monotonic()
        self._teller.hear(done, self._progressed)
        if self._diary is not None:
            self._diary.hear(done)

    def run(self, once: bool = False) -> None:
        """Work until a signal says stop or, with `once`, until there is nothing left to do.

        The caller listens to signals: they may come long before the first turn.
        """
        self._once = once
        with suppress(Stopped):
            self._startup()
            while not self._is_over():
                self.tick()
        self._shutdown()

    def between(self) -> None:
        """From within what takes long: we are alive, and nobody waits for its end to stop us."""
        self._notifier.watchdog()
        self._flags.obey()

    def _is_over(self) -> bool:
        if self._flags.stop or (self._once and self._is_finished()):
            return True
        if self._sandbox is None or self._pipeline.gate is None:
            return False
        paths = self._pipeline.watcher.paths
        return self._sandbox.look(paths, self._pipeline.gate.path, time.monotonic())

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
        self._pipeline.workers.begin()  # they load the model while the watches are set
        set_watches(self._pipeline.watcher, self._flags, self._notifier)
        self._pipeline.workers.start(self.between)
        self._notifier.ready()
        with self._waiting_for_the_world():
            self._teller.tell(self._pipeline, time.monotonic())

    def tick(self) -> None:
        """One turn: hints, scan, work, requests; then sleep until there is something to do."""
        now, wall = time.monotonic(), time.time()
        if now >= self._check_at:
            self._check_at = now + HEARTBEAT
            # Its end is ours: only a fresh start opens the ledger that is there now.
            self._pipeline.ledger.check_place()
        if self._flags.reload:
            self._do_reload()
        with self._waiting_for_the_world():
            self._work(self._pipeline, now, wall)
        with self._waiting_for_the_world():
            self._teller.tell(self._pipeline, time.monotonic())
        if self._diary is not None:
            self._diary.turn(time.time())  # HEARTBEAT is often enough: no timer of its own
        self._notifier.watchdog()
        with self._waiting_for_the_world():
            self._wait()

    @contextmanager
    def _waiting_for_the_world(self) -> Iterator[None]:
        """Where the world fails nothing is filed for a while, but the loop goes on — slowly."""
        try:
            yield
        except WorldError as error:
            self._pipeline.shut(error, time.monotonic())
            self._missed = True
            select.select([self._flags.wake], [], [], 1.0)

    def _work(self, pipeline: Pipeline, now: float, wall: float) -> None:
        pipeline.watcher.tick(now, wall)
        if pipeline.watcher.mounts_changed and pipeline.gate is not None:
            pipeline.gate.doubt()
        if self._missed and pipeline.trouble is None:
            self._missed = False
            pipeline.watcher.request_scan()
        self._hear(pipeline, now, wall)
        pipeline.feed(time.monotonic(), wall)  # what has just arrived waits for no scan
        if not self._missed:
            self._scan(pipeline, wall)
        pipeline.feed(time.monotonic(), wall)
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
        """Let the running scan go on for a moment, as long as there is little in the queue, and
        nothing that an event named."""
        self._list(pipeline, wall)
        if not pipeline.watcher.scanning:
            pipeline.intake.keep_marks()

    def _list(self, pipeline: Pipeline, wall: float) -> None:
        until = time.monotonic() + SCAN_SLICE
        few = 2 * max(1, pipeline.workers.count) + 2
        while pipeline.intake.untried < few and time.monotonic() < until:
            listing = pipeline.watcher.next_listing()
            if listing is None:
                return
            now, live = time.monotonic(), listing.hinted  # a directory that has just appeared
            news = pipeline.intake.consider(listing, now, wall, live=live)
            if news:
                pipeline.watcher.unnamed(listing.root, news)
            if pipeline.watcher.hinted:
                return

    def _wait(self) -> None:
        """Sleep until an answer, an event, a signal, or the next thing that is due.

        One step of filing a turn: a live photo may have come meanwhile. None for the archive while
        a live one is nearly there: it would wait for the disk.
        """
        now = time.monotonic()
        patience = self._patience(now)
        answers = self._answers
        answers.collect(
            min(patience, answers.hurry(now)) if answers else patience, self._flags.wake
        )
        self._flags.silence()
        if not answers.hurry(time.monotonic()):
            if answers:
                # First the next photo for whoever is idle: the disk takes a while to file this one.
                self._pipeline.feed(time.monotonic(), time.time())
            answers.go_on()

    def _patience(self, now: float) -> float:
        pipeline = self._pipeline
        busy = pipeline.watcher.scanning and pipeline.intake.untried == 0
        can_feed = pipeline.has_room and not pipeline.trouble
        over = self._once and self._is_finished()
        if busy or can_feed or over or self._flags.stop or self._flags.reload:
            return 0.0
        times = [
            now + HEARTBEAT,
            pipeline.watcher.next_due(),
            pipeline.intake.next_due(),
            pipeline.gate.next_due() if pipeline.gate else None,
            self._teller.next_due(pipeline),
            self._answers.filing_due(now),
        ]
        if self._notifier.interval is not None:
            times.append(now + self._notifier.interval / 2)
        return max(0.0, min(when for when in times if when is not None) - now)

    def _do_reload(self) -> None:
        self._flags.reload = False
        what = "configuration" if self._flags.reread else "bundle"
        self._notifier.reloading()
        try:
            self._pipeline = self._reload(self._pipeline)
            # What the others are about, the pipeline before has let go of.
            self._answers = Answers(self._pipeline)
            self._pipeline.keep_alive(self.between)
            self._teller.reloaded("")
        except PhotosortdError as error:
            log.error("keeping the old %s: %s", what, error)
            self._teller.reloaded(f"kept the old {what}: {error}")
        self._notifier.ready()

    def _shutdown(self) -> None:
        """Let photos in hand finish for a moment; what is dropped is found by the next scan."""
        self._notifier.stopping()
        pipeline = self._pipeline
        deadline = time.monotonic() + LAST_WORDS
        # Workers that cannot be had now: then there is nothing to wait for.
        with suppress(Stopped, WorldError):
            while pipeline.outstanding and (left := deadline - time.monotonic()) > 0:
                due = pipeline.next_due()
                wait = left if due is None else max(0.0, due - time.monotonic())
                self._answers.collect(0.0 if self._answers else min(left, wait))
                self._answers.go_on(ends=True)
        with suppress(Stopped, WorldError):
            pipeline.file_together(time.monotonic(), time.time())
        if self._diary is not None:
            self._diary.end()
        self._teller.tell(pipeline, time.monotonic(), stopped=True)
        if self._sandbox is not None and self._sandbox.outdated:
            self._notifier.status(self._sandbox.outdated)


def _below(root: str, directory: str, name: str) -> Source:
    return Source(root, os.path.join(directory, name))
