"""Is the sandbox that we were started in still the right one?

The unit's view of the file systems is made at its start: the roots read-only, the library
writable. What is mounted outside later appears in it with flags of its own, or not at all. Only
a fresh start mends that, so this says when one is needed; what a start finds it takes as it is.
"""

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from photosortd import files
from photosortd.records import printable
from photosortd.watch.sight import MountTable

log = logging.getLogger(__name__)

OUTSIDE = "/proc/1/mountinfo"
"""The mounts of the machine, as those see them who live in no sandbox."""

INSIDE = "/proc/self/mountinfo"

EVERY = 2.0
"""Seconds between two looks."""

_Key = tuple[str, bool]  # a path, and whether we write there


@dataclass(frozen=True, slots=True)
class View:
    """A path in one table of mounts."""

    mount: files.Mount  # that it lies on
    below: frozenset[files.Mount]  # what is mounted in it

    def since(self, before: "View | None") -> frozenset[files.Mount]:
        """What came. Where a mount went, the one that it was mounted on has not just come."""
        if before is None:
            return self.below | {self.mount}
        came = self.below - before.below
        if self.mount == before.mount or len(self.mount.point) < len(before.mount.point):
            return came
        return came | {self.mount}

    @property
    def devices(self) -> frozenset[tuple[str, str]]:
        return frozenset({(self.mount.device, "")} | {(m.device, m.point) for m in self.below})


@dataclass(frozen=True, slots=True)
class Footing:
    """What a path stands on."""

    inside: View | None  # None: the path is not there
    outside: View | None = None  # None: nobody can tell


def outdated_by(before: Footing, now: Footing, writes: bool) -> str:
    """`mounted`, say: what happened that this sandbox does not allow for; '' if nothing.

    A source must be read-only, the library writable, and both what they are outside: the sandbox
    may hold on to a disk that was unmounted there, or hide one that was mounted.
    """
    if now.inside and any(m.read_only == writes for m in now.inside.since(before.inside)):
        return "mounted"
    if now.outside is None or now.outside == before.outside:
        return ""
    came = now.outside.since(before.outside)
    if now.inside is None:
        return "mounted" if now.outside.mount in came else ""
    if now.inside.devices == now.outside.devices:
        return "remounted" if writes and _opened(before, now) else ""
    return "mounted" if came else "unmounted"


def _opened(before: Footing, now: Footing) -> bool:
    """Whether it was read-only outside when the sandbox was made, which keeps it so inside."""
    was = before.outside is not None and before.outside.mount.read_only
    opened = now.outside is not None and not now.outside.mount.read_only
    return was and opened and now.inside is not None and now.inside.mount.read_only


class Sandbox:
    """Looks at the paths from time to time. `outdated` says why a fresh start is needed."""

    def __init__(self) -> None:
        self._footings: dict[_Key, Footing] = {}
        self._tables = list(_tables())
        self._stale = True
        self._next_at = 0.0
        self.outdated = ""

    def look(self, sources: Collection[str], library: str, now: float) -> bool:
        """Whether a fresh start is needed. A path that was not asked about before is accepted."""
        if now < self._next_at:
            return False
        self._next_at = now + EVERY
        keys = [*((path, False) for path in sources), (library, True)]
        self._stale |= self._changed()
        if not self._stale and all(self._is_there(key) for key in keys):
            return False
        inside, outside = list(files.mounts()), _outside()
        found = {(path, writes): _footing(path, inside, outside) for path, writes in keys}
        if self._changed():
            self._stale = True
            return False  # mounts are coming and going at this very moment: look again
        self._stale = False
        return self._compare(found)

    def _changed(self) -> bool:
        changed = [table.changed() for table in self._tables]  # each is asked, and forgets it
        return any(changed)

    def _is_there(self, key: _Key) -> bool:
        return key in self._footings and self._footings[key].inside is not None

    def _compare(self, found: Mapping[_Key, Footing]) -> bool:
        for (path, writes), footing in found.items():
            before = self._footings.get((path, writes))
            if before is None:
                _accept(path, writes, footing)
            elif what := outdated_by(before, footing, writes):
                self.outdated = (
                    f"{printable(path)}: {what} while we ran: starting again inside a fresh sandbox"
                )
                log.warning("%s", self.outdated)
                return True
        self._footings = dict(found)
        return False


def _accept(path: str, writes: bool, footing: Footing) -> None:
    """At the first look: a new start would find the same."""
    if not writes and footing.inside is not None and not footing.inside.mount.read_only:
        log.warning(
            "%s: the sandbox does not protect it from us: "
            "`sudo photosortd service install` mends that",
            printable(path),
        )


def _footing(
    path: str, inside: Collection[files.Mount], outside: Collection[files.Mount]
) -> Footing:
    seen = None
    real = os.path.realpath(path)
    with suppress(OSError):
        seen = View(files.mount_of(path), below(real, inside))
    over = covering(real, outside)
    return Footing(seen, None if over is None else View(over, below(real, outside)))


def _outside() -> list[files.Mount]:
    try:
        return list(files.mounts(OUTSIDE))
    except OSError:
        return []  # hidden from us: then only what we see counts


def _tables() -> Iterator[MountTable]:
    yield MountTable(INSIDE)
    with suppress(OSError):  # see _outside
        yield MountTable(OUTSIDE)


def covering(path: str, mounts: Collection[files.Mount]) -> files.Mount | None:
    """The mount that a path lies on; of those at one point the last one counts."""
    over = [mount for mount in mounts if _contains(mount.point, path)]
    longest = max((len(mount.point) for mount in over), default=0)
    return next((mount for mount in reversed(over) if len(mount.point) == longest), None)


def below(path: str, mounts: Collection[files.Mount]) -> frozenset[files.Mount]:
    """What is mounted somewhere in a directory."""
    return frozenset(m for m in mounts if m.point != path and _contains(path, m.point))


def _contains(directory: str, path: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")
