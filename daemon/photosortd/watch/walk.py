"""Read a tree one directory at a time.

A walk holds the names of the directories still to visit and those in the present one, never the
tree. What cannot be read is noted and does not end the walk.
"""

import errno
import os
from collections.abc import Callable, Collection

from photosortd.watch.glance import Glance
from photosortd.watch.ignore import Rules
from photosortd.watch.kin import slices
from photosortd.watch.scan import (
    GONE,
    Ignored,
    look,
    nothing,
    opened,
    problem,
    read_directory,
    rules_above,
)

SLICE = 5000  # files of one directory that are looked at in one step
_NOTED = 20  # problems kept in words
_RECENT = 10.0  # seconds before a walk that count as "just now"

REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.ENAMETOOLONG})
"""How a single directory stays shut. All else is the disk or the share that fails for a while."""


class Walk:
    """One pass over a root, or over the part of it below `top`."""

    def __init__(
        self,
        rules: Rules,
        top: str = "",
        watched: Collection[int] | None = None,
        wall: float = 0.0,
        between: Callable[[], None] = nothing,
    ) -> None:
        """`watched`: the inodes of directories that inotify watches; None: not of interest.

        `between` is called every few hundred files; what it raises ends the step and passes on.
        """
        self._between = between
        self._rules = rules
        self._top = top
        self._pending: list[tuple[str, Rules | None]] = [(top, None)]
        self._directory = ""  # the one that is being read
        self._slices: list[list[str]] = []  # names in it still to be looked at, the next one last
        self._part = 0  # how many slices of it were taken
        self._whole = True  # whether it showed all that is in it
        self._watched = watched
        self._device: int | None = None
        self._since_ns = int((wall - _RECENT) * 1e9)
        self.directories = 0
        self.files = 0
        self.recent = 0  # files whose ctime is after the walk began, or just before
        self.unwatched: set[int] = set()  # inodes of directories that no watch was seen for
        self.problems: list[str] = []
        self.broken = False  # the disk or share failed: there may be photos that it did not show
        self.failures = 0  # how many there were, of which `problems` names the first ones

    @property
    def done(self) -> bool:
        return not (self._pending or self._slices)

    def step(self, root: int) -> tuple[str, Glance] | None:
        """Read the next directory below the descriptor `root`: (path, files).

        One with more than 5,000 files comes in slices, one with each step, what may be one shot
        in one of them. None if it is ignored, gone or cannot be read, or nothing is left.
        """
        try:
            if self._slices:
                with opened(root, self._directory) as descriptor:
                    return self._directory, self._look(descriptor)
            if self._pending:
                return self._enter(root)
        except Ignored as reason:
            if not self._directory:
                self._note(f"all of it is ignored: {reason}")
        except OSError as error:
            self._slices.clear()
            if error.errno not in GONE:
                self._note(problem(self._directory, error))
                self.broken |= error.errno not in REFUSED
        return None

    def _enter(self, root: int) -> tuple[str, Glance]:
        """Take the names in the next directory, and look at the first slice of them."""
        self._directory, rules = self._pending.pop()
        if rules is None:
            rules = rules_above(root, self._directory, self._rules)
        with opened(root, self._directory) as descriptor:
            self._check_watched(os.fstat(descriptor), os.fstat(root).st_dev)
            contents = read_directory(descriptor, self._directory, rules, between=self._between)
            self.directories += 1
            self._note(*contents.problems)
            self._pending += [
                (os.path.join(self._directory, name), contents.rules)
                for name in reversed(contents.directories)
            ]
            self._slices = list(slices(contents.files, SLICE))[::-1]
            self._part, self._whole = 0, not contents.problems
            return self._directory, self._look(descriptor)

    def _look(self, descriptor: int) -> Glance:
        problems: list[str] = []
        found = look(descriptor, self._directory, self._slices.pop(), problems, self._between)
        self._note(*problems)
        self.broken |= bool(problems)
        glance = Glance(found, self._part if self._whole and not problems else None)
        self._part += 1
        self.files += len(glance)
        self.recent += glance.changed_since(self._since_ns)
        return glance

    def _check_watched(self, facts: os.stat_result, device: int) -> None:
        # Other file systems mounted below have inode numbers of their own.
        if self._watched is None or facts.st_dev != device:
            return
        if facts.st_ino not in self._watched:
            self.unwatched.add(facts.st_ino)

    def _note(self, *problems: str) -> None:
        self.failures += len(problems)
        self.problems += problems[: _NOTED - len(self.problems)]
