"""Programs on the same machine that write photos, each in its own way, stalled and killed."""

import mmap
import os
import random
import shutil
import signal
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

import pytest

from auditing import Audit
from clients import needs
from deliveries import Deliver, Delivery, deliver_all
from running import House
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.faults

PAGE = 4096


def rsync(*options: str) -> Deliver:
    def deliver(given: Delivery) -> None:
        pace = f"--bwlimit={given.pace() >> 10}"
        given.disturbed("rsync", "-a", pace, *options, f"{given.stage}/", f"{given.goal}/")

    return deliver


def run(*command: str) -> Deliver:
    return lambda given: given.run(*command, *given.paths(), f"{given.goal}/")


def moved(given: Delivery) -> None:
    given.run("mv", *given.paths(), f"{given.goal}/")


def moved_from_another_disk(given: Delivery) -> None:
    elsewhere = Path("/dev/shm") / f"photosortd-{os.getpid()}-{given.goal.name}"
    shutil.copytree(given.stage, elsewhere)
    try:
        given.run("mv", *(str(elsewhere / name) for name in given.photos), f"{given.goal}/")
    finally:
        shutil.rmtree(elsewhere)


def unpacked(given: Delivery) -> None:
    archive = given.stage.with_suffix(".tar")
    with tarfile.open(archive, "w") as packed:
        for name in given.photos:
            packed.add(given.stage / name, name)
    slowly = f"curl --silent --limit-rate {given.pace()} file://{quote(str(archive))}"
    given.disturbed("sh", "-c", f"{slowly} | tar -x -C {quote(str(given.goal))}")


def unzipped(given: Delivery) -> None:
    archive = given.stage.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w") as packed:
        for name in given.photos:
            packed.write(given.stage / name, name)
    given.disturbed("unzip", "-q", "-o", str(archive), "-d", str(given.goal))


# ---- writers that are ours, because no tool can be stopped where it hurts


def one_by_one(write: Callable[[Delivery, str, bytes, Callable[[], None]], None]) -> Deliver:
    """`write` calls what it is given in the middle of a photo: some photos stall there."""

    def deliver(given: Delivery) -> None:
        stalled = set(given.dice.sample(sorted(given.photos), min(given.faults, len(given.photos))))
        for name, data in given.photos.items():
            write(given, name, data, given.lie if name in stalled else lambda: None)

    return deliver


def cut(given: Delivery, data: bytes) -> int:
    """Somewhere in the photo; now and then where something inside it ends."""
    ends = [at + 2 for at in range(len(data) - 2) if data[at : at + 2] == b"\xff\xd9"]
    if ends and given.dice.random() < 0.3:
        return given.dice.choice(ends)
    return given.dice.randrange(1, len(data))


def page(given: Delivery, data: bytes) -> int:
    """Somewhere in the photo, where room begins that the file system knows to be empty."""
    return given.dice.randrange(len(data)) // PAGE * PAGE


