"""Marks of directories in which all was calm: they go with every row there that is written."""

import inspect
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from photosortd.ledger import Entry, Filed, Ledger, Mark, Note
from photosortd.ledger.marks import TOGETHER
from photosortd.records import (
    Decided,
    Method,
    Outcome,
    Placement,
    Seen,
    Source,
    Stamp,
    Verdict,
)

STAMP = Stamp(size=5, mtime_ns=1, ctime_ns=2, blocks=8, inode=3)
A, B = "a" * 64, "b" * 64
MARK = Mark("/dcim", "sub", 0, b"1" * 16)
OTHERS = [Mark("/dcim", "", 0, b"2" * 16), Mark("/dcim", "sub/sub", 0, b"3" * 16),
          Mark("/other", "sub", 0, b"4" * 16)]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


@pytest.fixture
def ledger(path: str) -> Iterator[Ledger]:
    with closing(Ledger.open(path)) as opened:
        yield opened


def note(name: str = "a.jpg", sha256: str | None = A, stamp: Stamp = STAMP, **more: object) -> Note:
    return Note(Source("/dcim", f"sub/{name}"), stamp, 10.0, 11.0, sha256, **more)  # type: ignore[arg-type]


def filed(name: str) -> Filed:
    seen = Seen(B, "JPEG", 4, 3, None, (0.9, 0.1))
    decided = Decided(seen, Verdict(("x",), ()), "bundle", {"x": 0.9}, {"x": 0.5})
    placement = Placement("x", "x", name, B, 5, Method.COPY, 3, 7, ".p.part")
    return Filed(note(name, B, decided=decided), Outcome.PLACED, (placement,))


@dataclass
class Known:
    """A ledger that knows three files in a directory; one of them is being filed."""

    ledger: Ledger

    def __post_init__(self) -> None:
        self.ledger.finish(Note(Source("/other", "sub/a.jpg"), STAMP, 1.0, 2.0), Outcome.NONE)
        self.none = self.ledger.finish(note(), Outcome.NONE)
        batch = self.ledger.placements.new_batch("live", 1.0)
        self.entry = Entry(batch, "bundle")
        (self.intended,) = self.ledger.intend([filed("b.jpg")], "/library", self.entry)
        (row,) = self.ledger.placements.intended()
        self.row, self.placement = row.id, row.placement

    def mark(self, *marks: Mark) -> None:
        for each in marks or (MARK, MARK._replace(part=1), *OTHERS):
            self.ledger.marks.make(each, self.ledger.marks.moment())

    @property
    def stands(self) -> bool:
        both = {self.ledger.marks.stands(MARK._replace(part=part)) for part in (0, 1)}
        assert len(both) == 1
        return both.pop()


@pytest.fixture
def known(ledger: Ledger) -> Known:
    return Known(ledger)


def _other_content(known: Known) -> None:
    known.ledger.finish(note(sha256=B, stamp=STAMP._replace(size=6)), Outcome.NONE)


WRITERS: dict[str, list[Callable[[Known], object]]] = {
    "attempt": [
        lambda known: known.ledger.attempt(note("new.jpg", None)),
        lambda known: known.ledger.attempt(note(sha256=None)),
    ],
    "finish": [
        lambda known: known.ledger.finish(note("new.jpg"), Outcome.NONE),
        lambda known: known.ledger.finish(note(), Outcome.NONE),
        lambda known: known.ledger.finish(note(sha256=None), Outcome.UNREADABLE),
        lambda known: known.ledger.finish(note("lost.jpg", None), Outcome.TRUNCATED),
        _other_content,
    ],
    "touch": [lambda known: known.ledger.touch(known.none, note())],
    "intend": [lambda known: known.ledger.intend([filed("c.jpg")], "/library", known.entry)],
    "complete": [lambda known: known.ledger.complete([known.intended], 12.0)],
    "settle": [
        lambda known: known.ledger.settle({known.row: known.placement}, 12.0, known.intended)
    ],
    "release": [
        lambda known: known.ledger.release(known.none, None),
        lambda known: known.ledger.release(known.intended, Outcome.LOST, "gone"),
    ],
}
"""What changes a version, by the ledger's public method."""

