"""When names appear in directories, as the kernel tells it: inotify(7), not a look now and then."""

import ctypes
import os
import struct
import threading
import time
from dataclasses import dataclass
from pathlib import Path

_EVENT = struct.Struct("iIII")
_BUFFER = 1 << 16
CLOSE_WRITE, MOVED_TO, CREATE = 0x8, 0x80, 0x100  # linux/inotify.h
_CLOEXEC = os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Sighting:
    """One event of a name."""

    directory: Path
    name: str
    kind: int
    at: float  # monotonic seconds, when we were told


class Sightings(threading.Thread):
    """Notes every event in the directories that it is told to watch."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(_CLOEXEC)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._directories: dict[int, Path] = {}
        self._changed = threading.Condition()
        self.seen: list[Sighting] = []
        self.start()

    def watch(self, directory: Path, kinds: int) -> None:
        path = os.fsencode(directory)
        watch = self._libc.inotify_add_watch(self._descriptor, path, ctypes.c_uint32(kinds))
        if watch < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(directory))
        self._directories[watch] = directory

    def run(self) -> None:
        while data := os.read(self._descriptor, _BUFFER):
            at, offset = time.monotonic(), 0
            while offset < len(data):
                watch, kind, _, length = _EVENT.unpack_from(data, offset)
                start = offset + _EVENT.size
                offset = start + length
                self._note(watch, kind, os.fsdecode(data[start:offset].rstrip(b"\0")), at)

    def _note(self, watch: int, kind: int, name: str, at: float) -> None:
        if watch not in self._directories:  # an event between the system call and its note
            return
        with self._changed:
            self.seen.append(Sighting(self._directories[watch], name, kind, at))
            self._changed.notify_all()

    def wait(self, directory: Path, name: str, seconds: float = 60.0) -> float:
        """When the name appeared there: from its first event on, it can be seen whole."""

        def found() -> Sighting | None:
            return next((s for s in self.seen if (s.directory, s.name) == (directory, name)), None)

        with self._changed:
            sighting = self._changed.wait_for(found, seconds)
        if sighting is None:
            raise SystemExit(f"{directory / name}: not there after {seconds:g} s")
        return sighting.at

    def hear_more(self, than: int, seconds: float) -> None:
        """Wait until more than so many events were noted, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.seen) > than, seconds)

    def last(self, directory: Path, name: str) -> float:
        """When its writer was done with it."""
        with self._changed:
            return max(s.at for s in self.seen if (s.directory, s.name) == (directory, name))

    def between(self, directory: Path, start: float, end: float) -> int:
        """How many names appeared there meanwhile, hidden ones left out."""
        with self._changed:
            seen = [s.name for s in self.seen if s.directory == directory and start < s.at < end]
        return sum(not name.startswith(".") for name in seen)
