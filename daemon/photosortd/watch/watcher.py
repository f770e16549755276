"""All watched roots together: what the rest of the daemon talks to."""

import stat
from collections.abc import Callable, Collection, Sequence

from photosortd import files
from photosortd.errors import WorldError
from photosortd.records import Source, Stamp, printable
from photosortd.watch.inbox import Inbox
from photosortd.watch.root import Root
from photosortd.watch.scan import GONE, nothing, stat_beneath
from photosortd.watch.sight import MountTable
from photosortd.watch.values import Away, Hint, Listing, RootSpec, RootState

STALE = 10.0  # seconds after its last event for which a root is not judged to be deaf


class Watcher:
    """Hints and scans of several roots. Not for use by several threads; only `wake` is.

    Times are arguments: `now` of the monotonic clock, `wall` since the epoch, both in seconds.
    """

    def __init__(self, roots: Sequence[RootSpec], wake: Callable[[], None]) -> None:
        """`wake` is called, from other threads too, when tick() and hints() have something to do.

        It must neither raise nor wait. Raises ConfigError for a pattern that cannot be used.
        """
        self._inbox = Inbox(wake)
        self.between: Callable[[], None] = nothing  # called while many files are looked at
        self._roots = {spec.path: self._root(spec) for spec in roots}
        self._mounts: MountTable | None = None
        self.mounts_changed = False  # before the last tick
        self._now = 0.0
        self._heard: dict[str, float] = {}  # when a root's last event came
        self._handed: Listing | None = None

    def start(self, now: float) -> None:
        """Set the watches and begin the first scan of every root that is there.

        Of large trees they are not set yet when it returns: see `setting_watches`.
        """
        self._mounts = MountTable()
        self.tick(now, 0.0)

    @property
    def paths(self) -> tuple[str, ...]:
        """The roots, in the order of the configuration."""
        return tuple(self._roots)

    @property
    def setting_watches(self) -> bool:
        """Whether watches are still being set somewhere; it wakes the caller when they are."""
        return any(root.ears.starting for root in self._roots.values())

    def _root(self, spec: RootSpec) -> Root:
        return Root(spec, self._inbox, lambda: self.between())

    def exchange(self, specs: Sequence[RootSpec]) -> None:
        """Watch these roots from the next tick on; those that stay as they are are not touched.

        One with other settings is watched anew, but if it was paused, then it stays so.
        Raises ConfigError for a pattern that cannot be used, and changes nothing.
        """
        before = self._roots
        kept = {path: root for path, root in before.items() if root.spec in specs}
        fresh = {spec.path: self._root(spec) for spec in specs if spec.path not in kept}
        self._roots = {spec.path: {**kept, **fresh}[spec.path] for spec in specs}
        for path, root in before.items():
            if path not in kept:
                root.close()
            if path in fresh:
                fresh[path].inherit(root)

    def stop(self) -> None:
        """Take all watches down. Calling it twice does no harm."""
        self._inbox.close()
        for root in self._roots.values():
            root.close()
        if self._mounts is not None:
            self._mounts.close()
            self._mounts = None

    def tick(self, now: float, wall: float) -> None:
        """Notice lost roots, dead threads and overflows, heal them, begin scans that are due."""
        self._now = now
        self.mounts_changed = self._mounts is not None and self._mounts.changed()
        for root in self._roots.values():
            root.tick(now, wall, self.mounts_changed)

    def hints(self) -> list[Hint]:
        """Files that events named since the last call, each once, in their order.

        Directories that appeared are looked into by next_listing.
        """
        named: dict[Source, bool] = {}
        for event in self._inbox.drain():
            root = self._roots.get(event.root)
            if root is None:
                continue  # it is not watched any more
            self._heard[event.root] = self._now
            if event.left:
                root.ears.stale = True
            elif root.heeds(event.path, event.directory):
                if event.directory:
                    root.look_below(event.path)
                else:
                    # The last event counts: what is written after it was renamed is not at rest.
                    named[Source(event.root, event.path)] = event.arrived
        for path in self._inbox.lost():
            self.request_scan(path)
        return [Hint(source, arrived) for source, arrived in named.items()]

    @property
    def hinted(self) -> bool:
        """Whether there are events that hints() has not told yet."""
        return len(self._inbox) > 0

    @property
    def scanning(self) -> bool:
        """Whether next_listing has something to come."""
        return any(root.scanning for root in self._roots.values())

    def next_listing(self) -> Listing | None:
        """One more directory of the scans that are running, new directories first.

        None if there is none; a scan that was only just asked for begins with the next tick.
        """
        roots = self._roots.values()
        self._handed = next(filter(None, (root.hinted_listing() for root in roots)), None)
        if self._handed is None:
            self._handed = next(filter(None, (root.listing() for root in roots)), None)
        return self._handed

    def look(
        self, root: str, directory: str, names: Collection[str] | None = None
    ) -> Listing | None:
        """One directory now; with `names`, no more than what may be one shot with these.

        None if it is ignored, gone or cannot be read, or if the root is paused or not watched.
        """
        known = self._roots.get(root)
        return known.look(directory, names) if known is not None else None

    def unnamed(self, root: str, count: int) -> None:
        """The listing handed out last held `count` files that no event had named.

        Not held against the events of a root on which they are just coming in.
        """
        by_scan = self._handed is not None and not self._handed.hinted
        silent = self._now - self._heard.get(root, float("-inf")) > STALE
        if count > 0 and by_scan and silent and not self._inbox and root in self._roots:
            self._roots[root].ears.unnamed()

    def request_scan(self, root: str | None = None) -> None:
        """Scan one root, or all of them, from the next tick on."""
        for path, each in self._roots.items():
            if root in (None, path):
                each.request_scan()

    def open(self, source: Source) -> int:
        """A descriptor of the file for reading; the caller closes it.

        Raises OSError if it is gone, behind a link or cannot be read, PhotoError if it is no
        regular file, Away if the root is paused or not watched, WorldError if it fails itself.
        """
        with self._root_of(source).ground.descriptor() as root:
            return files.open_file_beneath(root, source.path)

    def stat(self, source: Source) -> Stamp | None:
        """How the file looks now; None if it is gone or no regular file.

        Raises WorldError if the root is paused, not watched or cannot be read: the file need not
        be gone.
        """
        try:
            with self._root_of(source).ground.descriptor() as root:
                facts = stat_beneath(root, source.path)
        except OSError as error:
            if error.errno in GONE:
                return None
            what = error.strerror or error
            raise WorldError(f"{printable(source.full)}: {what}") from error
        return Stamp.of(facts) if stat.S_ISREG(facts.st_mode) else None

    def ignored_by(self, source: Source) -> str | None:
        """The rule by which this file is ignored, in words, or None.

        Raises OSError if its directory cannot be opened, WorldError if the root is paused or not
        watched.
        """
        return self._root_of(source).ignored_by(source.path)

    def _root_of(self, source: Source) -> Root:
        """The root of a file; the ledger remembers some that are not configured any more."""
        try:
            return self._roots[source.root]
        except KeyError:
            raise Away(f"{printable(source.root)}: not watched any more") from None

    def states(self) -> tuple[RootState, ...]:
        """How each root is watched, in the order of the configuration."""
        return tuple(root.state() for root in self._roots.values())

    def next_due(self) -> float | None:
        """When tick has something to do, by the monotonic clock; None without roots."""
        return min((root.next_due() for root in self._roots.values()), default=None)
