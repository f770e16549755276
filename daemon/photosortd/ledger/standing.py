"""Is the ledger's file still the one at its path?

SQLite looks at names when it opens and never again: it would write to a file that nobody finds
after the next start.
"""

import os

from photosortd.errors import WorldError
from photosortd.records import printable

_Identity = tuple[int, int]  # device and inode


class Standing:
    """Remembers which files stood at a ledger's path."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stood: dict[str, _Identity] = {}
        self.check()

    def check(self) -> None:
        """Raises WorldError if another file stands there now, or none."""
        stands = _standing(self._path)
        for path, stood in self._stood.items():
            if stands.get(path, stood) != stood:
                raise WorldError(f"{printable(path)} was moved, removed or replaced while in use")
        self._stood |= {path: found for path, found in stands.items() if found is not None}


def _standing(path: str) -> dict[str, _Identity | None]:
    """Which files stand there; None: none. One that cannot be looked at now is left out."""
    found: dict[str, _Identity | None] = {}
    for each in (path, path + "-wal"):
        try:
            facts = os.stat(each)
        except FileNotFoundError:
            found[each] = None
        except OSError:
            continue
        else:
            found[each] = (facts.st_dev, facts.st_ino)
    return found
