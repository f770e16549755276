"""Clocks of which a test may skip hours or set one, for the daemon and for its files."""

import os
import time
from bisect import bisect

_COARSE = 5  # CLOCK_REALTIME_COARSE, which stamps files and which Python does not name


class Clock:
    """Real time and what was skipped of it. Times of change (ctime) are told in it, too."""

    def __init__(self) -> None:
        self._skipped = 0.0  # seconds of both clocks
        self._since = [0]  # real nanoseconds from which on the wall clock is that much ahead
        self._ahead = [0]

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped

    def time(self) -> float:
        return time.time() + self._ahead[-1] / 1e9

    def advance(self, seconds: float) -> None:
        """What changes from now on changes that much later than what changed before."""
        self._skipped += seconds
        self.set(seconds)

    def set(self, seconds: float) -> None:
        """Somebody sets the wall clock forward, or back; no time goes by."""
        self.tick()
        self._since.append(time.clock_gettime_ns(_COARSE))
        self._ahead.append(self._ahead[-1] + int(seconds * 1e9))
        self.tick()

    def tick(self) -> None:
        """Wait until a change gets another ctime than any change before: some milliseconds."""
        start = time.time_ns()  # a kernel may stamp more finely, never more coarsely
        while time.clock_gettime_ns(_COARSE) <= start:
            time.sleep(0.0005)

    def told(self, facts: os.stat_result) -> os.stat_result:
        """The same with a ctime of this clock."""
        ahead = self._ahead[bisect(self._since, facts.st_ctime_ns) - 1]
        named = {name: getattr(facts, name) for name in dir(facts) if name.startswith("st_")}
        return os.stat_result(tuple(facts), {**named, "st_ctime_ns": facts.st_ctime_ns + ahead})
