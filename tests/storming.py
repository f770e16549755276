"""Photos that cost little, in great numbers, and waiting until each of them is filed."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditing import Audit
from drawing import GREEN, MAGENTA, RED, draw_photo
from running import COMMAND, House, Running, eventually
from witness import Witness

SMALL = [
    (["red"], draw_photo(RED, size=(48, 32))),
    (["green"], draw_photo(GREEN, size=(48, 32))),
    (["red", "blue"], draw_photo(MAGENTA, size=(48, 32))),
]


OPEN = (
    "SELECT 1 FROM placement WHERE state = 'intended' UNION SELECT 1 FROM version "
    "WHERE current = 1 AND outcome IS NULL"
)
"""What is still in hand. The status says so at most a second later."""


class Photos:
    """Each of its own name and content; the audit is told where it has to be in the end."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit
        self.count = 0

    def put(self, directory: Path) -> Path:
        folders, photo = SMALL[self.count % len(SMALL)]
        self.count += 1
        path = directory / f"P{self.count}.jpg"
        data = remarked(photo, path.name)
        path.write_bytes(data)
        self._audit.expected |= {f"{folder}/{path.name}": data for folder in folders}
        return path


def remarked(photo: bytes, text: str) -> bytes:
    """The same JPEG with a remark in it: another content that need not be drawn."""
    said = text.encode()
    return b"".join((photo[:2], b"\xff\xfe", (len(said) + 2).to_bytes(2, "big"), said, photo[2:]))


def finish(house: House, audit: Audit, seconds: float = 60.0) -> None:
    """Everything comes to be there, and the daemon to rest; then the books are checked."""
    audit.look_again()  # from now on nobody touches the sources
    wanted = len(audit.expected)
    eventually(lambda: in_library(house) >= wanted, seconds, "all are filed")
    eventually(lambda: not house.query(OPEN), seconds, "all are noted")
    eventually(house.is_idle, seconds)
    audit.settled()


def in_library(house: House) -> int:
    """How many files are to be seen there: counted, not read."""
    return sum(not name.startswith(".") for _, _, names in os.walk(house.library) for name in names)


@contextmanager
def witnessed(house: House) -> Iterator[Witness]:
    """A daemon at rest whose status is read all the time, and does not contradict itself."""
    with house.daemon() as running, Witness(house, running) as witness:
        eventually(house.is_idle)
        yield witness
        assert witness.samples > 0
    assert witness.lies == set()


class Limited(House):
    """A house whose daemon may have so many watches or inotify instances, and nobody else."""

    def limit(self, what: str, number: int) -> None:
        if subprocess.run(
            ["unshare", "--user", "--map-root-user", "true"], check=False, capture_output=True
        ).returncode:
            pytest.skip("needs user namespaces")
        self._script = f'echo {number} > /proc/sys/user/max_inotify_{what}; exec "$@"'

    def start(self, *arguments: str, **more: object) -> Running:
        assert not arguments
        assert not any(more.values())
        log = self.base / "log.txt"
        inside = ["unshare", "--user", "--map-root-user", "sh", "-c", self._script, "sh"]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*inside, *COMMAND, "-c", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, log)
