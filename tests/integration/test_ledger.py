"""The ledger: what was done with which version, and that a double event is harmless."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from photosortd.errors import ConfigError, WorldError
from photosortd.ledger import Entry, Filed, Ledger, Note, Progress, Selection, schema
from photosortd.ledger.looking import FEW
from photosortd.records import (
    Decided,
    Method,
    Outcome,
    Placement,
    PlacementState,
    Seen,
    Source,
    Stamp,
    Verdict,
)

STAMP = Stamp(size=5, mtime_ns=1, ctime_ns=2, blocks=8, inode=(1 << 64) - 3)
A, B = "a" * 64, "b" * 64
BEFORE_CALM = """
DROP TRIGGER calm_until_insert; DROP TRIGGER calm_until_update; DROP TRIGGER calm_until_move;
DROP TRIGGER calm_until_delete; DROP TABLE calm;
"""
"""What makes a ledger of the third version out of one of the fourth."""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(str(tmp_path / "ledger.db"))
    yield opened
    opened.close()


def note(path: str = "a.jpg", sha256: str | None = A, stamp: Stamp = STAMP, **more: object) -> Note:
    return Note(Source("/dcim", path), stamp, seen_at=10.0, at=11.0, sha256=sha256, **more)  # type: ignore[arg-type]


def decided(sha256: str = A, *categories: str, bundle: str = "bundle1") -> Decided:
    seen = Seen(sha256, "JPEG", 4, 3, None, (0.9, 0.1))
    return Decided(seen, Verdict(categories, ()), bundle, {"x": 0.9}, {"x": 0.5})


def placement(category: str = "x", sha256: str = A, name: str = "a.jpg") -> Placement:
    inode = (1 << 63) + 7
    return Placement(category, category, name, sha256, 5, Method.COPY, 3, inode, ".p.part")


def place(ledger: Ledger, path: str = "a.jpg", sha256: str = A, batch: int | None = None) -> int:
    number = ledger.placements.new_batch("live", 1.0) if batch is None else batch
    filed = Filed(
        note(path, sha256, decided=decided(sha256, "x")),
        Outcome.PLACED,
        (placement(sha256=sha256, name=path),),
    )
    versions = ledger.intend([filed], "/library", Entry(number, "bundle1"))
    ledger.complete(versions, 12.0)
    return versions[0]


def test_a_file_is_known_by_its_directory_after_it_was_finished(ledger: Ledger) -> None:
    ledger.finish(note("sub/a.jpg"), Outcome.NONE)
    known = ledger.known("/dcim", "sub")
    assert list(known) == ["a.jpg"]
    assert known["a.jpg"].matches(STAMP)
    assert not known["a.jpg"].matches(STAMP._replace(ctime_ns=3))
    assert ledger.known("/dcim", "") == {}
    assert ledger.known("/other", "sub") == {}


def test_names_that_are_no_text_survive(ledger: Ledger) -> None:
    odd = "caf\udce9\n\x1b[31m.jpg"
    ledger.finish(note(odd), Outcome.NONE)
    assert list(ledger.known("/dcim", "")) == [odd]
    version = ledger.version(Source("/dcim", odd))
    assert version is not None
    assert version.source.path == odd


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 60])
def test_whatever_is_asked_for_by_name_is_known(ledger: Ledger, count: int) -> None:
    """A few names one by one, many as a range: none of them may be missing."""
    names = [f"{number:02}.jpg" for number in range(60)]
    for name in names:
        ledger.finish(Note(Source("/dcim", f"sub/{name}"), STAMP, 1.0, 2.0), Outcome.NONE)
    asked = names[-count:]
    known = ledger.known("/dcim", "sub", asked)
    assert set(known) == set(asked)
    assert all(known[name].matches(STAMP) for name in asked)
    assert ledger.known("/dcim", "sub", []) == {}


def test_a_range_is_the_one_of_the_ledgers_order(ledger: Ledger) -> None:
    """As text, bytes that are no UTF-8 come before letters that their bytes come after."""
    names = ["\U0001f600.jpg", "\uffee.jpg", "\udcff.jpg", "\udc80.jpg", "é.jpg", "a.jpg"]
    names += [f"é{number}" for number in range(FEW)]
    for name in names:
        ledger.finish(Note(Source("/dcim", name), STAMP, 1.0, 2.0), Outcome.NONE)
    assert set(ledger.known("/dcim", "", names)) == set(names)
    assert set(ledger.calm("/dcim", "", names)) == set(names)


def test_a_file_is_calm_if_only_another_look_can_make_news_of_it(ledger: Ledger) -> None:
    """What is taken for calm is not asked about any further."""
    for outcome in Outcome:
        ledger.finish(Note(Source("/dcim", outcome.value), STAMP, 1.0, 2.0), outcome)
    ledger.attempt(Note(Source("/dcim", "attempted"), STAMP, 1.0, 2.0))
    calm = ledger.calm("/dcim", "", [*Outcome, "attempted"])
    assert set(calm) == set(Outcome) - {Outcome.TRUNCATED, Outcome.LOST}
    assert set(calm.values()) == {STAMP[:3]}
    assert ledger.calm("/dcim", "sub", ["a"]) == ledger.calm("/other", "", ["a"]) == {}


def test_changed_content_is_a_new_version_and_the_old_one_is_remembered(ledger: Ledger) -> None:
    first = place(ledger)
    second = ledger.finish(note(sha256=B, stamp=STAMP._replace(size=6)), Outcome.NONE)
    assert first != second
    history = ledger.history(Source("/dcim", "a.jpg"))
    assert [(v.id, v.current) for v in history] == [(second, True), (first, False)]


def test_the_same_content_with_another_stat_is_the_same_version(ledger: Ledger) -> None:
    first = place(ledger)
    changed = STAMP._replace(ctime_ns=99)
    ledger.touch(first, note(stamp=changed))
    version = ledger.version(Source("/dcim", "a.jpg"))
    assert version is not None
    assert (version.id, version.outcome) == (first, Outcome.PLACED)
    assert ledger.known("/dcim", "")["a.jpg"].matches(changed)


def test_content_belongs_to_the_first_that_was_decided(ledger: Ledger) -> None:
    first = place(ledger)
    ledger.finish(note("b.jpg"), Outcome.DUPLICATE)
    owner = ledger.owner(A)
    assert owner is not None
    assert owner.id == first
    assert {source.path for source in ledger.standing(A)} == {"a.jpg", "b.jpg"}


def test_a_claim_without_an_outcome_yields_to_the_next(ledger: Ledger) -> None:
    batch = ledger.placements.new_batch("live", 1.0)
    first = Filed(note(decided=decided(A, "x")), Outcome.PLACED, (placement(),))
    (stuck,) = ledger.intend([first], "/library", Entry(batch, "bundle1"))
    assert [version.id for version in ledger.unfinished()] == [stuck]
    second = place(ledger, "b.jpg")
    owner = ledger.owner(A)
    assert owner is not None
    assert owner.id == second


def test_a_released_version_counts_as_new(ledger: Ledger) -> None:
    version = place(ledger)
    ledger.release(version, None)
    assert ledger.owner(A) is None
    assert ledger.known("/dcim", "")["a.jpg"].outcome is None


def test_attempts_are_counted_and_outlive_the_process(ledger: Ledger, tmp_path: Path) -> None:
    assert ledger.attempt(note(sha256=None, reason="crashed")) == 1
    ledger.close()
    again = Ledger.open(str(tmp_path / "ledger.db"))
    assert again.attempt(note(sha256=None, reason="crashed")) == 2
    again.finish(note(sha256=None, reason="crashed"), Outcome.SET_ASIDE)
    assert [v.reason for v in again.with_outcome(Outcome.SET_ASIDE)] == ["crashed"]
    again.close()


def test_an_intent_is_open_until_its_deed(ledger: Ledger) -> None:
    batch = ledger.placements.new_batch("live", 1.0)
    filed = Filed(note(decided=decided(A, "x")), Outcome.PLACED, (placement(),))
    versions = ledger.intend([filed], "/library", Entry(batch, "bundle1"))
    (row,) = ledger.placements.intended()
    assert row.placement == placement()
    assert ledger.version(Source("/dcim", "a.jpg")).outcome is None  # type: ignore[union-attr]
    ledger.complete(versions, 12.0)
    assert ledger.placements.intended() == []
    (row,) = ledger.placements.of(versions[0])
    assert row.state is PlacementState.PLACED


def test_a_placement_that_stands_is_never_intended_again(ledger: Ledger) -> None:
    version = place(ledger)
    batch = ledger.placements.new_batch("live", 2.0)
    filed = Filed(
        note(decided=decided(A, "x")), Outcome.PLACED, (placement(name="other-name.jpg"),)
    )
    with pytest.raises(RuntimeError, match="stands in x already"):
        ledger.intend([filed], "/library", Entry(batch, "bundle1"))
    (row,) = ledger.placements.of(version)
    assert (row.placement.name, row.state) == ("a.jpg", PlacementState.PLACED)
    assert ledger.version(Source("/dcim", "a.jpg")).outcome is Outcome.PLACED  # type: ignore[union-attr]


def test_a_failure_takes_no_decision_back(ledger: Ledger) -> None:
    version = place(ledger)
    locked = STAMP._replace(ctime_ns=99)
    ledger.finish(note(sha256=None, stamp=locked, reason="may not be read"), Outcome.UNREADABLE)
    ledger.attempt(note(sha256=None, stamp=locked, reason="crashed"))
    found = ledger.version(Source("/dcim", "a.jpg"))
    assert found is not None
    assert (found.id, found.outcome, found.bundle) == (version, Outcome.PLACED, "bundle1")
    assert ledger.known("/dcim", "")["a.jpg"].matches(locked)


def test_a_shot_is_one_transaction_and_companions_know_their_photo(ledger: Ledger) -> None:
    batch = ledger.placements.new_batch("once", 1.0)
    shot = [
        Filed(note(decided=decided(A, "x")), Outcome.PLACED, (placement(),)),
        Filed(note("a.mov", B), Outcome.PLACED, (placement(sha256=B, name="a.mov"),)),
    ]
    photo, movie = ledger.intend(shot, "/library", Entry(batch, "bundle1"))
    ledger.complete([photo, movie], 12.0)
    assert [version.id for version in ledger.companions(photo)] == [movie]
    assert [version.leader for version in ledger.companions(photo)] == [photo]


def test_selection_by_batch_time_category_and_bundle(ledger: Ledger) -> None:
    place(ledger, "a.jpg", A)
    place(ledger, "b.jpg", B)
    first, second = sorted(batch.id for batch in ledger.placements.batches())

    def names(**criteria: object) -> list[str]:
        rows = ledger.placements.select(Selection(**criteria))  # type: ignore[arg-type]
        return sorted(row.placement.name for row in rows)

    assert names(batch=first) == ["a.jpg"]
    assert names(batch=second, category="x", bundle="bund") == ["b.jpg"]
    assert names(bundle="other") == []
    assert names(since=12.0, until=12.0) == ["a.jpg", "b.jpg"]
    assert names(since=12.5) == []


def test_an_undone_placement_is_not_selected_again(ledger: Ledger) -> None:
    version = place(ledger)
    (row,) = ledger.placements.of(version)
    ledger.placements.undone([row.id], 20.0)
    assert ledger.placements.select(Selection(category="x")) == []
    assert [(b.placed, b.undone) for b in ledger.placements.batches()] == [(0, 1)]


def test_requests_are_answered_once(ledger: Ledger) -> None:
    number = ledger.requests.leave({"do": "retry"}, 100.0)
    assert ledger.requests.progress(number) == Progress(None, None)
    assert [request.command for request in ledger.requests.open()] == [{"do": "retry"}]
    ledger.requests.answer(number, {"retried": []}, 101.0)
    assert ledger.requests.open() == []
    assert ledger.requests.progress(number) == Progress(None, {"retried": []})


def test_a_copy_for_a_dry_run_knows_everything_and_changes_nothing(
    ledger: Ledger, tmp_path: Path
) -> None:
    place(ledger)
    copy = Ledger.open_copy(str(tmp_path / "ledger.db"))
    copy.finish(note("new.jpg", B), Outcome.NONE)
    assert set(copy.known("/dcim", "")) == {"a.jpg", "new.jpg"}
    copy.close()
    assert set(ledger.known("/dcim", "")) == {"a.jpg"}


def test_reading_leaves_no_file_behind(ledger: Ledger, tmp_path: Path) -> None:
    place(ledger)
    ledger.close()
    before = sorted(tmp_path.iterdir())
    reader = Ledger.open_readonly(str(tmp_path / "ledger.db"))
    assert reader.counts() == {"placed": 1}
    reader.close()
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_ledger_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database, only text that is long enough" * 30)
    with pytest.raises(ConfigError, match="move it aside"):
        Ledger.open(str(path))


def test_damage_that_a_question_meets_later_says_what_to_do_too(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger.open(str(path))) as ledger:
        place(ledger)
    whole = path.read_bytes()
    met = 0
    for page in range(1, len(whole) // 4096):
        path.write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096 :])
        try:
            with closing(Ledger.open(str(path))) as ledger:
                assert ledger.counts() in ({}, {"placed": 1})
                ledger.version(Source("/dcim", "a.jpg"))
                ledger.owner(A)
                place(ledger, "b.jpg", B)
        except ConfigError as error:
            assert "move it aside" in str(error)
            met += 1
    assert met > 5


def test_a_row_that_nobody_wrote_is_damage(ledger: Ledger) -> None:
    place(ledger)
    with ledger.write() as database:
        database.execute("UPDATE version SET outcome = 'plbced'")
    with pytest.raises(ConfigError, match="plbced"):
        ledger.owner(A)


def test_damage_is_said_on_one_line_whatever_it_looks_like(ledger: Ledger) -> None:
    place(ledger)
    with ledger.write() as database:
        database.execute("UPDATE version SET thresholds = CAST(x'ff0a1b5b' AS TEXT)")
    with pytest.raises(ConfigError, match="move it aside") as refused:
        ledger.known("/dcim", "")
    assert str(refused.value).isprintable()


def test_a_ledger_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger.open(str(path))) as ledger:
        place(ledger)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(f"{BEFORE_CALM} DROP TABLE adopted; PRAGMA user_version=1;")
    with closing(Ledger.open(str(path))) as ledger:
        assert ledger.counts() == {"placed": 1}
        ledger.adopt_library("/library")
        assert (ledger.adopted("/library"), ledger.adopted("/other")) == (True, False)


@pytest.mark.parametrize("version", [2, schema.VERSION])
def test_the_batches_of_a_large_ledger_are_counted_without_reading_it(
    tmp_path: Path, version: int
) -> None:
    path = str(tmp_path / "ledger.db")
    with closing(Ledger.open(path)) as ledger:
        place(ledger)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        if version == 2:
            database.executescript(
                f"{BEFORE_CALM} DROP INDEX placement_batch;"
                "CREATE INDEX placement_batch ON placement(batch);"
                "PRAGMA user_version=2;"
            )
    with closing(schema.connect(path)) as database:
        asked: list[str] = []
        database.set_trace_callback(asked.append)
        (batch,) = Ledger(database).placements.batches()
        assert (batch.placed, batch.undone) == (1, 0)
        plan = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {asked[-1]}")]
    assert any("USING COVERING INDEX placement_batch" in line for line in plan)


def test_a_ledger_from_the_future_is_left_alone(ledger: Ledger, tmp_path: Path) -> None:
    ledger.close()
    path = str(tmp_path / "ledger.db")
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(ConfigError, match="newer photosortd"):
        Ledger.open(path)


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    def fail() -> None:
        with ledger.write() as database:
            database.execute("INSERT INTO library VALUES (x'2f', 'u')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert ledger.library("/") is None


def test_a_ledger_that_cannot_be_written_is_the_worlds_fault(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"ledger\.db"):
        Ledger.open(str(tmp_path / "missing" / "ledger.db"))


def test_our_own_mistake_is_blamed_on_nobody(ledger: Ledger) -> None:
    ledger.close()
    with pytest.raises(sqlite3.ProgrammingError):
        ledger.library("/library")


@pytest.mark.parametrize("page", [1024, 4096])
def test_so_much_is_kept_beside_the_ledger_whatever_its_pages(tmp_path: Path, page: int) -> None:
    path = str(tmp_path / "ledger.db")
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA page_size={page}")
        database.execute("VACUUM")
    with closing(schema.connect(path)) as database:
        pages = database.execute("PRAGMA wal_autocheckpoint").fetchone()[0]
        assert pages * database.execute("PRAGMA page_size").fetchone()[0] == 4 << 20
