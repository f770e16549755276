"""Weeks in minutes: more photos than a phone makes in years, through one daemon.

Memory, descriptors and speed at the end are those of the beginning, and a card that wears is
written to no more than needed.
"""

import json
import os
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import linear_regression

from auditing import Audit
from pouring import photo, pour
from running import House, Running, eventually, facts
from torture.conftest import Effort, Figures

WAVE = 500  # photos in the long form, 100 in the short
BLOCK = 4096  # bytes that a small file takes on the disk


@dataclass(frozen=True, slots=True)
class Sample:
    """How the daemon is after so many photos."""

    photos: int
    at: float  # monotonic seconds
    parent: int  # kB of memory of its own; libraries are shared with whoever else runs
    workers: int
    descriptors: int
    written: int  # bytes to the disk


def sample(running: Running, photos: int) -> Sample:
    pids = [running.pid, *running.workers()]
    return Sample(
        photos,
        time.monotonic(),
        _number(f"/proc/{running.pid}/smaps_rollup", "Pss_Anon:"),
        sum(_number(f"/proc/{pid}/smaps_rollup", "Pss_Anon:") for pid in pids[1:]),
        sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids),
        sum(_number(f"/proc/{pid}/io", "write_bytes:") for pid in pids),
    )


def _number(path: str, key: str) -> int:
    lines = Path(path).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def slope(samples: Sequence[Sample], value: Callable[[Sample], int]) -> float:
    """kB for each 1,000 photos: least squares over the second half."""
    half = samples[len(samples) // 2 :]
    line = linear_regression([each.photos for each in half], [value(each) for each in half])
    return 1000 * line.slope


def rate(samples: Sequence[Sample]) -> float:
    """Photos a second from the first of these samples to the last."""
    first, last = samples[0], samples[-1]
    return (last.photos - first.photos) / (last.at - first.at)


class Weeks:
    """Brings photos as people do, in waves, and keeps what must be true of them."""

    def __init__(self, house: House, audit: Audit, size: int) -> None:
        self.house, self.audit, self.size = house, audit, size
        self.dice = random.Random(52)
        self.beside = house.base / "beside"  # on the same disk, and not watched
        self.before: dict[str, object] = {}
        self.waves = self.doubles = self.undone = 0

    @property
    def photos(self) -> int:
        return self.waves * self.size

    def bring(self) -> None:
        """A wave: written one by one, moved in as a directory, or moved in file by file."""
        first, name = self.photos, f"wave-{self.waves:04}"
        where = self.house.dcim / name
        numbers = range(first, first + self.size)
        way = self.waves % 3
        self.audit.expected |= pour(where if way == 0 else self.beside / name, numbers)
        if way == 1:
            (self.beside / name).rename(where)
        elif way == 2:
            where.mkdir()
            for path in sorted((self.beside / name).iterdir()):
                path.rename(where / path.name)
        self.waves += 1
        for number in self.dice.sample(range(self.photos), self.size // 50):
            (where / f"again-{number}.jpg").write_bytes(photo(number))
            self.doubles += 1
        # Seen early, and compared in the end: reading them again at each wave would take hours.
        self.before |= {f"{name}/{each}": fact for each, fact in facts(where).items()}

    def undo_a_few(self) -> None:
        """Take back what a moment brought to one category."""
        until = time.strftime("%Y-%m-%dT%H:%M:%S")
        selection = ("--category", "green", "--since", "2s", "--until", until)
        done = self.house.run("undo", *selection, "--yes", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        self.undone += json.loads(done.stdout)["removed"] if done.stdout.startswith("{") else 0

    def is_done(self) -> bool:
        counts = self.house.status()["counts"]
        decided = counts.get("placed", 0) + counts.get("duplicate", 0)
        return bool(decided == self.photos + self.doubles)

    def check(self) -> None:
        """Everything is filed once but what was undone, and no source was touched."""
        undone = self.house.query("SELECT directory, name FROM placement WHERE state = 'undone'")
        assert len(undone) == self.undone
        for directory, name in undone:
            del self.audit.expected[f"{directory.decode()}/{name.decode()}"]
        now = facts(self.house.dcim)
        touched = [each for each, fact in self.before.items() if _fact(now, each) != fact]
        assert not touched, touched[:5]
        self.audit.look_again()
        self.audit.settled()


def _fact(found: dict[str, tuple[object, ...]], name: str) -> object:
    return found.get(os.path.normpath(name)) or found.get(name)


def test_weeks_in_minutes(house: House, audit: Audit, effort: Effort, figures: Figures) -> None:
    weeks = Weeks(house, audit, effort.of(100, WAVE))
    waves = effort.of(400, 100_000) // weeks.size
    shutil.rmtree(house.dcim)
    house.dcim.mkdir()
    samples = []
    written: set[int] = set()  # when status.json was
    with house.daemon() as running:
        began = time.monotonic()
        for number in range(waves):
            weeks.bring()
            if number % 5 == 4:
                weeks.undo_a_few()

            def done() -> bool:
                written.add((house.state / "status.json").stat().st_mtime_ns)
                return weeks.is_done()

            eventually(done, 600)
            samples.append(sample(running, weeks.photos))
        seconds = time.monotonic() - began
        eventually(house.is_idle)
        assert len(running.workers()) == 1
        assert "worker" not in running.said()  # none was replaced
    weeks.check()

    began = time.monotonic()
    with house.daemon():  # all is known: a scan, and nothing else
        eventually(house.is_idle, 300)
        scanned = time.monotonic() - began
    assert house.status()["recent"] == []

    parent = slope(samples, lambda each: each.parent)
    workers = slope(samples, lambda each: each.workers)
    most = effort.of(6000, 100)  # of few photos the noise is larger than any leak
    assert parent < most, f"the daemon grows by {parent:.0f} kB in 1,000 photos"
    assert workers < most, f"its worker grows by {workers:.0f} kB in 1,000 photos"
    half = len(samples) // 2
    before, after = samples[:half], samples[half:]
    assert max(e.descriptors for e in after) <= max(e.descriptors for e in before) + 4
    tenth = max(2, len(samples) // 10 + 1)
    first, last = rate(samples[:tenth]), rate(samples[-tenth:])
    assert last > first / 4, f"{first:.0f} photos a second, in the end {last:.0f}"
    news = samples[-1].photos - samples[0].photos
    copies = len(house.query("SELECT 1 FROM placement WHERE method != 'there'"))
    own = copies / weeks.photos * BLOCK
    besides = (samples[-1].written - samples[0].written) / news - own
    assert besides < 150_000, f"{besides:.0f} bytes written for each photo besides itself"
    assert len(written) <= seconds * 1.5 + 5, f"status.json written {len(written)} times"
    figures.add(
        "weeks",
        "photos brought in waves through one daemon, some twice, some undone",
        waves,
        weeks.photos,
        f"the daemon grew by {parent:.1f} kB and its worker by {workers:.1f} kB in 1,000 photos; "
        f"{first:.0f} photos a second in the first tenth, {last:.0f} in the last; "
        f"{besides / 1000:.0f} kB written to disk for each besides itself; "
        f"a start that knows them all took {scanned:.1f} s",
    )
