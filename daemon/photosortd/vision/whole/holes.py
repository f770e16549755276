"""Holes: room that a file was given and that nobody has written into, as the file system knows."""

import os
from contextlib import suppress


def unwritten(descriptor: int) -> str | None:
    """Where an open file has its first hole, in words; None without one, or where none is told.

    Some programs make holes of a whole file's zeros, so a hole is a reason to wait, not a verdict.
    """
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    with suppress(OSError):  # an empty file, or a file system that knows nothing of holes
        try:
            hole = os.lseek(descriptor, 0, os.SEEK_HOLE)
        finally:
            os.lseek(descriptor, position, os.SEEK_SET)
        if hole < os.fstat(descriptor).st_size:
            return f"room at byte {hole} that nobody has written into yet"
    return None
