"""Where watchdog's threads leave what they heard, until the loop comes for it."""

from collections import deque
from collections.abc import Callable

from photosortd.watch.events import Event

CAPACITY = 50_000
"""Events that may wait; beyond, only the root is remembered, to be scanned."""


class Inbox:
    """A bounded queue between threads. Its operations are atomic; nothing here waits."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._events: deque[Event] = deque()
        self._lost: set[str] = set()
        self._woken = False
        self._closed = False

    def put(self, event: Event) -> None:
        """Called from watchdog's threads."""
        if len(self._events) < CAPACITY:
            self._events.append(event)
        else:
            self._lost.add(event.root)
        self.wake()

    def wake(self) -> None:
        """Wake the loop, once until it comes."""
        if not (self._woken or self._closed):
            self._woken = True
            self._wake()

    def close(self) -> None:
        """Wake nobody any more."""
        self._closed = True

    def __len__(self) -> int:
        return len(self._events)

    def drain(self) -> list[Event]:
        """Everything that waits, in its order."""
        self._woken = False  # first, so that what arrives from now on wakes again
        return [self._events.popleft() for _ in range(len(self._events))]

    def lost(self) -> set[str]:
        """The roots of which events were dropped since the last call."""
        lost = set()
        while self._lost:
            lost.add(self._lost.pop())
        return lost
