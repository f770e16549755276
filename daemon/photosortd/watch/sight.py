"""Where a root stands: which directory it is, and on which file system.

A root is never kept open, because that would keep its owner from unmounting it. So it is
recognised again at each use, and looked at anew whenever the table of mounts changes.
"""

import os
import re
import select
from dataclasses import dataclass

from photosortd import files


@dataclass(frozen=True, slots=True)
class Sight:
    """One glance at a root."""

    device: int
    inode: int
    fsid: int  # of statvfs: on ext4 and btrfs from the UUID, so it outlives a new device name
    mount: files.Mount

    def same_directory(self, other: "Sight") -> bool:
        """The very same directory on the very same mount, as far as numbers can tell."""
        return (self.device, self.inode, self.mount.id) == (
            other.device,
            other.inode,
            other.mount.id,
        )

    def same_file_system(self, other: "Sight") -> bool:
        """The file system that was there before, perhaps unmounted and mounted again since."""
        mine, its = self.mount, other.mount
        place = (mine.fstype, mine.root, mine.point) == (its.fstype, its.root, its.point)
        return place and (mine.source == its.source or 0 != self.fsid == other.fsid)

    @property
    def kernel_device(self) -> int:
        """The device number that inotify reports: on btrfs it is not that of stat."""
        major, _, minor = self.mount.device.partition(":")
        return (int(major) << 20) | int(minor)

    def __str__(self) -> str:
        return f"{self.mount.fstype} on {self.mount.source}"


def sight(path: str) -> Sight:
    """Look at a root, links in its path followed. Raises OSError if it cannot be opened."""
    descriptor = files.open_directory(path)
    try:
        facts = os.fstat(descriptor)
        fsid = os.fstatvfs(descriptor).f_fsid
        return Sight(facts.st_dev, facts.st_ino, fsid, files.mount_of_descriptor(descriptor))
    finally:
        files.close(descriptor)


def mounts_below(path: str) -> frozenset[tuple[int, bytes]]:
    """(mount id, mount point as mountinfo escapes it) of what is mounted below a directory."""
    real = re.sub(
        rb"[ \t\n\\]", lambda char: b"\\%03o" % ord(char[0]), os.fsencode(os.path.realpath(path))
    )
    prefix = real.rstrip(b"/") + b"/"
    with open("/proc/self/mountinfo", "rb") as lines:
        found = ((fields[0], fields[4]) for line in lines if (fields := line.split()))
        return frozenset(
            (int(number), point) for number, point in found if point.startswith(prefix)
        )


class MountTable:
    """Tells whether something was mounted or unmounted since it was last asked.

    The same file system mounted again within a moment has the same device, inode and even mount
    id, and only its inotify watches are gone.
    """

    def __init__(self, table: str = "/proc/self/mountinfo") -> None:
        """`table`: another process's, if its mounts are not ours. Raises OSError."""
        self._descriptor = os.open(table, os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        # The kernel says POLLERR|POLLPRI on a change; see proc_pid_mountinfo(5), "poll".
        self._poll.register(self._descriptor, select.POLLERR | select.POLLPRI)

    def changed(self) -> bool:
        return bool(self._poll.poll(0))

    def close(self) -> None:
        if self._descriptor >= 0:
            files.close(self._descriptor)
            self._descriptor = -1
