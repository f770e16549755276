"""A daemon in mounts of its own, as a unit's sandbox has them, while disks come and go outside."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drawing import GREEN, draw_photo
from running import COMMAND, House, Running, eventually

pytestmark = pytest.mark.root

UNSHARE = ["unshare", "--mount", "--propagation", "slave"]

BEGIN = """
set -e
for path in "$1" "$2"; do
    if [ -e "$path" ] && ! mountpoint -q "$path"; then mount --bind "$path" "$path"; fi
done
mount -o remount,bind,ro "$0"
if [ -e "$1" ]; then mount -o remount,bind,ro "$1"; fi
shift 2
exec "$@"
"""
"""The base read-only, the source too, the library not; paths that are not there are left out."""


class Outside:
    """The machine: a tmpfs whose mounts propagate, as systemd sees to it for all."""

    def __init__(self, base: Path) -> None:
        self.base = base
        base.mkdir()
        self._points: list[Path] = []
        self.mount(base)
        subprocess.run(["mount", "--make-shared", str(base)], check=True)

    def mount(self, point: Path) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "disk", str(point)], check=True)
        self._points.append(point)

    def bind(self, what: Path, point: Path) -> None:
        subprocess.run(["mount", "--bind", str(what), str(point)], check=True)
        self._points.append(point)

    def umount(self, point: Path) -> None:
        subprocess.run(["umount", str(point)], check=True)
        self._points.remove(point)

    def clear(self) -> None:
        for point in reversed(self._points):
            subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs to be allowed to mount")
    made = Outside(tmp_path / "machine")
    yield made
    made.clear()


@pytest.fixture
def house(outside: Outside, tmp_path: Path) -> House:
    """Its state lies on the disk that is always there."""
    made = House(outside.base, state=str(tmp_path / "state"))
    made.state = tmp_path / "state"
    made.library.mkdir()
    return made


@contextmanager
def sandboxed(house: House, tmp_path: Path, variable: str = "1") -> Iterator[Running]:
    paths = [str(house.base), str(house.dcim), str(house.library)]
    log = tmp_path / f"log-{len(list(tmp_path.glob('log-*')))}"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*UNSHARE, "sh", "-c", BEGIN, *paths, *COMMAND, "-c", str(house.config)],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PHOTOSORTD_SANDBOX": variable},
            start_new_session=True,
        )
    running = Running(process, log)
    try:
        eventually(lambda: house.is_up(running), what="the daemon is up")
        yield running
    finally:
        running.kill()
        print(running.said())
    assert "Traceback" not in running.said()


def asks_for_a_fresh_start(running: Running, path: Path, what: str = "mounted") -> None:
    assert running.process.wait(20) == 75
    words = f"{path}: {what} while we ran: starting again inside a fresh sandbox"
    assert words in running.said()


def roots(house: House) -> list[str]:
    return [root["watched"] for root in house.status()["roots"]]


def test_a_disk_that_comes_late_is_not_left_unprotected(
    house: House, outside: Outside, tmp_path: Path
) -> None:
    with sandboxed(house, tmp_path) as running:
        eventually(lambda: roots(house) == ["events"])
        outside.mount(house.dcim)
        asks_for_a_fresh_start(running, house.dcim)
    assert house.status()["state"] == "stopped"
    house.photo("a.jpg")
    with sandboxed(house, tmp_path) as running:  # which sees it protected, and goes on
        eventually(lambda: (house.library / "red" / "a.jpg").exists())
        assert "does not protect" not in running.said()
        assert running.stop() == 0


def test_what_is_mounted_in_a_source_is_not_left_unprotected_either(
    house: House, outside: Outside, tmp_path: Path
) -> None:
    (house.dcim / "card").mkdir()
    with sandboxed(house, tmp_path) as running:
        outside.mount(house.dcim / "card")
        asks_for_a_fresh_start(running, house.dcim)


def test_a_disk_that_goes_and_comes_back(house: House, outside: Outside, tmp_path: Path) -> None:
    outside.mount(house.dcim)
    house.photo("a.jpg")
    with sandboxed(house, tmp_path) as running:
        eventually(lambda: (house.library / "red" / "a.jpg").exists())
        outside.umount(house.dcim)
        eventually(lambda: roots(house) == ["paused"])
        assert running.process.poll() is None
        outside.mount(house.dcim)
        asks_for_a_fresh_start(running, house.dcim)


def test_a_disk_is_not_held_on_to(house: House, outside: Outside, tmp_path: Path) -> None:
    """The bind mounts of the sandbox keep it mounted there, after it was unmounted outside."""
    disk = outside.base / "disk"
    disk.mkdir()
    outside.mount(disk)
    house.dcim = disk / "DCIM"
    house.dcim.mkdir()
    house.configure(watch=[{"path": str(house.dcim)}])
    with sandboxed(house, tmp_path) as running:
        eventually(lambda: roots(house) == ["events"])
        outside.umount(disk)
        asks_for_a_fresh_start(running, house.dcim, "unmounted")
    with sandboxed(house, tmp_path) as running:
        eventually(lambda: roots(house) == ["paused"])
        assert running.stop() == 0


def test_a_library_that_is_made_late(house: House, tmp_path: Path) -> None:
    house.library.rmdir()
    house.photo("a.jpg")
    with sandboxed(house, tmp_path) as running:
        advice = "read-only inside the service's sandbox: sudo photosortd service install"
        eventually(lambda: advice in (house.status()["trouble"] or ""))
        house.library.mkdir()
        asks_for_a_fresh_start(running, house.library)
    with sandboxed(house, tmp_path) as running:
        eventually(lambda: house.names() == ["red/a.jpg"])
        assert running.stop() == 0


def test_a_library_that_comes_back_writable_is_used(
    house: House, outside: Outside, tmp_path: Path
) -> None:
    disk = outside.base / "disk"
    disk.mkdir()
    outside.bind(disk, house.library)
    house.photo("a.jpg")
    with sandboxed(house, tmp_path) as running:
        eventually(lambda: house.names() == ["red/a.jpg"])
        assert running.stop() == 0
    outside.umount(house.library)
    house.photo("b.jpg", GREEN)
    with sandboxed(house, tmp_path) as running:
        eventually(lambda: "is its disk mounted?" in (house.status()["trouble"] or ""))
        outside.bind(disk, house.library)
        eventually(lambda: house.names() == ["green/b.jpg", "red/a.jpg"])
        assert running.stop() == 0


def test_what_a_start_finds_is_accepted(house: House) -> None:
    """A unit without its drop-in: another start would find the same, again and again."""
    with house.daemon(env={"PHOTOSORTD_SANDBOX": "1"}) as running:
        house.photo("a.jpg")
        eventually(lambda: house.names() == ["red/a.jpg"])
        assert running.said().count("does not protect") == 1


def test_without_a_sandbox_nothing_changes(house: House, outside: Outside, tmp_path: Path) -> None:
    with sandboxed(house, tmp_path, variable="") as running:
        eventually(lambda: roots(house) == ["events"])
        outside.mount(house.dcim)
        (house.dcim / "a.jpg").write_bytes(draw_photo(GREEN))
        eventually(lambda: house.names() == ["green/a.jpg"])
        assert running.stop() == 0
