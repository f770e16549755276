"""Directories that appeared a moment ago: has each of them got its watch?

watchdog sets watches by paths. A directory that is renamed while it appears, or whose parent is,
may stay without one, and nothing says so: what comes into it later would wait for the next scan.
"""

import math
import os
from collections.abc import Collection
from contextlib import suppress

from photosortd.watch.scan import stat_beneath

PATIENCE = 5.0  # seconds that watchdog has to set a watch
ROUND = 5.0  # seconds between two rounds of questions, at least
READING = 0.0005  # seconds that each watch adds; 5 µs go to reading it, so 1/100 of the time
MOST = 5000  # directories that are remembered; of more, the oldest are left to the scans
CURE = 30.0  # seconds between two cures: each of them walks the whole tree


class Arrivals:
    """When each directory was looked into, by its path below the root. Times are monotonic."""

    def __init__(self) -> None:
        self._noted: dict[str, float] = {}  # in the order of their times
        self._not_before = -math.inf

    def note(self, directory: str, now: float) -> None:
        """It has just appeared, or something in it has."""
        self._noted.pop(directory, None)
        self._noted[directory] = now
        if len(self._noted) > MOST:
            del self._noted[next(iter(self._noted))]

    def next_due(self) -> float:
        """When to ask for those without a watch; infinity while there is nothing to ask."""
        first = next(iter(self._noted.values()), math.inf)  # the others wait for its round
        return max(first + PATIENCE, self._not_before)

    def unwatched(self, root: int, watched: Collection[int] | None, now: float) -> bool:
        """Whether one that has had its time has no watch; forgets those that were asked about.

        `watched`: the inodes that are; None if that says nothing.
        """
        found = False
        for directory, since in list(self._noted.items()):
            if now - since < PATIENCE:
                break
            del self._noted[directory]
            found = found or (watched is not None and not _is_one_of(root, directory, watched))
        pause = CURE if found else ROUND
        self._not_before = now + max(pause, READING * len(watched or ()))
        return found


def _is_one_of(root: int, directory: str, watched: Collection[int]) -> bool:
    """One that is gone needs no watch; one that was renamed has appeared anew."""
    with suppress(OSError):
        facts = stat_beneath(root, directory)
        # Other file systems mounted below have inode numbers of their own.
        return facts.st_dev != os.fstat(root).st_dev or facts.st_ino in watched
    return True
