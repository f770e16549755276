"""How things are, for `status` and for systemd: said when it changes, at most once a second."""

import logging
import os
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from photosortd.errors import WorldError
from photosortd.journal import Condition
from photosortd.pipeline import Done, Pipeline
from photosortd.records import printable
from photosortd.sdnotify import Notifier
from photosortd.service.line import one_line
from photosortd.status import StatusFile
from photosortd.watch import RootState

log = logging.getLogger(__name__)

SHOWN = 20
"""Waiting files that status names; it counts all of them."""

EVERY = 1.0
"""Seconds between two looks at everything that status tells."""

SHARE = 50
"""Of the time, counting a large ledger takes at most one part in this many."""


class Tempo:
    """How many photos were done lately: what `status` calls the rate."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=1000)

    def beat(self, now: float) -> None:
        self._times.append(now)

    def per_minute(self, now: float) -> float:
        recent = [when for when in self._times if now - when < 60]
        return float(len(recent))


class Teller:
    """Remembers the last outcomes. `describe` gives the part of the status that hardly changes."""

    def __init__(
        self, notifier: Notifier, status: StatusFile | None, describe: Callable[[], dict[str, Any]]
    ) -> None:
        self._notifier = notifier
        self._status = status
        self._describe = describe
        self._recent: deque[Done] = deque(maxlen=20)
        self._tempo = Tempo()
        self._counts: dict[str, int] = {}
        self._counted: Done | None = None
        self._count_at = 0.0
        self._line = ""
        self._unwritten = Condition(log)
        self._next_at = 0.0
        self._told: object = None  # what is told anew when it changes
        self._warning: str | None = None

    def hear(self, done: Done, now: float) -> None:
        """One more outcome; `now` is monotonic seconds."""
        self._recent.append(done)
        self._tempo.beat(now)

    def reloaded(self, warning: str) -> None:
        """Why a reload changed nothing, which holds until another one succeeds ('')."""
        self._warning = warning.partition("\n")[0] or None
        self._next_at = 0.0

    def tell(self, pipeline: Pipeline, now: float, stopped: bool = False) -> None:
        """Say how things are, at most once a second: a backfill has better things to do."""
        if now < self._next_at and not stopped:
            return
        self._next_at = now + EVERY
        self._told = self._news(pipeline)
        state = self._state(pipeline, now, stopped)
        line = one_line(state)
        if line != self._line:
            self._notifier.status(line)
            self._line = line
        if self._status is not None:
            try:
                self._status.update(state, now + (3600 if stopped else 0))
                if self._status.next_due() is None:  # it was not held back
                    self._unwritten.over("status.json can be written again")
            except WorldError as error:
                if pipeline.trouble is None:  # a full disk is said by the gate
                    self._unwritten.holds(f"`photosortd status` is out of date: {error}")

    def next_due(self, pipeline: Pipeline) -> float | None:
        """When to tell again because something changed; None if nothing did."""
        if self._news(pipeline) != self._told:
            return self._next_at
        times = [self._status.next_due() if self._status else None]
        if self._recent and self._recent[-1] is not self._counted:
            times.append(max(self._next_at, self._count_at))
        return min((when for when in times if when is not None), default=None)

    def _news(self, pipeline: Pipeline) -> object:
        intake = pipeline.intake
        return (
            _mood(pipeline),
            pipeline.trouble,
            self._warning,
            self._recent[-1] if self._recent else None,
            len(intake.waiting),
            intake.next_due() is None,  # whether anything settles
            [state.watched for state in pipeline.watcher.states()],
        )

    def _state(self, pipeline: Pipeline, now: float, stopped: bool) -> dict[str, Any]:
        self._count(pipeline, now, stopped)
        return {
            **self._describe(),
            "pid": os.getpid(),
            "state": "stopped" if stopped else _mood(pipeline),
            "trouble": pipeline.trouble,
            "warning": self._warning,
            "roots": [_root(state) for state in pipeline.watcher.states()],
            "queue": {
                "live": pipeline.intake.live,
                "backlog": len(pipeline.intake) - pipeline.intake.live,
                "in_hand": pipeline.outstanding,
                "settling": len(pipeline.intake.settler.waiting()),
            },
            "waiting": [
                {"path": printable(source.full), "for": what}
                for source, what in islice(pipeline.intake.waits(), SHOWN)
            ],
            "counts": self._counts,
            "per_minute": self._tempo.per_minute(now),
            "recent": [done.as_json() for done in reversed(self._recent)],
        }

    def _count(self, pipeline: Pipeline, now: float, stopped: bool) -> None:
        """A million rows take a Pi a moment, in which nothing is sorted."""
        latest = self._recent[-1] if self._recent else None
        if self._counts and (latest is self._counted or now < self._count_at):
            return
        began = time.monotonic()
        try:
            self._counts, self._counted = pipeline.ledger.counts(), latest
        except WorldError as error:
            if stopped:  # the last word is said with the last counts
                log.warning("the last counts may be old: %s", error)
                return
            raise
        self._count_at = now + SHARE * (time.monotonic() - began)


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