NO_WRITERS = {
    *("open", "open_readonly", "open_copy", "close", "check_place", "write"),
    *("library", "bind_library", "adopt_library", "adopted", "tested", "note_tested"),
    *("calm", "known", "version", "history", "by_id", "leaders", "owner", "companions"),
    *("standing", "with_outcome", "latest", "counts", "unfinished"),
}
"""Public methods that change none."""

every_writer = pytest.mark.parametrize(
    "write", [each for some in WRITERS.values() for each in some]
)


def test_every_method_of_the_ledger_is_among_these() -> None:
    methods = {name for name, _ in inspect.getmembers(Ledger, callable) if name[0] != "_"}
    assert methods == {*WRITERS, *NO_WRITERS}


@every_writer
def test_a_row_that_is_written_erases_the_marks_of_its_directory(
    known: Known, write: Callable[[Known], object]
) -> None:
    known.mark()
    known.ledger.marks.keep()
    assert known.stands
    write(known)
    assert not known.stands
    assert [known.ledger.marks.stands(each) for each in OTHERS] == [True] * 3


@every_writer
def test_a_mark_that_was_made_before_a_row_was_written_is_not_kept(
    known: Known, write: Callable[[Known], object]
) -> None:
    """Marks are written later than they are made: what came between counts."""
    known.mark()
    write(known)
    known.ledger.marks.keep()
    assert not known.stands
    known.mark()
    known.ledger.marks.keep()
    assert known.stands


def test_a_row_that_another_connection_writes_counts_too(known: Known, path: str) -> None:
    def touch() -> None:
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE version SET attempts = attempts + 1")

    known.mark()
    touch()
    known.ledger.marks.keep()
    assert not known.stands
    known.mark()
    known.ledger.marks.keep()
    assert known.stands
    touch()
    assert not known.stands


def test_a_row_that_is_written_after_the_others_were_read_counts_too(
    known: Known, path: str
) -> None:
    """By another connection, while the files of the directory are compared."""
    moment = known.ledger.marks.moment()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE version SET attempts = attempts + 1")
    known.ledger.marks.make(MARK, moment)
    known.ledger.marks.keep()
    assert not known.ledger.marks.stands(MARK)


