"""The library's marker `.photosortd-library`: whose directory this is, and the writer's lock.

It holds a UUID, which the ledger keeps for each library path: a mount point whose disk is gone,
or another disk at the same path, is told apart from an empty library by it alone.
"""

import fcntl
import os
import stat
import uuid

from photosortd import files
from photosortd.errors import BusyError, WorldError
from photosortd.place.folder import Folder, world_errors
from photosortd.records import printable

NAME = ".photosortd-library"

_ACCEPT = "if this is the right directory, run `photosortd check --accept-library`"


def claim(folder: Folder, known: str | None) -> tuple[int, str]:
    """Lock the marker of an open library: (the descriptor that holds the lock, the UUID).

    `known`: the UUID it must have; None: adopt the one there, or write a new one. Raises
    BusyError if another process holds the lock, WorldError if the marker is not the known one.
    """
    with world_errors("cannot open the library's marker", folder.shown_name(NAME)):
        descriptor = _opened(folder, create=known is None)
    try:
        _lock(descriptor, folder)
        with world_errors("cannot use the library's marker", folder.shown_name(NAME)):
            return descriptor, _identity(descriptor, folder, known)
    except BaseException:
        files.close(descriptor)
        raise


def read(directory: int) -> str | None:
    """The UUID of the library open at `directory`; None if it has no (valid) marker."""
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(NAME, flags, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        return _parsed(os.pread(descriptor, 100, 0))
    finally:
        files.close(descriptor)


def is_marked(path: str) -> bool:
    """Whether the directory is a library already, this photosortd's or another's."""
    return os.path.lexists(os.path.join(path, NAME))


def missing(folder: Folder) -> WorldError:
    return WorldError(
        f"{printable(folder.shown)} has no {NAME}, but had one: is its disk mounted? "
        f"Otherwise, {_ACCEPT}"
    )


def _opened(folder: Folder, create: bool) -> int:
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(NAME, flags | (os.O_CREAT if create else 0), 0o644, dir_fd=folder.fd)
    except FileNotFoundError as error:
        if create:
            raise
        raise missing(folder) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        files.close(descriptor)
        raise WorldError(f"{folder.shown_name(NAME)} is no regular file: remove it")
    return descriptor


def _lock(descriptor: int, folder: Folder) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(
            f"another photosortd is writing to {printable(folder.shown)}: "
            "stop it first, or give each its own library"
        ) from error
    except OSError as error:
        raise WorldError(
            f"cannot lock {folder.shown_name(NAME)}: {error.strerror}; "
            "the library needs a file system with flock"
        ) from error


def _identity(descriptor: int, folder: Folder, known: str | None) -> str:
    content = os.pread(descriptor, 100, 0)
    found = _parsed(content)
    if known is None:
        return found or _written(descriptor, folder, content)
    if found is None:
        raise missing(folder)
    if found != known:
        raise WorldError(
            f"{printable(folder.shown)} is another library than before "
            f"({found}, not {known}): is the right disk mounted? Otherwise, {_ACCEPT}"
        )
    return found


def _written(descriptor: int, folder: Folder, content: bytes) -> str:
    # Empty or zeros: we lost power while it was written, and the ledger does not know it yet.
    if content.strip(b"\0"):
        raise WorldError(f"{folder.shown_name(NAME)} is damaged: remove it")
    identity = str(uuid.uuid4())
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{identity}\n".encode("ascii"), 0)
    os.fsync(descriptor)
    files.sync_directory(folder.fd)
    return identity


def _parsed(content: bytes) -> str | None:
    try:
        return str(uuid.UUID(content.decode("ascii").strip()))
    except ValueError:
        return None
