"""A service's household under guard: what must be true of it whatever happens to the machine."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

from drawing import RED, draw_photo
from running import eventually, facts, read_files
from serving import DCIM, LIBRARY, STATE, UNIT, Household

PYTHON = "/opt/photosortd/bin/python"
_ASK = (
    "import json, sqlite3, sys; database = sqlite3.connect(sys.argv[1], timeout=20); "
    "print(json.dumps([list(map(str, row)) for row in database.execute(sys.argv[2])]))"
)


class Guard:
    """Draws photos, and knows what has to come of them. Paths are those inside the machine."""

    def __init__(self, household: Household, dcim: str = DCIM, library: str = LIBRARY) -> None:
        self.household = household
        self._dcim, self._library = dcim, library
        self.expected: dict[str, bytes] = {}
        self._sources: dict[str, bytes] = {}
        self._facts: dict[str, tuple[object, ...]] = {}

    @property
    def dcim(self) -> Path:
        return self.household.machine.path(self._dcim)

    @property
    def library(self) -> Path:
        return self.household.machine.path(self._library)

    def photos(self, count: int) -> None:
        """So many more, no two alike."""
        self.dcim.mkdir(parents=True, exist_ok=True)
        for _ in range(count):
            number = len(self.expected)
            name, data = f"{number}.jpg", draw_photo(RED, seed=number)
            (self.dcim / name).write_bytes(data)
            self._sources[name] = data
            self.expected[f"red/{name}"] = data
        self.remember()

    def bad_photos(self, count: int, name: str) -> None:
        """Cut short, for ever."""
        for number in range(count):
            data = draw_photo(RED, seed=number)[:400] + f"{name}{number}".encode()
            (self.dcim / f"{name}{number}.jpg").write_bytes(data)
            self._sources[f"{name}{number}.jpg"] = data
        self.remember()

    def remember(self) -> None:
        """The sources are to stay as they are now."""
        self._facts = facts(self.dcim)

    # ---- what must be true

    def filed(self) -> int:
        return len(read_files(self.library))

    def whole(self) -> None:
        """At any moment: whatever is seen is a photo that was put in, with all of its bytes."""
        found = read_files(self.library)
        half = [name for name, data in found.items() if self.expected.get(name) != data]
        assert not half, f"seen half or unexpected: {half[:5]}"

    def settled(self, seconds: float = 90.0) -> None:
        """In the end: each photo once, whole; no litter; the ledger agrees; sources unharmed."""
        eventually(lambda: self.filed() >= len(self.expected), seconds, "every photo is filed")
        eventually(lambda: not self.ask(_OPEN), seconds, "nothing is left half-done")
        found = read_files(self.library, hidden=True)
        marker = [name for name in found if os.path.basename(name) == ".photosortd-library"]
        assert marker == [".photosortd-library"]
        del found[marker[0]]
        assert sorted(found) == sorted(self.expected)
        self.whole()
        assert self.ask("PRAGMA integrity_check") == [["ok"]]
        placed = Counter(name for (name,) in self.ask(_PLACED))
        assert sorted(placed) == sorted(self.expected), "the ledger says otherwise"
        assert max(placed.values(), default=1) == 1, "placed twice"
        self.unharmed()

    def unharmed(self) -> None:
        now = facts(self.dcim)
        changed = [name for name in now.keys() | self._facts if now.get(name) != self._facts[name]]
        assert not changed, f"sources were touched: {changed[:5]}"

    def ask(self, sql: str) -> list[list[str]]:
        """Of the ledger, as a reader beside the daemon."""
        said = self.household.machine.run(PYTHON, "-c", _ASK, f"{STATE}/ledger.db", sql).stdout
        rows: list[list[str]] = json.loads(said)
        return rows

    def without_traceback(self) -> None:
        """But for Python's own, where SIGINT came before a line of ours had run."""
        assert "Traceback" not in _TOO_EARLY.sub("", self.household.said())

    # ---- the unit

    def often(self, *lines: str, **settings: Any) -> None:
        """A service that may be started as often as a test likes, and quickly, with `lines`."""
        household = self.household
        machine = household.machine
        limit = f"/etc/systemd/system/{UNIT}.d/60-limit.conf"
        machine.write(limit, "[Unit]\nStartLimitIntervalSec=0\n")
        household.unit("RestartSec=100ms", *lines)
        if settings:
            household.configure(**settings)

    def restart(self, *lines: str) -> None:
        """With these settings of the unit instead of those before."""
        self.often(*lines)
        self.household.machine.run("systemctl", "restart", UNIT, check=False)


_TOO_EARLY = re.compile(
    r"Traceback \(most recent call last\):\n"
    r"(  .*\n)*  File \"<frozen .*\n(  .*\n)*KeyboardInterrupt\n"
)
_OPEN = "SELECT id FROM placement WHERE state = 'intended'"
_PLACED = (
    "SELECT CAST(directory AS TEXT) || '/' || CAST(name AS TEXT) FROM placement "
    "WHERE state = 'placed'"
)
