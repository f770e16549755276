"""Whose fault is it that the ledger fails? Told wherever it shows, not only when it is opened.

A page that a dying card has changed is met by the query that needs it, at any time: going on, or
trying for ever, would make it worse.
"""

import sqlite3
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from photosortd.errors import ConfigError, WorldError
from photosortd.records import printable

_DAMAGE = (
    "not a database",
    "malformed",
    "unsupported file format",
    "already exists",  # making tables in a ledger whose header lost the version
    "no such table",
    "no such column",
    "Could not decode",
)
"""What SQLite says of a file that nobody can have written like that."""

FAILURES = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What SQLite raises: the second where it cites a damaged name in its message."""

Value = TypeVar("Value")
Given = TypeVar("Given")  # a row, or several


class Cursor(sqlite3.Cursor):
    """Says of each failure whose fault it is. Raises ConfigError, WorldError."""

    connection: "Connection"

    def execute(self, sql: str, parameters: Any = (), /) -> "Cursor":
        try:
            return super().execute(sql, parameters)
        except FAILURES as error:
            raise self._told(error) from error

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> "Cursor":
        try:
            return super().executemany(sql, parameters)
        except FAILURES as error:
            raise self._told(error) from error

    def fetchone(self) -> Any:
        try:
            return super().fetchone()
        except FAILURES as error:
            raise self._told(error) from error

    def fetchall(self) -> list[Any]:
        try:
            return super().fetchall()
        except FAILURES as error:
            raise self._told(error) from error

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except FAILURES as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> Exception:
        return blame(self.connection.path, error, self.connection)


class Connection(sqlite3.Connection):
    """Asks by such cursors. `path`: how the file is called in messages."""

    path = "ledger.db"

    def execute(self, sql: str, parameters: Any = (), /) -> Cursor:
        return self.cursor(Cursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> Cursor:
        return self.cursor(Cursor).executemany(sql, parameters)


def blame(path: str, error: Exception, database: sqlite3.Connection | None = None) -> Exception:
    """The error to raise instead; the same one where nobody but us can be to blame."""
    if isinstance(error, UnicodeError) or any(word in str(error) for word in _DAMAGE):
        return damaged(path, error)
    if isinstance(error, sqlite3.OperationalError):
        return WorldError(f"{path}: {printable(str(error))}")
    if isinstance(error, sqlite3.IntegrityError):
        # Ours, unless the index that it was found by is not what it was.
        return damaged(path, error) if database and not _is_whole(database) else error
    if isinstance(error, sqlite3.ProgrammingError):
        return error
    return WorldError(f"{path}: {printable(str(error))}")


def damaged(path: str, why: object) -> ConfigError:
    said = printable(str(why))  # SQLite cites the damage as it is
    return ConfigError(
        f"{path}: damaged ({said}): move it aside; photosortd makes a new one and finds "
        "again by their bytes the photos that it filed"
    )


def understood(read: Callable[[Given], Value]) -> Callable[[Given], Value]:
    """A row that holds what we never write was damaged, even if SQLite did not notice."""

    @wraps(read)
    def reading(row: Given) -> Value:
        try:
            return read(row)
        except (ValueError, TypeError) as error:
            raise damaged("ledger.db", error) from error

    return reading


def _is_whole(database: sqlite3.Connection) -> bool:
    try:
        rows = sqlite3.Cursor(database).execute("PRAGMA integrity_check(1)").fetchall()
    except sqlite3.DatabaseError:
        return False
    return [tuple(row) for row in rows] == [("ok",)]
