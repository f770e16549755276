"""The daemon's own memory fails: lost, damaged, from another time; a model changed in use.

One clear message, nothing overwritten; and what is in the library is found again by its bytes.
"""

import os
import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from auditing import Audit
from pouring import photo, pour
from running import House, eventually
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.faults

DOUBLES = 10  # photos that lie in the source twice, under two names


def filled(house: House, audit: Audit, count: int) -> bytes:
    """Filed photos, some of which came once more under other names. Returns the ledger's bytes."""
    audit.expected |= pour(house.dcim / "b", range(count))
    assert house.once()["code"] == 0
    (house.dcim / "a").mkdir()
    for number in range(DOUBLES):
        (house.dcim / "a" / f"copy-{number}.jpg").write_bytes(photo(number))
    audit.look_again()
    assert house.once()["code"] == 0
    audit.settled()
    return ledger(house).read_bytes()


def ledger(house: House) -> Path:
    return house.state / "ledger.db"


def forget(house: House) -> None:
    for path in house.state.glob("ledger.db*"):
        path.unlink()


def found_again(house: House, audit: Audit, *more: str) -> None:
    """A run that files nothing that is there already, and knows it all afterwards."""
    done = house.once(*more)
    assert done["code"] == 0, done
    house.assert_filed_once(audit.expected)
    house.assert_sound()
    audit.unharmed()


