"""Making a part: its bytes brought over, proven against the source, and durable.

Owns the four ways (reflink, copy, hard link, symbolic link) and the proof. Never gives a part its
name, and never opens an existing file for writing: a part that was left behind may be a hard
link to a placed photo.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from photosortd import files
from photosortd.errors import WorldError
from photosortd.place import kernel
from photosortd.place.copying import copy, unreadable
from photosortd.place.folder import Folder, photo_errors, world_errors
from photosortd.place.parts import CANNOT, OpenSource, SourceChanged
from photosortd.records import Method, PlaceMode, printable


def make_part(
    folder: Folder, source: OpenSource, hidden: str, mode: PlaceMode, mode_add: int, clone: bool
) -> tuple[Method, str]:
    """Make the part `hidden` from `source`; returns how, and the content's sha256.

    Its bytes are durable then, its entry in the directory is after `folder.sync`. `clone`: whether
    a reflink is worth trying in mode auto. Raises SourceChanged; PhotoError if
    that file system takes no such file; WorldError if the disk fails or `mode` is not possible
    there; whatever `folder.between` raises. The part is then removed again.
    """
    try:
        with (
            world_errors("cannot write into", folder.shown, pass_on=FileExistsError),
            photo_errors(source.name),
        ):
            if mode is PlaceMode.HARDLINK:
                made = _hardlink(folder, source, hidden)
            elif mode is PlaceMode.SYMLINK:
                made = _symlink(folder, source, hidden)
            else:
                made = _content(folder, source, hidden, mode, mode_add, clone)
        _check_unchanged(source, made[0])
    except FileExistsError:
        raise  # that one is not ours to remove: another intent may name it
    except BaseException:
        with suppress(OSError):  # the first error says what is wrong; the sweep gets the rest
            os.unlink(hidden, dir_fd=folder.fd)
        raise
    return made


def _content(
    folder: Folder, source: OpenSource, hidden: str, mode: PlaceMode, mode_add: int, clone: bool
) -> tuple[Method, str]:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    part = os.open(hidden, flags, 0o600, dir_fd=folder.fd)
    try:
        if _reflinked(part, source, mode, clone):
            method, sha256 = Method.REFLINK, source.sha256
        else:
            method, sha256 = Method.COPY, copy(part, source, folder)
        _dress(part, source, mode_add)
        os.fsync(part)
        return method, _proven(part, source, folder, method, sha256)
    finally:
        files.close(part)


def _reflinked(part: int, source: OpenSource, mode: PlaceMode, clone: bool) -> bool:
    if mode is PlaceMode.COPY or not (clone or mode is PlaceMode.REFLINK):
        return False
    try:
        kernel.clone(source.fd, part)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        if mode is PlaceMode.REFLINK:
            raise _impossible(mode, source, error) from error
        return False
    return True


def _dress(part: int, source: OpenSource, mode_add: int) -> None:
    """Permissions and mtime, as far as the file system keeps them (FAT and FUSE refuse some)."""
    with _where_possible():
        os.fchmod(part, (source.mode | mode_add) & 0o777)
    with _where_possible():
        os.utime(part, ns=(source.stamp.mtime_ns, source.stamp.mtime_ns))


@contextmanager
def _where_possible() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in CANNOT:
            raise


def _proven(
    part: int, source: OpenSource, folder: Folder, method: Method, sha256: str | None
) -> str:
    """The part's sha256, read from the part itself.

    Whether the disk took it fsync has said; reading it from there once more would cost a card or
    a USB disk as much as all the rest. A reflink shares the source's blocks: there, size and the
    source's stamp are the proof.
    """
    if method is Method.REFLINK:
        if os.fstat(part).st_size != source.stamp.size:
            raise SourceChanged("its size changed while it was placed")
        return sha256 or folder.sha256_of(part)
    found = folder.sha256_of(part)
    if found == sha256:
        return found
    _check_unchanged(source, method)
    if _hash(source, folder) != sha256:
        raise SourceChanged("its content changed after it was classified")
    raise WorldError(
        f"{printable(folder.shown)}: a copy reads back with other bytes than were written; "
        "check that disk"
    )


def _hardlink(folder: Folder, source: OpenSource, hidden: str) -> tuple[Method, str]:
    os.fsync(source.fd)  # its name must not survive a power cut that its bytes do not
    try:
        kernel.link_open_file(source.fd, folder.fd, hidden)
    except FileNotFoundError as error:
        raise SourceChanged("it is gone") from error
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        raise _impossible(PlaceMode.HARDLINK, source, error) from error
    return Method.HARDLINK, source.sha256 or _hash(source, folder)


def _symlink(folder: Folder, source: OpenSource, hidden: str) -> tuple[Method, str]:
    try:
        there = os.stat(source.full)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise  # reached component by component: no link can lead there
        raise SourceChanged("it is gone") from error
    if not os.path.samestat(there, os.fstat(source.fd)):
        raise SourceChanged("its name leads to another file now")
    try:
        os.symlink(source.full, hidden, dir_fd=folder.fd)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        raise _impossible(PlaceMode.SYMLINK, source, error) from error
    return Method.SYMLINK, source.sha256 or _hash(source, folder)


def _impossible(mode: PlaceMode, source: OpenSource, error: OSError) -> WorldError:
    return WorldError(
        f"place.mode: {mode} does not work for {printable(source.full)} in this library "
        f"({error.strerror}): use auto or copy, or put both on one file system that can do it"
    )


def _hash(source: OpenSource, folder: Folder) -> str:
    try:
        return folder.sha256_of(source.fd)
    except OSError as error:
        raise unreadable(error) from error


def _check_unchanged(source: OpenSource, method: Method) -> None:
    try:
        now = os.fstat(source.fd)
    except OSError as error:
        raise unreadable(error) from error
    stamp = source.stamp
    same = (now.st_size, now.st_mtime_ns) == (stamp.size, stamp.mtime_ns)
    # A hard link is itself a change of the source's ctime.
    if not same or (method is not Method.HARDLINK and now.st_ctime_ns != stamp.ctime_ns):
        raise SourceChanged("it changed while it was placed")


def describe(folder: Folder, hidden: str) -> os.stat_result:
    """lstat of a part; WorldError if somebody removed it."""
    with world_errors("cannot look at", folder.shown_name(hidden)):
        return os.stat(hidden, dir_fd=folder.fd, follow_symlinks=False)
