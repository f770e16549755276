"""Is the root there, and is it still the one that we were told to watch?

A directory that vanished, or another file system in its place, is not "no photos": the root is
lost until the old file system is back. Opens the root for each use, and keeps nothing open.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from photosortd import files
from photosortd.errors import WorldError
from photosortd.records import printable
from photosortd.watch.sight import Sight, sight
from photosortd.watch.values import Away

_AWAY = frozenset(
    {errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ESHUTDOWN, errno.ETIMEDOUT}
    | {errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENETDOWN, errno.ENETUNREACH}
)
"""Errors that tell of the whole file system, whichever file they came with."""


class Change(Enum):
    """What a check found."""

    NONE = "none"
    ARRIVED = "arrived"  # it is there for the first time, again, or as another directory
    LOST = "lost"


class Ground:
    """One root's directory. `lost` says why it cannot be used; '' means that it can."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.sight: Sight | None = None
        self.lost = "not looked at yet"
        self.doubtful = True  # look again at once
        self.held_files = False  # one has been seen on this file system

    def check(self, closely: bool) -> Change:
        """Look at the root; `closely` if the mounts changed since the last time."""
        self.doubtful = False
        try:
            here = self._look(closely)
        except OSError as error:
            return self._lose(_absent(error))
        if self.sight is None:
            return self._arrive(here)
        if not self.lost and here.same_directory(self.sight):
            return Change.NONE
        if here.same_file_system(self.sight) or not self.held_files:
            # Removed and made again, or mounted again. Or a disk that is mounted late, over what
            # was but its empty mount point: nothing of ours can be missing then.
            return self._arrive(here)
        return self._lose(
            f"{here} is there instead of {self.sight}; waiting for that to come back "
            "(restart photosortd if the change is meant)"
        )

    def _look(self, closely: bool) -> Sight:
        facts = os.stat(self.path)
        if self.sight and not (closely or self.lost) and _is(facts, self.sight):
            return self.sight
        return sight(self.path)

    def _arrive(self, here: Sight) -> Change:
        if self.sight is None or not here.same_file_system(self.sight):
            self.held_files = False
        self.sight, self.lost = here, ""
        return Change.ARRIVED

    def _lose(self, reason: str) -> Change:
        change = Change.NONE if self.lost == reason else Change.LOST
        self.lost = reason
        return change

    @contextmanager
    def descriptor(self) -> Iterator[int]:
        """The root, open for the moment. Raises Away if it is paused, WorldError if it fails now.

        An OSError inside that is the root's rather than the file's becomes a WorldError too.
        """
        if self.lost:
            raise Away(f"{printable(self.path)}: {self.lost}")
        try:
            opened = files.open_directory(self.path)
        except OSError as error:
            raise self._failing(error) from error
        try:
            self._recognise(opened)
            yield opened
        except OSError as error:
            if error.errno not in _AWAY and _can_be_listed(opened):
                raise
            raise self._failing(error) from error
        finally:
            files.close(opened)

    def _recognise(self, opened: int) -> None:
        try:
            facts = os.fstat(opened)
        except OSError as error:
            raise self._failing(error) from error
        if self.sight is None or not _is(facts, self.sight):
            self.doubtful = True
            raise WorldError(f"{printable(self.path)}: another directory is there now")

    def _failing(self, error: OSError) -> WorldError:
        self.doubtful = True
        return WorldError(f"{printable(self.path)}: {_absent(error)}")


def _is(facts: os.stat_result, known: Sight) -> bool:
    return (facts.st_dev, facts.st_ino) == (known.device, known.inode)


def _can_be_listed(descriptor: int) -> bool:
    """Whether it still answers: a dead disk gives EIO for its root as for any file."""
    try:
        with os.scandir(descriptor) as entries:
            next(entries, None)
    except OSError:
        return False
    return True


def _absent(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "it is not there"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "no permission to read it: run photosortd as a user who may"
    return f"it cannot be read: {error.strerror or error}"