def appended(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """By a program that opens the file anew for each piece, as resuming uploads do."""
    at = cut(given, data)
    for piece in (data[:at], data[at:]):
        with (given.goal / name).open("ab") as stream:
            stream.write(piece)
        if piece is not data and len(piece) == at:
            pause()


def reserved(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """By a program that gives the file its size first, as Windows does."""
    at = page(given, data)
    with (given.goal / name).open("wb", buffering=0) as stream:
        stream.truncate(len(data))
        stream.write(data[:at])
        pause()
        stream.write(data[at:])


def allocated(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """By a program that has its blocks reserved, as a NAS may."""
    at = page(given, data)
    with (given.goal / name).open("wb", buffering=0) as stream:
        os.posix_fallocate(stream.fileno(), 0, len(data))
        stream.write(data[:at])
        pause()
        stream.write(data[at:])


def backwards(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """Pieces out of their order, as parallel transfers write them."""
    size = 64 << 10
    starts = list(range(0, len(data), size))
    random.Random(len(data)).shuffle(starts)
    stop = len(starts) // 2
    with (given.goal / name).open("wb", buffering=0) as stream:
        for number, start in enumerate(starts):
            if number == stop:
                pause()
            os.pwrite(stream.fileno(), data[start : start + size], start)


def mapped(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """Through memory: the last bytes come after the file was closed."""
    at = page(given, data)
    with (given.goal / name).open("w+b") as stream:
        stream.truncate(len(data))
        with mmap.mmap(stream.fileno(), len(data)) as memory:
            stream.close()
            memory[:at] = data[:at]
            pause()
            memory[at:] = data[at:]


def nameless(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """A file that gets its name when it is written (O_TMPFILE and link)."""
    descriptor = os.open(given.goal, os.O_TMPFILE | os.O_WRONLY, 0o644)
    try:
        at = cut(given, data)
        os.write(descriptor, data[:at])
        pause()
        rest = data[at:]
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        here = f"/proc/self/fd/{descriptor}"
        # With a directory, so that Python makes it linkat, which follows.
        os.link(here, given.goal / name, src_dir_fd=descriptor, follow_symlinks=True)
    finally:
        os.close(descriptor)


def renamed_too_soon(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """A file that gets its last name while it is still being written."""
    at = cut(given, data)
    beside = given.goal / f".{name}.part"
    with beside.open("wb", buffering=0) as stream:
        stream.write(data[:at])
        beside.rename(given.goal / name)
        pause()
        stream.write(data[at:])


@contextmanager
def feeding(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with path.open("wb") as stream:
        process = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=stream)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def sent_again(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """A copy that is killed in its middle, lies there, and is replaced by the whole."""
    path = given.goal / name
    at = cut(given, data)
    with feeding(path) as process:
        assert process.stdin is not None
        process.stdin.write(data[:at])
        process.stdin.flush()
        while path.stat().st_size < at:
            pass
        process.send_signal(given.dice.choice((signal.SIGTERM, signal.SIGKILL)))
        process.wait()
    pause()
    if given.dice.random() < 0.5:
        path.write_bytes(data)
        return
    beside = given.goal / f".{name}.new"
    beside.write_bytes(data)
    beside.rename(path)


def left_empty(given: Delivery, name: str, data: bytes, pause: Callable[[], None]) -> None:
    """An empty file first, as synchronising clients make to hold a name."""
    path = given.goal / name
    path.touch()
    pause()
    with path.open("r+b") as stream:
        stream.write(data)


OURS = {
    each.__name__.replace("_", "-"): one_by_one(each)
    for each in (
        *(appended, reserved, allocated, backwards, mapped, nameless),
        *(renamed_too_soon, sent_again, left_empty),
    )
}
COPIES: dict[str, Deliver] = {
    "cp": run("cp"),
    "cp-p": run("cp", "-p"),
    "install": run("install", "-m", "0644"),
    "ln": run("ln"),
    "mv": moved,
    "mv-from-elsewhere": moved_from_another_disk,
}
ARCHIVES: dict[str, Deliver] = {"tar": unpacked, "unzip": unzipped}
RSYNCS = {
    "rsync": rsync(),
    "rsync-inplace": rsync("--inplace"),
    "rsync-partial": rsync("--partial"),
    "rsync-append": rsync("--append-verify"),
    "rsync-partial-dir": rsync("--partial-dir=.rsync-partial"),
    "rsync-delay-updates": rsync("--delay-updates"),
    "rsync-sparse": rsync("--sparse", "--inplace"),
}


def note(given: dict[str, Delivery]) -> str:
    partial = sum(each.partial for each in given.values())
    return f"{partial:,} times a photo lay there incomplete for longer than `settle.quiet`"


def test_programs_that_are_stalled_killed_and_come_again(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    needs("tar", "unzip", "rsync", "curl")
    count, faults = effort.of(3, 200), effort.of(1, 30)
    writers = OURS | COPIES | ARCHIVES | RSYNCS
    given = deliver_all(house, audit, writers, count, faults, effort.of(24, 12))
    assert sum(each.partial for each in given.values()) > faults
    words = {"by programs that write " + ", ".join(OURS): OURS, ", ".join(RSYNCS): RSYNCS}
    for shown, group in (*words.items(), (", ".join(COPIES | ARCHIVES), COPIES | ARCHIVES)):
        these = {name: given[name] for name in group}
        figures.add("writers", shown, len(group), count * len(group), note(these))
