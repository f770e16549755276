"""`kill -9` at a chosen system call, and a household that is looked at right after it.

strace ends the process at its n-th call of a kind. Which calls of a run change something on a
disk is found by watching one run that nobody kills.
"""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auditing import Audit
from drawing import BLUE, GREEN, MAGENTA, RED, draw_photo
from running import COMMAND, House, Running, eventually

CHANGING = (
    *("openat", "mkdir", "mkdirat", "write", "pwrite64", "copy_file_range", "sendfile", "ioctl"),
    *("fsync", "fdatasync", "truncate", "ftruncate", "utimensat", "fchmod"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "rmdir", "flock", "fcntl"),
)

_ONLY = {"openat": "O_CREAT", "ioctl": "FICLONE", "fcntl": "F_SETLK, "}
"""Of these calls, only those with this in their arguments."""

_CALL = re.compile(r"(?:(\d+) +)?(\w+)\((.*)")

COLORS = {"red": RED, "green": GREEN, "blue": BLUE}


@dataclass(frozen=True, slots=True)
class Point:
    """A moment of a run: right before the n-th call of this kind takes effect."""

    call: str
    number: int


def needs_strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")


def points(house: House, *arguments: str) -> list[Point]:
    """Every call of the first process by which this command, run to its end, changes something."""
    log = house.base / "calls.txt"
    done = _strace(house, ["-o", str(log), "-e", f"trace={','.join(CHANGING)}"], arguments)
    assert done.returncode == 0, done.stderr
    return _points(log)


def _points(log: Path) -> list[Point]:
    first: str | None = None
    counts = dict.fromkeys(CHANGING, 0)
    found = []
    for line in log.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        process, call, given = match.groups("")
        first = process if first is None else first
        if process == first:
            counts[call] += 1
            if _ONLY.get(call, "") in given:
                found.append(Point(call, counts[call]))
    return sorted(found, key=lambda point: (point.call, point.number))


