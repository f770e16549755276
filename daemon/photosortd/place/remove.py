"""Taking files out of the library: a copy of ours that still is ours, and parts left behind.

Nothing is unlinked but what was opened and hashed the moment before, and hidden part files.
"""

import os
import stat
from collections.abc import Collection

from photosortd import files
from photosortd.place.content import look_at
from photosortd.place.folder import Folder
from photosortd.place.parts import is_part
from photosortd.records import Method

CHANGED = "it has other bytes than were placed"
GONE = "it is gone"


def remove(folder: Folder, name: str, sha256: str, method: Method) -> str | None:
    """Unlink `name` if it still is the file that was placed; else the reason why it stays."""
    if method is Method.THERE:
        return "it stood there before"
    if method is Method.SYMLINK:
        return _remove_link(folder, name, sha256)
    descriptor = folder.open(name)
    if descriptor is None:
        return GONE if folder.stat(name) is None else "it is no regular file any more"
    try:
        before = os.fstat(descriptor)
        if folder.sha256_of(descriptor) != sha256:
            return CHANGED
        # The last look: somebody may have put another file there, or written into this one.
        if not _same(before, os.fstat(descriptor)) or not _same(before, folder.stat(name)):
            return "it changed while it was looked at"
        os.unlink(name, dir_fd=folder.fd)
    finally:
        files.close(descriptor)
    folder.sync()
    return None


def _remove_link(folder: Folder, name: str, sha256: str) -> str | None:
    found = look_at(folder, name, follow=True)
    if found is None:
        return GONE
    if found.link is None:
        return "it is no symbolic link any more"
    if found.sha256 != sha256:
        return "it leads to other bytes than were placed"
    last = folder.stat(name)
    if last is None or not stat.S_ISLNK(last.st_mode) or last.st_ino != found.inode:
        return "it changed while it was looked at"
    os.unlink(name, dir_fd=folder.fd)
    folder.sync()
    return None


def _same(before: os.stat_result, now: os.stat_result | None) -> bool:
    return now is not None and (
        (before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns, before.st_ctime_ns)
        == (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
    )


def sweep(folder: Folder, keep: Collection[str]) -> int:
    """Unlink the part files that are not to be kept, durably; returns how many."""
    swept = 0
    with os.scandir(folder.fd) as entries:
        stale = [
            entry.name
            for entry in entries
            if is_part(entry.name)
            and entry.name not in keep
            and not entry.is_dir(follow_symlinks=False)
        ]
    for name in stale:
        os.unlink(name, dir_fd=folder.fd)
        swept += 1
    # Also of what was unlinked before: whoever asks forgets next where parts may lie.
    folder.sync()
    return swept
