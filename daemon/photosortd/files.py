"""Facts about file systems: mounts, links, opening a path that an enemy may be changing.

Owns no policy and writes nothing but what `write_atomically` is asked to.
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from photosortd.errors import PhotoError, WorldError

CHUNK = 1 << 18
"""Bytes that are read or written at a time: they stay in a core's cache until they are hashed."""

STRIDE = 8 << 20
"""Bytes between two calls of `between`: a second or two on the slowest disk."""

_REMOTE = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "lustre", "ncpfs"}
    | {"nfs", "nfs4", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"}
)


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of /proc/self/mountinfo (see proc_pid_mountinfo(5))."""

    id: int
    device: str  # 'major:minor'
    root: str  # the directory of that file system which is mounted here
    point: str
    fstype: str
    source: str
    read_only: bool
    disk_read_only: bool = field(default=False, compare=False)  # wherever it is mounted

    @property
    def events_reliable(self) -> bool:
        """Whether inotify sees every write: not what others write on a server or behind FUSE."""
        return self.fstype not in _REMOTE and not self.fstype.startswith("fuse")


def mount_of(path: str) -> Mount:
    """The mount that `path` stands on now. Raises OSError if it cannot be looked at."""
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        return mount_of_descriptor(descriptor)
    finally:
        close(descriptor)


def mount_of_descriptor(descriptor: int) -> Mount:
    """The mount of an open file. By mount id: device numbers lie on btrfs and overlayfs."""
    wanted = mount_id(descriptor)
    for mount in mounts():
        if mount.id == wanted:
            return mount
    # Lazily unmounted, or outside our mount namespace: it exists, but nobody can name it.
    return Mount(wanted, "0:0", "/", "?", "unknown", "?", read_only=False)


def mount_id(descriptor: int) -> int:
    """The number of the mount of an open file, which no other mount has while it is there."""
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as lines:
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields["mnt_id"])


def mounts(table: str = "/proc/self/mountinfo") -> Iterator[Mount]:
    """Every mount of our namespace, or of another process's, in the kernel's order."""
    with open(table, "rb") as lines:
        for line in lines:
            before, _, after = line.decode("utf-8", "surrogateescape").partition(" - ")
            number, _, device, root, point, options, *_ = before.split()
            fstype, source, *disk = after.split()
            yield Mount(
                int(number),
                device,
                _octal(root),
                _octal(point),
                fstype,
                source,
                read_only="ro" in options.split(","),
                disk_read_only="ro" in ",".join(disk).split(","),
            )


def _octal(text: str) -> str:
    """Undo mountinfo's escapes: space, tab, newline and backslash stand as \\040 and so on."""
    for code in ("\\040", "\\011", "\\012", "\\134"):
        text = text.replace(code, chr(int(code[1:], 8)))
    return text


def open_directory(path: str) -> int:
    """Open a configured directory; it may itself be a link, because the operator named it."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def close(descriptor: int) -> None:
    """Let go of it. What a share answers to that says nothing: what matters was synced before."""
    try:
        os.close(descriptor)
    except OSError as error:
        if error.errno == errno.EBADF:
            raise  # our own mistake


def open_directory_beneath(root: int, path: str) -> int:
    """Open the directory `path` below the descriptor `root`, following no link on the way.

    Returns a new descriptor (of the root itself for ''). Raises OSError: ELOOP or ENOTDIR where
    a component is a link.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    here = os.dup(root)
    try:
        for component in _components(path):
            deeper = os.open(component, flags, dir_fd=here)
            close(here)
            here = deeper
    except BaseException:
        close(here)
        raise
    return here


def open_file_beneath(root: int, path: str) -> int:
    """Open the regular file `path` below the descriptor `root` for reading, following no link.

    Raises OSError as `open_directory_beneath` does, PhotoError for what is no regular file.
    """
    directory, name = os.path.split(path)
    parent = open_directory_beneath(root, directory)
    try:
        # O_NONBLOCK: a FIFO would block us until somebody writes to it.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=parent)
    finally:
        close(parent)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise PhotoError("not a regular file")
    except BaseException:
        close(descriptor)
        raise
    return descriptor


def _components(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part and part != "."]
    if ".." in parts or path.startswith("/"):
        raise ValueError(f"not a path below a root: {path!r}")
    return parts


def mode_of(descriptor: int) -> int:
    """The file's st_mode."""
    return os.fstat(descriptor).st_mode


def sha256_of(descriptor: int, between: Callable[[], None] | None = None) -> str:
    """Hash a whole open file from its start, leaving its offset where it was.

    `between` is called about every 8 MB; what it raises ends the hashing and passes on.
    """
    digest = hashlib.sha256()
    offset = 0
    buffer = memoryview(bytearray(CHUNK))
    while count := os.preadv(descriptor, [buffer], offset):
        digest.update(buffer[:count])
        offset += count
        if between is not None and strode(offset, count, STRIDE):
            between()
    return digest.hexdigest()


def strode(offset: int, last: int, stride: int) -> bool:
    """Whether the `last` bytes up to `offset` passed a multiple of `stride`."""
    return offset // stride > (offset - last) // stride


def sync_directory(descriptor: int) -> None:
    """Make names in this directory durable. Some FUSE file systems cannot, and say EINVAL."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise


def write_atomically(path: str, data: bytes, mode: int = 0o644, durable: bool = True) -> None:
    """Replace `path` by `data`: a reader sees the old content or the new, never half."""
    temporary = f"{path}.{os.getpid()}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(stream.fileno(), mode)  # the umask must not hide status.json from others
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def halves(path: str) -> list[str]:
    """What `write_atomically` left beside `path` if it was killed in the middle."""
    directory, name = os.path.split(path)
    half = re.compile(re.escape(name) + r"\.\d+\.new")
    with suppress(OSError):
        return [
            os.path.join(directory, each) for each in os.listdir(directory) if half.fullmatch(each)
        ]
    return []


@contextmanager
def world_errors(doing: str) -> Iterator[None]:
    """Turn an OSError inside into a WorldError that says what was being done."""
    try:
        yield
    except OSError as error:
        raise WorldError(f"{doing}: {error.strerror or error}") from error
