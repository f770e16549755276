"""Disks that are put into a place and taken out of it while somebody works there."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from running import eventually

SIZE = 16 << 20


def _do(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout.strip()


class Platter:
    """An ext4 file system in a loop device of its own, and its usual place."""

    def __init__(self, image: Path, place: Path) -> None:
        if os.geteuid() != 0 or not all(map(shutil.which, ("losetup", "mkfs.ext4", "mount"))):
            pytest.skip("needs root, losetup, mount and mkfs.ext4")
        self.place = place
        with image.open("wb") as stream:
            stream.truncate(SIZE)
        _do("mkfs.ext4", "-q", str(image))
        try:
            self._device = _do("losetup", "--find", "--show", str(image))
        except AssertionError as error:
            pytest.skip(f"needs a loop device: {error}")
        self._mounted: Path | None = None

    def insert(self, place: Path | None = None, options: str = "rw") -> None:
        """Whoever had files open on it must have let go if it comes with other options."""
        point = place or self.place
        command = ["mount", "-o", options, self._device, str(point)]
        eventually(
            lambda: subprocess.run(command, check=False, capture_output=True).returncode == 0,
            what=f"{point} can be mounted {options}",
        )
        self._mounted = point

    def eject(self) -> None:
        """At once, whoever has files open on it."""
        if self._mounted is not None:
            _do("umount", "--lazy", str(self._mounted))
            self._mounted = None

    def scrap(self) -> None:
        self.eject()
        _do("losetup", "--detach", self._device)


class Below:
    """What a directory holds under everything that is mounted in it."""

    def __init__(self, directory: Path, view: Path) -> None:
        view.mkdir()
        _do("mount", "--bind", str(directory), str(view))
        _do("mount", "--make-private", str(view))
        self._directory, self._view = directory, view

    def names(self, place: Path) -> list[str]:
        return sorted(os.listdir(self._view / place.relative_to(self._directory)))

    def end(self) -> None:
        _do("umount", "--lazy", str(self._view))
