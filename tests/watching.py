"""A loop around a Watcher for tests: real inotify, and deadlines instead of sleeps."""

import os
import select
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from photosortd.watch import Hint, Listing, RootSpec, RootState, Watcher

PATIENCE = 15.0  # seconds; far more than anything here takes


class Loop:
    """Drives a Watcher as the service does. `ahead` moves its clock without waiting."""

    def __init__(self, *roots: RootSpec | Path) -> None:
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        specs = [root if isinstance(root, RootSpec) else RootSpec(str(root)) for root in roots]
        self.watcher = Watcher(specs, lambda: os.write(self._wake, b"!") and None)
        self.ahead = 0.0
        self.hints: dict[str, bool] = {}  # path below its root → arrived, the last word
        self.listings: list[Listing] = []
        self.files: dict[str, str] = {}  # path below its root → 'scan' or 'hint', the first

    def start(self) -> "Loop":
        self.watcher.start(self.now)
        return self.until(lambda: not self.watcher.scanning)

    def stop(self) -> None:
        self.watcher.stop()
        os.close(self._wake)
        os.close(self._woken)

    @property
    def now(self) -> float:
        return time.monotonic() + self.ahead

    def turn(self) -> None:
        """One step, and then wait for an event or for a moment."""
        self.watcher.tick(self.now, time.time() + self.ahead)
        for hint in self.watcher.hints():
            self._hear(hint)
        while listing := self.watcher.next_listing():
            self.listings.append(listing)
            for name in listing.files:
                self.files.setdefault(os.path.join(listing.directory, name), "scan")
        if select.select([self._woken], [], [], 0.02)[0]:
            os.read(self._woken, 4096)

    def _hear(self, hint: Hint) -> None:
        self.hints[hint.source.path] = hint.arrived
        if self.watcher.stat(hint.source):
            self.files.setdefault(hint.source.path, "hint")

    def until(self, condition: Callable[[], object]) -> "Loop":
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self._summary()
            self.turn()
        return self

    def _summary(self) -> str:
        last = f"{list(self.hints.items())[-9:]}, {list(self.files.items())[-9:]}"
        return f"{self.states}, {len(self.hints)} hints, {len(self.files)} files: … {last}"

    def knows(self, *paths: str) -> "Loop":
        """Until every path was named by an event or found by a scan."""
        return self.until(lambda: set(paths) <= set(self.files))

    def hears(self, *paths: str) -> "Loop":
        """Until an event named every path."""
        return self.until(lambda: set(paths) <= set(self.hints))

    def becomes(self, watched: str, reason: str = "") -> "Loop":
        """Until the first root is watched like that, for a reason that contains `reason`."""
        return self.until(lambda: self.state.watched == watched and reason in self.state.reason)

    def forget(self) -> None:
        self.hints.clear()
        self.files.clear()
        self.listings.clear()

    @property
    def states(self) -> Sequence[RootState]:
        return self.watcher.states()

    @property
    def state(self) -> RootState:
        return self.states[0]
