"""Intents, deeds and batches: what stands in the library because of us."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager

from photosortd.ledger.blame import understood
from photosortd.ledger.rows import (
    Batch,
    Entry,
    Filed,
    PlacementRow,
    Selection,
    blob,
    several,
    signed,
    text,
    unsigned,
)
from photosortd.records import Method, Placement, PlacementState

Write = Callable[[], AbstractContextManager[sqlite3.Connection]]


class Placements:
    """The table of placements. `intend`, `complete`, `settle` run in the caller's transaction."""

    def __init__(self, database: sqlite3.Connection, write: Write) -> None:
        self._database = database
        self._write = write

    def intend(
        self,
        database: sqlite3.Connection,
        version: int,
        library: str,
        entry: Entry,
        filed: Filed,
    ) -> None:
        """Note what shall be placed. One that was undone may be intended again, and one that an
        unreachable library holds back; to intend one that stands is a mistake of ours."""
        for placement in filed.placements:
            cursor = database.execute(
                """INSERT INTO placement (version, batch, library, category, directory, name,
                   part, sha256, size, method, device, inode, state, bundle, at)
                   VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'intended', ?, ?)
                   ON CONFLICT (version, category) DO UPDATE SET batch = excluded.batch,
                   library = excluded.library, directory = excluded.directory,
                   name = excluded.name, part = excluded.part, sha256 = excluded.sha256,
                   size = excluded.size, method = excluded.method, device = excluded.device,
                   inode = excluded.inode, state = 'intended', bundle = excluded.bundle,
                   at = excluded.at WHERE placement.state != 'placed'""",
                (
                    version,
                    entry.batch,
                    blob(library),
                    placement.category,
                    blob(placement.directory),
                    blob(placement.name),
                    blob(placement.part),
                    placement.sha256,
                    placement.size,
                    placement.method,
                    signed(placement.device),
                    signed(placement.inode),
                    entry.bundle,
                    filed.note.at,
                ),
            )
            if cursor.rowcount != 1:
                raise RuntimeError(f"version {version} stands in {placement.category} already")

    def complete(self, database: sqlite3.Connection, version: int, at: float) -> None:
        database.execute(
            """UPDATE placement SET state = 'placed', at = ?
               WHERE version = ? AND state = 'intended'""",
            (at, version),
        )
        database.execute(
            """UPDATE batch SET latest = max(latest, ?)
               WHERE id IN (SELECT batch FROM placement WHERE version = ?)""",
            (at, version),
        )

    def settle(
        self, database: sqlite3.Connection, row: int, placement: Placement, at: float
    ) -> None:
        """One intent turned out to have this deed; others of its version may have none yet."""
        database.execute(
            """UPDATE placement SET state = 'placed', name = ?, method = ?, device = ?,
               inode = ?, at = ? WHERE id = ?""",
            (
                blob(placement.name),
                placement.method,
                signed(placement.device),
                signed(placement.inode),
                at,
                row,
            ),
        )

    def renamed(self, placement: int, name: str, method: Method) -> None:
        """The intended name was taken in the meantime: note the other one before it appears."""
        with self._write() as database:
            database.execute(
                "UPDATE placement SET name = ?, method = ? WHERE id = ?",
                (blob(name), method, placement),
            )

    def drop(self, placement: int) -> None:
        """An intent that will be formed anew, or never."""
        with self._write() as database:
            database.execute(
                "DELETE FROM placement WHERE id = ? AND state = 'intended'", (placement,)
            )

    def undone(self, placements: Iterable[int], at: float) -> None:
        with self._write() as database:
            database.executemany(
                "UPDATE placement SET state = 'undone', at = ? WHERE id = ?",
                [(at, placement) for placement in placements],
            )

    def of(self, version: int) -> list[PlacementRow]:
        return self._rows("version = ?", (version,))

    def of_shots(self, photos: Collection[int]) -> dict[int, list[PlacementRow]]:
        """What stands because of each of these photos: its own first, then its companions'."""
        found: dict[int, list[PlacementRow]] = {photo: [] for photo in photos}
        for some, marks in several(photos):
            rows = self._database.execute(
                f"""SELECT placement.*, coalesce(leader, version.id) AS photo
                    FROM version JOIN placement ON placement.version = version.id
                    WHERE state = 'placed' AND (version.id IN ({marks}) OR leader IN ({marks}))
                    ORDER BY leader IS NOT NULL, version.id, placement.id DESC""",
                (*some, *some),
            )
            for row in rows:
                found[row["photo"]].append(_row(row))
        return found

    def holding(self, sha256: str) -> list[PlacementRow]:
        """What stands because of us with this content, whatever path it came from."""
        versions = "SELECT id FROM version WHERE sha256 = ?"
        return self._rows(f"state = 'placed' AND version IN ({versions})", (sha256,))

    def intended(self) -> list[PlacementRow]:
        return self._rows("state = 'intended'", ())

    def select(self, selection: Selection) -> list[PlacementRow]:
        """What stands because of us and meets every criterion, newest first."""
        criteria: list[tuple[str, object]] = [
            ("batch = ?", selection.batch),
            ("at >= ?", selection.since),
            ("at <= ?", selection.until),
            ("category = ?", selection.category),
            ("substr(bundle, 1, length(?1)) = ?1", selection.bundle),
        ]
        given = [(sql.replace("?1", "?"), value) for sql, value in criteria if value is not None]
        values = [value for sql, value in given for _ in range(sql.count("?"))]
        return self._rows(" AND ".join(["state = 'placed'", *(sql for sql, _ in given)]), values)

    def _rows(self, where: str, values: Sequence[object]) -> list[PlacementRow]:
        rows = self._database.execute(
            f"SELECT * FROM placement WHERE {where} ORDER BY id DESC", values
        )
        return [_row(row) for row in rows]

    # ---- batches

    def new_batch(self, kind: str, now: float) -> int:
        with self._write() as database:
            cursor = database.execute(
                "INSERT INTO batch (kind, started, latest) VALUES (?, ?, ?)", (kind, now, now)
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def latest_batch(self, kind: str) -> Batch | None:
        """The newest batch of that kind, with or without placements in it."""
        row = self._database.execute(
            """SELECT id, kind, started, latest, 0 AS placed, 0 AS undone FROM batch
               WHERE kind = ? ORDER BY id DESC LIMIT 1""",
            (kind,),
        ).fetchone()
        return Batch(*row) if row else None

    def batches(self) -> list[Batch]:
        """Every batch that placed something, newest first."""
        rows = self._database.execute(
            """SELECT batch.id, kind, started, latest,
                      sum(state = 'placed'), sum(state = 'undone')
               FROM batch JOIN placement ON placement.batch = batch.id
               GROUP BY batch.id ORDER BY batch.id DESC"""
        )
        return [Batch(*row) for row in rows]

    # ---- directories in which part files may lie

    def writing(self, library: str, directory: str) -> None:
        """Note, before the first part file is made in a directory, where a crash may leave one."""
        with self._write() as database:
            database.execute(
                "INSERT OR IGNORE INTO writing VALUES (?, ?)", (blob(library), blob(directory))
            )

    def written(self, library: str) -> list[str]:
        """The directories of that library in which part files may lie."""
        rows = self._database.execute(
            "SELECT directory FROM writing WHERE library = ?", (blob(library),)
        )
        return [text(row[0]) for row in rows]

    def swept(self, library: str) -> None:
        with self._write() as database:
            database.execute("DELETE FROM writing WHERE library = ?", (blob(library),))


@understood
def _row(row: sqlite3.Row) -> PlacementRow:
    placement = Placement(
        category=row["category"],
        directory=text(row["directory"]),
        name=text(row["name"]),
        sha256=row["sha256"],
        size=row["size"],
        method=Method(row["method"]),
        device=unsigned(row["device"]),
        inode=unsigned(row["inode"]),
        part=text(row["part"]),
    )
    return PlacementRow(
        id=row["id"],
        version=row["version"],
        batch=row["batch"],
        library=text(row["library"]),
        placement=placement,
        state=PlacementState(row["state"]),
        bundle=row["bundle"],
        at=row["at"],
    )
