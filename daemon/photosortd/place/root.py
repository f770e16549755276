"""The library's own directory: made at most once, recognised again, and not filled to the brim."""

import errno
import os

from photosortd import files
from photosortd.errors import WorldError
from photosortd.place.folder import world_errors
from photosortd.records import printable


def make(path: str) -> None:
    """Make the library's directory, durably; never the one above. Raises WorldError."""
    with world_errors("cannot make the library", path, pass_on=FileNotFoundError):
        try:
            os.mkdir(path)
        except FileExistsError:
            return
        except FileNotFoundError as error:
            raise WorldError(
                f"cannot make the library {printable(path)}: the directory above it is not there; "
                "mount its disk, or make that directory"
            ) from error
        above = files.open_directory(os.path.dirname(os.path.abspath(path)))
        try:
            files.sync_directory(above)
        finally:
            files.close(above)


def same_directory(one: int, other: int) -> bool:
    """By mount too: what is mounted over a directory may have its numbers (a bind mount has)."""
    if not os.path.samestat(os.fstat(one), os.fstat(other)):
        return False
    return files.mount_id(one) == files.mount_id(other)


def is_at(path: str, opened: int) -> bool:
    """Whether the path leads to what is open, as far as numbers tell."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(opened))
    except OSError:
        return False


def check_room(directory: int, path: str, need: int, keep_free: int) -> None:
    """Raise WorldError if `need` more bytes would leave less than `keep_free` bytes free."""
    with world_errors("cannot ask for the free space of", path):
        facts = os.fstatvfs(directory)
    free = facts.f_bavail * facts.f_frsize
    if facts.f_blocks and free - need < keep_free:  # some FUSE file systems say 0 of 0
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # the disk would say no other
        raise WorldError(
            f"{printable(path)} has {_size(free)} free, place.keep_free is "
            f"{_size(keep_free)}: free some space there"
        ) from full


def _size(number: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
