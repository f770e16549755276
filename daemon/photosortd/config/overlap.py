"""Would what is filed be taken for new photos? Symbolic links and bind mounts are looked through.

Only looks: at links and at the kernel's table of mounts. A path that does not exist yet is judged
by its nearest parent that does.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from photosortd import files
from photosortd.config.tree import Path


@dataclass(frozen=True, slots=True)
class _Place:
    """A directory as such, whichever path leads there: file system, and path inside of it."""

    device: str  # 'major:minor'
    path: str

    def overlaps(self, other: "_Place") -> bool:
        return self.device == other.device and _nested(self.path, other.path)


def problems(
    roots: Mapping[Path, str], library: str | None, state: str | None
) -> Iterator[tuple[Path, str]]:
    """Each overlap, with the key to complain about. `roots` by their keys; None: not known."""
    for (_, first), (key, second) in combinations(roots.items(), 2):
        if relation := _relation(second, first):
            yield key, f"{second} {relation} {first}: each photo would be seen twice"
    for name, output in (("library", library), ("state", state)):
        if output is not None:
            yield from (((name,), problem) for problem in _taken_for_input(output, roots.values()))
    if library is not None and state is not None and _same(library, state):
        yield ("state",), f"{state} is the library: the daemon's memory needs a place of its own"


def _taken_for_input(output: str, roots: Iterable[str]) -> Iterator[str]:
    for root in roots:
        if relation := _relation(output, root):
            yield (
                f"{output} {relation} the watched {root}: what is written to one would be "
                "taken for new photos in the other"
            )


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _relation(one: str, other: str) -> str | None:
    """How two directories overlap, in words; None if they do not."""
    a, b = os.path.realpath(one), os.path.realpath(other)
    if not (_nested(a, b) or _overlap_by_mounts(a, b)):
        return None
    if one == other:
        return "is the same as"
    if _within(one, other):
        return "lies in"
    if _within(other, one):
        return "contains"
    return "overlaps, through a link or a bind mount, with"


def _nested(a: str, b: str) -> bool:
    return _within(a, b) or _within(b, a)


def _within(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _overlap_by_mounts(a: str, b: str) -> bool:
    seen = _places(b)
    return any(place.overlaps(other) for place in _places(a) for other in seen)


def _places(path: str) -> list[_Place]:
    """What can be seen below a real path: itself, and everything that is mounted further down."""
    below = [
        _Place(mount.device, mount.root)
        for mount in files.mounts()
        if mount.point != path and _within(mount.point, path)
    ]
    itself = _place(path)
    return [itself, *below] if itself is not None else below


def _place(path: str) -> _Place | None:
    existing = path
    while True:
        try:
            mount = files.mount_of(existing)
            break
        except OSError:  # not there, or not for us to look at: its parent tells as much
            if existing == "/":
                return None
            existing = os.path.dirname(existing)
    if not _within(path, mount.point):
        return None
    inner = os.path.join(mount.root, os.path.relpath(path, mount.point))
    return _Place(mount.device, os.path.normpath(inner))
