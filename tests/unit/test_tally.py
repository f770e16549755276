"""The line that a batch becomes."""

import time

import pytest

from photosortd.pipeline import Done
from photosortd.records import Outcome, Source
from photosortd.service.tally import Tally

NOON = time.mktime((2026, 5, 1, 12, 0, 0, 0, 0, -1))
MIDNIGHT = time.mktime((2026, 5, 2, 0, 0, 0, 0, 0, -1))


def done(
    outcome: Outcome, at: float = NOON, categories: tuple[str, ...] = (), batch: int | None = None
) -> Done:
    source = Source("/dcim", "a.jpg")
    return Done(source, outcome, at, 2.0, live=True, categories=categories, batch=batch)


def filed(*categories: str, at: float = NOON, batch: int = 12) -> Done:
    return done(Outcome.PLACED, at, categories, batch)


def tally_of(*given: Done, dry: bool = False) -> Tally:
    tally = Tally(dry)
    for each in given:
        tally.add(each)
    return tally


def test_what_a_batch_says() -> None:
    tally = tally_of(
        filed("food"),
        filed("animal", "food", at=NOON + 30),
        done(Outcome.NONE, NOON + 60),
        done(Outcome.NONE, NOON + 190, categories=("_review",)),
    )
    assert tally.line() == "batch 12: 4 files in 3 min: 2 filed (animal 1, food 2), 2 none"
    assert tally.fields() == {
        "PHOTOSORTD_BATCH": "12",
        "PHOTOSORTD_FILES": "4",
        "PHOTOSORTD_FILED": "2",
        "PHOTOSORTD_NONE": "2",
        "PHOTOSORTD_UNSURE": "0",
        "PHOTOSORTD_DUPLICATE": "0",
        "PHOTOSORTD_IGNORED": "0",
        "PHOTOSORTD_FAILED": "0",
        "PHOTOSORTD_CATEGORIES": "animal,food",
        "PHOTOSORTD_DURATION_MS": "190000",
    }


def test_every_outcome_is_named() -> None:
    tally = tally_of(*map(done, Outcome), done(Outcome.DUPLICATE))
    assert tally.line() == (
        "10 files: 1 filed, 1 none, 1 unsure, 2 duplicates, 1 truncated, 1 unreadable, "
        "1 set aside, 1 ignored, 1 lost"
    )
    assert tally.fields()["PHOTOSORTD_FAILED"] == "4"


def test_one_file_of_which_nothing_was_filed_has_no_batch_to_undo() -> None:
    tally = tally_of(done(Outcome.NONE))
    assert tally.line() == "1 file: 1 none"
    assert "PHOTOSORTD_BATCH" not in tally.fields()


def test_failures_without_a_line_of_their_own_are_counted() -> None:
    tally = tally_of(*[done(Outcome.UNREADABLE)] * 30)
    tally.withheld = 10
    assert tally.line() == (
        "30 files: 30 unreadable (10 failures not named here, see `photosortd status`)"
    )


def test_a_dry_run_does_not_claim_to_have_filed() -> None:
    assert tally_of(filed("food"), dry=True).line().endswith("1 would be filed (food 1)")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.9, ""), (1, " in 1 s"), (59.9, " in 59 s"), (60, " in 1 min"), (5399, " in 90 min"),
     (5400, " in 2 h"), (36000, " in 10 h")],
)  # fmt: skip
def test_how_long_it_took(seconds: float, said: str) -> None:
    tally = tally_of(filed("food"), filed("food", at=NOON + seconds))
    assert f"2 files{said}: 2 filed" in tally.line()


def test_when_a_batch_is_over() -> None:
    assert not Tally().is_over(NOON)
    tally = tally_of(filed("food"))
    assert not tally.is_over(NOON + 599)
    assert tally.is_over(NOON + 600)
    assert not tally.is_over(NOON - 1)  # a time server
    assert tally.is_over(NOON - 3600)
    assert tally_of(filed("food", at=MIDNIGHT - 5)).is_over(MIDNIGHT + 5)


def test_what_belongs_to_a_batch() -> None:
    tally = tally_of(filed("food", batch=12))
    assert tally.belongs(filed("food", at=NOON + 60, batch=12))
    assert tally.belongs(done(Outcome.NONE, NOON + 60))
    assert not tally.belongs(filed("food", at=NOON + 60, batch=13))
    assert not tally.belongs(done(Outcome.NONE, NOON + 600))
