"""Giving a part its name: whole or not at all, and never over another file.

Three ways, by what the file system can do: a rename that refuses to replace; link and unlink;
and, where there are no links either, an empty file that reserves the name and is then replaced.
In that last one the empty file is visible for a moment, the only exception to "whole".
"""

import errno
import os
import stat
from contextlib import suppress

from photosortd import files
from photosortd.errors import PhotoError
from photosortd.place import kernel
from photosortd.place.folder import Folder, photo_errors, world_errors
from photosortd.place.probe import Abilities
from photosortd.records import printable

_BAD_NAME = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


def publish(folder: Folder, hidden: str, name: str, can: Abilities) -> None:
    """Rename the part `hidden` to `name`, durably once `folder.sync` was called.

    Raises FileExistsError if the name is taken, PhotoError if the file system refuses such a
    name or another link to that file, WorldError otherwise; the part is then still there.
    """
    with (
        world_errors("cannot place", folder.shown_name(name), pass_on=FileExistsError),
        photo_errors(name),
    ):
        try:
            _name(folder, hidden, name, can)
        except OSError as error:
            if error.errno in _BAD_NAME:
                raise PhotoError(
                    f"{printable(folder.shown)} takes no file of this name: {error.strerror}"
                ) from error
            raise


def _name(folder: Folder, hidden: str, name: str, can: Abilities) -> None:
    if can.noreplace:
        kernel.rename_noreplace(folder.fd, hidden, name)
    elif can.link:
        _link(folder, hidden, name)
    else:
        _reserve(folder, hidden, name)


def _link(folder: Folder, hidden: str, name: str) -> None:
    os.link(hidden, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd, follow_symlinks=False)
    folder.sync()  # not every file system keeps the order: the new name before the old one goes
    os.unlink(hidden, dir_fd=folder.fd)


def _reserve(folder: Folder, hidden: str, name: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    files.close(os.open(name, flags, 0o600, dir_fd=folder.fd))
    try:
        os.rename(hidden, name, src_dir_fd=folder.fd, dst_dir_fd=folder.fd)
    except BaseException:
        with suppress(OSError):  # the rename's error is the one to tell
            remove_reserved(folder, name)
        raise


def remove_reserved(folder: Folder, name: str) -> bool:
    """Remove `name` if it is an empty regular file: what a crash left of a reserved name."""
    found = folder.stat(name)
    if found is None or not stat.S_ISREG(found.st_mode) or found.st_size:
        return False
    os.unlink(name, dir_fd=folder.fd)
    return True
