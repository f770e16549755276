"""Bringing a source's bytes into a part: by the kernel alone, or through a buffer of ours.

Never shares blocks between the two (that is a reflink, and another way), and proves nothing.
"""

import errno
import hashlib
import os

from photosortd import files
from photosortd.place.folder import Folder
from photosortd.place.parts import OpenSource, SourceChanged

_SYNC_EVERY = 64 << 20
"""Bytes between two syncs of a part, so that no single one keeps the caller waiting for long."""


def copy(part: int, source: OpenSource, folder: Folder) -> str | None:
    """Copy all bytes into the empty file `part`; their sha256, which is hashed here if unknown.

    Raises SourceChanged (it grew, or cannot be read any more), OSError of the part (EFBIG if its
    file system takes no file of that size), and whatever `folder.between` raises.
    """
    _check_fits(part, source.stamp.size)
    if source.sha256 is None:
        return _poured(part, source, folder, 0)
    offset = 0
    while count := _sent(part, source, offset):
        offset += count
        _pause(part, source, folder, offset, count)
    _poured(part, source, folder, offset)
    return source.sha256


def _sent(part: int, source: OpenSource, offset: int) -> int:
    """How many bytes the kernel moved; 0 at the end, and where it cannot.

    Why not, and whose fault that is, the way through the buffer finds out.
    """
    try:
        return os.sendfile(part, source.fd, offset, files.STRIDE)
    except OSError:
        return 0


def _poured(part: int, source: OpenSource, folder: Folder, offset: int) -> str:
    """Copy from `offset` on; the sha256 of what was."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(files.CHUNK))
    while count := _read(source, buffer, offset):
        chunk = buffer[:count]
        digest.update(chunk)
        _write(part, chunk)
        offset += count
        _pause(part, source, folder, offset, count)
    return digest.hexdigest()


def _check_fits(part: int, size: int) -> None:
    """Raise EFBIG before 4 GB are written to a FAT in vain: no offset beyond its limit is taken."""
    try:
        os.lseek(part, size, os.SEEK_SET)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOVERFLOW):
            raise
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG)) from error
    os.lseek(part, 0, os.SEEK_SET)


def _pause(part: int, source: OpenSource, folder: Folder, offset: int, last: int) -> None:
    if offset > source.stamp.size:
        raise SourceChanged("it grew while it was copied")
    if files.strode(offset, last, _SYNC_EVERY):
        os.fsync(part)
    if files.strode(offset, last, files.STRIDE):
        folder.between()


def _read(source: OpenSource, buffer: memoryview, offset: int) -> int:
    try:
        return os.preadv(source.fd, [buffer], offset)
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> SourceChanged:
    """What is said of a source that fails while it is read."""
    return SourceChanged(f"it cannot be read any more: {error.strerror}")


def _write(part: int, chunk: memoryview) -> None:
    while chunk:
        chunk = chunk[os.write(part, chunk) :]