def test_a_row_that_is_written_just_before_the_marks_counts_too(
    known: Known, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def beaten() -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE version SET attempts = attempts + 1")
        with known.ledger.write() as database:
            yield database

    monkeypatch.setattr(known.ledger.marks, "_write", beaten)
    known.mark()
    known.ledger.marks.keep()
    assert not known.stands


def test_a_transaction_that_fails_erases_nothing(known: Known) -> None:
    def fail() -> None:
        with known.ledger.write() as database:
            database.execute("UPDATE version SET attempts = 1")
            assert not known.stands
            raise RuntimeError

    known.mark()
    known.ledger.marks.keep()
    with pytest.raises(RuntimeError):
        fail()
    assert known.stands


@pytest.mark.parametrize(
    "write",
    [
        "INSERT INTO version SELECT NULL, root, directory, x'78', size, mtime_ns, ctime_ns, inode,"
        " sha256, outcome, planned, leader, bundle, scores, thresholds, taken, format, reason,"
        " attempts, seen_at, done_at, current FROM version WHERE id = {none}",
        "DELETE FROM version WHERE id = {none}",
        "UPDATE version SET directory = x'78' WHERE id = {none}",
        "UPDATE version SET directory = x'737562' WHERE directory = x'78'",
        "UPDATE version SET root = 99 WHERE id = {none}",
    ],
)
def test_whatever_is_done_to_a_row_erases_the_mark(known: Known, write: str) -> None:
    """Not by what we call today alone: the tables see to it."""
    known.ledger.finish(Note(Source("/dcim", "x/z.jpg"), STAMP, 1.0, 2.0), Outcome.NONE)
    known.mark()
    known.ledger.marks.keep()
    with known.ledger.write() as database:
        database.execute("PRAGMA defer_foreign_keys=ON")
        database.execute("INSERT OR IGNORE INTO root VALUES (99, x'99')")
        database.execute("DELETE FROM claim")
        assert known.stands
        assert database.execute(write.format(none=known.none)).rowcount == 1
    assert not known.stands


@pytest.mark.parametrize(
    "column",
    ["name", "size", "mtime_ns", "ctime_ns", "outcome", "done_at", "current", "bundle", "leader"],
)
def test_each_column_counts(known: Known, column: str) -> None:
    known.mark()
    known.ledger.marks.keep()
    with known.ledger.write() as database:
        database.execute(f"UPDATE version SET {column} = {column} WHERE id = {known.none}")
    assert not known.stands


def test_a_mark_stands_for_these_looks_alone(known: Known) -> None:
    known.mark(MARK)
    known.ledger.marks.keep()
    changed = [
        MARK._replace(root="/other"), MARK._replace(root="/none"), MARK._replace(directory=""),
        MARK._replace(part=1), MARK._replace(digest=b"x" * 16),
    ]  # fmt: skip
    assert [known.ledger.marks.stands(each) for each in (MARK, *changed)] == [True, *[False] * 5]
    known.mark(changed[-1])
    known.ledger.marks.keep()
    assert [known.ledger.marks.stands(each) for each in (MARK, changed[-1])] == [False, True]


def test_marks_are_kept_many_at_a_time_and_outlive_the_process(known: Known, path: str) -> None:
    many = [MARK._replace(directory=f"d\udce9/{number}") for number in range(TOGETHER + 1)]
    asked: list[str] = []
    known.ledger._database.set_trace_callback(asked.append)
    known.mark(*many)
    known.ledger.marks.keep()
    known.ledger.marks.keep()
    assert sum(line.startswith("COMMIT") for line in asked) == 2
    with closing(Ledger.open_readonly(path)) as other:
        assert all(other.marks.stands(each) for each in many)


def test_where_nothing_can_be_written_marks_are_lost_and_nothing_else(
    known: Known, path: str
) -> None:
    known.ledger._database.execute("PRAGMA max_page_count=1")  # a full disk
    known.mark(*(MARK._replace(directory=f"{number}") for number in range(TOGETHER - 1)))
    known.ledger.marks.keep()
    assert not known.ledger.marks.stands(MARK._replace(directory="1"))
    assert known.ledger.version(Source("/dcim", "sub/a.jpg")) is not None
    with closing(Ledger.open_readonly(path)) as reader:
        reader.marks.make(MARK, reader.marks.moment())
        reader.marks.keep()
        assert not reader.marks.stands(MARK)


def test_a_dry_run_keeps_marks_to_itself(known: Known, path: str) -> None:
    with closing(Ledger.open_copy(path)) as copy:
        copy.marks.make(MARK, copy.marks.moment())
        copy.marks.keep()
        assert copy.marks.stands(MARK)
    assert not known.ledger.marks.stands(MARK)


def test_a_ledger_of_the_third_version_is_brought_up_to_date(known: Known, path: str) -> None:
    known.ledger.close()
    with closing(sqlite3.connect(path)) as database:
        triggers = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.executescript("DROP TABLE calm; PRAGMA user_version=3;")
    with closing(Ledger.open(path)) as ledger:
        assert ledger.counts() == {"none": 2, "pending": 1}
        ledger.marks.make(MARK, ledger.marks.moment())
        ledger.marks.keep()
        assert ledger.marks.stands(MARK)
        ledger.release(known.none, None)
        assert not ledger.marks.stands(MARK)
