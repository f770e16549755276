"""A disk whose power can be cut: what was not synced is gone, and nothing can be written any more.

An ext4 or xfs on a loop device. The kernel shuts a file system down on request, without its
journal being flushed; mounted again, it is what a disk holds after a power cut.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

_SHUTDOWN = 0x8004587D  # FS_IOC_SHUTDOWN, of linux/fs.h
_NO_LOG_FLUSH = 2

_SIZES = {"ext4": 64 << 20, "xfs": 320 << 20}  # xfs takes no smaller one


@dataclass(frozen=True, slots=True)
class Disk:
    point: Path
    image: Path
    options: str

    def sync(self) -> None:
        """What is on it now survives the next cut."""
        subprocess.run(["sync", "-f", str(self.point)], check=True)

    def cut(self) -> None:
        descriptor = os.open(self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def power(self) -> None:
        """The power is back: mounted again. Nobody may have anything open on it.

        From a copy: whoever has copied the table of mounts meanwhile holds the dead one, and a
        second mount of the same device would be that one.
        """
        subprocess.run(["umount", str(self.point)], check=True)
        copy = self.image.with_suffix(".copy")
        subprocess.run(["cp", "--sparse=always", str(self.image), str(copy)], check=True)
        copy.replace(self.image)
        mount = ["mount", "-o", self.options, str(self.image), str(self.point)]
        subprocess.run(mount, check=True)


@contextmanager
def disk(base: Path, kind: str) -> Iterator[Disk]:
    """`kind`: ext4 or xfs. Skips where that cannot be had."""
    if os.geteuid() != 0 or shutil.which(f"mkfs.{kind}") is None:
        pytest.skip(f"needs root, loop devices and mkfs.{kind}")
    options = "loop,nouuid" if kind == "xfs" else "loop"
    made = Disk(base / "disk", base / "disk.img", options)
    made.point.mkdir()
    with made.image.open("wb") as stream:
        stream.truncate(_SIZES[kind])
    subprocess.run([f"mkfs.{kind}", "-q", str(made.image)], check=True, capture_output=True)
    mount = ["mount", "-o", options, str(made.image), str(made.point)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(f"needs to be allowed to mount a loop device with {kind}")
    try:
        yield made
    finally:
        subprocess.run(["umount", "-l", str(made.point)], check=True)
