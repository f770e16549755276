"""What a running daemon says of its photos: little, and never so that it is in its way."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import running
from drawing import BLUE, DARK, MAGENTA, RED
from running import House, Running, eventually

_WITH_ANOTHER_CLOCK = """
import os
from photosortd.pipeline import batches
batches.GAP = float(os.environ["TEST_GAP"])
def day(wall):
    try:
        return 2026, int(wall >= os.stat(os.environ["TEST_MIDNIGHT"]).st_mtime)
    except FileNotFoundError:
        return 2026, 0
batches._day = day
from photosortd.commands import main
main()
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def midnight(house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The daemon's pauses are short if TEST_GAP says so, and it is midnight when this file is
    made."""
    file = house.base / "midnight"
    monkeypatch.setattr(running, "COMMAND", [sys.executable, "-c", _WITH_ANOTHER_CLOCK])
    monkeypatch.setenv("TEST_GAP", "600")
    monkeypatch.setenv("TEST_MIDNIGHT", str(file))
    return file


def lines(running: Running) -> list[str]:
    """Everything that was said of photos and batches, without dates."""
    said = [line.split(" ", 2)[2] for line in running.said().splitlines()]
    return [line for line in said if re.search(r"\.jpg|files?( in \d+ \w+)?:", line)]


def draw_four(house: House) -> None:
    for number, (name, color) in enumerate(
        [("red", RED), ("blue", BLUE), ("both", MAGENTA), ("dark", DARK)]
    ):
        house.photo(f"{name}.jpg", color, seed=number)


FOUR = r"batch 1: 4 files( in \d+ s)?: 3 filed \(blue 2, red 2\), 1 none"


def test_a_batch_is_one_line_when_the_daemon_stops(house: House) -> None:
    draw_four(house)
    with house.daemon() as daemon:
        eventually(lambda: house.outcomes().total() == 4)
        eventually(house.is_idle)
        assert lines(daemon) == []
    (line,) = lines(daemon)
    assert re.fullmatch(FOUR, line)
    with house.daemon() as daemon:
        eventually(house.is_idle)
    assert lines(daemon) == []  # nothing happened


def test_a_pause_ends_a_batch(
    house: House, midnight: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_GAP", "6")
    draw_four(house)
    with house.daemon() as daemon:
        eventually(lambda: lines(daemon))
        house.photo("late.jpg", RED, seed=9)
        eventually(lambda: len(lines(daemon)) == 2)
    first, second = lines(daemon)
    assert re.fullmatch(FOUR, first)
    assert second == "batch 2: 1 file: 1 filed (red 1)"


def test_midnight_ends_a_batch(house: House, midnight: Path) -> None:
    draw_four(house)
    with house.daemon() as daemon:
        eventually(lambda: house.outcomes().total() == 4)
        eventually(house.is_idle)
        assert lines(daemon) == []
        midnight.touch()
        eventually(lambda: lines(daemon))
        house.photo("after.jpg", RED, seed=9)
        eventually(lambda: house.outcomes().total() == 5)
    first, second = lines(daemon)
    assert re.fullmatch(FOUR, first)
    assert second == "batch 2: 1 file: 1 filed (red 1)"


def test_with_v_every_photo_has_its_line(house: House) -> None:
    draw_four(house)
    with house.daemon("-v") as daemon:
        eventually(lambda: house.outcomes().total() == 4)
    said = lines(daemon)
    assert sorted(said[:4]) == [
        f"{house.dcim}/blue.jpg: placed: blue",
        f"{house.dcim}/both.jpg: placed: red, blue",
        f"{house.dcim}/dark.jpg: none",
        f"{house.dcim}/red.jpg: placed: red",
    ]
    assert re.fullmatch(FOUR, said[4])


def test_a_flood_of_failures_is_counted(house: House) -> None:
    for number in range(30):
        house.dcim.joinpath(f"{number}.jpg").write_bytes(b"no photo %d" % number)
    house.photo("red.jpg", RED)
    with house.daemon() as daemon:
        eventually(lambda: house.outcomes() == {"unreadable": 30, "placed": 1})
    *failures, last = lines(daemon)
    assert len(failures) == 20
    pattern = rf"warning: {house.dcim}/\d+\.jpg: unreadable: .+"
    assert all(re.fullmatch(pattern, line) for line in failures)
    assert re.fullmatch(
        r"warning: batch 1: 31 files( in \d+ s)?: 1 filed \(red 1\), 30 unreadable "
        r"\(10 failures not named here, see `photosortd status`\)",
        last,
    )


@pytest.mark.parametrize("how", ["broken", "closed"])
def test_without_a_stderr_it_works_on(house: House, how: str) -> None:
    house.dcim.joinpath("no.jpg").write_bytes(b"no photo")
    command = [*running.COMMAND, "-c", str(house.config), "-v"]
    if how == "closed":
        command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    ours, theirs = os.pipe()
    with (house.base / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=theirs,
            start_new_session=True,
        )
    os.close(theirs)
    os.close(ours)
    daemon = Running(process, house.base / "log")
    try:
        eventually(lambda: house.is_up(daemon))
        draw_four(house)
        eventually(lambda: house.outcomes().total() == 5)
        assert daemon.stop() == 0
    finally:
        daemon.kill()
    assert daemon.said() == ""
    assert house.names() == ["blue/blue.jpg", "blue/both.jpg", "red/both.jpg", "red/red.jpg"]
    house.assert_sound()
