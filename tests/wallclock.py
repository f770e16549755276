"""The machine's wall clock as the programs of one test see it, which may set it while they run.

A library put before each of them (assets/clock.c) tells time, and what the kernel has stamped, as
if the machine's own clock had been set. The machine's stays as it is, and so does the monotonic
one, as it would.
"""

import shutil
import struct
import subprocess
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "assets" / "clock.c"
SETTINGS = 4096  # that clock.c has room for
_COARSE = 5  # CLOCK_REALTIME_COARSE, which stamps files and which Python does not name


class WallClock:
    """Programs that have `env` in their environment live by it."""

    def __init__(self, directory: Path) -> None:
        if shutil.which("gcc") is None:
            pytest.skip("needs gcc")
        library, self._file = directory / "clock.so", directory / "clock"
        command = ["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(library)]
        subprocess.run([*command, str(SOURCE)], check=True)
        self._file.write_bytes(bytes(8 + 16 * SETTINGS))
        self._count = self._ahead = 0
        self.env = {"LD_PRELOAD": str(library), "CLOCK_FILE": str(self._file)}

    def time(self) -> float:
        return time.time() + self._ahead / 1e9

    def set(self, seconds: float) -> None:
        """So much forward, or back, from this moment on."""
        self._ahead += int(seconds * 1e9)
        since = self._tick()
        with self._file.open("r+b", buffering=0) as stream:
            stream.seek(8 + 16 * self._count)
            stream.write(struct.pack("=qq", since, self._ahead))
            stream.seek(0)
            self._count += 1
            stream.write(struct.pack("=q", self._count))
        self._tick()

    def _tick(self) -> int:
        """Wait until files are stamped with a later moment than any until now; that moment."""
        start = time.time_ns()  # a kernel may stamp more finely, never more coarsely
        while (now := time.clock_gettime_ns(_COARSE)) <= start:
            time.sleep(0.0005)
        return now
