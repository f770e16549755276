"""What Linux offers and Python's os does not: a rename that never replaces, and a cloned file.

Owns the two calls; knows nothing of photos, and never falls back: it raises OSError.
"""

import ctypes
import errno
import fcntl
import os

_NOREPLACE = 1  # RENAME_NOREPLACE of renameat2(2)
_FICLONE = 0x40049409  # _IOW(0x94, 9, int) of ioctl_ficlone(2); elsewhere it answers ENOTTY

_libc = ctypes.CDLL(None, use_errno=True)


def rename_noreplace(directory: int, old: str, new: str) -> None:
    """Rename within one open directory; FileExistsError if `new` is taken, by whatever.

    EINVAL or ENOSYS where the file system or the C library cannot promise it. On FAT, exFAT
    and NTFS EINVAL comes only when `new` is free, because a taken name is seen earlier.
    """
    renameat2 = getattr(_libc, "renameat2", None)
    if renameat2 is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), new)
    names = (ctypes.c_char_p(os.fsencode(old)), ctypes.c_char_p(os.fsencode(new)))
    if renameat2(directory, names[0], directory, names[1], ctypes.c_uint(_NOREPLACE)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)


def clone(source: int, target: int) -> None:
    """Let the open file `target` share all blocks of `source` (a reflink)."""
    fcntl.ioctl(target, _FICLONE, source)


def link_open_file(source: int, directory: int, name: str) -> None:
    """Hard-link the very file that `source` has open, wherever its name has gone meanwhile.

    Through /proc, because AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH on many kernels.
    """
    os.link(f"/proc/self/fd/{source}", name, dst_dir_fd=directory, follow_symlinks=True)
