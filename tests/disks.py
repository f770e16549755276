"""Small disks of a test's own, that fill up: tmpfs, and loops."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

CHUNK = 64 << 10


class Disk:
    """A file system that is mounted at `point`; `image` is the file behind it, if there is one."""

    def __init__(self, point: Path, image: Path | None = None) -> None:
        self.point = point
        self.image = image
        self._ballast = point / "ballast"

    def fill(self) -> None:
        """Not one more byte fits."""
        with self._ballast.open("wb", buffering=0) as stream:
            for size in (CHUNK, 512):
                with suppress(OSError):
                    while stream.write(bytes(size)) == size:
                        os.fsync(stream.fileno())

    def fill_inodes(self) -> None:
        """Not one more file fits, however small."""
        directory = self.point / "many"
        directory.mkdir()
        with suppress(OSError):
            for number in range(100_000):
                (directory / str(number)).touch()

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)
        shutil.rmtree(self.point / "many", ignore_errors=True)


@contextmanager
def mounted(point: Path, *arguments: str, image: Path | None = None) -> Iterator[Disk]:
    """Skips where mounting is not allowed. `arguments` are those of mount(8)."""
    point.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(point)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.decode().strip()}")
    try:
        yield Disk(point, image)
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


@contextmanager
def tmpfs(point: Path, size: str) -> Iterator[Disk]:
    with mounted(point, "-t", "tmpfs", "-o", f"size={size}", "photosortd-test") as disk:
        yield disk


@contextmanager
def loop(point: Path, kind: str, size: int, *make: str, options: str = "rw") -> Iterator[Disk]:
    """`kind`: ext4, xfs, …; `size` in bytes; `make`: more arguments of its mkfs."""
    tool = f"mkfs.{kind}"
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")
    image = point.parent / f"{point.name}.img"
    with image.open("wb") as stream:
        stream.truncate(size)
    subprocess.run([tool, "-q", *make, str(image)], check=True, capture_output=True)
    with mounted(point, "-o", f"loop,{options}", str(image), image=image) as disk:
        yield disk
