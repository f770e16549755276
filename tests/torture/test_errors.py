"""Disks and shares that fail in one call, in some, in all: said, waited for, and nothing lost."""

import random
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from auditing import Audit
from drawing import MAGENTA, draw_photo
from injecting import LASTING, Fault, Fresh, failing, faults, needs_strace, while_failing
from running import House, eventually
from torture.conftest import Effort, Figures

pytestmark = pytest.mark.faults


def test_each_call_may_fail(house: House, audit: Audit, effort: Effort, figures: Figures) -> None:
    needs_strace()
    fresh = Fresh(house)
    audit.expected |= fresh.expected
    audit.look_again()
    fresh.again()
    single = faults(house)
    assert len(single) > 100
    chance = random.Random(4)
    lasting = [
        Fault(each.call, each.number, each.error, chance.choice((3, 30, None)))
        for each in single
        if each.call in LASTING
    ]
    chance.shuffle(single)
    calls = list({(each.call, each.number): each for each in single}.values())  # one error of each
    tried = calls[: effort.of(1, len(calls))]
    tried += chance.sample(lasting, min(effort.of(1, 75), len(lasting)))
    failed = []
    ended_well = 0
    for fault in tried:
        fresh.again()
        try:
            ended_well += survived(house, audit, fault)
        except AssertionError as error:
            failed.append(f"{fault}: {error}")
    assert not failed, "\n".join(failed)
    figures.add(
        "errors",
        "each system call of `--once` answered with one of ENOSPC, EIO, EROFS, EDQUOT, ESTALE, … "
        "(once; and some of them three times, thirty times or for ever)",
        len(tried),
        len(tried),
        f"{ended_well} times it was filed all the same",
    )


def survived(house: House, audit: Audit, fault: Fault) -> bool:
    """Whether everything was filed in spite of it; the next run without it does in any case."""
    done = failing(house, fault)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode >= 0, f"ended by signal {-done.returncode}"
    whole, said = house.names() == sorted(audit.expected), (done.stderr + done.stdout).strip()
    assert whole or done.returncode != 0, f"exit code 0 with {house.names()}"
    # Where `write` fails, the words that say so cannot be written either.
    assert done.returncode == 0 or fault.call == "write" or said, "no word of why"
    audit.whole()
    audit.unharmed()
    with suppress(sqlite3.OperationalError):  # there may be no tables yet
        audit.placed_is_there()
    after = house.once()
    assert after["code"] == 0, after
    audit.settled()
    return whole


@pytest.mark.parametrize(
    ("call", "error"),
    [
        *(("renameat2", "EROFS"), ("fdatasync", "EIO"), ("pwrite64", "ENOSPC")),
        *(("fsync", "EDQUOT"), ("renameat2", "ESTALE")),
    ],
)
def test_a_daemon_sits_it_out(
    call: str,
    error: str,
    house: House,
    audit: Audit,
    effort: Effort,
    figures: Figures,
    tmp_path: Path,
) -> None:
    needs_strace()
    if not effort.long and error != "EROFS":
        pytest.skip("only in the long form")
    rounds, photos = effort.of(1, 3), 0
    house.photo("first.jpg", MAGENTA)
    for to in ("red", "blue"):
        audit.expected[f"{to}/first.jpg"] = (house.dcim / "first.jpg").read_bytes()
    audit.look_again()
    with house.daemon() as running:
        eventually(lambda: house.names() == sorted(audit.expected), what="the first is filed")
        for number in range(rounds):
            before = len(running.said())
            with while_failing(running.pid, call, error, tmp_path / "calls.txt"):
                for each in range(3):
                    name = f"{number}-{each}.jpg"
                    data = draw_photo(MAGENTA, seed=1 + photos)
                    (house.dcim / name).write_bytes(data)
                    audit.expected |= {f"{to}/{name}": data for to in ("red", "blue")}
                    photos += 1
                audit.look_again()
                eventually(lambda before=before: "waiting: " in running.said()[before:])
                audit.whole()
            eventually(lambda: house.names() == sorted(audit.expected), 90, "all are filed")
            eventually(house.is_idle, what="idle")
            eventually(lambda: house.status()["trouble"] is None, what="the trouble is over")
            said = running.said()[before:]
            assert [said.count(word) for word in ("waiting: ", "going on: ")] == [1, 1], said
    audit.settled()
    figures.add("errors", f"{call} of the running daemon fails with {error}", rounds, photos)
