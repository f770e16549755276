"""Signals set flags and wake the loop, and nothing else."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType


class Stopped(Exception):
    """A signal said stop in the middle of something long. Nothing half-done is visible."""


class Flags:
    """What the signals asked for, and a pipe that wakes the loop."""

    def __init__(self, hangup_stops: bool = False) -> None:
        """`hangup_stops`: a run in somebody's terminal ends with it, instead of a reload."""
        self.stop = self.reload = False
        self.reread = False  # the reload is about the configuration, too
        self._hangup_stops = hangup_stops
        self.wake, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def ring(self) -> None:
        """Wake the loop; safe from any thread and from a signal handler."""
        with suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._bell, b"\0")

    def silence(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self.wake, 4096):
                continue

    def obey(self) -> None:
        """Called from within what takes long: raises Stopped if a signal said stop."""
        if self.stop:
            raise Stopped

    def close(self) -> None:
        os.close(self.wake)
        os.close(self._bell)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP and not self._hangup_stops:
            self.reload = self.reread = True
        elif number != signal.SIGUSR1:  # which only wakes: somebody left a request
            self.stop = True
        self.ring()

    def _is_to_survive_hangup(self) -> bool:
        """nohup says so; a daemon's SIGHUP is a reload all the same."""
        return self._hangup_stops and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN

    @contextmanager
    def handling(self) -> Iterator[None]:
        """Listen to TERM, INT, HUP and USR1; the old handlers come back afterwards."""
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
        before = {
            number: signal.signal(number, self._handle)
            for number in numbers
            if not (number == signal.SIGHUP and self._is_to_survive_hangup())
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
