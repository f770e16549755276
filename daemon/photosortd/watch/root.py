"""One watched root: its ground, its ears, and the scans that are the truth about it."""

import logging
from collections.abc import Callable, Collection, Iterator

from photosortd.errors import ConfigError, WorldError
from photosortd.records import printable
from photosortd.watch.arrivals import Arrivals
from photosortd.watch.ears import Ears
from photosortd.watch.ground import Change, Ground
from photosortd.watch.ignore import Rules
from photosortd.watch.inbox import Inbox
from photosortd.watch.scan import Unread, ignored_by, list_directory, nothing
from photosortd.watch.sight import mounts_below
from photosortd.watch.values import Listing, RootSpec, RootState, Watched
from photosortd.watch.walk import Walk

log = logging.getLogger(__name__)

CHECK_EVERY = 2.0  # seconds between two glances at a root
SUBTREES = 1000  # directories waiting to be looked into, before the whole root is scanned
AGAIN = 5.0  # seconds until a scan that could not be finished is made again; then twice that, …
_MENDED = 300.0  # seconds after which what a failing disk did not show is looked for again
_REMEMBERED = 1000  # problems that are not logged a second time


class Root:
    """Driven by tick(); scans go on by one directory with each listing()."""

    def __init__(self, spec: RootSpec, inbox: Inbox, between: Callable[[], None] = nothing) -> None:
        """`between` is called every few hundred files of a scan.

        Raises ConfigError for a pattern that cannot be used.
        """
        self.spec = spec
        self._between = between
        self._inherited = False  # its ground is known, but no watches are set on it
        self.path = spec.path
        self.ground = Ground(spec.path)
        self.ears = Ears(spec, inbox)
        try:
            self.rules = Rules().with_patterns("", "the configuration", spec.ignore)
        except ValueError as error:
            raise ConfigError(f"watch: {printable(spec.path)}: ignore: {error}") from error
        self._walk: Walk | None = None  # the running full scan
        self._side: Walk | None = None  # the running look into a new directory
        self._subtrees: dict[str, None] = {}  # directories to look into, in their order
        self._arrivals = Arrivals()
        self._again = AGAIN
        self._wanted = False
        self._now = self._wall = 0.0
        self._next_check = self._next_scan = 0.0
        self._last_scan: float | None = None
        self._directories = self._files = 0
        self._trouble = ""  # what the last scan could not read
        self._broken = False  # because the disk or share failed
        self._logged: set[str] = set()
        self._mounts_below = mounts_below(spec.path)

    # ---- one step

    def tick(self, now: float, wall: float, mounts_changed: bool) -> None:
        self._now, self._wall = now, wall
        ill = self.ground.doubtful or self.ears.ill
        if mounts_changed or ill or now >= self._next_check:
            self._check(mounts_changed)
        if self.ground.lost:
            return
        if self.ears.tick(now):
            self._wanted = True
            if self._walk is not None and not self._walk.directories:
                self._walk = None  # it has seen nothing yet: there is no need for two
        if now >= self._arrivals.next_due():
            self._prove()
        if self._walk is None and (self._wanted or now >= self._next_scan):
            self._begin()

    def _check(self, mounts_changed: bool) -> None:
        self._next_check = self._now + CHECK_EVERY
        doubtful = self.ground.doubtful
        change = self.ground.check(mounts_changed)
        sight = self.ground.sight
        inherited, self._inherited = self._inherited, False
        if change is Change.LOST:
            log.warning("%s: paused: %s", printable(self.path), self.ground.lost)
            self._drop()
            self.ears.close()
        elif sight is None or self.ground.lost:
            return
        elif change is Change.ARRIVED or inherited or (mounts_changed and self._is_deaf()):
            log.info("%s: watching %s", printable(self.path), sight)
            self._drop()
            self.ears.open(self._now, sight)
            self._wanted = True
        elif doubtful:
            self._flickered()

    def _flickered(self) -> None:
        """It could not be opened, and yet it stands: what was dropped then, a scan finds again."""
        if self._walk is not None:
            self._wanted = True
            return
        self._next_scan = min(self._next_scan, self._now + self._again)
        self._again = min(2 * self._again, self.ears.interval)

    def _unread(self, what: str) -> None:
        """There may be photos that it did not show: a scan finds them, and `--once` says it."""
        self._trouble, self._broken = f"not read: {what}", True
        self._flickered()

    def _prove(self) -> None:
        """watchdog loses a directory that is renamed, or whose parent is, as it appears."""
        watched = self.ears.watched()
        try:
            with self.ground.descriptor() as descriptor:
                deaf = self._arrivals.unwatched(descriptor, watched, self._now)
        except WorldError:
            return  # tick() finds out
        if deaf and self.ears.trusted:
            self.ears.stale = self._wanted = True

    def _is_deaf(self) -> bool:
        """Whether mounts changed below the root, or took its own watch away."""
        before, self._mounts_below = self._mounts_below, mounts_below(self.path)
        return before != self._mounts_below or self.ears.deafened()

    def _drop(self) -> None:
        self._walk = self._side = None
        self._subtrees.clear()
        self._arrivals = Arrivals()

    def _begin(self) -> None:
        self._wanted = False
        if self.ears.stale and self.ground.sight is not None:
            self.ears.open(self._now, self.ground.sight)
        self.ears.scan_begins()
        watched = self.ears.watched()
        self._walk = Walk(self.rules, "", watched, self._wall, self._between)

    def inherit(self, before: "Root") -> None:
        """Stand in for a root at the same path: one that was paused there stays paused."""
        self.ground = before.ground
        self._inherited = True
        self._last_scan = before._last_scan
        self._directories, self._files = before._directories, before._files

    def close(self) -> None:
        """Take the watches down and end the scans."""
        self._drop()
        self.ears.close()

    # ---- what is asked

    def request_scan(self) -> None:
        """Scan as soon as may be; a scan that is running is followed by another one."""
        self._wanted = True

    def look_below(self, directory: str) -> None:
        """A directory appeared: look at everything in it."""
        if self.ground.lost or any(above in self._subtrees for above in _and_above(directory)):
            return
        if len(self._subtrees) < SUBTREES:
            self._subtrees[directory] = None
        else:
            self._subtrees.clear()
            self._wanted = True

    def heeds(self, path: str, directory: bool) -> bool:
        """Whether an event at `path` is of interest, as far as its names and patterns tell."""
        if self.ground.lost:
            return False
        above = list(_and_above(path))[:-1]
        if any(self.rules.ignored(each, directory=True) for each in above):
            return False
        return not self.rules.ignored(path, directory=directory)

    # ---- scanning

    @property
    def scanning(self) -> bool:
        running = self._walk is not None or self._side is not None
        return not self.ground.lost and (running or self._wanted or bool(self._subtrees))

    def hinted_listing(self) -> Listing | None:
        """The next directory of those that an event named; None if there is none."""
        while self._side or self._subtrees:
            if self._side is None:
                directory = next(iter(self._subtrees))
                del self._subtrees[directory]
                self._side = Walk(self.rules, directory, between=self._between)
            listing = self._step(self._side, hinted=True)
            if self._side and self._side.done:
                self._side = None
            if listing:
                return listing
        return None

    def listing(self) -> Listing | None:
        """The next directory of the full scan; None if it is over, or none runs."""
        while self._walk is not None:
            listing = self._step(self._walk, hinted=False)
            if self._walk is not None and self._walk.done:
                walk, self._walk = self._walk, None
                self._finish(walk)
            if listing:
                return listing
        return None

    def _step(self, walk: Walk, hinted: bool) -> Listing | None:
        try:
            with self.ground.descriptor() as descriptor:
                found = walk.step(descriptor)
        except WorldError as error:
            # tick() finds out whether it is gone; if not, this scan has to be made again.
            self._drop()
            self._next_scan = self._now + self.ears.interval
            self._unread(str(error))
            return None
        if found is None:
            return None
        directory, names = found
        if hinted:
            self._arrivals.note(directory, self._now)
        self.ground.held_files |= bool(names)
        return Listing(self.path, directory, names, hinted)

    def _finish(self, walk: Walk) -> None:
        self._last_scan = self._wall or None
        self._again = AGAIN
        self._directories, self._files = walk.directories, walk.files
        self._trouble, self._broken = _summary(walk), walk.broken
        for problem in walk.problems:
            self._log_once(problem)
        again = self.ears.scanned(walk, self._now)
        self._next_scan = self._now + (self.ears.interval if again is None else again)
        if walk.broken:
            self._next_scan = min(self._next_scan, self._now + _MENDED)

    def _log_once(self, problem: str) -> None:
        if problem not in self._logged and len(self._logged) < _REMEMBERED:
            self._logged.add(problem)
            log.warning("%s: %s", printable(self.path), problem)

    # ---- single looks

    def look(self, directory: str, names: Collection[str] | None) -> Listing | None:
        try:
            with self.ground.descriptor() as descriptor:
                found = list_directory(descriptor, directory, self.rules, names)
        except (WorldError, Unread) as error:
            self._unread(str(error))
            return None
        if found is None:
            return None
        self.ground.held_files |= bool(found)
        return Listing(self.path, directory, found, hinted=True)

    def ignored_by(self, path: str) -> str | None:
        with self.ground.descriptor() as descriptor:
            return ignored_by(descriptor, path, self.rules)

    # ---- telling

    def next_due(self) -> float:
        """When tick() has something to do, by the monotonic clock."""
        if self.ground.lost:
            return self._next_check
        if self.ground.doubtful or (self._wanted and self._walk is None):
            return self._now
        times = [self._next_check, self.ears.retry_at, self._arrivals.next_due()]
        if self._walk is None:
            times.append(self._next_scan)
        return max(self._now, min(times))

    def state(self) -> RootState:
        sight = self.ground.sight
        watched: Watched = "events" if self.ears.trusted else "scans"
        reasons = [self.ears.reason, self._trouble]
        next_scan = None if self.scanning else self._wall + self._next_scan - self._now
        if self.ground.lost:
            watched, reasons, next_scan = "paused", [self.ground.lost], None
        return RootState(
            path=self.path,
            watched=watched,
            reason="; ".join(filter(None, reasons)),
            filesystem=str(sight) if sight else "",
            directories=self._directories,
            files=self._files,
            scan_interval=self.ears.interval,
            last_scan=self._last_scan,
            next_scan=next_scan,
            scanning=self.scanning,
            broken=self._broken,
        )


def _and_above(path: str) -> Iterator[str]:
    """`a`, `a/b`, `a/b/c` for `a/b/c`."""
    parts = path.split("/")
    return ("/".join(parts[: depth + 1]) for depth in range(len(parts)))


def _summary(walk: Walk) -> str:
    if not walk.failures:
        return ""
    more = f" (and {walk.failures - 1} more)" if walk.failures > 1 else ""
    return f"not read: {walk.problems[0]}{more}"
