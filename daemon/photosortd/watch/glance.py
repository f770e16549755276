"""How the files of one directory looked at one glance, and a digest of all of it.

A scan glances at every file that there is, and most directories are as they were: then the digest
is all that anybody asks for, and nothing else is made of what the kernel said.
"""

import os
from array import array
from collections.abc import ItemsView, Iterator, Mapping
from hashlib import blake2b

from photosortd.records import Stamp

SIZE = 16  # bytes of a digest


class Glance(Mapping[str, Stamp]):
    """By name. The stamps are made when the first is asked for."""

    __slots__ = ("_facts", "_stamps", "part")

    def __init__(self, facts: Mapping[str, os.stat_result], part: int | None = None) -> None:
        """`part`: which slice of its directory this is, all of it, to a full scan; None: perhaps
        not all that there is."""
        self._facts = facts
        self._stamps: dict[str, Stamp] | None = None
        self.part = part

    def stamps(self) -> dict[str, Stamp]:
        if self._stamps is None:
            self._stamps = {name: Stamp.of(facts) for name, facts in self._facts.items()}
        return self._stamps

    def digest(self) -> bytes | None:
        """Of name, size, mtime and ctime of every file, in an order that is nobody's choice.

        What it leaves out is what the ledger does not compare, either: a remount may renumber
        inodes. None without files, and for times that nobody's clock shows: those are looked at
        one by one.
        """
        if not self._facts:
            return None
        # No name holds '/' or NUL, and there are three numbers for each: no two glances are
        # written alike.
        names = sorted(self._facts)
        facts = [self._facts[name] for name in names]
        written = blake2b(os.fsencode("/".join(names)), digest_size=SIZE)
        written.update(b"\0")
        try:
            written.update(array("q", [each.st_size for each in facts]))
            written.update(array("q", [each.st_mtime_ns for each in facts]))
            written.update(array("q", [each.st_ctime_ns for each in facts]))
        except OverflowError:
            return None
        return written.digest()

    def changed_since(self, nanoseconds: int) -> int:
        """How many files have a ctime from then on."""
        times = [facts.st_ctime_ns for facts in self._facts.values()]
        if max(times, default=0) < nanoseconds:  # nearly always, and quickly told
            return 0
        return sum(map(nanoseconds.__le__, times))

    def items(self) -> ItemsView[str, Stamp]:
        return self.stamps().items()

    def __getitem__(self, name: str) -> Stamp:
        return self.stamps()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __contains__(self, name: object) -> bool:
        return name in self._facts