def test_a_lost_ledger_is_rebuilt_from_the_library(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, count = effort.of(1, 20), 40
    filled(house, audit, count)
    for number in range(times):
        forget(house)
        if number % 2:  # the first run after the loss is broken off
            house.start("--once", "--quiet").stop(seconds=20)
        audit.expected |= pour(house.dcim / "b", [count + number])
        audit.look_again()
        found_again(house, audit)
    figures.add("two", "the ledger lost, photos twice in the source", times, times * count)


def test_an_old_ledger_put_back_finds_what_came_since(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, count = effort.of(1, 20), 30
    backup = filled(house, audit, count)
    for number in range(times):
        audit.expected |= pour(
            house.dcim / "later", range(count + number * 5, count + number * 5 + 5)
        )
        audit.look_again()
        assert house.once()["code"] == 0
        forget(house)
        ledger(house).write_bytes(backup)
        found_again(house, audit)
    audit.settled()
    figures.add("two", "an old copy of the ledger put back", times, times * (count + 5))


def damage(whole: bytes, dice: random.Random) -> bytes:
    """What dying cards do: bits, a piece, a page of zeros, the end missing."""
    data, at = bytearray(whole), dice.randrange(len(whole))
    page = at // 4096 * 4096
    match dice.randrange(4):
        case 0:
            for _ in range(dice.choice([1, 10, 200])):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        case 1:
            data[at : at + 2000] = dice.randbytes(len(data[at : at + 2000]))
        case 2:
            data[page : page + 4096] = bytes(4096)
        case _:
            del data[at:]
    return bytes(data)


def test_a_damaged_ledger_is_said_and_left_alone(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    times, count = effort.of(3, 200), 40
    whole = filled(house, audit, count)
    dice = random.Random(2)
    refused = 0
    for _ in range(times):
        forget(house)
        damaged = damage(whole, dice)
        ledger(house).write_bytes(damaged)
        done = house.run("--once", "--quiet")  # never with a traceback
        if done.returncode:
            refused += 1
            assert done.returncode == 78, done.stderr
            assert len(done.stderr.splitlines()) == 1, done.stderr
            assert "ledger.db: damaged (" in done.stderr or "newer photosortd" in done.stderr
            assert house.run("status").returncode in (1, 78)
        house.assert_filed_once(audit.expected)
        audit.unharmed()
    assert refused > times // 4
    forget(house)
    found_again(house, audit)
    fault = "the ledger damaged: bits, pieces, pages, its end"
    figures.add("two", fault, times, times * count, f"{refused:,} times refused, else harmless")


def test_a_ledger_that_is_damaged_under_a_running_daemon_ends_it_once(
    house: House, audit: Audit, figures: Figures
) -> None:
    filled(house, audit, 40)
    running = house.start()
    try:
        eventually(lambda: house.is_up(running) and house.is_idle())
        size = ledger(house).stat().st_size
        with ledger(house).open("r+b") as stream:
            stream.seek(4096)
            stream.write(b"\xff" * (size - 4096))
        pour(house.dcim / "b", range(100, 400))
        audit.look_again()
        assert running.process.wait(60) == 78, running.said()
        assert "damaged" in running.said().splitlines()[-1]
        assert "Traceback" not in running.said()
    finally:
        running.kill()
    forget(house)
    audit.expected |= pour(house.dcim / "b", range(100, 400))
    audit.look_again()
    found_again(house, audit)
    fault = "the ledger overwritten under a running daemon, which ends and says so"
    figures.add("two", fault, 1, len(audit.expected))


def test_a_ledger_of_a_newer_version_is_left_alone(
    house: House, audit: Audit, figures: Figures
) -> None:
    filled(house, audit, 12)
    with closing(sqlite3.connect(ledger(house))) as database:
        database.execute("PRAGMA user_version=99")
    before = ledger(house).read_bytes()
    commands = (["--once"], [], ["undo", "--last", "--yes"], ["status"], ["why", "x.jpg"])
    for arguments in commands:
        done = house.run(*arguments)
        assert done.returncode == 78, (arguments, done.stdout + done.stderr)
        assert "newer photosortd" in done.stderr
        assert ledger(house).read_bytes() == before
    house.assert_filed_once(audit.expected)
    fault = "a ledger of a newer version: every command refuses it and leaves it as it is"
    figures.add("two", fault, len(commands), 12)


def test_a_damaged_status_is_said_and_written_anew(house: House) -> None:
    house.photo("a.jpg")
    assert house.once()["code"] == 0
    for content in (b"{", b"[" * 100_000, b"\xff\xfe", b'{"format": 1}'):
        (house.state / "status.json").write_bytes(content)
        done = house.run("status")
        assert done.returncode == 1, content[:20]
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert "status.json" in done.stderr
    assert house.once()["code"] == 0
    assert house.status()["counts"] == {"placed": 1}


def test_a_model_changed_in_use_files_nothing_wrongly(
    house: House, audit: Audit, effort: Effort, figures: Figures
) -> None:
    """Overwritten, cut short, swapped, deleted: where it is in use, and where it came from."""
    times, each = effort.of(2, 80), 12
    source = house.base / "bundle"
    shutil.copytree(house.settings["model"], source)
    house.configure(model=str(source))
    running = house.start()
    try:
        eventually(lambda: house.is_up(running))
        installed = (house.state / "models" / "current").resolve() / "model.tflite"
        whole = installed.read_bytes()
        for number in range(times):
            for path in (installed, source / "model.tflite"):
                _spoil(path, ["overwrite", "cut", "swap", "delete"][number % 4])
            audit.expected |= pour(house.dcim, range(number * each, (number + 1) * each))
            audit.look_again()
            eventually(lambda: house.names() == sorted(audit.expected), 60)
            if number % 4 == 1:  # a worker that has to load it anew says what is wrong, and waits
                os.kill(running.workers()[0], 9)
                (house.dcim / "text.jpg").write_bytes(b"no photo %d" % number)
                audit.look_again()
                eventually(lambda: "model.tflite" in (house.status()["trouble"] or ""), 60)
            for path in (installed, source / "model.tflite"):
                path.write_bytes(whole)
            eventually(lambda: house.status()["trouble"] is None and house.is_idle(), 60)
        assert running.stop() == 0
        assert "Traceback" not in running.said()
    finally:
        running.kill()
    audit.settled()
    fault = "the model overwritten, cut short, swapped or deleted in use"
    figures.add("two", fault, times, times * each)


def _spoil(path: Path, how: str) -> None:
    size = path.stat().st_size
    if how == "overwrite":
        with path.open("r+b") as stream:
            stream.write(bytes(size))
    elif how == "cut":
        os.truncate(path, 0)
    elif how == "swap":
        beside = path.with_name("beside")
        beside.write_bytes(bytes(size))
        os.replace(beside, path)
    else:
        path.unlink()


def test_a_library_put_back_from_a_backup_is_used_and_nothing_is_filed_twice(
    house: House, audit: Audit, figures: Figures
) -> None:
    """The same marker on two disks: an older copy of the library at its place, or at another."""
    filled(house, audit, 24)
    backup = house.base / "backup"
    shutil.copytree(house.library, backup, symlinks=True)
    then = dict(audit.expected)
    news = pour(house.dcim / "later", range(100, 110))
    audit.look_again()
    with house.daemon():
        eventually(lambda: len(house.names()) == len(then | news))
        eventually(house.is_idle)
        house.library.rename(house.base / "aside")
        backup.rename(house.library)
        more = pour(house.dcim / "later", range(110, 120))
        audit.look_again()
        eventually(lambda: len(house.names()) == len(then | more), 60)
        eventually(house.is_idle)
    # What stood only on the other disk is not filed again by itself: whoever takes a backup gets
    # what was in it. The memory can be told to forget.
    house.assert_filed_once(then | more)
    audit.unharmed()
    forget(house)
    audit.expected |= news | more
    found_again(house, audit)
    elsewhere = house.base / "elsewhere"
    shutil.copytree(house.library, elsewhere, symlinks=True)
    house.library = elsewhere
    house.configure(library=str(elsewhere))
    found_again(house, audit)
    fault = "the library put back from a backup, at its place and at another"
    figures.add("two", fault, 2, len(audit.expected))
