"""How fast a large ledger answers and commits, through the very calls that the daemon makes.

The yardstick of a commit is what the disk can do: a page written and synced, over and over.
"""

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from known import Archive
from measuring import Row, Series

from photosortd.ledger import Ledger, Note
from photosortd.records import Outcome, Source, Stamp

LOOKS = 200  # directories, and single files, in one turn
COMMITS = 100  # in one turn
_PAGE = b"\0" * 4096


def rows(state: Path, archive: Archive, repeats: int) -> Iterator[Row]:
    """Nobody else may have the ledger open."""
    lots = random.Random(0)
    with closing(Ledger.open(str(state / "ledger.db"))) as ledger:
        turns = _Turns(ledger, archive, lots, state)
        measured = {
            "the ledger: files known, by directory": turns.directories,
            "the ledger: files looked up one by one": turns.files,
            "the ledger: outcomes committed": turns.commits,
            "the disk: pages written and synced": turns.pages,
        }
        found = defaultdict(list)
        for _ in range(repeats):
            for name, turn in measured.items():
                found[name].append(_rate(turn))
    for name, rates in found.items():
        yield Row(name, {"rate": Series.of(rates, "/s")})


def _rate(turn: Callable[[], int]) -> float:
    began = time.monotonic()
    return turn() / (time.monotonic() - began)


class _Turns:
    """Each returns how much it did."""

    def __init__(self, ledger: Ledger, archive: Archive, lots: random.Random, state: Path) -> None:
        self._ledger, self._archive, self._lots = ledger, archive, lots
        self._page = state / "page"
        self._noted = 0

    def directories(self) -> int:
        """As a scan asks, with the names that it has found."""
        root, found = str(self._archive.root), 0
        for number in self._lots.choices(range(self._archive.directories), k=LOOKS):
            directory = self._archive.directory(number)
            names = self._archive.names(number)
            found += len(self._ledger.known(root, directory, names))
        return found

    def files(self) -> int:
        for number in self._lots.choices(range(self._archive.files), k=LOOKS):
            if self._ledger.version(self._archive.source(number)) is None:
                raise RuntimeError("the archive is not known")
        return LOOKS

    def commits(self) -> int:
        """Of a new file each, that belongs nowhere: durable when the call returns."""
        stamp = Stamp(1, 1, 1, 1, 1)
        for _ in range(COMMITS):
            self._noted += 1
            source = Source(str(self._archive.root), f"committed/{self._noted}.jpg")
            sha256 = f"{self._noted:064x}"
            self._ledger.finish(Note(source, stamp, 1.0, 1.0, sha256), Outcome.NONE)
        return COMMITS

    def pages(self) -> int:
        descriptor = os.open(self._page, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for _ in range(COMMITS):
                os.write(descriptor, _PAGE)
                os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        return COMMITS
