"""What must be true of a household whatever happened to it.

An Audit is opened before anything goes wrong. It remembers the sources, is told what should be in
the library in the end, and then checks: at any moment, that what is seen is whole and what was
there is unharmed; in the end, that everything is filed exactly once and the books agree.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from running import House, facts


class Audit:
    """`expected`: {path in the library: bytes}; it may grow as photos are added."""

    def __init__(self, house: House, expected: Mapping[str, bytes] | None = None) -> None:
        self.house = house
        self.expected: dict[str, bytes] = dict(expected or {})
        self._before = facts(house.dcim)

    def look_again(self) -> None:
        """The test itself has changed the sources: they are to stay as they are now."""
        self._before = facts(self.house.dcim)

    def unharmed(self) -> None:
        """No source file has changed in content, time, mode, owner or number of links."""
        now = facts(self.house.dcim)
        changed = {
            name for name in now.keys() | self._before if now.get(name) != self._before.get(name)
        }
        assert not changed, f"sources were touched: {sorted(changed)[:5]}"

    def whole(self) -> None:
        """At any moment: every visible file is an expected one, with all of its bytes."""
        filed = self.house.filed()
        half = [name for name, data in filed.items() if self.expected.get(name) != data]
        assert not half, f"seen half or unexpected: {sorted(half)[:5]}"

    def placed_is_there(self) -> None:
        """At any moment: what the ledger calls placed is in the library, whole."""
        gone = []
        for name, sha256 in self._placed():
            path = self.house.library / name
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
                gone.append(name)
        assert not gone, f"the ledger says placed, the library does not: {gone[:5]}"

    def settled(self) -> None:
        """In the end: each photo filed exactly once, whole; no litter; the ledger agrees."""
        self.house.assert_filed_once(self.expected)
        self.house.assert_sound()
        self.placed_is_there()
        listed = Counter(name for name, _ in self._placed())
        twice = [name for name, times in listed.items() if times > 1]
        assert not twice, f"placed twice: {twice[:5]}"
        unlisted = sorted(self.expected.keys() - listed)
        assert not unlisted, f"in the library, not in the ledger: {unlisted[:5]}"
        waiting = self.house.query("SELECT name FROM version WHERE current = 1 AND outcome IS NULL")
        assert not waiting, f"still in hand: {waiting[:5]}"
        self.unharmed()

    def undone(self, *foreign: str) -> None:
        """`undo` takes exactly what was filed, and leaves what others put into the library."""
        done = self.house.run("undo", "--since", "7d", "--yes", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.house.names() == sorted(foreign)
        self.unharmed()

    def _placed(self) -> list[tuple[str, str]]:
        """(path below the library, sha256) of each placement that the ledger calls done."""
        rows = self.house.query(
            "SELECT directory, name, sha256 FROM placement WHERE state = 'placed'"
        )
        return [
            (os.fsdecode(os.path.join(_bytes(directory), _bytes(name))), sha256)
            for directory, name, sha256 in rows
        ]


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


def litter_of_state(state: Path) -> list[str]:
    """What a crash left in the state directory that nobody will ever use again."""
    return sorted(str(path.relative_to(state)) for path in state.rglob("incoming-*"))
