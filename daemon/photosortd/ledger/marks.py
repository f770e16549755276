"""Directories in which all was calm, by a digest of what their files looked like.

A mark says what the rows of its directory said when it was made. So it goes with every row of it
that is written: triggers of the schema see to that, whoever writes.
"""

import sqlite3
from contextlib import suppress
from typing import NamedTuple

from photosortd.errors import WorldError
from photosortd.ledger.placements import Write
from photosortd.ledger.rows import blob

TOGETHER = 250
"""Marks that are written in one commit."""


class Mark(NamedTuple):
    """Files that look like that are calm, all of them."""

    root: str
    directory: str
    part: int  # of a large directory: which slice
    digest: bytes


class Marks:
    """Told at once, written many at a time: those that are lost cost but another look."""

    def __init__(self, database: sqlite3.Connection, write: Write) -> None:
        self._database = database
        self._write = write
        self._fresh: list[Mark] = []  # not written yet
        self._since = (0, 0)  # the moment of the first of them

    def stands(self, mark: Mark) -> bool:
        """Whether it was made, and no row of the directory written since."""
        row = self._database.execute(
            """SELECT 1 FROM calm WHERE root = (SELECT id FROM root WHERE path = ?)
               AND directory = ? AND part = ? AND digest = ?""",
            (blob(mark.root), blob(mark.directory), mark.part, mark.digest),
        ).fetchone()
        return row is not None

    def make(self, mark: Mark) -> None:
        """It holds now. Others will be written with it."""
        if not self._fresh:
            self._since = self._moment()
        self._fresh.append(mark)
        if len(self._fresh) >= TOGETHER:
            self.keep()

    def keep(self) -> None:
        """Write what was made, unless rows were written since: there was nothing to erase yet."""
        fresh, self._fresh = self._fresh, []
        # A full disk is for those to tell of who have something to lose.
        with suppress(WorldError):
            if fresh and self._moment() == self._since:
                self._put(fresh)

    def _put(self, marks: list[Mark]) -> None:
        with self._write() as database:
            database.executemany(
                """INSERT OR REPLACE INTO calm (root, directory, part, digest)
                   SELECT id, ?, ?, ? FROM root WHERE path = ?""",
                [(blob(each.directory), each.part, each.digest, blob(each.root)) for each in marks],
            )

    def _moment(self) -> tuple[int, int]:
        """Another one after each row that we or others wrote into the ledger."""
        (others,) = self._database.execute("PRAGMA data_version").fetchone()
        return self._database.total_changes, int(others)
