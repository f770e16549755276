"""Can events be trusted on this root? Sees every way in which watchdog goes deaf, and cures it.

The cure is always the same: set the watches anew, and scan. Where that does not help the root
lives on scans; `blind` says why, and after a scan interval the watches are tried again.
"""

import logging
import math
import re

from photosortd.records import printable
from photosortd.watch.events import EventWatch, explain, more, watched_inodes
from photosortd.watch.inbox import Inbox
from photosortd.watch.sight import Sight
from photosortd.watch.values import RootSpec
from photosortd.watch.walk import Walk

log = logging.getLogger(__name__)

WITH_EVENTS = 3600.0  # seconds between scans where events can be trusted
WITHOUT_EVENTS = 300.0
OVERFLOW_AGAIN = 60.0  # seconds within which a second overflow means: scans only
QUIET = 1000  # files that may be new in a scan that is still called quiet
CALMING = (5.0, 300.0)  # seconds between scans after an overflow, from and to
DOUBT = 5.0  # seconds until a second scan confirms that a directory is not watched
CLEAN_SCANS = 12  # without a file that no event named, until events are trusted again


class Ears:
    """The inotify watches of one root, and what is known against them."""

    def __init__(self, spec: RootSpec, inbox: Inbox) -> None:
        self._spec = spec
        self._inbox = inbox
        self._watch: EventWatch | None = None
        self._slow = False  # the watches were not set when open() returned
        self._sight: Sight | None = None
        self._visible = False  # the root's own watch can be seen from outside
        self._blind = ""
        self._said = ""  # the last reason in the log; numbers do not make it another one
        self._calm: float | None = None  # seconds to the next scan while an overflow calms down
        self._retry_at = math.inf
        self._overflowed_at = self._died_at = self._renewed_at = -math.inf
        self._suspects: frozenset[int] = frozenset()  # directories that seem to have no watch
        self._suspected_at = 0.0
        self._doubt = Doubt()
        self.stale = False  # watches of directories that left the root are still there

    # ---- what is known

    @property
    def trusted(self) -> bool:
        return self._listening and not self._blind

    @property
    def _listening(self) -> bool:
        return self._watch is not None and self._watch.ready

    @property
    def starting(self) -> bool:
        """Whether the watches are still being set."""
        return self._watch is not None and self._watch.starting

    @property
    def reason(self) -> str:
        """Why events are not trusted; '' if they are."""
        if not self._blind and self.starting:
            return "the watches are being set"
        return self._blind

    @property
    def interval(self) -> float:
        """Seconds between full scans."""
        if self._spec.scan_interval is not None:
            return self._spec.scan_interval
        return WITH_EVENTS if self.trusted else WITHOUT_EVENTS

    @property
    def ill(self) -> bool:
        """Whether something happened to the watches that tick() has to heal."""
        return self._watch is not None and (self._watch.overflowed or self._watch.dead)

    @property
    def retry_at(self) -> float:
        """When tick() has something to do."""
        return -math.inf if self.ill else self._retry_at

    def watched(self) -> frozenset[int] | None:
        """The inodes that are watched on the root's file system; None if that says nothing."""
        if not (self._listening and self._visible and self._sight):
            return None
        return watched_inodes(self._sight.kernel_device)

    # ---- setting the watches

    def open(self, now: float, sight: Sight) -> None:
        """Set the watches (anew). May go on after it returns; tick() sees the end of it."""
        self.close()
        self._sight = sight
        if self._spec.events is False:
            self._say("events are switched off in the configuration")
            return
        reliable = self._spec.events or sight.mount.events_reliable
        self._say("" if reliable else f"{sight.mount.fstype} does not report what others write")
        self._watch = EventWatch(self._spec.path, self._inbox.put, self._inbox.wake)
        self._slow = not self._watch.start()
        if not self._slow:
            self._opened(now)

    def close(self) -> None:
        """Take the watches down."""
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
        self._slow = self._visible = False
        self._calm = None
        self._retry_at = math.inf
        self._suspects = frozenset()
        self._doubt = Doubt()
        self.stale = False

    def _opened(self, now: float) -> None:
        watch, sight = self._watch, self._sight
        if watch is None or sight is None:
            return
        if watch.failure is not None:
            self._live_on_scans(explain(watch.failure), now + WITHOUT_EVENTS)
            return
        self._visible = sight.inode in watched_inodes(sight.kernel_device)

    # ---- going deaf, and the cure

    def tick(self, now: float) -> bool:
        """Notice what happened to the watches; True if the root has to be scanned therefore."""
        watch, sight = self._watch, self._sight
        if sight is None or self.starting:
            return False
        if self._slow:
            # What changed while the watches were being set, the scan since then may have missed.
            self._slow = False
            self._opened(now)
            return True
        if watch is not None and watch.overflowed:
            self._overflowed(now)
        elif watch is not None and watch.dead:
            self._died(watch, now, sight)
        elif now >= self._retry_at:
            self.open(now, sight)
        else:
            return False
        return True

    def _overflowed(self, now: float) -> None:
        again = now - self._overflowed_at < OVERFLOW_AGAIN
        self._overflowed_at = now
        if again:
            why = "inotify's queue overflowed twice within a minute"
            self._live_on_scans(more("max_queued_events", why), now + self._patience)
            return
        self.close()
        self._calm = CALMING[0]
        self._say("inotify's queue overflowed: scanning until it is quiet")

    def _died(self, watch: EventWatch, now: float, sight: Sight) -> None:
        if watch.gone:  # and made again: a root that is missing would not have come here
            self.open(now, sight)
            return
        again = now - self._died_at < self._patience
        self._died_at = now
        if again:
            self._live_on_scans("watchdog's threads keep dying", now + self._patience)
        else:
            log.warning("%s: a thread of watchdog's ended; starting anew", self._name)
            self.open(now, sight)

    def deafened(self) -> bool:
        """Whether a mount or unmount has taken the root's own watch away."""
        if not self._listening or self._slow or self._sight is None:
            return False
        return not self._visible or self._sight.inode not in watched_inodes(
            self._sight.kernel_device
        )

    def _live_on_scans(self, reason: str, retry_at: float) -> None:
        self.close()
        self._retry_at = retry_at
        self._say(reason)

    @property
    def _patience(self) -> float:
        return self._spec.scan_interval or WITH_EVENTS

    # ---- what scans tell

    def scan_begins(self) -> None:
        if self._doubt.begin(self._listening) and self._blind == _UNNAMED:
            self._say("")

    def scanned(self, walk: Walk, now: float) -> float | None:
        """A full scan is over. Returns after how many seconds another one is needed, if so."""
        if self._calm is not None and self._sight is not None:
            if walk.recent >= QUIET:
                delay = self._calm
                self._calm = min(2 * delay, CALMING[1])
                return delay
            self.open(now, self._sight)
            self._overflowed_at = now
            return 0.0  # for what changed between that scan and the watches
        self._doubt.end(self._listening)
        return self._check_watched(walk, now)

    def _check_watched(self, walk: Walk, now: float) -> float | None:
        """Are there directories that stay without a watch? New ones get theirs in a moment."""
        watched = self.watched() if walk.unwatched else None
        missing: frozenset[int] = frozenset()
        if watched is not None:
            missing = frozenset(walk.unwatched) - watched
        same = missing & self._suspects
        if not same:
            self._suspects, self._suspected_at = missing, now
            if not missing and self.trusted:
                self._say_well()
            return DOUBT if missing else None
        if now - self._suspected_at < DOUBT:
            return DOUBT
        if now - self._renewed_at >= self._patience:
            # Perhaps they were renamed as they appeared, which watchdog does not always see.
            self._renewed_at = now
            self.stale = True
            return 0.0
        if not self._blind:
            have = walk.directories - len(same)
            why = f"inotify watches only {have} of {walk.directories} directories"
            self._say(more("max_user_watches", why))
            self._retry_at = now + self._patience
        return None

    def unnamed(self) -> None:
        """A scan found files that no event had named."""
        if self._doubt.unnamed() and not self._blind:
            self._say(_UNNAMED)

    def _say(self, reason: str) -> None:
        gist = re.sub(r"\d+", "#", reason)
        if reason and gist != self._said:
            level = logging.INFO if self._spec.events is False else logging.WARNING
            log.log(level, "%s: lives on scans: %s", self._name, reason)
            self._said = gist
        self._blind = reason

    def _say_well(self) -> None:
        """Not before a scan has shown it: each new try would end what the next line says again."""
        if self._said:
            log.info("%s: watched by events", self._name)
            self._said = ""

    @property
    def _name(self) -> str:
        return printable(self._spec.path)


_UNNAMED = "scans keep finding files that no event named"


class Doubt:
    """Counts scans that found files of which no event had told, twice in a row being too much.

    Only a scan that follows another one, with the watches set before both, can tell.
    """

    def __init__(self) -> None:
        self._judging = False
        self._scans = 0  # finished since the watches were set
        self._found = False
        self._streak = 0
        self._clean = 0

    def begin(self, listening: bool) -> bool:
        """A scan begins. True if so many found nothing by now that events are trusted again."""
        if self._judging and not self._found:
            self._streak = 0
            self._clean += 1
        self._judging = listening and self._scans > 0
        self._found = False
        return self._clean >= CLEAN_SCANS

    def end(self, listening: bool) -> None:
        self._scans = self._scans + 1 if listening else 0

    def unnamed(self) -> bool:
        """This scan found one. True if events are not to be trusted any more."""
        if not self._judging or self._found:
            return False
        self._found = True
        self._clean = 0
        self._streak += 1
        return self._streak >= 2
