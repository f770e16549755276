"""Disks that are full for a while: the daemon waits, says it, and goes on by itself."""

import itertools
from pathlib import Path

import pytest

from auditing import Audit
from disks import loop, tmpfs
from drawing import MAGENTA, draw_photo
from running import House, eventually
from torture.conftest import Effort, Figures

pytestmark = [pytest.mark.faults, pytest.mark.root]

SHOTS = 3  # that arrive while a disk is full


class Arrivals:
    """Shots that go into two categories each: four files in the library, one pair in the source."""

    def __init__(self, house: House, audit: Audit) -> None:
        self._house = house
        self._audit = audit
        self._numbers = itertools.count()
        self.photos = 0

    def bring(self, count: int) -> None:
        for _ in range(count):
            number = next(self._numbers)
            files = {f"{number}.jpg": draw_photo(MAGENTA, seed=number, size=(640, 480))}
            files[f"{number}.xmp"] = f"<x>{number}</x>".encode()
            for name, data in files.items():
                (self._house.dcim / name).write_bytes(data)
                for category in ("red", "blue"):
                    self._audit.expected[f"{category}/{name}"] = data
        self._audit.look_again()
        self.photos += count

    def all_filed(self) -> None:
        expected = sorted(self._audit.expected)
        eventually(lambda: self._house.names() == expected, 90, "all are filed")
        eventually(self._house.is_idle, what="idle")
        assert self._house.status()["trouble"] is None


@pytest.fixture
def arrivals(house: House, audit: Audit) -> Arrivals:
    return Arrivals(house, audit)


def move(house: House, point: Path, what: str) -> None:
    """Have the library, the state or both below `point`."""
    for each in ("library", "state") if what == "both" else (what,):
        setattr(house, each, point / each)
        house.configure(**{each: str(point / each)})


FULL = [
    ("tmpfs", "both", "space"),
    ("ext4", "library", "inodes"),
    ("tmpfs", "state", "space"),
    ("ext4", "library", "space"),
    ("ext4", "state", "space"),
]
"""The short form takes the first of them."""


@pytest.mark.parametrize(("kind", "what", "how"), FULL)
def test_full(
    kind: str,
    what: str,
    how: str,
    house: House,
    audit: Audit,
    arrivals: Arrivals,
    effort: Effort,
    figures: Figures,
    tmp_path: Path,
) -> None:
    if (kind, what, how) not in FULL[: effort.of(2, len(FULL))]:
        pytest.skip("only in the long form")
    rounds = effort.of(1, 5)
    point = tmp_path / "disk"
    made = tmpfs(point, "3m") if kind == "tmpfs" else loop(point, "ext4", 6 << 20, "-N", "200")
    with made as disk:
        move(house, point, what)
        with house.daemon() as running:
            arrivals.bring(1)
            arrivals.all_filed()
            for _ in range(rounds):
                before = len(running.said())
                disk.fill() if how == "space" else disk.fill_inodes()
                arrivals.bring(SHOTS)
                eventually(
                    lambda before=before: "waiting: " in running.said()[before:], what="said"
                )
                audit.whole()
                audit.placed_is_there()
                disk.free()
                arrivals.all_filed()
                said = running.said()[before:]
                lacks = 2 if what == "both" else 1  # of the library, and of the ledger
                assert 1 <= said.count("waiting: ") <= lacks, said
                assert said.count("going on: ") == 1, said
        audit.settled()
    lack = "full" if how == "space" else "out of inodes"
    place = {"library": "the library", "state": "the state", "both": "library and state"}[what]
    figures.add("errors", f"{place} on {kind}: {lack}, then free again", rounds, arrivals.photos)
