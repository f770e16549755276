"""Killed with `kill -9` at any call and any moment: nothing is lost, half, twice or left behind."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drawing import RED, draw_photo
from killing import Point, Victim, killed_at, litter_of_state, needs_strace, points, share
from photosortd.models import Models
from photosortd.vision.bundle import read_bundle
from running import House, Running, eventually
from tiny import TINY, other_bundle
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.faults

SHOTS = 2  # that wait at each kill
UNDO = ("undo", "--since", "7d", "--yes")
ASKED = "SELECT 1 FROM request WHERE result IS NULL"


def test_a_run_that_files(tmp_path: Path, effort: Effort, figures: Figures) -> None:
    needs_strace()
    first = _victim(tmp_path / "0")
    first.feed(SHOTS)
    chosen = share(points(first.house, "--once", "--quiet"), effort.of(2, 1000))

    def work(victim: Victim, given: list[Point]) -> None:
        for point in given:
            victim.feed(SHOTS)
            victim.strike(point, "--once", "--quiet")
        victim.rest()
        victim.audit.undone()
        victim.house.once()
        assert victim.house.names() == []

    victims = _in_parallel([first, *_others(tmp_path, effort)], chosen, work)
    assert _kills(victims) > 0
    figures.add(
        "kill",
        "`kill -9` at each call that changes something, of `--once`, which begins by recovering "
        "from the kill before",
        _kills(victims),
        sum(each.photos for each in victims),
    )


def test_a_daemon_that_files(tmp_path: Path, effort: Effort, figures: Figures) -> None:
    """From its start to its end, with photos that were there before and one that comes later."""
    needs_strace()
    first = _victim(tmp_path / "0")
    first.feed(SHOTS)
    chosen = share(first.points_of_its_life(), effort.of(2, 1000))

    def work(victim: Victim, given: list[Point]) -> None:
        for point in given:
            victim.feed(SHOTS)
            victim.strike_the_daemon(point)
        victim.rest()
        victim.audit.undone()

    victims = _in_parallel([first, *_others(tmp_path, effort)], chosen, work)
    assert _kills(victims) > 0
    figures.add(
        "kill",
        "`kill -9` at each call that changes something, of the daemon, which begins by recovering "
        "from the kill before",
        _kills(victims),
        sum(each.photos for each in victims),
    )


def test_a_new_household(tmp_path: Path, effort: Effort, figures: Figures) -> None:
    """Ledger, marker and bundle are made; the second kill comes while the first is put right."""
    needs_strace()
    scout = Victim(tmp_path / "scout")
    scout.feed(1)
    chosen = share(points(scout.house, "--once", "--quiet"), effort.of(1, 60))

    def killed_twice(number: int) -> int:
        victim = Victim(tmp_path / str(number))
        victim.feed(1)
        for _ in range(2):
            victim.strike(chosen[number], "--once", "--quiet")
        victim.rest()
        shutil.rmtree(victim.house.base)
        return victim.kills

    with ThreadPoolExecutor(effort.of(1, 4)) as pool:
        kills = sum(pool.map(killed_twice, range(len(chosen))))
    assert kills > 0
    figures.add(
        "kill",
        "`kill -9` in the first run of a new household, and again in the next at the same call",
        kills,
        len(chosen),
    )


def test_undo(tmp_path: Path, effort: Effort, figures: Figures) -> None:
    needs_strace()
    first = _stocked(tmp_path / "0")
    chosen = share(points(first.house, *UNDO), effort.of(1, 1000))

    def work(victim: Victim, given: list[Point]) -> None:
        for point in given:
            if sum(name.endswith(".mov") for name in victim.house.names()) < 2:
                victim.feed(SHOTS)
                assert victim.house.once()["code"] == 0
            victim.kills += killed_at(victim.house, point, *UNDO)
            victim.look_at_what_was_undone()
        done = victim.house.run(*UNDO, "--json")
        assert done.returncode == 0, done.stdout
        victim.look_at_what_was_undone()
        assert victim.house.names() == ["red/mine.jpg", "red/twin.jpg"]
        assert victim.house.once()["code"] == 0
        assert victim.house.names() == ["red/mine.jpg", "red/twin.jpg"]
        victim.house.assert_sound()
        assert litter_of_state(victim.house.state) == []

    others = [_stocked(each.house.base / "stocked") for each in _others(tmp_path, effort)]
    victims = _in_parallel([first, *others], chosen, work)
    assert _kills(victims) > 0
    figures.add(
        "kill",
        "`kill -9` at each call of `undo` that changes something; files of others stayed",
        _kills(victims),
        sum(each.photos for each in victims),
    )


@pytest.mark.parametrize("arguments", [("retry", "--failed"), ("check",)], ids=["retry", "check"])
def test_other_commands(
    tmp_path: Path, effort: Effort, figures: Figures, arguments: tuple[str, ...]
) -> None:
    needs_strace()
    if arguments == ("check",) and not effort.long:
        pytest.skip("only in the long form")
    victim = _victim(tmp_path / "0")
    (victim.house.dcim / "broken.jpg").write_bytes(b"not a photo")
    victim.feed(SHOTS)
    victim.rest(code=1)
    for point in share(points(victim.house, *arguments), effort.of(1, 60)):
        if not victim.strike(point, *arguments):
            victim.house.once()  # what a `retry` asked for is done, and the next has it to ask
    victim.feed(SHOTS)
    assert victim.house.run("retry", "--failed").returncode == 0
    victim.rest(code=1)
    assert victim.house.outcomes()["unreadable"] == 1
    assert victim.kills > 0
    figures.add("kill", f"`kill -9` of `{arguments[0]}`", victim.kills, victim.photos)


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside the daemon"])
def test_model_install(tmp_path: Path, effort: Effort, figures: Figures, beside: bool) -> None:
    needs_strace()
    if not beside and not effort.long:
        pytest.skip("only in the long form")
    victim = _victim(tmp_path / "0", model=None, install=TINY)
    house = victim.house
    daemon = house.start() if beside else None
    if daemon is not None:
        eventually(lambda: house.is_up(daemon), what="the daemon is up")
    try:
        other_bundle(tmp_path / "first", "# first")
        chosen = share(points(house, "model", "install", str(tmp_path / "first")), effort.of(1, 50))
        for number, point in enumerate(chosen):
            if daemon is not None:  # asked where it asks: a copy may show what was never committed
                eventually(lambda: not House.query(house, ASKED), what="what was asked for is done")
            given = tmp_path / str(number + 1)
            possible = {_in_use(house.state), other_bundle(given, f"# {number}")}
            victim.strike(point, "model", "install", str(given))
            assert _in_use(house.state) in possible, point
            if number % 4 == 3:
                done = house.run("model", "rollback")
                assert done.returncode == 0 or "no earlier bundle" in done.stderr, done.stderr
    finally:
        if daemon is not None:
            daemon.kill()
    victim.feed(SHOTS)
    victim.rest()
    for path in (house.state / "models").iterdir():
        assert not path.is_dir() or path.is_symlink() or read_bundle(path).id == path.name
    assert victim.kills > 0
    where = "beside a running daemon" if beside else "without a daemon"
    figures.add("kill", f"`kill -9` of `model install` {where}", victim.kills, victim.photos)


@pytest.mark.parametrize("arguments", [(), ("--once",)], ids=["daemon", "once"])
def test_at_random_moments(
    tmp_path: Path, effort: Effort, figures: Figures, arguments: tuple[str, ...]
) -> None:
    """The whole process group, the daemon alone (its workers end by themselves), or a worker."""
    victim = _victim(tmp_path / "0")
    dice = random.Random(2026)
    for number in range(effort.of(2, 150)):
        victim.feed(4)
        running = victim.house.start(*arguments)
        try:
            _wait(running, dice.uniform(0.1, 0.8))
            victim.kills += (_kill_all, _kill_parent, _kill_worker)[number % 3](victim, running)
            victim.look()
            assert "Traceback" not in running.said()
        finally:
            running.kill()
        if number % 10 == 9:
            victim.rest()
    victim.rest()
    victim.audit.undone()
    what = "`--once`" if arguments else "the daemon"
    figures.add(
        "kill",
        f"`kill -9` of {what} at a random moment: with its workers, without them, or a worker",
        victim.kills,
        victim.photos,
    )


def test_the_daemon_in_the_middle_of_an_undo(
    tmp_path: Path, effort: Effort, figures: Figures
) -> None:
    victim = _stocked(tmp_path / "0")
    dice = random.Random(11)
    for _ in range(effort.of(1, 20)):
        victim.feed(8)
        running = victim.house.start()
        try:
            eventually(lambda: victim.house.filed().keys() >= victim.audit.expected.keys())
            asking = victim.house.start(*UNDO)
            try:
                _wait(asking, dice.uniform(0.2, 0.8))
                victim.kills += asking.process.poll() is None
                running.kill()
                asking.process.wait(30)
            finally:
                asking.kill()
        finally:
            running.kill()
        victim.look_at_what_was_undone()
        done = victim.house.run(*UNDO)
        assert done.returncode == 0, done.stdout
        assert victim.house.once()["code"] == 0
        done = victim.house.run(*UNDO)
        assert victim.house.names() == ["red/mine.jpg", "red/twin.jpg"]
        kept = {name: victim.audit.expected[name] for name in victim.house.names()}
        victim.audit.expected = kept
    victim.house.assert_sound()
    assert litter_of_state(victim.house.state) == []
    figures.add("kill", "`kill -9` of the daemon in an undo", victim.kills, victim.photos)


# ---- households


def _victim(base: Path, install: Path | None = None, **settings: object) -> Victim:
    """One that has run before; what follows is not about the installation of its bundle."""
    victim = Victim(base, **settings)
    if install is not None:
        assert victim.house.run("model", "install", str(install)).returncode == 0
    victim.rest()
    return victim


def _others(base: Path, effort: Effort) -> list[Victim]:
    """More households for the long form, which kills in several at a time."""
    count = effort.of(1, 4)
    return [_victim(base / str(number)) for number in range(1, count)]


def _stocked(base: Path) -> Victim:
    """With filed shots, a file of somebody else, and a photo that was in the library before."""
    base.mkdir(parents=True, exist_ok=True)
    victim = Victim(base)
    twin, mine = draw_photo(RED, seed=99), b"not of photosortd"
    (victim.house.library / "red").mkdir(parents=True)
    (victim.house.library / "red" / "twin.jpg").write_bytes(twin)
    (victim.house.library / "red" / "mine.jpg").write_bytes(mine)
    (victim.house.dcim / "twin.jpg").write_bytes(twin)
    victim.audit.expected |= {"red/twin.jpg": twin, "red/mine.jpg": mine}
    victim.feed(SHOTS)
    assert victim.house.once()["code"] == 0
    assert victim.house.filed() == victim.audit.expected
    return victim


def _in_parallel(
    victims: list[Victim], chosen: list[Point], work: Callable[[Victim, list[Point]], None]
) -> list[Victim]:
    shares = [chosen[number :: len(victims)] for number in range(len(victims))]
    with ThreadPoolExecutor(len(victims)) as pool:
        list(pool.map(work, victims, shares))
    return victims


def _kills(victims: list[Victim]) -> int:
    return sum(each.kills for each in victims)


def _in_use(state: Path) -> str:
    """The bundle's id; every byte of it is checked."""
    bundle = Models(str(state)).current()
    assert bundle is not None
    return bundle.id


# ---- moments


def _wait(running: Running, seconds: float) -> None:
    until = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > until or running.process.poll() is not None)


def _kill_all(_: Victim, running: Running) -> bool:
    """Returns whether there was still something to kill, as the next two do."""
    alive = running.process.poll() is None
    running.kill()
    return alive


def _kill_parent(_: Victim, running: Running) -> bool:
    workers = running.workers()
    alive = running.process.poll() is None
    if alive:
        running.process.kill()
    running.process.wait(10)
    eventually(lambda: not any(map(_is_alive, workers)), what="its workers end")
    return alive


def _kill_worker(victim: Victim, running: Running) -> bool:
    eventually(lambda: running.workers() or running.process.poll() is not None)
    workers = running.workers()[:1]
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: victim.house.filed().keys() >= victim.audit.expected.keys(), 60)
    running.kill()
    return bool(workers)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