def share(found: Sequence[Point], most: int) -> list[Point]:
    """At most so many of them, evenly over all kinds of calls."""
    most = min(most, len(found))
    return [found[number * len(found) // most] for number in range(most)]


def killed_at(house: House, point: Point, *arguments: str) -> bool:
    """Run a command that is killed at this point. False: it came to its end before."""
    inject = f"inject={point.call}:signal=KILL:when={point.number}"
    options = ["-o", "/dev/null", "-e", f"trace={point.call}", "-e", inject]
    done = _strace(house, options, arguments)
    assert "Traceback" not in done.stderr, (point, done.stderr)
    if done.returncode >= 0:
        assert done.returncode == 0, (point, done.stderr, done.stdout)
    return done.returncode < 0


def _strace(
    house: House, options: Sequence[str], arguments: Sequence[str]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["strace", "-f", "-qq", *options, *COMMAND, "-c", str(house.config), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
    )


def litter_of_state(state: Path) -> list[str]:
    """What is in the state directory beyond what photosortd keeps there at rest."""
    kept = {"ledger.db", "lock", "status.json", "models", "models/current", "models/history"}
    found = []
    for path in state.rglob("*"):
        name = str(path.relative_to(state))
        inside = re.match(r"models/[0-9a-f]{64}(/|$)", name)
        if name not in kept and not inside:
            found.append(name)
    return sorted(found)


class Untouched(House):
    """A household whose ledger is asked in a copy: the next start finds it as the crash left it."""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        ledger = self.state / "ledger.db"
        if not ledger.exists():
            return []
        with tempfile.TemporaryDirectory(dir=self.base) as scratch:
            for name in ("ledger.db", "ledger.db-wal", "ledger.db-journal"):
                if (self.state / name).exists():
                    shutil.copyfile(self.state / name, Path(scratch) / name)
            database = sqlite3.connect(Path(scratch) / "ledger.db")
            try:
                if not database.execute("SELECT 1 FROM sqlite_master").fetchone():
                    return []
                return database.execute(sql).fetchall()
            finally:
                database.close()


class Victim:
    """A household that is killed again and again, and audited all the while."""

    def __init__(self, base: Path, **settings: Any) -> None:
        base.mkdir(exist_ok=True)
        self.house = Untouched(base, **settings)
        self.audit = Audit(self.house)
        self.photos = 0
        self.kills = 0

    def feed(self, shots: int) -> None:
        """See to it that at least so many shots wait to be filed."""
        for _ in range(shots - self._waiting()):
            self.audit.expected |= dict(self.shot())
        self.audit.look_again()

    def _waiting(self) -> int:
        filed = self.house.filed()
        return len({Path(name).stem for name in self.audit.expected if name not in filed})

    def shot(self) -> Iterator[tuple[str, bytes]]:
        """One more: in turns a photo, movie and sidecar for two categories, and a lone photo."""
        number, stem = self.photos, f"IMG_{self.photos:04}"
        self.photos += 1
        if number % 2:
            name = list(COLORS)[number // 2 % 3]
            color, categories = COLORS[name], [name]
            files = {"jpg": draw_photo(color, size=(64, 48), seed=number)}
        else:
            color, categories = MAGENTA, ["red", "blue"]
            files = {
                "jpg": draw_photo(color, size=(64, 48), seed=number),
                "mov": movie(number),
                "xmp": f"<x>{number}</x>".encode(),
            }
        # A number behind the image makes the bytes of each photo its own.
        files["jpg"] += f"{number:08}".encode()
        for ending, data in files.items():
            (self.house.dcim / f"{stem}.{ending}").write_bytes(data)
            for category in categories:
                yield f"{category}/{stem}.{ending}", data

    def strike(self, point: Point, *arguments: str) -> bool:
        """Kill a command there and look at once. False: the command had ended before."""
        killed = killed_at(self.house, point, *arguments)
        self.kills += killed
        try:
            self.look()
        except AssertionError as error:
            raise AssertionError(f"{point}, {arguments}: {error}") from error
        return killed

    def live(self, *options: str) -> bool:
        """A daemon's life under strace: it files what waits, one shot more, and is stopped.

        Returns whether it was killed on the way. Its first thread alone is traced.
        """
        running = self.house.start(by=("strace", "-D", "-q", *options))
        try:
            self._until(running, lambda: self.house.status().get("pid") == running.pid)
            if running.process.poll() is None:
                self.feed(1 + self._waiting())
            self._until(running, lambda: self.house.filed().keys() >= self.audit.expected.keys())
            code = running.stop(seconds=60)
            assert code in (0, -signal.SIGKILL), running.said()
            assert "Traceback" not in running.said()
            return code != 0
        finally:
            running.kill()

    def _until(self, running: Running, condition: Callable[[], bool]) -> None:
        eventually(lambda: running.process.poll() is not None or condition(), 60)

    def points_of_its_life(self) -> list[Point]:
        """Every call of a daemon by which it changes something, from its start to its end."""
        log = self.house.base / "calls.txt"
        assert not self.live("-o", str(log), "-e", f"trace={','.join(CHANGING)}")
        eventually(lambda: "+++ exited" in log.read_text(), what="strace has written all")
        return _points(log)

    def strike_the_daemon(self, point: Point) -> None:
        inject = f"inject={point.call}:signal=KILL:when={point.number}"
        self.kills += self.live("-o", "/dev/null", "-e", f"trace={point.call}", "-e", inject)
        try:
            self.look()
        except AssertionError as error:
            raise AssertionError(f"{point}, the daemon: {error}") from error

    def look(self) -> None:
        """What holds at any moment."""
        self.audit.whole()
        self.audit.unharmed()
        self.audit.placed_is_there()

    def look_at_what_was_undone(self) -> None:
        """What holds at any moment of an undo, which takes a file and then notes it."""
        self.audit.whole()
        self.audit.unharmed()
        gone = self.house.query("SELECT directory, name FROM placement WHERE state = 'undone'")
        there = [f"{os.fsdecode(directory)}/{os.fsdecode(name)}" for directory, name in gone]
        assert not [name for name in there if (self.house.library / name).exists()]

    def rest(self, code: int = 0) -> None:
        """What holds after a run that nobody disturbed. `code`: how that run is to end."""
        done = self.house.once()
        assert done["code"] == code, done
        self.audit.settled()
        left = litter_of_state(self.house.state)
        assert not left, f"left in the state directory: {left}"


def movie(number: int) -> bytes:
    """The boxes of a movie, and nothing to see."""
    head = b"\0\0\0\x10ftypqt  " + number.to_bytes(4, "big")
    return head + b"\0\0\0\x08moov" + b"\0\0\x10\0mdat" + bytes(4088)
