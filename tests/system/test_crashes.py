"""Whatever ends the process, and wherever: in the end each photo is filed exactly once, whole."""

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from drawing import BLUE, GREEN, MAGENTA, RED, draw_photo
from running import COMMAND, House, eventually

pytestmark = pytest.mark.faults

COLORS = {"red": RED, "green": GREEN, "blue": BLUE, "magenta": MAGENTA}
CATEGORIES = {"red": ["red"], "green": ["green"], "blue": ["blue"], "magenta": ["red", "blue"]}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def movie(number: int) -> bytes:
    """The boxes of a movie, and nothing to see."""
    head = b"\0\0\0\x10ftypqt  " + number.to_bytes(4, "big")
    return head + b"\0\0\0\x08moov" + b"\0\0\x10\0mdat" + bytes(4088)


def shots(house: House, count: int, first: int = 0) -> dict[str, bytes]:
    """Shots of a photo, a movie and a sidecar; some go into two categories."""
    expected = {}
    for number in range(first, first + count):
        color = list(COLORS)[number % 4]
        files = {
            "jpg": draw_photo(COLORS[color], seed=number, size=(640, 480)),
            "xmp": f"<x>{number}</x>".encode(),
            "mov": movie(number),
        }
        for ending, data in files.items():
            (house.dcim / f"IMG_{number}.{ending}").write_bytes(data)
            for category in CATEGORIES[color]:
                expected[f"{category}/IMG_{number}.{ending}"] = data
    return expected


@pytest.mark.parametrize("arguments", [(), ("--once",)], ids=["daemon", "once"])
def test_killed_at_any_moment_each_photo_is_filed_exactly_once(
    house: House, arguments: tuple[str, ...]
) -> None:
    expected = shots(house, 16)
    dice = random.Random(2024)
    for number in range(6):
        expected |= shots(house, 4, first=16 + 4 * number)
        running = house.start(*arguments)
        before = len(house.names())
        moment = time.monotonic() + dice.uniform(0.5, 1.6)
        eventually(
            lambda moment=moment, before=before: (
                (time.monotonic() > moment and len(house.names()) > before)
                or time.monotonic() > moment + 1.0
            )
        )
        running.kill()
        assert "Traceback" not in running.said()
    everything = house.once()
    assert everything["code"] == 0, everything
    house.assert_filed_once(expected)
    house.assert_sound()
    listed = len(house.query("SELECT * FROM placement WHERE state = 'placed'"))
    assert listed == len(expected)
    foreign = house.library / "red" / "mine.jpg"
    foreign.write_bytes(b"not of photosortd")
    undone = house.run("undo", "--since", "1d", "--yes", "--json")
    assert undone.returncode == 0, undone.stdout
    assert house.names() == ["red/mine.jpg"]


POINTS = [
    *[("renameat2", number) for number in (2, 3, 5)],  # the first is a probe, then the names
    *[("fdatasync", number) for number in (5, 7, 8)],  # the ledger's commits
    ("fsync", 9),  # of a part
    ("unlinkat", 6),
    ("mkdirat", 2),
]


def traced(house: House, call: str, number: int) -> int:
    """`--once` that is killed at its n-th such call; its exit code."""
    inject = f"inject={call}:signal=KILL:when={number}"
    strace = ["strace", "-f", "-q", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject]
    done = subprocess.run(
        [*strace, *COMMAND, "-c", str(house.config), "--once", "--quiet"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done.returncode


def test_killed_at_each_kind_of_call_it_ends_well(house: House) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    assert house.once()["code"] == 0  # installs the bundle; what follows is about photos
    shutil.rmtree(house.library)
    for name in ("ledger.db", "status.json"):
        (house.state / name).unlink()
    shutil.copytree(house.state, house.base / "fresh", symlinks=True)
    expected = {}
    for name, data in (("a.jpg", draw_photo(MAGENTA)), ("a.xmp", b"<x/>")):
        (house.dcim / name).write_bytes(data)
        expected |= {f"red/{name}": data, f"blue/{name}": data}
    killed = []
    for call, number in POINTS:
        shutil.rmtree(house.library, ignore_errors=True)
        shutil.rmtree(house.state)
        shutil.copytree(house.base / "fresh", house.state, symlinks=True)
        if traced(house, call, number) < 0:
            killed.append((call, number))
        assert all(data == expected[name] for name, data in house.filed().items()), (call, number)
        assert house.once()["code"] == 0, (call, number)
        house.assert_filed_once(expected)
        house.assert_sound()
        assert house.query("SELECT DISTINCT method FROM placement") == [("copy",)], (call, number)
    assert len(killed) >= len(POINTS) - 1, killed


def test_what_was_intended_is_finished_even_if_its_source_is_gone(house: House) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    data = house.photo("a.jpg", RED)
    # The second rename that must not replace: the first is a try of what the file system can do.
    assert traced(house, "renameat2", 2) < 0
    assert house.names() == []
    assert len(house.litter()) == 1
    (house.dcim / "a.jpg").unlink()
    assert house.once()["code"] == 0
    house.assert_filed_once({"red/a.jpg": data})
    house.assert_sound()
    assert house.outcomes() == {"placed": 1}
    refused = house.run("undo", "--last", "--yes")
    assert refused.returncode == 1
    assert "may be the last" in refused.stdout
    house.assert_filed_once({"red/a.jpg": data})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    point = tmp_path / "disk"
    point.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "photosortd-test", str(point)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount")
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.mark.root
def test_a_full_disk_is_waited_for_and_said_once(house: House, small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(1200 << 10))
    house.library = small_disk / "library"
    house.configure(library=str(house.library))
    tail = random.Random(1).randbytes(150 << 10)
    expected = {}
    for number in range(8):
        data = draw_photo(RED, seed=number) + tail
        (house.dcim / f"{number}.jpg").write_bytes(data)
        expected[f"red/{number}.jpg"] = data
    with house.daemon() as running:
        eventually(lambda: house.status()["trouble"])
        assert "space" in house.status()["trouble"]
        filed = house.filed()
        assert 0 < len(filed) < 8
        assert all(expected[name] == data for name, data in filed.items())
        assert house.litter() == []
        # It tries again, in vain, and says nothing of it.
        tries = house.status()
        more = time.monotonic() + 5
        eventually(lambda: time.monotonic() > more)
        assert house.status()["trouble"] == tries["trouble"]
        assert house.litter() == []
        ballast.unlink()
        eventually(lambda: house.names() == sorted(expected), 60)
        eventually(lambda: house.status()["trouble"] is None)
        eventually(house.is_idle)
        assert running.said().count("waiting:") == 1, running.said()
    house.assert_filed_once(expected)
    house.assert_sound()


@pytest.mark.root
def test_a_full_disk_under_the_ledger_is_waited_for_too(house: House, small_disk: Path) -> None:
    house.state = small_disk / "state"
    house.configure(state=str(house.state))
    expected = {"red/first.jpg": house.photo("first.jpg")}
    with house.daemon() as running:
        eventually(lambda: house.names() == ["red/first.jpg"])
        eventually(house.is_idle)
        ballast = small_disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))
        for number in range(20):
            (house.dcim / f"movie-{number}.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(12))
            name = f"{number}.jpg"
            expected[f"green/{name}"] = house.photo(name, GREEN, seed=number)
        eventually(lambda: "waiting: " in running.said())
        ballast.unlink()
        eventually(lambda: house.names() == sorted(expected), 60)
        eventually(lambda: house.is_up(running) and house.is_idle())
    house.assert_filed_once(expected)
    house.assert_sound()
