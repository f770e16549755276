"""The power fails at any moment: what was called filed is there, whole; the rest follows."""

import os
import random
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cutting import Disk, disk
from drawing import RED, draw_photo
from killing import Victim, killed_at, litter_of_state, needs_strace, points, share
from running import Running, eventually
from torture.conftest import Effort, Figures

pytestmark = [pytest.mark.faults, pytest.mark.root]

ON_DISK = ("library and state", "library", "state")
"""What lies on the disk whose power fails. The photos lie on another one, and so does the rest."""

SHOTS = 4  # that wait at each cut of a run that files

UNDO = ("undo", "--since", "7d", "--yes")


@pytest.fixture(params=["ext4", "xfs"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def lamp(tmp_path: Path, kind: str) -> Iterator[Disk]:
    """The disk whose power fails."""
    needs_strace()
    with disk(tmp_path, kind) as made:
        yield made


def test_while_photos_are_filed(
    tmp_path: Path, lamp: Disk, kind: str, effort: Effort, figures: Figures
) -> None:
    dice = random.Random(2027)
    victims = [_victim(tmp_path, lamp, what) for what in ON_DISK[: effort.of(1, 3)]]
    for victim in victims:
        victim.rest()
    calls = []
    if effort.long:
        victims[0].feed(SHOTS)
        calls = points(victims[0].house, "--once", "--quiet")
    hits = 0
    for number in range(effort.of(1, 54)):
        victim = victims[number % len(victims)]
        victim.feed(SHOTS)
        if number // 3 % 3 < 2:
            hits += _cut_between_names(victim, lamp, dice, *(() if number % 2 else ("--once",)))
        else:
            # Every other time in the run that recovers from a kill.
            for _ in range(1 + number % 2):
                killed = killed_at(victim.house, dice.choice(calls), "--once", "--quiet")
            lamp.cut()
            hits += killed
        lamp.power()
        victim.look()
        if number % 5 == 4:
            victim.rest()
    for victim in victims:
        victim.rest()
        victim.audit.undone()
    assert hits
    figures.add(
        "power",
        f"power cut of a disk with {kind}, with the library, the state, or both on it, while "
        "`--once` or the daemon files photos, or right after it was killed in the middle",
        hits,
        sum(each.photos for each in victims),
    )


def test_that_a_missing_sync_is_seen(
    tmp_path: Path, lamp: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cuts come where they hurt: a photosortd that syncs nothing is found out by the first."""
    victim = _victim(tmp_path, lamp, "library")
    victim.rest()
    (tmp_path / "sitecustomize.py").write_text("import os\nos.fsync = lambda _: None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    victim.feed(12 * SHOTS)  # enough of them are left when half are filed: it is fast like that
    lamp.sync()
    assert _cut_between_names(victim, lamp, random.Random(2), "--once")
    lamp.power()
    with pytest.raises(AssertionError, match="the ledger says placed"):
        victim.look()


def test_in_the_first_run(
    tmp_path: Path, lamp: Disk, kind: str, effort: Effort, figures: Figures
) -> None:
    """Ledger, marker and bundle are made: none may be half, and the next start must go on."""
    if kind == "ext4" and not effort.long:
        pytest.skip("with xfs alone in the short form")
    scout = _victim(tmp_path, lamp, "scout")
    scout.feed(1)
    calls = share(points(scout.house, "--once", "--quiet"), effort.of(1, 20))
    hits = 0
    for number, point in enumerate(calls):
        victim = _victim(tmp_path, lamp, ON_DISK[number % 3], str(number))
        victim.feed(1)
        lamp.sync()
        hits += killed_at(victim.house, point, "--once", "--quiet")
        lamp.cut()
        lamp.power()
        victim.look()
        victim.rest()
        for path in (victim.house.library, victim.house.state, victim.house.base):
            shutil.rmtree(path)
    figures.add(
        "power",
        f"power cut of a disk with {kind} right after the first run of a new household was killed",
        hits,
        len(calls),
    )


def test_while_an_undo_runs(
    tmp_path: Path, lamp: Disk, kind: str, effort: Effort, figures: Figures
) -> None:
    if kind == "xfs" and not effort.long:
        pytest.skip("with ext4 alone in the short form")
    dice = random.Random(2028)
    victims = [_victim(tmp_path, lamp, what) for what in ON_DISK[: effort.of(1, 3)]]
    mine = draw_photo(RED, seed=98)
    for victim in victims:
        (victim.house.library / "red").mkdir(parents=True)
        (victim.house.library / "red" / "mine.jpg").write_bytes(mine)
        victim.audit.expected["red/mine.jpg"] = mine
    calls = None
    hits = 0
    for number in range(effort.of(1, 12)):
        victim = victims[number % len(victims)]
        if calls is None:
            victim.feed(2)
            assert victim.house.once()["code"] == 0
            calls = points(victim.house, *UNDO)
            victim.audit.expected = {"red/mine.jpg": mine}
        victim.feed(2)
        assert victim.house.once()["code"] == 0
        lamp.sync()
        hits += killed_at(victim.house, dice.choice(calls), *UNDO)
        lamp.cut()
        lamp.power()
        victim.look_at_what_was_undone()
        done = victim.house.run(*UNDO)
        assert done.returncode == 0, done.stdout
        assert victim.house.names() == ["red/mine.jpg"]
        victim.audit.expected = {"red/mine.jpg": mine}
        assert victim.house.once()["code"] == 0
        assert victim.house.names() == ["red/mine.jpg"]
        victim.house.assert_sound()
        assert litter_of_state(victim.house.state) == []
    figures.add(
        "power",
        f"power cut of a disk with {kind} right after an undo was killed in its middle",
        hits,
        sum(each.photos for each in victims),
    )


def _victim(base: Path, lamp: Disk, on_disk: str, name: str = "") -> Victim:
    """A household of its own, with what `on_disk` names on that disk."""
    name = name or on_disk.replace(" ", "-")
    victim = Victim(base / name)
    house = victim.house
    for what in ("library", "state"):
        if what in on_disk:
            (lamp.point / name).mkdir(exist_ok=True)
            setattr(house, what, lamp.point / name / what)
            house.configure(**{what: str(lamp.point / name / what)})
    return victim


def _cut_between_names(victim: Victim, lamp: Disk, dice: random.Random, *arguments: str) -> bool:
    """Cut as soon as half of what waits, or more, has its name in the library, but not all.

    Shots were called filed by then, just now, with nothing else that might have synced them.
    Everything stops at once; or the disk alone, which its process lives to see. Returns whether
    there was still something to file.
    """
    missing = victim.audit.expected.keys() - victim.house.filed().keys()
    enough = dice.randint(len(missing) // 2, len(missing) - 1)
    running = victim.house.start(*arguments)
    try:
        eventually(
            lambda: _how_many(victim, missing) >= enough or running.process.poll() is not None,
            what="photos are filed",
            pause=0.001,
        )
        if dice.random() < 0.5:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGSTOP)
            under_way = _how_many(victim, missing) < len(missing)
            lamp.cut()
        else:
            under_way = _how_many(victim, missing) < len(missing)
            lamp.cut()
            _wait(running, 0.3)
        assert "Traceback" not in running.said()
    finally:
        running.kill()
    return under_way


def _how_many(victim: Victim, names: Iterable[str]) -> int:
    return sum((victim.house.library / name).exists() for name in names)


def _wait(running: Running, seconds: float) -> None:
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > until or running.process.poll() is not None)
