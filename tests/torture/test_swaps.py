"""Somebody exchanges directories for links while photos are filed: nothing leads out."""

import os
from pathlib import Path

import pytest

from auditing import Audit
from drawing import BLUE, GREEN, RED, draw_photo
from outside import exchanging, guarded, write_into
from running import House, eventually
from torture.conftest import Effort, Figures


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Private photos, of the very names that the source has."""
    directory = tmp_path / "outside"
    directory.mkdir()
    for number in range(200):
        name = f"{number}.jpg"
        (directory / name).write_bytes(draw_photo(GREEN, seed=5000 + number))
    return directory


def test_a_directory_of_the_source(
    house: House, outside: Path, effort: Effort, figures: Figures
) -> None:
    album, trap, spot = house.dcim / "album", house.base / "trap", house.dcim / "spot.jpg"
    other = house.base / "spot-trap"
    album.mkdir()
    trap.symlink_to(outside)
    other.symlink_to(outside / "0.jpg")
    audit = Audit(house, {"blue/spot.jpg": house.photo("spot.jpg", BLUE)})
    inside = os.open(album, os.O_RDONLY)
    count = effort.of(20, 900)
    house.configure(scan_interval="3s")  # an exchanged directory may lose its watch
    with guarded(outside), house.daemon():
        with exchanging(album, trap) as one, exchanging(spot, other, 0.001) as two:
            for first in range(0, count, 20):
                for number in range(first, first + 20):
                    name = f"{number}.jpg"
                    audit.expected[f"red/{name}"] = draw_photo(RED, seed=number)
                    write_into(inside, name, audit.expected[f"red/{name}"])
                filed = len(house.names())
                eventually(lambda filed=filed: len(house.names()) > filed, 60)
            swaps = two.stop() + one.stop()
        audit.whole()
        eventually(lambda: len(house.names()) == len(audit.expected) and house.is_idle(), 120)
    os.close(inside)
    audit.look_again()
    audit.settled()
    figures.add(
        "escape",
        "a directory and a file of the source exchanged for links to private photos all the while",
        swaps,
        len(audit.expected),
        "no private photo was ever opened",
    )


def green_ones(house: House) -> int:
    """By the ledger: who walks through the library now may find himself outside."""
    sql = "SELECT count(*) FROM placement WHERE category = 'green' AND state = 'placed'"
    return sum(count for (count,) in house.query(sql))


def test_a_category_of_the_library(
    house: House, outside: Path, effort: Effort, figures: Figures
) -> None:
    red, trap = house.library / "red", house.base / "trap"
    trap.symlink_to(outside)
    red.mkdir(parents=True)
    count, swaps = effort.of(3, 200), 0
    audit = Audit(house)
    for number in range(count):
        audit.expected[f"red/{number}.jpg"] = house.photo(f"{number}.jpg", seed=number)
        audit.expected[f"green/{number}.jpg"] = house.photo(f"g/{number}.jpg", GREEN, seed=number)
    audit.look_again()
    with guarded(outside), house.daemon():
        with exchanging(red, trap, 0.003) as one:
            eventually(lambda: green_ones(house) >= effort.of(1, count), 240)
            swaps = one.stop()
        house.run("retry")  # those that met nothing but the link
        eventually(lambda: len(house.names()) == len(audit.expected) and house.is_idle(), 240)
    assert house.once()["code"] == 0  # sweeps what it could not reach behind the link
    audit.settled()
    figures.add(
        "escape",
        "a category of the library exchanged for a link to private photos all the while",
        swaps,
        len(audit.expected),
        "nothing was written there, and other categories went on",
    )
