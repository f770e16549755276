"""More at once than inotify tells, and directories that move while they fill: all is found.

Scans come once an hour here where nothing is said of them: what is found in time was found by
events, or because it was noticed that events were lost.
"""

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from auditing import Audit
from running import House, eventually
from storming import Limited, Photos, finish, witnessed
from torture.conftest import Effort, Figures
from witness import Witness

CALM = 0.05
"""Of a processor, at most, with nothing to do; a storm that feeds itself takes all of one."""

WAKINGS = 3.0
"""A second, at most, with nothing to do; about one is usual."""

MEMORY = 160
"""MB that the daemon itself may come to hold in any storm; it rests at 50."""

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def watched_by_events(house: House) -> bool:
    return house.is_idle() and all(root["watched"] == "events" for root in house.status()["roots"])


def rest(house: House, witness: Witness, seconds: float) -> str:
    """The daemon comes to rest, at the third look at the latest; what it takes then, in words."""
    eventually(lambda: watched_by_events(house), 120)
    for _ in range(3):
        cpu, wakings = witness.at_rest(seconds)
        if cpu < CALM and wakings < WAKINGS:
            break
    else:
        raise AssertionError(f"no rest: {cpu:.1%} of a core, {wakings:.1f} wake-ups a second")
    return f"at rest {cpu:.1%} of a core, {wakings:.1f} wake-ups a second"


