"""Files that a ledger knows already: a large archive, without the days that sorting it would take.

Each file holds a few bytes and stands in the ledger as the daemon would have noted it; nine of ten
were filed. What was filed is not in the library: no scan looks there.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from photosortd.ledger import Entry, Filed, Ledger, Note, schema
from photosortd.records import Decided, Method, Outcome, Placement, Seen, Source, Stamp, Verdict

TOGETHER = 10_000  # files that are noted in one commit: whole batches
CACHE = 1 << 30  # bytes
BATCH = 1000  # files in each batch of undo
CATEGORY = "known"
BUNDLE = "0" * 64

_NONE = 10  # every tenth belongs nowhere


@dataclass(frozen=True, slots=True)
class Archive:
    """So many files, evenly in so many directories."""

    root: Path
    files: int
    directories: int

    def directory(self, number: int) -> str:
        """Below the root; a scan comes by them in their order."""
        return f"{number // 100:04}/{number % 100:02}"

    def source(self, number: int) -> Source:
        at = self.directory(number * self.directories // self.files)
        return Source(str(self.root), f"{at}/IMG_{number:08}.jpg")

    def names(self, directory: int) -> list[str]:
        """In the directory of that number."""
        first = -(-directory * self.files // self.directories)
        end = -(-(directory + 1) * self.files // self.directories)
        return [self.source(number).name for number in range(first, end)]

    def fill(self, state: Path, library: Path) -> None:
        """Write the files, and into the state directory a ledger that knows all of them."""
        for number in range(self.directories):
            (self.root / self.directory(number)).mkdir(parents=True)
        state.mkdir(parents=True, exist_ok=True)
        notes = enumerate(self._notes())
        with closing(Grouped(schema.connect(str(state / "ledger.db")))) as ledger:
            ledger.hurry()
            while some := list(islice(notes, TOGETHER)):
                with ledger.write():
                    _note(ledger, str(library), some)

    def _notes(self) -> Iterator[Note]:
        for number in range(self.files):
            source, data = self.source(number), b"known %d" % number
            with open(source.full, "xb", buffering=0) as stream:
                stream.write(data)
                stamp = Stamp.of(os.fstat(stream.fileno()))
            sha256 = hashlib.sha256(data).hexdigest()
            yield Note(source, stamp, time.time(), time.time(), sha256, _decided(number, sha256))


class Grouped(Ledger):
    """A ledger in which many notes share one commit: for filling it, and for nothing else."""

    def hurry(self) -> None:
        """Hold what is being changed in memory, and leave the disk to itself until the end."""
        self._database.execute(f"PRAGMA cache_size=-{CACHE >> 10}")
        self._database.execute("PRAGMA synchronous=OFF")

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        if self._database.in_transaction:
            yield self._database
        else:
            with super().write() as database:
                yield database


def _decided(number: int, sha256: str) -> Decided:
    filed = number % _NONE != 0
    score = 0.9 if filed else 0.1
    seen = Seen(sha256, "JPEG", 4000, 3000, None, (score,))
    verdict = Verdict((CATEGORY,) if filed else (), ())
    return Decided(seen, verdict, BUNDLE, {CATEGORY: score}, {CATEGORY: 0.5})


def _note(ledger: Ledger, library: str, notes: Sequence[tuple[int, Note]]) -> None:
    batch = 0
    for number, note in notes:
        if number % BATCH == 0:
            batch = ledger.placements.new_batch("once", note.at)
        assert note.decided is not None
        if note.decided.verdict.outcome is Outcome.PLACED:
            _file(ledger, library, note, batch)
        else:
            ledger.finish(note, note.decided.verdict.outcome)


def _file(ledger: Ledger, library: str, note: Note, batch: int) -> None:
    """As the daemon does: the intent, then the deed."""
    assert note.sha256 is not None
    name, size = note.source.name, note.stamp.size
    placement = Placement(CATEGORY, CATEGORY, name, note.sha256, size, Method.COPY, 1, 1)
    filed = Filed(note, Outcome.PLACED, (placement,))
    ledger.complete(ledger.intend([filed], library, Entry(batch, BUNDLE)), note.at)
