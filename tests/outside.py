"""What lies outside the roots and the library, and an enemy who swaps directories for links."""

import ctypes
import os
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OPEN, ACCESS = 0x20, 0x1  # inotify(7)
_WRITES = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400  # modify … create, delete, move
_DIRECTORY = 0x40000000
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)

_SWAP = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
one, other = (os.fsencode(each) for each in sys.argv[1:3])
pause, parent, count = float(sys.argv[3]), os.getppid(), 0
import signal, time
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
print("ready", flush=True)
while (not stop or count % 2) and os.getppid() == parent:
    assert libc.renameat2(-100, one, -100, other, 2) == 0, os.strerror(ctypes.get_errno())
    count += 1
    if pause:
        time.sleep(pause)
print(count, flush=True)
"""


class Sentinel:
    """Hears of all that anybody does with the files in a directory, and of all that changes it.

    Not of those who but list it: watchdog looks for directories to watch by their paths, and may
    find itself behind a link that was a directory a moment ago. No name gets further from there.
    """

    def __init__(self, directory: Path) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0, os.strerror(ctypes.get_errno())
        for each in (directory, *directory.rglob("*")):
            if stat.S_ISDIR(each.lstat().st_mode):
                mask = OPEN | ACCESS | _WRITES
                assert _libc.inotify_add_watch(self._fd, os.fsencode(each), mask) >= 0

    def heard(self) -> list[str]:
        """What was done since the last call: a name, and the bits of inotify(7)."""
        found = []
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return found
            while data:
                _, mask, _, length = _EVENT.unpack_from(data)
                name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
                data = data[_EVENT.size + length :]
                if mask & _DIRECTORY and not mask & _WRITES:
                    continue  # the names in it were listed: watchdog does that
                found.append(f"{mask:#x} {os.fsdecode(name)}")

    def close(self) -> None:
        os.close(self._fd)


def _readable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK)


@contextmanager
def guarded(directory: Path) -> Iterator[Sentinel]:
    """A sentinel that hears nothing, or the test fails; and that is not deaf."""
    sentinel = Sentinel(directory)
    try:
        yield sentinel
        heard = sentinel.heard()
        assert heard == [], f"outside was opened or changed: {heard[:5]}"
        next(each for each in directory.iterdir() if _readable(each)).read_bytes()
        assert sentinel.heard(), "the sentinel is deaf"
    finally:
        sentinel.close()


class Swapper:
    """A process that exchanges two names as fast as it can."""

    def __init__(self, one: Path, other: Path, pause: float) -> None:
        command = [sys.executable, "-c", _SWAP, str(one), str(other), str(pause)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> int:
        """How often it did; an even number, so that everything is where it was."""
        self._process.terminate()
        said, _ = self._process.communicate(timeout=30)
        assert self._process.returncode == 0, said
        return int(said)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def exchanging(one: Path, other: Path, pause: float = 0.0) -> Iterator[Swapper]:
    """Somebody exchanges the two all the while; `pause` seconds between two times."""
    swapper = Swapper(one, other, pause)
    try:
        yield swapper
    finally:
        swapper.kill()


def write_into(directory: int, name: str, data: bytes) -> None:
    """Wherever that directory is now."""
    with open(
        name, "wb", opener=lambda path, flags: os.open(path, flags, 0o644, dir_fd=directory)
    ) as stream:
        stream.write(data)
