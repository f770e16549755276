"""A clock of which a test may skip hours, for the daemon and for its files."""

import os
import time
from bisect import bisect

_COARSE = 5  # CLOCK_REALTIME_COARSE, which stamps files and which Python does not name


class Clock:
    """Real time and what was skipped of it. Times of change (ctime) are told in it, too."""

    def __init__(self) -> None:
        self._since = [0]  # real nanoseconds from which on so much was skipped
        self._skipped = [0]

    def monotonic(self) -> float:
        return time.monotonic() + self._skipped[-1] / 1e9

    def time(self) -> float:
        return time.time() + self._skipped[-1] / 1e9

    def advance(self, seconds: float) -> None:
        """What changes from now on changes that much later than what changed before."""
        self.tick()
        self._since.append(time.clock_gettime_ns(_COARSE))
        self._skipped.append(self._skipped[-1] + int(seconds * 1e9))
        self.tick()

    def tick(self) -> None:
        """Wait until a change gets another ctime than any change before: 4 ms at most."""
        start = time.clock_gettime_ns(_COARSE)
        while time.clock_gettime_ns(_COARSE) <= start:
            time.sleep(0.0005)

    def told(self, facts: os.stat_result) -> os.stat_result:
        """The same with a ctime of this clock."""
        skipped = self._skipped[bisect(self._since, facts.st_ctime_ns) - 1]
        named = {name: getattr(facts, name) for name in dir(facts) if name.startswith("st_")}
        return os.stat_result(tuple(facts), {**named, "st_ctime_ns": facts.st_ctime_ns + skipped})
