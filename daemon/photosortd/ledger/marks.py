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


Moment = tuple[int, int]
"""Rows that we have written so far, and a number that changes when somebody else writes."""


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
        self._since: Moment = (0, 0)  # at which all of them hold

    def stands(self, mark: Mark) -> bool:
        """Whether it was made, and no row of the directory written since."""
        row = self._database.execute(
            """SELECT 1 FROM calm WHERE root = (SELECT id FROM root WHERE path = ?)
               AND directory = ? AND part = ? AND digest = ?""",
            (blob(mark.root), blob(mark.directory), mark.part, mark.digest),
        ).fetchone()
        return row is not None

    def moment(self) -> Moment:
        """Another one after each row that we or others wrote into the ledger."""
        (others,) = self._database.execute("PRAGMA data_version").fetchone()
        return self._database.total_changes, int(others)

    def make(self, mark: Mark, moment: Moment) -> None:
        """It holds, by rows that were read since that moment. It will be written with others, of
        which none is kept that rows were written after: there was nothing to erase yet."""
        if moment != self._since:
            self._fresh.clear()
        self._since = moment
        self._fresh.append(mark)
        if len(self._fresh) >= TOGETHER:
            self.keep()

    def keep(self) -> None:
        """Write what was made, unless rows were written since."""
        fresh, self._fresh = self._fresh, []
        if not fresh:
            return
        # A full disk is for those to tell of who have something to lose.
        with suppress(WorldError), self._write() as database:
            if self.moment() == self._since:
                self._put(database, fresh)

    @staticmethod
    def _put(database: sqlite3.Connection, marks: list[Mark]) -> None:
        database.executemany(
            """INSERT OR REPLACE INTO calm (root, directory, part, digest)
               SELECT id, ?, ?, ? FROM root WHERE path = ?""",
            [(blob(each.directory), each.part, each.digest, blob(each.root)) for each in marks],
        )
