"""The unit of undo: when does a new batch begin?"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from photosortd.ledger import Ledger
from photosortd.pipeline.batches import GAP, Batches

NOON = time.mktime((2026, 5, 1, 12, 0, 0, 0, 0, -1))
MIDNIGHT = time.mktime((2026, 5, 2, 0, 0, 0, 0, 0, -1))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(str(tmp_path / "ledger.db"))
    yield opened
    opened.close()


def test_photos_close_together_are_one_batch(ledger: Ledger) -> None:
    batches = Batches(ledger.placements, "live")
    assert len({batches.at(NOON + minute * 60) for minute in (0, 9, 18, 27)}) == 1


def test_a_pause_begins_a_new_batch(ledger: Ledger) -> None:
    batches = Batches(ledger.placements, "live")
    assert batches.at(NOON) != batches.at(NOON + GAP)


def test_midnight_begins_a_new_batch(ledger: Ledger) -> None:
    batches = Batches(ledger.placements, "live")
    assert batches.at(MIDNIGHT - 30) != batches.at(MIDNIGHT + 30)


def test_a_clock_set_back_begins_a_new_batch(ledger: Ledger) -> None:
    batches = Batches(ledger.placements, "live")
    assert batches.at(NOON) != batches.at(NOON - 3600)


def test_a_run_once_is_one_batch_however_long_it_takes(ledger: Ledger) -> None:
    batches = Batches(ledger.placements, "once")
    assert batches.at(NOON) == batches.at(NOON + 36 * 3600)
    assert Batches(ledger.placements, "once").at(NOON) != batches.at(NOON)
