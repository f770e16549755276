"""A directory of the library, opened for one deed, and whose fault its errors are.

Every directory is reached component by component below the library's descriptor and never
through a link; none is kept open from one placement to the next.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from photosortd import files, machine
from photosortd.errors import PhotoError, WorldError
from photosortd.records import printable

_OURS = frozenset({errno.EBADF, errno.EFAULT, errno.ENOTTY})
"""Errors that only a mistake of ours can cause: they stay OSError."""

_NOTHING_TO_READ = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR})
"""Gone, a link, a socket, a link that leads nowhere."""

_IN_THE_WAY = frozenset({errno.ELOOP, errno.ENOTDIR})
"""How it is said that a link, or a file, stands where a directory should."""

_WHAT_TO_DO = {
    errno.ENOSPC: "free some space there",
    errno.EDQUOT: "the quota of this user is used up: raise it, or free some space there",
    errno.EROFS: "it is mounted read-only: mount it for writing (and look at the kernel's log)",
    errno.EIO: "the disk fails: look at the kernel's log, and check the file system",
    errno.ESTALE: "the share went away and came back: photosortd tries again",
    errno.ENOTCONN: "its FUSE file system has died: mount it again",
    errno.EACCES: "let the user that photosortd runs as write there",
    errno.EPERM: "let the user that photosortd runs as write there",
    errno.ELOOP: "photosortd follows no links inside the library: make it a directory",
    errno.ENOTDIR: "photosortd needs a directory there, and follows no links",
    errno.ENOENT: "somebody removed it meanwhile: photosortd tries again",
}

_PHOTOS = {
    errno.EFBIG: "it is larger than the library's file system takes",
    errno.EMLINK: "it has as many hard links as its file system allows; place.mode copy needs none",
    errno.ENAMETOOLONG: "its name or path is longer than the library's file system takes",
}
"""Errors that lie in the one file: no waiting and no other disk space mends them."""


class Blocked(WorldError):
    """One directory of the library is a link or a file: what goes elsewhere is not concerned."""


def nothing() -> None:
    """What `Folder.between` calls unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class Folder:
    """An open directory of the library."""

    fd: int
    path: str  # below the library; '' for the library itself
    shown: str  # absolute, for messages only
    device: int  # st_dev
    between: Callable[[], None] = nothing  # called about every 8 MB while bytes are moved

    def shown_name(self, name: str) -> str:
        return printable(os.path.join(self.shown, name))

    def stat(self, name: str) -> os.stat_result | None:
        """lstat of a name in it; None if the name is free."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def open(self, name: str, follow: bool = False) -> int | None:
        """A descriptor for reading of the regular file `name`; None for anything else."""
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
        try:
            descriptor = os.open(name, flags, dir_fd=self.fd)
        except OSError as error:
            if error.errno in _NOTHING_TO_READ:
                return None
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            files.close(descriptor)
            return None
        return descriptor

    def sha256_of(self, descriptor: int) -> str:
        return files.sha256_of(descriptor, self.between)

    def sync(self) -> None:
        files.sync_directory(self.fd)


@contextmanager
def open_folder(
    root: int, shown: str, path: str, create: bool = False, between: Callable[[], None] = nothing
) -> Iterator[Folder]:
    """The directory `path` below the descriptor `root`; with `create` it is made where missing.

    Raises FileNotFoundError if it is missing and not to be made, WorldError if it cannot be
    opened or made: Blocked if a link or a file is in the way. `shown` is the library's path for
    messages.
    """
    where = os.path.join(shown, path) if path else shown
    with world_errors("cannot open", where, pass_on=FileNotFoundError):
        try:
            descriptor = _made(root, path) if create else files.open_directory_beneath(root, path)
        except OSError as error:
            if error.errno not in _IN_THE_WAY:
                raise
            raise Blocked(f"cannot open {printable(where)}: {_reason(error, where)}") from error
    try:
        with world_errors("cannot look at", where):
            device = os.fstat(descriptor).st_dev
        yield Folder(descriptor, path, where, device, between)
    finally:
        files.close(descriptor)


def _made(root: int, path: str) -> int:
    here = os.dup(root)
    try:
        for component in path.split("/") if path else ():
            deeper = _entered(here, component)
            files.close(here)
            here = deeper
    except BaseException:
        files.close(here)
        raise
    return here


def _entered(parent: int, component: str) -> int:
    try:
        return files.open_directory_beneath(parent, component)
    except FileNotFoundError:
        _make_directory(parent, component)
        return files.open_directory_beneath(parent, component)


def _make_directory(parent: int, name: str) -> None:
    """As open to others as the directory above: a household decides that once, for its library.

    A setgid bit and default ACLs are handed down by the kernel.
    """
    try:
        os.mkdir(name, os.fstat(parent).st_mode & 0o777, dir_fd=parent)
    except FileExistsError:
        return  # somebody else was quicker; whether it is a directory shows when it is opened
    files.sync_directory(parent)


@contextmanager
def world_errors(
    doing: str, path: str, pass_on: type[OSError] | tuple[type[OSError], ...] = ()
) -> Iterator[None]:
    """Turn an OSError inside into a WorldError that names the path and says what to do.

    Left alone: the classes in `pass_on`, and what only a mistake of ours can cause.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _OURS or isinstance(error, pass_on):
            raise
        raise WorldError(f"{doing} {printable(path)}: {_reason(error, path)}") from error


@contextmanager
def photo_errors(name: str) -> Iterator[None]:
    """Turn an OSError inside that lies in the file `name` alone into a PhotoError."""
    try:
        yield
    except OSError as error:
        reason = _PHOTOS.get(error.errno or 0)
        if reason is None:
            raise
        raise PhotoError(f"{printable(name)}: {reason}") from error


def _reason(error: OSError, path: str) -> str:
    advice = _WHAT_TO_DO.get(error.errno or 0)
    reason = error.strerror or str(error)
    sandboxed = machine.is_sandboxed(os.environ)
    if error.errno == errno.EROFS and sandboxed and not _is_read_only_disk(path):
        return "read-only inside the service's sandbox: sudo photosortd service install"
    return f"{reason}; {advice}" if advice else reason


def _is_read_only_disk(path: str) -> bool:
    """Whether nobody can write there, in whatever sandbox."""
    try:
        return files.mount_of(path).disk_read_only
    except OSError:
        return False
