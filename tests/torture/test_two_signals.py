"""Signals at bad moments: reloads in mid-batch, the end in the middle of a start or an undo.

Nothing that a signal breaks off is half-done, and the next start goes on.
"""

import random
import signal
import time
from pathlib import Path

import pytest

from auditing import Audit
from pouring import pour
from running import House, Tree, eventually, read_files
from tiny import other_bundle
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.faults

ENDED = (0, -signal.SIGTERM)  # well; or before it listened, when nothing had begun


def wait(seconds: float) -> None:
    moment = time.monotonic() + seconds
    eventually(lambda: time.monotonic() > moment)


def together(libraries: list[Path]) -> Tree:
    """What all libraries hold; no photo may be in two of them."""
    filed = [read_files(library) for library in libraries if library.exists()]
    found = {name: data for each in filed for name, data in each.items()}
    assert len(found) == sum(map(len, filed)), "a photo was filed into both libraries"
    return found


def test_reloads_in_mid_batch(house: House, effort: Effort, figures: Figures) -> None:
    times, each = effort.of(2, 120), 12
    dice = random.Random(5)
    libraries = [house.library, house.base / "library-2"]
    roots = [house.dcim, house.base / "more"]
    roots[1].mkdir()
    bundle = house.base / "bundle"
    other_bundle(bundle)
    changes = [
        *({"library": str(library)} for library in libraries),
        *({"watch": [{"path": str(root)} for root in some]} for some in ([roots[0]], roots)),
        {"model": str(bundle)},
    ]
    expected: Tree = {}
    with house.daemon() as running:
        for number in range(times):
            expected |= pour(roots[number % 2], range(number * each, (number + 1) * each))
            house.configure(**dice.choice(changes))
            for _ in range(dice.choice([1, 2, 50])):
                running.process.send_signal(signal.SIGHUP)
            if number % 3 == 2:
                good = house.config.read_text()
                house.config.write_text(good.replace("library:", "libary:"))
                running.process.send_signal(signal.SIGHUP)
                eventually(lambda: "libary" in (house.status()["warning"] or ""), 60)
                house.config.write_text(good)
        house.configure(watch=[{"path": str(root)} for root in roots])
        running.process.send_signal(signal.SIGHUP)
        eventually(lambda: together(libraries).keys() == expected.keys(), 120)
        eventually(lambda: house.is_idle() and house.status()["warning"] is None)
    assert together(libraries) == expected
    house.assert_sound()
    fault = "reload in mid-batch: up to 50 at once, another library, root or model, a mistake"
    figures.add("two", fault, times, times * each)


def test_the_end_in_the_middle_of_a_start_or_a_reload(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, each = effort.of(1, 150), 6
    dice = random.Random(11)
    for number in range(times):
        audit.expected |= pour(house.dcim, range(number * each, (number + 1) * each))
        audit.look_again()
        running = house.start()
        try:
            if number % 2:
                wait(dice.uniform(0.0, 0.8))
            else:
                eventually(lambda running=running: house.is_up(running))
                running.process.send_signal(signal.SIGHUP)
                wait(dice.uniform(0.0, 0.3))
                if dice.random() < 0.5:
                    running.process.send_signal(signal.SIGHUP)
            assert running.stop(seconds=20) in ENDED, running.said()
            assert "Traceback" not in running.said(), running.said()
            audit.whole()
            audit.placed_is_there()
        finally:
            running.kill()
    assert house.once()["code"] == 0
    audit.settled()
    fault = "TERM during a start, the first scan or a reload, and together with HUP"
    figures.add("two", fault, times, times * each)


def test_the_end_in_the_middle_of_an_undo(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, count = effort.of(1, 40), effort.of(30, 600)
    dice = random.Random(3)
    audit.expected |= pour(house.dcim, range(count))
    audit.look_again()
    assert house.once()["code"] == 0
    audit.settled()
    for number in range(times):
        running = house.start()
        try:
            eventually(lambda running=running: house.is_up(running) and house.is_idle())
            left = len(house.names())
            asking = house.start("undo", "--since", "7d", "--yes", "--json")
            eventually(
                lambda left=left, asking=asking: (
                    len(house.names()) < left or asking.process.poll() is not None
                )
            )
            wait(dice.uniform(0.0, 0.05))
            if number % 3 == 2:
                running.kill()
            else:
                assert running.stop() == 0, running.said()
            code = asking.process.wait(30)
            assert code in (0, 1), asking.said()
            assert "Traceback" not in running.said() + asking.said()
        finally:
            running.kill()
        audit.whole()
        audit.unharmed()
        if not house.names():
            break
    audit.undone()
    house.assert_sound()
    assert house.once()["files"] == []  # what was undone stays away
    figures.add("two", "TERM and KILL in the middle of an undo", number + 1, count)
