"""What should be where in a household: told of everything its people do, never of code.

A photo is a content, not a name: whatever happens, each content comes once into each of its
categories, and goes only when an undo was asked for while its original stands.
"""

import hashlib
import os
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path

import yaml

from tiny import TINY

CATEGORIES = ("red", "green", "blue")
Scores = tuple[float, ...]


def photo(number: int, scores: Scores) -> bytes:
    return f"photo {' '.join(map(str, scores))} {number:06} end".encode()


def categories_of(data: bytes) -> set[str]:
    scores = data.split()[1:4] if data.startswith(b"photo") else ()
    return {name for name, score in zip(CATEGORIES, scores, strict=False) if float(score) > 0.5}


def tree(directory: Path) -> dict[str, bytes]:
    """{path below: content} of what is not hidden."""
    found = {}
    for where, _, names in os.walk(directory):
        for name in names:
            if not name.startswith("."):
                path = os.path.join(where, name)
                found[os.path.relpath(path, directory)] = Path(path).read_bytes()
    return found


def facts(directory: Path) -> dict[str, tuple[object, ...]]:
    """All that a program might change in a tree, but for times of access."""
    found: dict[str, tuple[object, ...]] = {}
    for where, _, names in os.walk(directory):
        for path in (where, *(os.path.join(where, name) for name in names)):
            stat = os.lstat(path)
            data = Path(path).read_bytes() if path != where else b""
            found[path] = (stat.st_mode, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, data)
    return found


class Household:
    """Looks at its sources and its library, and says what may not be."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.dcim, self.library = home / "DCIM", home / "library"
        self.whole: set[bytes] = set()  # each content that ever stood complete
        self.filed: dict[str, bytes] = {}  # of ours, as last seen
        self.foreign: dict[str, bytes] = {}  # the household's own
        self.created: Counter[tuple[str, bytes]] = Counter()  # by us, ever
        self.beside: defaultdict[bytes, set[bytes]] = defaultdict(set)  # photos of a companion
        self.contents: defaultdict[str, set[bytes]] = defaultdict(set)  # ever at a path without end
        self.spoilt: set[bytes] = set()  # photos of which people took filed copies away
        self.undoing = False  # somebody asked for an undo

    def people_did(self) -> None:
        self.sources = facts(self.dcim)
        now = tree(self.dcim)
        for path, data in now.items():
            stem = os.path.splitext(path)[0]
            self.contents[stem].add(data)
            if data.endswith(b"end"):
                self.whole.add(data)
            if path.endswith(".xmp") and (its := now.get(f"{stem}.jpg")):
                self.beside[data].add(its)

    def spoil(self, data: bytes) -> None:
        self.spoilt |= {data}

    def look(self) -> None:
        assert facts(self.dcim) == self.sources, "sources were touched"
        now = tree(self.library)
        for path, data in self.foreign.items():
            assert now.pop(path, None) == data, f"{path} is not ours, and was changed or removed"
        standing = {each[-1] for each in self.sources.values()}
        for path, data in self.filed.items():
            if now.get(path) != data:
                assert self.undoing, f"{path} was removed or changed, and nobody asked"
                assert data in standing, f"{path} was removed, and was the last copy"
                self.spoil(data)
        for path, data in sorted(now.items(), key=lambda item: item[1], reverse=True):
            if self.filed.get(path) != data:
                self.came(path, data)
        self.filed = now

    def came(self, path: str, data: bytes) -> None:
        """Photos are seen before companions."""
        assert data in self.whole, f"{path} is half, or nobody's: {data!r}"
        category = os.path.dirname(path)
        self.created[category, data] += 1
        times = self.created[category, data]
        if data.startswith(b"photo"):
            assert category in categories_of(data), f"{path} was never to be in {category}"
            assert times == 1, f"{path} was filed again: {data!r}"
        else:
            photos = [each for each in self.beside[data] if self.created[category, each]]
            assert times <= len(photos), f"{path} came beside {len(photos)} photos: {data!r}"

    def missing(self) -> list[tuple[str, str, bytes]]:
        """What stands whole in the source and was never filed where it belongs."""
        now = tree(self.dcim)
        found = []
        for path, data in now.items():
            if (self.dcim / path).with_name(".nomedia").exists():
                continue
            stem, end = os.path.splitext(path)
            its = now.get(f"{stem}.jpg", b"") if end == ".xmp" else data
            plain = end == ".jpg" or (len(self.contents[stem]) == 2 and its not in self.spoilt)
            if data.endswith(b"end") and plain:
                found += [
                    (each, path, data)
                    for each in sorted(categories_of(its))
                    if its.endswith(b"end") and not self.created[each, data]
                ]
        return found

    def configure(self) -> None:
        given = {
            "watch": [{"path": str(self.dcim)}],
            "library": str(self.library),
            "state": str(self.home / "state"),
            "model": str(TINY),
            "settle": {"quiet": "2s", "give_up": "1d"},
            "place": {"keep_free": 0},
            "thresholds": {"default": 0.5},
            "workers": 1,
        }
        (self.home / "config.yaml").write_text(yaml.safe_dump(given))

    def one_of(self, n: int) -> Path | None:
        paths = sorted(tree(self.dcim))
        return self.dcim / paths[n % len(paths)] if paths else None

    def books_agree(self) -> None:
        with closing(sqlite3.connect(self.home / "state" / "ledger.db")) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            rows = database.execute(
                "SELECT directory, name, sha256 FROM placement WHERE state = 'placed'"
            ).fetchall()
        noted = {(os.fsdecode(d) + "/" + os.fsdecode(n), sha) for d, n, sha in rows}
        for path, data in self.filed.items():
            assert (path, hashlib.sha256(data).hexdigest()) in noted, f"{path} is in no book"
        assert not list(self.library.rglob(".photosortd-*.part"))
