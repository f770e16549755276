"""When a file gets its name in some category of a library, whose directories are made meanwhile."""

import time
from pathlib import Path

from sightings import CREATE, MOVED_TO, Sightings


class Lookout:
    """Watches a library that may not be there yet, and every directory in it."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self._sightings = Sightings()
        self._sightings.watch(library.parent, CREATE | MOVED_TO)

    def until(self, name: str, seconds: float) -> float:
        """The monotonic time from which on some category holds `name`."""
        deadline = time.monotonic() + seconds
        while True:
            heard = len(self._sightings.seen)
            self._watch()  # before the look: what comes after it is heard
            if any(self._library.glob(f"*/{name}")):
                return time.monotonic()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{name} was not filed within {seconds:g} s")
            self._sightings.hear_more(heard, left)

    def _watch(self) -> None:
        """Watching a directory twice changes nothing."""
        if self._library.is_dir():
            for each in (self._library, *self._library.iterdir()):
                if each.is_dir():
                    self._sightings.watch(each, CREATE | MOVED_TO)
