"""What other processes ask of the one writer: the only rows they may insert."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from photosortd.ledger.blame import understood
from photosortd.ledger.placements import Write


@dataclass(frozen=True, slots=True)
class Request:
    id: int
    command: Mapping[str, Any]
    at: float  # when it was left, seconds since the epoch


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a request has come."""

    begun: int | None  # process id of the daemon that took it in hand
    result: Mapping[str, Any] | None


class Requests:
    def __init__(self, database: sqlite3.Connection, write: Write) -> None:
        self._database = database
        self._write = write

    def leave(self, command: Mapping[str, Any], at: float) -> int:
        """Leave a request for the daemon. Returns its number."""
        with self._write() as database:
            cursor = database.execute(
                "INSERT INTO request (at, command) VALUES (?, ?)", (at, json.dumps(dict(command)))
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def withdraw(self, number: int) -> bool:
        """Take back a request. False: too late, it was begun or answered."""
        with self._write() as database:
            cursor = database.execute(
                "DELETE FROM request WHERE id = ? AND begun IS NULL AND result IS NULL", (number,)
            )
        return cursor.rowcount == 1

    def progress(self, number: int) -> Progress | None:
        """How far it has come; None if it was withdrawn or forgotten."""
        row = self._database.execute(
            "SELECT begun, result FROM request WHERE id = ?", (number,)
        ).fetchone()
        if row is None:
            return None
        return Progress(row[0], json.loads(row[1]) if row[1] is not None else None)

    def open(self) -> list[Request]:
        """Requests that wait, oldest first. One that a crash interrupted is not among them."""
        rows = self._database.execute(
            "SELECT id, command, at FROM request WHERE begun IS NULL AND result IS NULL ORDER BY id"
        )
        return [_request(row) for row in rows]

    def begin(self, number: int, pid: int) -> bool:
        """Take it in hand as process `pid`. False if it was withdrawn in the meantime."""
        with self._write() as database:
            cursor = database.execute(
                "UPDATE request SET begun = ? WHERE id = ? AND begun IS NULL AND result IS NULL",
                (pid, number),
            )
        return cursor.rowcount == 1

    def answer(self, number: int, result: Mapping[str, Any], now: float) -> None:
        """Note the result; requests of the day before are forgotten."""
        with self._write() as database:
            database.execute(
                "UPDATE request SET result = ? WHERE id = ?", (json.dumps(dict(result)), number)
            )
            database.execute(
                "DELETE FROM request WHERE at < ? AND id != ? AND coalesce(begun, result) NOT NULL",
                (now - 86400, number),
            )


@understood
def _request(row: sqlite3.Row) -> Request:
    number, command, at = row
    return Request(number, json.loads(command), at)
