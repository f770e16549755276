"""Two of everything: two daemons, a run beside a daemon, requests in the middle of photos.

Whoever comes second is told so in one message, or waits its turn; nothing is filed by both.
"""

import json
import random

import pytest

from auditing import Audit
from pouring import pour
from running import House, Running, eventually
from tiny import other_bundle
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.faults


def add(house: House, audit: Audit, first: int, count: int, below: str = "") -> None:
    """More photos in the source, which the audit expects in the library."""
    audit.expected |= pour(house.dcim / below, range(first, first + count))
    audit.look_again()


def refused(running: Running, *words: str) -> None:
    """It ended at once with code 2 and one line that has these words."""
    code = running.process.wait(30)
    lines = running.said().splitlines()
    assert (code, len(lines)) == (2, 1), running.said()
    assert all(word in lines[0] for word in words), lines


def test_a_second_daemon_on_the_same_configuration_goes_and_harms_nothing(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, each = effort.of(1, 25), 8
    with house.daemon() as running:
        for number in range(times):
            add(house, audit, number * each, each)
            seconds = [house.start(), house.start("--once", "--quiet")]
            for second in seconds:
                refused(second, "running already", f"pid {running.pid}")
            assert house.status()["pid"] == running.pid
        eventually(lambda: house.names() == sorted(audit.expected), 60)
        eventually(house.is_idle)
    audit.settled()
    fault = "a second daemon and a `--once` on the same configuration while photos arrive"
    figures.add("two", fault, 2 * times, times * each)


def test_of_several_daemons_that_start_at_once_one_stays(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, each = effort.of(1, 15), 10
    for number in range(times):
        add(house, audit, number * each, each)
        started = [house.start() for _ in range(3)]
        try:
            eventually(lambda started=started: _alive(started) == 1, 60)
            (winner,) = (each for each in started if each.process.poll() is None)
            for other in started:
                if other is not winner:
                    refused(other, "running already")
            eventually(lambda winner=winner: house.is_up(winner))
            eventually(lambda: house.names() == sorted(audit.expected), 60)
            assert winner.stop() == 0
        finally:
            for running in started:
                running.kill()
    audit.settled()
    figures.add("two", "three daemons started at the same moment", times, times * each)


def _alive(started: list[Running]) -> int:
    return sum(running.process.poll() is None for running in started)


def test_two_daemons_with_memories_of_their_own_never_write_one_library_together(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, each = effort.of(1, 20), 8
    other = House(house.base / "other", library=str(house.library))
    other.library = house.library
    other.configure(watch=[{"path": str(house.dcim)}])
    pair = [house, other]
    for number in range(times):
        first, second = pair
        with first.daemon():
            add(house, audit, number * each, each)
            eventually(lambda: house.names() == sorted(audit.expected), 60)
            done = second.run("--once", "--quiet")
            assert done.returncode == 2
            assert "another photosortd is writing" in done.stderr
            eventually(first.is_idle)
        pair.reverse()
    # The last one to hold it knows what the other had filed, by its bytes.
    assert pair[0].once()["code"] == 0
    house.assert_filed_once(audit.expected)
    for one in pair:
        one.assert_sound()
    audit.unharmed()
    fault = "two daemons with different memories take turns at one library"
    figures.add("two", fault, times, times * each)


def test_daemons_that_watch_each_others_libraries_come_to_rest(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    """Overlapping sources, and a ring: what one files, the other takes for news."""
    count = effort.of(16, 400)
    other = House(house.base / "other")
    other.configure(watch=[{"path": str(house.dcim / "sub")}, {"path": str(house.library)}])
    house.configure(watch=[{"path": str(house.dcim)}, {"path": str(other.library)}])
    other.library.mkdir()
    house.library.mkdir()
    with house.daemon(), other.daemon():
        add(house, audit, 0, count // 2)
        add(house, audit, count, count // 2, below="sub")
        eventually(lambda: house.names() == sorted(audit.expected), 120)
        eventually(lambda: other.names() == sorted(audit.expected), 120)
        eventually(lambda: house.is_idle() and other.is_idle())
    audit.unharmed()
    house.assert_filed_once(audit.expected)
    other.assert_filed_once(audit.expected)
    house.assert_sound()
    other.assert_sound()
    figures.add("two", "two daemons that watch each other's libraries", 1, 2 * (count // 2))


def test_undo_and_retry_at_random_while_photos_arrive(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, each = effort.of(2, 200), 10
    dice = random.Random(7)
    removed = 0
    with house.daemon():
        for number in range(times):
            add(house, audit, number * each, each)
            (house.dcim / f"text-{number}.jpg").write_bytes(b"no photo at all")
            audit.look_again()
            if dice.random() < 0.3:
                done = house.run("retry", "--failed")
                assert done.returncode == 0, done.stdout + done.stderr
                continue
            what = dice.choice([["--since", "2s"], ["--category", "red"], ["--last"]])
            done = house.run("undo", *what, "--yes", "--json")
            if done.returncode == 2:  # nothing was filed yet
                assert "no batch" in done.stderr, done.stderr
            elif done.stdout:
                removed += json.loads(done.stdout)["removed"]
                assert done.returncode == 0, done.stdout
        eventually(lambda: sum(house.outcomes().values()) == times * (each + 1), 120)
        eventually(house.is_idle)
    undone = [
        f"{directory.decode()}/{name.decode()}"
        for directory, name in house.query(
            "SELECT directory, name FROM placement WHERE state = 'undone'"
        )
    ]
    assert len(undone) == len(set(undone)) == removed
    for name in undone:
        del audit.expected[name]
    audit.settled()
    fault = "undo and retry at random while photos arrive"
    figures.add("two", fault, times, times * each, f"{removed:,} copies were taken back")


def test_models_are_installed_while_photos_are_in_flight(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, each = effort.of(1, 60), 12
    bundles = [house.base / f"bundle-{number}" for number in range(3)]
    ids = [other_bundle(path, f"# Number {path.name}\n") for path in bundles]
    house.configure(model=None)
    assert house.run("model", "install", str(bundles[0])).returncode == 0
    with house.daemon():
        for number in range(1, times + 1):
            add(house, audit, number * each, each)
            which = number % 3
            if number % 4 == 0:
                done = house.run("model", "rollback")
            else:
                done = house.run("model", "install", str(bundles[which]))
            assert done.returncode == 0, done.stdout + done.stderr
            if number % 4:
                eventually(lambda which=which: house.status()["bundle"]["id"] == ids[which])
        eventually(lambda: house.names() == sorted(audit.expected), 60)
        eventually(house.is_idle)
    audit.settled()
    fault = "another model installed, or rolled back, with photos in flight"
    figures.add("two", fault, times, times * each)
