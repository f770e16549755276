"""What a file system can do, found by doing it once in the directory concerned.

Owns the small hidden files it tries things on; they are gone when it returns, and after a crash
the sweep finds them, because they are named like parts.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from photosortd import files
from photosortd.place import kernel
from photosortd.place.folder import Folder, world_errors
from photosortd.place.names import Rules
from photosortd.place.parts import CANNOT, part_name
from photosortd.records import PlaceMode

_NO = CANNOT | {errno.EILSEQ, errno.ENOENT, errno.EACCES, errno.EMLINK}

_RENUMBERING = frozenset({"vfat", "msdos", "exfat", "cifs", "smb3", "9p", "vboxsf", "vmhgfs"})


@dataclass(frozen=True, slots=True)
class Abilities:
    """What works inside one directory of the library. A source elsewhere may still not reach it."""

    reflink: bool
    link: bool
    symlink: bool
    noreplace: bool  # renameat2(RENAME_NOREPLACE) onto a free name
    inodes_stable: bool  # whether an inode's number survives a rename and a remount
    rules: Rules

    def works(self, mode: PlaceMode) -> bool:
        """Whether a source on the same file system can be placed so."""
        able = {
            PlaceMode.REFLINK: self.reflink,
            PlaceMode.HARDLINK: self.link,
            PlaceMode.SYMLINK: self.symlink,
        }
        return able.get(mode, True)


def probe(folder: Folder, token: Callable[[], str]) -> Abilities:
    """Try everything in `folder`. Raises WorldError if it cannot be written at all.

    A free name is used for NOREPLACE: onto a taken name, every file system answers EEXIST.
    """
    with world_errors("cannot write into", folder.shown):
        trial = _Trial(folder, token())
        try:
            return trial.run()
        finally:
            trial.clean()


class _Trial:
    """The names tried so far, so that all of them can be removed."""

    def __init__(self, folder: Folder, token: str) -> None:
        self._folder = folder
        self._token = token
        self._names: list[str] = []

    def run(self) -> Abilities:
        fd = self._folder.fd
        first = self._name("a")
        self._create(first)
        link, symlink, renamed = self._name("b"), self._name("c"), self._name("d")
        return Abilities(
            reflink=_works(lambda: self._clone(first)),
            link=_works(lambda: os.link(first, link, src_dir_fd=fd, dst_dir_fd=fd)),
            symlink=_works(lambda: os.symlink("nowhere", symlink, dir_fd=fd)),
            rules=self._rules(first),
            inodes_stable=_inodes_stable(fd),
            # Last, because it moves the first file away.
            noreplace=_works(lambda: kernel.rename_noreplace(fd, first, renamed)),
        )

    def _rules(self, first: str) -> Rules:
        return Rules(
            longest=min(255, os.fstatvfs(self._folder.fd).f_namemax or 255),
            any_char=_works(lambda: self._create(self._name(':?*<>|"\\'))),
            any_byte=_works(lambda: self._create(self._name("\udcff"))),
            case_sensitive=self._folder.stat(first.upper()) is None,
        )

    def _name(self, letters: str) -> str:
        name = part_name(f"probe-{self._token}-{letters}")
        self._names.append(name)
        return name

    def _create(self, name: str) -> None:
        files.close(self._opened(name))

    def _opened(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=self._folder.fd)
        try:
            os.write(descriptor, b"photosortd")
        except BaseException:
            files.close(descriptor)
            raise
        return descriptor

    def _clone(self, first: str) -> None:
        source = os.open(first, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._folder.fd)
        try:
            target = self._opened(self._name("e"))
            try:
                kernel.clone(source, target)
            finally:
                files.close(target)
        finally:
            files.close(source)

    def clean(self) -> None:
        for name in self._names:
            with suppress(OSError):  # most were never made; the sweep gets what cannot go now
                os.unlink(name, dir_fd=self._folder.fd)


def _works(attempt: Callable[[], None]) -> bool:
    try:
        attempt()
    except OSError as error:
        if error.errno in _NO:
            return False
        raise
    return True


def _inodes_stable(directory: int) -> bool:
    fstype = files.mount_of_descriptor(directory).fstype
    return not fstype.startswith("fuse") and fstype not in _RENUMBERING
