"""The door to the library: open, the right one, and nothing in it half-filed.

While the world is in trouble the gate is shut: nothing is decoded in vain, the reason is said
once, and another try is made at growing intervals.
"""

import logging
import math
import re
from collections.abc import Callable
from contextlib import suppress

from photosortd.errors import WorldError
from photosortd.filing import Filing, Style
from photosortd.ledger import Ledger, Version
from photosortd.place import Blocked, Library
from photosortd.records import printable
from photosortd.recover import Stands, accept_library, open_library, recover

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds
GLANCE = 5.0  # seconds between two looks at a library that nobody has to do with
AGAIN = 30.0  # seconds until another try at what is half-filed where a directory is blocked

log = logging.getLogger(__name__)


class Gate:
    """Owns the open library. `trouble` is what shuts the gate, or None."""

    def __init__(
        self,
        path: str,
        ledger: Ledger,
        stands: Stands,
        on_lost: Callable[[Version], None] = lambda _: None,
    ) -> None:
        self._path = path
        self._ledger = ledger
        self.stands = stands
        self._on_lost = on_lost
        self._library: Library | None = None
        self._filing: tuple[Style, Filing] | None = None
        self._sound = False  # recovered since the last trouble
        self._left = False  # something could not be recovered
        self._again_at = math.inf  # when to try that again
        self._pause = FIRST_PAUSE
        self._retry_at: float | None = None  # None: open, or being tried
        self._doubtful = False  # it may have gone, though nobody had to do with it
        self._glance_at = 0.0
        self._full = False  # the trouble came from filing: only filing shows that it is over
        self._said: set[object] = set()  # the reasons that the log names for this trouble
        self.trouble: str | None = None
        self.between: Callable[[], None] = lambda: None  # called while many bytes are moved

    @property
    def path(self) -> str:
        return self._path

    def pass_through(self, now: float, wall: float) -> bool:
        """Whether photos may go through now; opens and recovers when it is time to try."""
        if self._retry_at is not None and now < self._retry_at:
            return False
        self._doubtful = False
        try:
            self.library(wall).check()
        except WorldError as error:
            self.shut(error, now, filing=False)
            return False
        self._retry_at = None
        if not self._full:
            self.went_well()
        return True

    def went_well(self) -> None:
        """A photo was filed: whatever the trouble was, it is over."""
        if self.trouble is not None:
            log.warning("going on: %s can be written again", printable(self._path))
        self.trouble, self._pause, self._full = None, FIRST_PAUSE, False
        self._said.clear()
        self._retry_at = None

    def doubt(self) -> None:
        """Something was mounted or unmounted: look at it at once, even if no photo waits."""
        self._doubtful = True
        self._retry_at = None

    def is_due(self, now: float) -> bool:
        """Whether to try without a photo that waits: a crash or a trouble may have left intents,
        and somebody may have taken the library away."""
        if self._library is not None and now >= self._glance_at:
            self._glance_at = now + GLANCE
            self._doubtful |= not self._library.stands()
        if self._left:
            self._left, self._again_at = False, now + AGAIN
        if now >= self._again_at:
            self._sound, self._again_at = False, math.inf
        uncertain = self._doubtful or not self._sound
        return uncertain and (self._retry_at is None or now >= self._retry_at)

    def nothing_waits(self) -> None:
        """An open library is then all that can be asked for."""
        if self._sound:
            self.went_well()

    def library(self, wall: float) -> Library:
        """The open library with every intent recovered. Raises WorldError, BusyError."""
        if self._library is None:
            self._library = open_library(self._path, self._ledger)
            self._library.between = lambda: self.between()
        if not self._sound:
            for version in recover(self._ledger, self._library, self.stands, wall):
                self._on_lost(version)
            # What Filing knows of written directories is true until they are swept.
            self._sound, self._left, self._filing = True, self._is_left(), None
        return self._library

    def _is_left(self) -> bool:
        """Whether a directory could not be recovered and swept: it is a link now, or a file."""
        return bool(self._ledger.placements.written(self._path))

    def accept(self) -> None:
        """Use the library that is there now. Raises WorldError, BusyError."""
        self.close()
        accept_library(self._path, self._ledger)
        self._retry_at = None

    def filing(self, style: Style, wall: float) -> Filing:
        library = self.library(wall)
        if self._filing is None or self._filing[0] != style:
            self._filing = (style, Filing(library, self._ledger, style))
        return self._filing[1]

    def is_current(self, filing: Filing) -> bool:
        """Whether the parts that it made are still there: no library was closed or swept since."""
        return self._filing is not None and self._filing[1] is filing

    def shut(self, error: WorldError, now: float, filing: bool = True) -> None:
        """The world failed. Whatever was open is closed, and looked at anew before going on."""
        if (reason := _reason(error)) not in self._said:
            log.warning("waiting: %s", error)
            self._said.add(reason)
        self.trouble, self._full = str(error), filing
        if self._retry_at is None or now >= self._retry_at:  # one hiccup, however many in hand
            self._retry_at = now + self._pause
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self.close()

    def renew(self) -> None:
        """Something was left half-filed where one directory alone is in the way: it is recovered
        before the next photo, and nobody has to wait for that."""
        self.close()

    def next_due(self) -> float | None:
        """When to try again (monotonic seconds); None while nothing is shut."""
        return self._retry_at

    def close(self) -> None:
        self._sound, self._filing = False, None
        if self._library is not None:
            with suppress(OSError):
                self._library.close()
            self._library = None


def _reason(error: WorldError) -> object:
    """What is said once of a trouble: a disk that is read-only is so for all that is tried there.

    Where one directory alone is blocked its name is part of the reason. Numbers never are: how
    much is free changes while the disk stays full.
    """
    root: BaseException = error
    while root.__cause__ is not None and not isinstance(root, Blocked):
        root = root.__cause__
    if isinstance(root, OSError):
        return root.errno
    return re.sub(r"\d+(\.\d+)?", "#", str(error))
