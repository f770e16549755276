"""Somebody sets the clock: a time server after a start in the past, a battery that died, by hand.

Nothing is filed half or twice by that, nothing waits for a moment that never comes, and `undo`
finds its batch.
"""

import time
from pathlib import Path

import pytest

from auditing import Audit
from deliveries import KINDS
from pouring import pour
from running import House, eventually
from torture.conftest import Effort, Figures
from wallclock import WallClock

pytestmark = pytest.mark.faults

DAY = 86_400.0
STALL = 1.3  # seconds in which what is incomplete for a moment is looked at once more
LEAPS = (3 * DAY, -7200.0, -400 * DAY, 45.0, 400 * DAY, 7200.0, -3 * DAY, -45.0)
"""Each comes back to where it began; settle.give_up is a day."""


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WallClock:
    """Of every program that this test starts."""
    made = WallClock(tmp_path)
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    return made


class Arrivals:
    """Photos around one setting of the clock: before it, after it, and one that is written then."""

    def __init__(self, house: House, audit: Audit) -> None:
        self._house, self._audit = house, audit
        self.photos = 0

    def pour(self, count: int) -> None:
        self._audit.expected |= pour(self._house.dcim, range(self.photos, self.photos + count))
        self.photos += count

    def across(self, leap: float, clock: WallClock) -> None:
        """A shot whose first image can be seen when the clock is set; the rest comes later."""
        ending, draw = KINDS["JPEG with a second image (MPF)"]
        data, stem = draw(self.photos), f"across-{self.photos}"
        photo, sidecar = self._house.dcim / f"{stem}.{ending}", self._house.dcim / f"{stem}.xmp"
        sidecar.write_text(f"<x>{self.photos}</x>")
        for path, content in ((photo, data), (sidecar, sidecar.read_bytes())):
            self._audit.expected[f"red/{path.name}"] = content
        self.photos += 1
        with photo.open("wb", buffering=0) as stream:
            stream.write(data[: len(data) * 3 // 4])
            eventually(lambda: self._is_waited_for(photo))
            clock.set(leap)
            self.pour(2)
            time.sleep(STALL)
            stream.write(data[len(data) * 3 // 4 :])

    def _is_waited_for(self, photo: Path) -> bool:
        """Found incomplete; the daemon looks at it again and again."""
        waiting = self._house.status().get("waiting", ())
        return str(photo) in [each["path"] for each in waiting]


def undo_all(house: House, audit: Audit) -> None:
    """Whatever moment each was filed at, by the clock of that moment."""
    done = house.run("undo", "--since", "1970-01-01", "--yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert house.names() == []
    audit.unharmed()


def test_photos_arrive_while_the_clock_is_set(
    house: House, audit: Audit, clock: WallClock, effort: Effort, figures: Figures
) -> None:
    arrivals, times = Arrivals(house, audit), effort.of(1, 80)
    with house.daemon() as running:
        for number in range(times):
            arrivals.pour(2)
            arrivals.across(LEAPS[number % len(LEAPS)], clock)
            audit.look_again()
            eventually(lambda: house.names() == sorted(audit.expected), what="all are filed")
            eventually(house.is_idle, what="nothing waits")
            audit.whole()
            assert house.run("status").returncode == 0, running.said()
    audit.settled()
    clock.set(-sum(LEAPS[: times % len(LEAPS)]))
    assert house.once()["files"] == []  # nothing is news by that
    undo_all(house, audit)
    figures.add("two", "the clock set back and forward, by 45 s to 400 days, while photos arrive",
                times, arrivals.photos)  # fmt: skip


def test_a_machine_without_a_clock_of_its_own(
    house: House, audit: Audit, clock: WallClock, effort: Effort, figures: Figures
) -> None:
    """Each start is in 1970, as of a small computer; the time server comes while photos do."""
    arrivals, times = Arrivals(house, audit), effort.of(1, 20)
    begin = clock.time() - 3600
    for _ in range(times):
        clock.set(-begin)
        with house.daemon():
            arrivals.pour(2)
            arrivals.across(begin, clock)
            audit.look_again()
            eventually(lambda: house.names() == sorted(audit.expected), what="all are filed")
            eventually(house.is_idle, what="nothing waits")
    audit.settled()
    undo_all(house, audit)
    figures.add("two", "a start in 1970, and the right time in the middle of photos",
                times, arrivals.photos)  # fmt: skip


def test_undo_finds_the_latest_batch_whatever_the_clock_says(
    house: House, audit: Audit, clock: WallClock, effort: Effort, figures: Figures
) -> None:
    arrivals, times = Arrivals(house, audit), effort.of(1, 40)
    with house.daemon():
        for number in range(times):
            kept = dict(audit.expected)
            clock.set(LEAPS[2 * number % len(LEAPS)])
            arrivals.pour(4)
            audit.look_again()
            eventually(lambda: house.names() == sorted(audit.expected), what="all are filed")
            done = house.run("undo", "--last", "--yes")
            assert done.returncode == 0, done.stdout + done.stderr
            assert house.names() == sorted(kept)
            audit.expected = kept
            arrivals.pour(4)
            audit.look_again()
            eventually(lambda: house.names() == sorted(audit.expected), what="all are filed")
        eventually(house.is_idle, what="nothing waits")
    audit.settled()
    figures.add("two", "`undo --last` after the clock was set back or forward", times,
                arrivals.photos)  # fmt: skip


def test_a_sidecar_from_the_future_is_not_waited_with_for_ever(
    house: House, clock: WallClock
) -> None:
    house.configure(settle={"quiet": "0.3s", "group_wait": "1s"})
    with house.daemon():
        (house.dcim / "lonely.xmp").write_bytes(b"<x/>")
        clock.set(-DAY)
        eventually(lambda: house.outcomes()["ignored"] == 1, what="no photo came: it is noted")
        eventually(house.is_idle)
