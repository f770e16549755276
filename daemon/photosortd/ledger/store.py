"""Versions and claims: which content stands at which path, and what became of it."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from photosortd.errors import WorldError
from photosortd.ledger import schema
from photosortd.ledger.placements import Placements
from photosortd.ledger.requests import Requests
from photosortd.ledger.rows import (
    Filed,
    Known,
    Note,
    Version,
    blob,
    nanoseconds,
    outcome_of,
    signed,
    text,
)
from photosortd.records import Outcome, Source

_VERSION = """SELECT version.*, root.path AS root_path
              FROM version JOIN root ON root.id = version.root"""

DECIDED = (Outcome.PLACED, Outcome.NONE, Outcome.UNSURE)
"""Outcomes after which the same bytes elsewhere are a duplicate."""


class Ledger:
    """The connection and every question the journey of a photo asks."""

    def __init__(self, database: sqlite3.Connection) -> None:
        database.row_factory = sqlite3.Row
        self._database = database
        self.placements = Placements(database, self.write)
        self.requests = Requests(database, self.write)

    @classmethod
    def open(cls, path: str) -> "Ledger":
        return cls(schema.connect(path))

    @classmethod
    def open_readonly(cls, path: str) -> "Ledger":
        return cls(schema.connect_readonly(path))

    @classmethod
    def open_copy(cls, path: str) -> "Ledger":
        """For a dry run: knows everything, keeps nothing."""
        return cls(schema.connect_copy(path))

    def close(self) -> None:
        self._database.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is durable when the block ends, or none of it happened."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise WorldError(f"the ledger cannot be written: {error}") from error

    # ---- looking

    def known(self, root: str, directory: str) -> dict[str, Known]:
        """Every file that we know in one directory, by name: one query a directory."""
        rows = self._database.execute(
            """SELECT name, size, mtime_ns, ctime_ns, outcome, bundle, done_at FROM version
               WHERE current = 1 AND root = (SELECT id FROM root WHERE path = ?)
               AND directory = ?""",
            (blob(root), blob(directory)),
        )
        return {
            text(name): Known(size, mtime, ctime, outcome_of(outcome), bundle, done)
            for name, size, mtime, ctime, outcome, bundle, done in rows
        }

    def version(self, source: Source) -> Version | None:
        """The current version at that path."""
        found = self._history(source, "AND current = 1")
        return found[0] if found else None

    def history(self, source: Source) -> list[Version]:
        """Every version that ever stood at that path, newest first."""
        return self._history(source, "")

    def _history(self, source: Source, which: str) -> list[Version]:
        rows = self._database.execute(
            f"""{_VERSION} WHERE root.path = ? AND directory = ? AND name = ? {which}
                ORDER BY version.id DESC""",
            (blob(source.root), blob(source.directory), blob(source.name)),
        )
        return [_version(row) for row in rows]

    def by_id(self, version: int) -> Version:
        row = self._database.execute(f"{_VERSION} WHERE version.id = ?", (version,)).fetchone()
        return _version(row)

    def owner(self, sha256: str) -> Version | None:
        """The version for which this content was decided, or is being decided."""
        row = self._database.execute(
            f"{_VERSION} JOIN claim ON claim.version = version.id WHERE claim.sha256 = ?",
            (sha256,),
        ).fetchone()
        return _version(row) if row else None

    def companions(self, leader: int) -> list[Version]:
        rows = self._database.execute(f"{_VERSION} WHERE version.leader = ?", (leader,))
        return [_version(row) for row in rows]

    def standing(self, sha256: str) -> list[Source]:
        """Where this content stood when last seen."""
        rows = self._database.execute(
            f"{_VERSION} WHERE version.sha256 = ? AND current = 1", (sha256,)
        )
        return [_version(row).source for row in rows]

    def with_outcome(self, *outcomes: Outcome, limit: int = -1) -> list[Version]:
        """Current versions with one of these outcomes, newest first."""
        marks = ",".join("?" * len(outcomes))
        rows = self._database.execute(
            f"{_VERSION} WHERE outcome IN ({marks}) AND current = 1 "
            "ORDER BY version.id DESC LIMIT ?",
            (*outcomes, limit),
        )
        return [_version(row) for row in rows]

    def latest(self, count: int) -> list[Version]:
        """The versions that were decided last, newest first."""
        rows = self._database.execute(
            f"{_VERSION} WHERE done_at IS NOT NULL ORDER BY done_at DESC LIMIT ?", (count,)
        )
        return [_version(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many current versions have each outcome; 'pending' are in hand."""
        rows = self._database.execute(
            "SELECT outcome, count(*) FROM version WHERE current = 1 GROUP BY outcome"
        )
        return {outcome or "pending": count for outcome, count in rows}

    # ---- noting

    def attempt(self, note: Note) -> int:
        """Count one failed attempt at this version. Returns how many there were."""
        with self.write() as database:
            version = self._put(database, note, None)
            database.execute("UPDATE version SET attempts = attempts + 1 WHERE id = ?", (version,))
            (count,) = database.execute(
                "SELECT attempts FROM version WHERE id = ?", (version,)
            ).fetchone()
        return int(count)

    def finish(self, note: Note, outcome: Outcome) -> int:
        """Note an outcome without placements; a decided one claims its content."""
        with self.write() as database:
            version = self._put(database, note, outcome)
            if outcome in DECIDED and note.sha256:
                _claim(database, note.sha256, version)
        return version

    def touch(self, version: int, note: Note) -> None:
        """The stat changed, the content did not: remember the new stat, decide nothing."""
        with self.write() as database:
            self._set_stat(database, version, note)

    def intend(
        self, shot: Sequence[Filed], batch: int, library: str, leader: int | None = None
    ) -> list[int]:
        """Note the intent for a whole shot before any of its names appears.

        `shot` holds the photo first, unless `leader` names the photo that was placed before and
        these are companions that came late. Returns the version of each file.
        """
        versions: list[int] = []
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
                self.placements.intend(database, version, batch, library, filed)
        return versions

    def complete(self, versions: Sequence[int], at: float) -> None:
        """The deed is done: every intent of these versions became a placement."""
        with self.write() as database:
            for version in versions:
                self.placements.complete(database, version, at)
                database.execute(
                    "UPDATE version SET outcome = planned, done_at = ? WHERE id = ?",
                    (at, version),
                )

    def release(self, version: int, outcome: Outcome | None, reason: str = "") -> None:
        """Give a version up (or back to be tried again, with None) and free its claim."""
        with self.write() as database:
            database.execute("DELETE FROM claim WHERE version = ?", (version,))
            database.execute(
                "UPDATE version SET outcome = ?, reason = ?, attempts = 0 WHERE id = ?",
                (outcome, reason, version),
            )

    def unfinished(self) -> list[Version]:
        """Versions with a claim and no outcome: a crash came between intent and deed."""
        rows = self._database.execute(
            f"{_VERSION} WHERE outcome IS NULL AND current = 1 AND "
            "(leader IS NOT NULL OR version.id IN (SELECT version FROM claim))"
        )
        return [_version(row) for row in rows]

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
        found = database.execute(
            """SELECT id, sha256, size, mtime_ns FROM version
               WHERE root = ? AND directory = ? AND name = ? AND current = 1""",
            (
                self._root(database, note.source.root),
                blob(note.source.directory),
                blob(note.source.name),
            ),
        ).fetchone()
        if found is not None and not _same_content(found, note):
            database.execute("UPDATE version SET current = 0 WHERE id = ?", (found["id"],))
            found = None
        version = self._insert(database, note) if found is None else int(found["id"])
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
                json.dumps(dict(decided.thresholds)) if decided else None,
                decided.seen.taken.isoformat() if decided and decided.seen.taken else None,
                decided.seen.format if decided else None,
                note.reason,
                None if outcome is None else note.at,
                version,
            ),
        )
        return version

    def _insert(self, database: sqlite3.Connection, note: Note) -> int:
        cursor = database.execute(
            """INSERT INTO version
               (root, directory, name, size, mtime_ns, ctime_ns, inode, seen_at)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (
                self._root(database, note.source.root),
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


def _version(row: sqlite3.Row) -> Version:
    directory, name = text(row["directory"]), text(row["name"])
    path = f"{directory}/{name}" if directory else name
    return Version(
        id=row["id"],
        source=Source(text(row["root_path"]), path),
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        sha256=row["sha256"],
        outcome=outcome_of(row["outcome"]),
        leader=row["leader"],
        bundle=row["bundle"],
        scores=json.loads(row["scores"] or "{}"),
        thresholds=json.loads(row["thresholds"] or "{}"),
        taken=row["taken"],
        format=row["format"],
        reason=row["reason"],
        attempts=row["attempts"],
        seen_at=row["seen_at"],
        done_at=row["done_at"],
        current=bool(row["current"]),
    )
