"""What other processes ask of the one writer: the only rows they may insert."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from photosortd.ledger.placements import Write


@dataclass(frozen=True, slots=True)
class Request:
    id: int
    command: Mapping[str, Any]


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

    def withdraw(self, number: int) -> None:
        """Take back a request that was not carried out."""
        with self._write() as database:
            database.execute("DELETE FROM request WHERE id = ? AND result IS NULL", (number,))

    def result(self, number: int) -> dict[str, Any] | None:
        """What came of it; None while the daemon has not carried it out."""
        row = self._database.execute(
            "SELECT result FROM request WHERE id = ?", (number,)
        ).fetchone()
        return json.loads(row[0]) if row and row[0] is not None else None

    def open(self) -> list[Request]:
        """Requests that wait, oldest first."""
        rows = self._database.execute(
            "SELECT id, command FROM request WHERE result IS NULL ORDER BY id"
        )
        return [Request(number, json.loads(command)) for number, command in rows]

    def answer(self, number: int, result: Mapping[str, Any], now: float) -> None:
        """Note the result; those of the day before are forgotten."""
        with self._write() as database:
            database.execute(
                "UPDATE request SET result = ? WHERE id = ?", (json.dumps(dict(result)), number)
            )
            database.execute(
                "DELETE FROM request WHERE result IS NOT NULL AND at < ?", (now - 86400,)
            )
