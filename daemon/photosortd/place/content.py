"""What stands under a name in the library: its identity and its bytes, read now.

Reads only. A symbolic link is never followed unless the caller knows that it is one of ours.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass

from photosortd import files
from photosortd.place.folder import Folder, world_errors


@dataclass(frozen=True, slots=True)
class Found:
    """What has a name in the library."""

    device: int
    inode: int
    size: int  # bytes; of the content, where a link was followed
    sha256: str  # '' where there is no content that we may read: a directory, a foreign link
    link: str | None = None  # where a symbolic link leads to


def look_at(folder: Folder, name: str, follow: bool = False) -> Found | None:
    """What `name` is; None if the name is free. `follow`: a link is ours, so hash what it leads to.

    Raises WorldError if the disk fails.
    """
    with world_errors("cannot read", folder.shown_name(name)):
        found = folder.stat(name)
        if found is None:
            return None
        link = None
        if stat.S_ISLNK(found.st_mode):
            with suppress(FileNotFoundError):
                link = os.readlink(name, dir_fd=folder.fd)
        size, sha256 = _content(folder, name, follow and link is not None)
    return Found(found.st_dev, found.st_ino, size, sha256, link)


def holds(folder: Folder, name: str, sha256: str, size: int, link: str = "") -> bool:
    """Whether `name` already is a file of these bytes, or the symbolic link to `link`.

    The hash is computed only where the size fits.
    """
    found = folder.stat(name)
    if found is None:
        return False
    if stat.S_ISLNK(found.st_mode):
        return bool(link) and os.readlink(name, dir_fd=folder.fd) == link
    if link or not stat.S_ISREG(found.st_mode) or found.st_size != size:
        return False
    return _content(folder, name, follow=False) == (size, sha256)


def _content(folder: Folder, name: str, follow: bool) -> tuple[int, str]:
    try:
        descriptor = folder.open(name, follow)
    except PermissionError:
        return 0, ""  # nobody can say what it holds: other bytes, for all we know
    if descriptor is None:
        return 0, ""
    try:
        return os.fstat(descriptor).st_size, folder.sha256_of(descriptor)
    finally:
        files.close(descriptor)
