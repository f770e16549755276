"""System calls that fail: strace answers them with an error in the kernel's place."""

import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from drawing import MAGENTA, draw_photo
from running import COMMAND, House, eventually

WRITING = ("ENOSPC", "EIO", "EROFS", "EDQUOT")
READING = ("EIO", "ESTALE")

ERRORS = {
    **dict.fromkeys(("write", "pwrite64", "copy_file_range", "sendfile", "ftruncate"), WRITING),
    **dict.fromkeys(("fsync", "fdatasync"), ("EIO", "ENOSPC", "EDQUOT")),
    **dict.fromkeys(("mkdir", "mkdirat", "rename", "renameat2", "linkat", "utimensat"), WRITING),
    **dict.fromkeys(("unlink", "unlinkat"), ("EIO", "EROFS")),
    **dict.fromkeys(("read", "pread64", "newfstatat", "getdents64"), READING),
    "openat": ("EIO", "ENOSPC", "EROFS", "ESTALE", "EACCES"),
    "fchmod": ("EIO", "EROFS"),
    "flock": ("EIO", "ENOLCK"),
    "fcntl": ("EIO", "ENOLCK"),
    "close": ("EIO",),
}
"""Which calls fail, and how a disk or a share may fail in them."""

LASTING = frozenset(call for call in ERRORS if ERRORS[call] == WRITING) | {"fsync", "fdatasync"}
"""Calls that may fail again and again, and Python itself still runs: it reads its own files."""

_CALL = re.compile(r"(\w+)\((.*)")


@dataclass(frozen=True, slots=True)
class Fault:
    """From the n-th call of its kind on, so many of them fail; None: all."""

    call: str
    number: int
    error: str
    lasting: int | None = 1

    def __str__(self) -> str:
        last = "" if self.lasting is None else str(self.number + self.lasting - 1)
        when = str(self.number) if self.lasting == 1 else f"{self.number}..{last}"
        when = f"{self.number}+" if self.lasting is None else when
        return f"{self.call}:error={self.error}:when={when}"


def needs_strace() -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")


class Fresh:
    """A household right before its first photo is filed: the bundle is installed and tested."""

    def __init__(self, house: House) -> None:
        self._house = house
        house.configure(settle={"quiet": "0.1s"})
        assert house.once()["code"] == 0
        shutil.rmtree(house.library)
        with closing(sqlite3.connect(house.state / "ledger.db", isolation_level=None)) as ledger:
            ledger.execute("DELETE FROM library")
        self._state = house.base / "fresh"
        shutil.copytree(house.state, self._state, symlinks=True)
        self.files = {"a.jpg": draw_photo(MAGENTA, size=(640, 480)), "a.xmp": b"<x/>"}
        for name, data in self.files.items():
            (house.dcim / name).write_bytes(data)

    @property
    def expected(self) -> dict[str, bytes]:
        return {f"{to}/{name}": data for to in ("red", "blue") for name, data in self.files.items()}

    def again(self) -> None:
        shutil.rmtree(self._house.library, ignore_errors=True)
        shutil.rmtree(self._house.state)
        shutil.copytree(self._state, self._house.state, symlinks=True)


def faults(house: House) -> list[Fault]:
    """Every call of the first process of `--once` that has to do with photos and their books."""
    log = house.base / "calls.txt"
    done = _strace(house, "-y", "-o", str(log), "-e", f"trace={','.join(ERRORS)}")
    assert done.returncode == 0, done.stderr
    ours = re.compile(re.escape(str(house.base)) + r"/(DCIM|library|state/(ledger|status))")
    counts = dict.fromkeys(ERRORS, 0)
    found = []
    for line in log.read_text(errors="replace").splitlines():
        if (match := _CALL.match(line)) is None:
            continue
        call, given = match.groups()
        counts[call] += 1
        if ours.search(given):
            reads = call == "openat" and "O_CREAT" not in given
            errors = READING if reads else ERRORS[call]
            found += [Fault(call, counts[call], error) for error in errors]
    return found


def failing(house: House, fault: Fault) -> "subprocess.CompletedProcess[str]":
    """`--once` in which these calls fail."""
    return _strace(house, "-o", "/dev/null", "-e", f"trace={fault.call}", "-e", f"inject={fault}")


def _strace(house: House, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["strace", "-qq", *options, *COMMAND, "-c", str(house.config), "--once", "--quiet"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=120,
    )


@contextmanager
def while_failing(pid: int, call: str, error: str, log: Path) -> Iterator[None]:
    """Each such call of a process that runs fails until the block ends."""
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:error={error}"]
    with subprocess.Popen(
        ["strace", "-o", str(log), *inject, "-p", str(pid)], stderr=subprocess.DEVNULL
    ) as tracer:
        try:
            eventually(lambda: _tracer(pid) == tracer.pid, what="strace is attached")
            yield
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait(10)


def _tracer(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"TracerPid:\t(\d+)", status)[0])