def test_tens_of_thousands_at_once(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    photos = Photos(audit)
    files, folders = effort.of(4_000, 60_000), effort.of(100, 6_000)
    wanted, linked = effort.of(40, 2_000), effort.of(10, 500)
    places = [house.dcim / f"{number // 100}/{number}" for number in range(folders)]
    with witnessed(house) as witness:
        for place in places:
            place.mkdir(parents=True)
        for number in range(files):
            place = places[number % folders]
            if number % (files // wanted) == 0 and photos.count < wanted:
                latest = photos.put(place)
                if photos.count <= linked:
                    os.link(latest, places[(number + 1) % folders] / latest.name)
            else:
                ending = ("txt", "jpg.tmp", "db", "part")[number % 4]
                (place / f"{number}.{ending}").touch()
        finish(house, audit, 300)
        eventually(lambda: house.outcomes() == {"placed": wanted, "duplicate": linked})
        photos.put(places[-1])
        finish(house, audit)
        note = f"the daemon held {witness.most_memory} MB at most"
        if effort.long:
            note += ", " + rest(house, witness, 20)
        assert witness.most_memory < MEMORY
    fault = f"{files:,} files in {folders:,} new directories within seconds"
    figures.add("storms", fault, 1, photos.count, note)


class Dance:
    """Directories that are made, renamed, moved in and out, and removed, with photos in them."""

    def __init__(self, house: House, photos: Photos, seed: int) -> None:
        self._dice = random.Random(seed)
        self._photos = photos
        self._dcim, self._outside = house.dcim, house.base / "outside"
        self._outside.mkdir()
        self._named = 0
        self.steps = 0

    def _name(self, below: Path) -> Path:
        self._named += 1
        return below / f"D{self._named}"

    def directories(self) -> list[Path]:
        return [Path(where) for where, _, _ in os.walk(self._dcim)]

    def step(self) -> None:
        self.steps += 1
        inside = self.directories()
        below = inside[1:] or [self._make(self._dcim) for _ in range(8)]
        figure = self._dice.choice([self._race, self._move, self._move, self._leave, self._enter])
        figure(self._dice.choice(below), self._dice.choice(inside))

    def _make(self, parent: Path) -> Path:
        made = self._name(parent)
        made.mkdir()
        return made

    def _race(self, _: Path, __: Path) -> None:
        """Nests, and their parents renamed before anybody can have set a watch on what is new."""
        for one in sorted(each for each in self._dcim.iterdir() if each.is_dir()):
            nest = self._make(self._make(one))
            self._photos.put(nest)
            one.rename(self._name(self._dcim))

    def _move(self, one: Path, into: Path) -> None:
        if into.is_relative_to(one):
            into = self._dcim
        self._photos.put(one.rename(self._name(into)))

    def _leave(self, one: Path, _: Path) -> None:
        """Out of the root; all in it was filed before, or will come back."""
        one.rename(self._name(self._outside))

    def _enter(self, _: Path, into: Path) -> None:
        for one in sorted(self._outside.iterdir())[:1]:
            self._photos.put(one)
            self._photos.put(one.rename(self._name(into)))

    def come_home(self) -> None:
        for one in sorted(self._outside.iterdir()):
            one.rename(self._name(self._dcim))

    def into_each(self) -> None:
        """One more photo into each directory: is anybody listening there?"""
        for one in self.directories():
            self._photos.put(one)


@contextmanager
def outrun(witness: Witness) -> Iterator[None]:
    """The daemon gets no turn, as on a machine that has other things to do."""
    os.kill(witness.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(witness.pid, signal.SIGCONT)


def test_directories_that_move_while_photos_arrive(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    photos = Photos(audit)
    dance = Dance(house, photos, seed=2027)
    with witnessed(house) as witness:
        for _ in range(effort.of(1, 6)):
            for number in range(effort.of(4, 8)):
                with outrun(witness) if number % 2 else nullcontext():
                    for _ in range(5):
                        dance.step()
            dance.come_home()
            finish(house, audit, 120)
            dance.into_each()
            finish(house, audit, 120)
        note = rest(house, witness, effort.of(1, 20))
    figures.add(
        "storms",
        "directories made, renamed, moved in and out, nested, while photos arrive in them",
        dance.steps,
        photos.count,
        note,
    )


@pytest.fixture
def short_queue(inotify_limits: None) -> None:
    if not os.access(QUEUE, os.W_OK) or os.statvfs(QUEUE).f_flag & os.ST_RDONLY:
        pytest.skip(f"needs {QUEUE} to be writable")
    QUEUE.write_text("64")


@pytest.mark.root
@pytest.mark.alone
@pytest.mark.usefixtures("short_queue")
def test_a_queue_that_overflows_again_and_again(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    """Where setting the watches alone fills the queue, watchdog alone would never hear again."""
    photos = Photos(audit)
    house.configure(watch=[{"path": str(house.dcim), "scan_interval": "3s"}])
    places = [house.dcim / str(number) for number in range(effort.of(60, 600))]
    for place in places:
        place.mkdir()
    turns = effort.of(2, 10)
    with witnessed(house) as witness:
        for _ in range(turns):
            for number in range(800):
                (places[number % len(places)] / f"{number}.txt").touch()
            for place in places[:: len(places) // 20]:
                photos.put(place)
            finish(house, audit)
        note = rest(house, witness, 20) if effort.long else ""
    figures.add("storms", "a queue of 64 events that overflows", turns, photos.count, note)


@pytest.mark.root
@pytest.mark.parametrize(("what", "limit"), [("watches", 50), ("instances", 0)])
def test_too_few_watches(
    tmp_path: Path, what: str, limit: int, effort: Effort, figures: Figures
) -> None:
    house = Limited(tmp_path)
    house.limit(what, limit)
    audit = Audit(house)
    photos = Photos(audit)
    house.configure(watch=[{"path": str(house.dcim), "scan_interval": "1s"}])
    places = [house.dcim / str(number) for number in range(effort.of(70, 1000))]
    for place in places:
        place.mkdir()
    with witnessed(house):
        step = len(places) // effort.of(7, 100)
        for place in places[::step]:
            photos.put(place)
        if effort.long:
            finish(house, audit)
        for place in places[::step]:
            photos.put(place)
        finish(house, audit)
    figures.add("storms", f"inotify {what} limited to {limit}", 1, photos.count)
