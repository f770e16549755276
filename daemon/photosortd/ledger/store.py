"""Versions and claims: which content stands at which path, and what became of it."""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from photosortd.ledger import schema
from photosortd.ledger.looking import Looking
from photosortd.ledger.marks import Marks
from photosortd.ledger.placements import Placements
from photosortd.ledger.requests import Requests
from photosortd.ledger.rows import (
    Entry,
    Filed,
    Note,
    blob,
    nanoseconds,
    outcome_of,
    signed,
    thresholds_text,
)
from photosortd.ledger.standing import Standing
from photosortd.records import Outcome, Placement, Source

DECIDED = (Outcome.PLACED, Outcome.NONE, Outcome.UNSURE)
"""Outcomes after which the same bytes elsewhere are a duplicate."""

SETTLED = (*DECIDED, Outcome.DUPLICATE)
"""Outcomes that no failure takes back while the content stays the same."""


class Ledger(Looking):
    """Everything that a photo's journey asks of the ledger, and has it keep."""

    def __init__(self, database: sqlite3.Connection, path: str | None = None) -> None:
        """`path`: of the file that is to stay where it is; None of a copy, or to look at only."""
        super().__init__(database)
        self._standing = None if path is None else Standing(path)
        self.placements = Placements(database, self.write)
        self.requests = Requests(database, self.write)
        self.marks = Marks(database, self.write)

    @classmethod
    def open(cls, path: str) -> "Ledger":
        return cls(schema.connect(path), path)

    @classmethod
    def open_readonly(cls, path: str) -> "Ledger":
        return cls(schema.connect_readonly(path))

    @classmethod
    def open_copy(cls, path: str) -> "Ledger":
        """For a dry run: knows everything, keeps nothing."""
        return cls(schema.connect_copy(path))

    def close(self) -> None:
        self._database.close()

    def check_place(self) -> None:
        """Raises WorldError if our file is not the one at its path any more."""
        if self._standing is not None:
            self._standing.check()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is durable when the block ends, or none of it happened.

        Within another one it is a part of that: several notes are made durable at once.
        """
        if self._database.in_transaction:
            yield self._database
            return
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    # ---- noting

    def attempt(self, note: Note) -> int:
        """Count one failed attempt at this version. Returns how many there were."""
        with self.write() as database:
            kept = self._kept(database, note, None)
            version = self._put(database, note, None) if kept is None else kept
            database.execute("UPDATE version SET attempts = attempts + 1 WHERE id = ?", (version,))
            (count,) = database.execute(
                "SELECT attempts FROM version WHERE id = ?", (version,)
            ).fetchone()
        return int(count)

    def finish(self, note: Note, outcome: Outcome) -> int:
        """Note an outcome without placements; a decided one claims its content.

        What was decided about the same content stands: a photo that was filed and cannot be read
        for a while is still a photo that was filed.
        """
        with self.write() as database:
            kept = self._kept(database, note, outcome)
            if kept is not None:
                self._set_stat(database, kept, note)
                return kept
            version = self._put(database, note, outcome)
            if outcome in DECIDED and note.sha256:
                _claim(database, note.sha256, version)
        return version

    def touch(self, version: int, note: Note) -> None:
        """The stat changed, the content did not: remember the new stat, decide nothing."""
        with self.write() as database:
            self._set_stat(database, version, note)
            database.execute("UPDATE version SET attempts = 0 WHERE id = ?", (version,))

    def intend(self, shot: Sequence[Filed], library: str, entry: Entry) -> list[int]:
        """Note the intent for a whole shot before any of its names appears; all of it or nothing.

        `shot` holds the photo first, unless `entry.leader` names one that was placed before and
        these are its companions. Returns the version of each file.
        """
        versions: list[int] = []
        leader = entry.leader
        with self.write() as database:
            for filed in shot:
                version = self._put(database, filed.note, None, leader=leader)
                if leader is None:
                    leader = version
                    assert filed.note.sha256
                    _claim(database, filed.note.sha256, version)
                database.execute(
                    "UPDATE version SET planned = ? WHERE id = ?", (filed.outcome, version)
                )
                versions.append(version)
                self.placements.intend(database, version, library, entry, filed)
        return versions

    def complete(self, versions: Sequence[int], at: float) -> None:
        """The deed is done: every intent of these versions became a placement."""
        with self.write() as database:
            for version in versions:
                self._complete(database, version, at)

    def settle(self, deeds: Mapping[int, Placement], at: float, whole: int | None = None) -> None:
        """Note the deeds that these intents turned out to have.

        `whole`: the version that has all of its placements by them, and so its outcome, too.
        """
        with self.write() as database:
            for row, placement in deeds.items():
                self.placements.settle(database, row, placement, at)
            if whole is not None:
                self._complete(database, whole, at)

    def release(self, version: int, outcome: Outcome | None, reason: str = "") -> None:
        """Give a version up (or back to be tried again, with None) and free its claim."""
        with self.write() as database:
            database.execute("DELETE FROM claim WHERE version = ?", (version,))
            database.execute(
                "UPDATE version SET outcome = ?, reason = ?, attempts = 0 WHERE id = ?",
                (outcome, reason, version),
            )

    # ---- libraries and bundles

    def library(self, path: str) -> str | None:
        """The marker that the library at `path` carries."""
        row = self._database.execute(
            "SELECT uuid FROM library WHERE path = ?", (blob(path),)
        ).fetchone()
        return str(row[0]) if row else None

    def bind_library(self, path: str, uuid: str) -> None:
        with self.write() as database:
            database.execute("INSERT OR REPLACE INTO library VALUES (?, ?)", (blob(path), uuid))

    def adopt_library(self, path: str) -> None:
        """It was a library before this ledger knew it: there may be photos that we forgot."""
        with self.write() as database:
            database.execute("INSERT OR IGNORE INTO adopted VALUES (?)", (blob(path),))

    def adopted(self, path: str) -> bool:
        """Whether the library at `path` may hold photos that this ledger does not know."""
        row = self._database.execute(
            "SELECT 1 FROM adopted WHERE library = ?", (blob(path),)
        ).fetchone()
        return row is not None

    def tested(self, bundle: str, environment: str) -> bool:
        """Whether this bundle's golden images gave the right scores in this environment."""
        row = self._database.execute(
            "SELECT 1 FROM tested WHERE bundle = ? AND environment = ?", (bundle, environment)
        ).fetchone()
        return row is not None

    def note_tested(self, bundle: str, environment: str) -> None:
        with self.write() as database:
            database.execute("INSERT OR IGNORE INTO tested VALUES (?, ?)", (bundle, environment))

    # ---- inside a transaction

    def _complete(self, database: sqlite3.Connection, version: int, at: float) -> None:
        self.placements.complete(database, version, at)
        database.execute(
            "UPDATE version SET outcome = planned, done_at = ? WHERE id = ?", (at, version)
        )

    @staticmethod
    def _root(database: sqlite3.Connection, path: str) -> int:
        database.execute("INSERT OR IGNORE INTO root (path) VALUES (?)", (blob(path),))
        row = database.execute("SELECT id FROM root WHERE path = ?", (blob(path),)).fetchone()
        return int(row[0])

    def _put(
        self,
        database: sqlite3.Connection,
        note: Note,
        outcome: Outcome | None,
        leader: int | None = None,
    ) -> int:
        """Write the current version at a path: the same row while its content is the same."""
        root = self._root(database, note.source.root)
        found = self._current(database, root, note.source)
        if found is not None and not _same_content(found, note):
            database.execute("UPDATE version SET current = 0 WHERE id = ?", (found["id"],))
            found = None
        version = self._insert(database, root, note) if found is None else int(found["id"])
        self._set_stat(database, version, note)
        decided = note.decided
        database.execute(
            """UPDATE version SET sha256 = coalesce(?, sha256), outcome = ?, leader = ?,
               bundle = ?, scores = ?, thresholds = ?, taken = ?, format = ?, reason = ?,
               done_at = ? WHERE id = ?""",
            (
                note.sha256,
                outcome,
                leader if leader is not None else note.leader,
                decided.bundle_id if decided else None,
                json.dumps(dict(decided.scores)) if decided else None,
                thresholds_text(decided.thresholds) if decided else None,
                decided.seen.taken.isoformat() if decided and decided.seen.taken else None,
                decided.seen.format if decided else None,
                note.reason,
                None if outcome is None else note.at,
                version,
            ),
        )
        return version

    @staticmethod
    def _current(database: sqlite3.Connection, root: int, source: Source) -> sqlite3.Row | None:
        row: sqlite3.Row | None = database.execute(
            """SELECT id, sha256, size, mtime_ns, outcome FROM version
               WHERE root = ? AND directory = ? AND name = ? AND current = 1""",
            (root, blob(source.directory), blob(source.name)),
        ).fetchone()
        return row

    def _kept(
        self, database: sqlite3.Connection, note: Note, outcome: Outcome | None
    ) -> int | None:
        """The version whose decision outlives this outcome; None if there is no such."""
        root = self._root(database, note.source.root)
        found = self._current(database, root, note.source)
        if found is None or note.decided is not None or not _same_content(found, note):
            return None
        before = outcome_of(found["outcome"])
        stands = before is Outcome.PLACED or (before in SETTLED and outcome not in SETTLED)
        return int(found["id"]) if stands else None

    @staticmethod
    def _insert(database: sqlite3.Connection, root: int, note: Note) -> int:
        cursor = database.execute(
            """INSERT INTO version
               (root, directory, name, size, mtime_ns, ctime_ns, inode, seen_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                root,
                blob(note.source.directory),
                blob(note.source.name),
                note.stamp.size,
                nanoseconds(note.stamp.mtime_ns),
                nanoseconds(note.stamp.ctime_ns),
                signed(note.stamp.inode),
                note.seen_at,
            ),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    @staticmethod
    def _set_stat(database: sqlite3.Connection, version: int, note: Note) -> None:
        database.execute(
            "UPDATE version SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ? WHERE id = ?",
            (
                note.stamp.size,
                nanoseconds(note.stamp.mtime_ns),
                nanoseconds(note.stamp.ctime_ns),
                signed(note.stamp.inode),
                version,
            ),
        )


def _same_content(row: sqlite3.Row, note: Note) -> bool:
    """A row without a hash yet stands for whatever its stat said."""
    if row["sha256"] is not None and note.sha256 is not None:
        return bool(row["sha256"] == note.sha256)
    return (row["size"], row["mtime_ns"]) == (
        note.stamp.size,
        nanoseconds(note.stamp.mtime_ns),
    )


def _claim(database: sqlite3.Connection, sha256: str, version: int) -> None:
    database.execute(
        """INSERT INTO claim (sha256, version) VALUES (?, ?)
           ON CONFLICT (sha256) DO UPDATE SET version = excluded.version
           WHERE (SELECT outcome FROM version WHERE id = claim.version) IS NULL
              OR (SELECT outcome FROM version WHERE id = claim.version)
                 NOT IN ('placed', 'none', 'unsure')""",
        (sha256, version),
    )
