"""What a part is: a hidden file with the whole content of one source file, under no name yet."""

import errno
from dataclasses import dataclass

from photosortd.records import Method, Stamp

_PREFIX, _SUFFIX = ".photosortd-", ".part"

CANNOT = frozenset(
    {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EPERM, errno.EXDEV, errno.ENOTTY}
)
"""How a file system says that it has no such operation (or not between these two places)."""


class SourceChanged(Exception):
    """The source is no longer what was classified: it goes back to settling."""


@dataclass(frozen=True, slots=True)
class OpenSource:
    """One file of a shot, opened once and safely by the caller, who closes it."""

    fd: int
    full: str  # its absolute path: what a symbolic link leads to, and for messages
    name: str
    stamp: Stamp  # when it was opened
    mode: int  # permission bits
    sha256: str | None  # of the bytes that were classified; None (companions): hashed here


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part file."""

    directory: str  # below the library
    part: str  # its hidden name
    name: str  # the name that is wanted for it
    sha256: str
    size: int
    method: Method
    device: int  # a rename or link keeps device and inode (not on every file system)
    inode: int


def part_name(token: str) -> str:
    return f"{_PREFIX}{token}{_SUFFIX}"


def is_part(name: str) -> bool:
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)
