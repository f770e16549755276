"""Every question about versions: what is known of a path, of a content, of an outcome."""

import json
import sqlite3
import sys
from collections.abc import Collection
from typing import Any

from photosortd.ledger.blame import understood
from photosortd.ledger.rows import Known, Looks, Version, blob, outcome_of, several, text
from photosortd.records import Outcome, Source

_VERSION = """SELECT version.*, root.path AS root_path
              FROM version JOIN root ON root.id = version.root"""


_NAMES = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
"""As `text` does, without asking each time."""

_CALM = tuple(outcome for outcome in Outcome if outcome not in (Outcome.TRUNCATED, Outcome.LOST))

FEW = 20
"""Names that are asked for one by one; of more, all that lie between the first and the last."""


class Looking:
    """The questions; `Ledger` adds the answers to be kept."""

    def __init__(self, database: sqlite3.Connection) -> None:
        database.row_factory = sqlite3.Row
        self._database = database

    def calm(self, root: str, directory: str, names: Collection[str]) -> dict[str, Looks]:
        """How each file of a directory looked when its outcome was noted, if nothing but another
        look can make news of it.

        Asked of every file in every scan: as few columns and as little Python as can be.
        """
        cursor = self._database.execute(
            f"""SELECT name, size, mtime_ns, ctime_ns FROM version
                WHERE current = 1 AND root = (SELECT id FROM root WHERE path = ?)
                AND directory = ? AND name BETWEEN ? AND ?
                AND outcome IN ({",".join("?" * len(_CALM))})""",
            (blob(root), blob(directory), *_ends(names), *_CALM),
        )
        cursor.row_factory = None
        return _looks(cursor.fetchall())

    def known(
        self, root: str, directory: str, names: Collection[str] | None = None
    ) -> dict[str, Known]:
        """Every file that we know in one directory, by name: one query a directory.

        With `names` no more than a few besides these, so that one event in a huge directory costs
        little. Plain rows, read at one go: a first scan asks it of every file.
        """
        if names is not None and not names:
            return {}
        where, values = _among(names)
        cursor = self._database.execute(
            f"""SELECT name, size, mtime_ns, ctime_ns, outcome, bundle, done_at, thresholds
                FROM version
                WHERE current = 1 AND root = (SELECT id FROM root WHERE path = ?)
                AND directory = ? {where}""",
            (blob(root), blob(directory), *values),
        )
        cursor.row_factory = None
        return _known(cursor.fetchall())

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

    def leaders(self, versions: Collection[int]) -> dict[int, int]:
        """The photo of each of these versions, which is itself if it is no companion."""
        found: dict[int, int] = {}
        for some, marks in several(versions):
            rows = self._database.execute(
                f"SELECT id, coalesce(leader, id) FROM version WHERE id IN ({marks})", some
            )
            found.update(map(tuple, rows))
        return found

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

    def unfinished(self) -> list[Version]:
        """Versions with a claim and no outcome: a crash came between intent and deed."""
        rows = self._database.execute(
            f"{_VERSION} WHERE outcome IS NULL AND current = 1 AND "
            "(leader IS NOT NULL OR version.id IN (SELECT version FROM claim))"
        )
        return [_version(row) for row in rows]


def _among(names: Collection[str] | None) -> tuple[str, list[bytes]]:
    """The condition on names, and its values."""
    if names is None:
        return "", []
    if len(names) > FEW:
        return "AND name BETWEEN ? AND ?", [*_ends(names)]
    return f"AND name IN ({','.join('?' * len(names))})", [blob(name) for name in names]


def _ends(names: Collection[str]) -> tuple[bytes, bytes]:
    """The first and the last of some names in the ledger's order, which is that of their bytes."""
    # Text is ordered otherwise only where bytes that are no UTF-8 stand among other letters.
    key = None if "".join(names).isascii() else blob
    return blob(min(names, key=key)), blob(max(names, key=key))


@understood
def _looks(rows: list[tuple[bytes, int, int, int]]) -> dict[str, Looks]:
    return {name.decode(*_NAMES): (size, mtime, ctime) for name, size, mtime, ctime in rows}


@understood
def _known(rows: list[tuple[Any, ...]]) -> dict[str, Known]:
    return {
        text(name): Known(size, mtime, ctime, outcome_of(outcome), *decision)
        for name, size, mtime, ctime, outcome, *decision in rows
    }


@understood
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
