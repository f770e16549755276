"""One root's inotify watches: the only place that knows watchdog.

Handlers only enqueue. What watchdog does not say aloud is read from outside: threads that died,
an overflow that it merely logs, directories that it silently could not watch.
"""

import errno
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.inotify import InotifyObserver
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper
from watchdog.utils import BaseThread

log = logging.getLogger(__name__)

_WANTED: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileClosedEvent,
    FileMovedEvent,
    DirCreatedEvent,
    DirMovedEvent,
]
_PATIENCE = 1.0  # seconds that start() and stop() wait for watchdog's threads
PAIRING = 0.05
"""Seconds that watchdog waits for the other half of a rename, and keeps all that comes behind it.

The kernel tells both at once. watchdog's own half a second is what a photo that is renamed into
place has to wait if the first half is taken up before the second one is there, or if a file was
moved out of the root just before.
"""

_WATCH = re.compile(r"^inotify wd:\S+ ino:(\S+) sdev:(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened at `path`, below the root; '' is the root itself."""

    root: str
    path: str
    directory: bool
    arrived: bool  # renamed into place
    left: bool = False  # a directory was moved out of the root: its watches stay behind


Sink = Callable[[Event], None]


class EventWatch:
    """Recursive watches on one root, from start() to stop(); a new one is made to start again.

    Setting watches means walking the tree, so it is done in a thread of its own.
    """

    def __init__(self, root: str, sink: Sink, wake: Callable[[], None]) -> None:
        self._root = root
        self._sink = sink
        self._wake = wake
        self._observer: InotifyObserver | None = None
        self._threads: list[BaseThread] = []
        self._starter = threading.Thread(target=self._start, name="set-watches", daemon=True)
        self._stopped = False
        self._lock = threading.Lock()  # between the starter and stop()
        self.ready = False  # the watches are set
        self.failure: OSError | RuntimeError | None = None  # why they could not be
        self.overflowed = False  # events were lost since the start

    def start(self) -> bool:
        """Begin to set the watches; True if they are set (or have failed) within a second."""
        _prepare()
        try:
            self._starter.start()
        except RuntimeError as error:  # as many tasks as the service manager allows
            self.failure = error
            return True
        self._starter.join(_PATIENCE)
        return not self._starter.is_alive()

    @property
    def starting(self) -> bool:
        return self._starter.is_alive()

    @property
    def dead(self) -> bool:
        """Whether a thread of watchdog's has ended, which it tells nobody."""
        return self.ready and not all(thread.is_alive() for thread in self._threads)

    @property
    def gone(self) -> bool:
        """Whether that was in good order, because the root's directory was removed."""
        ended = [thread for thread in self._threads if not thread.is_alive()]
        return bool(ended) and not any(thread.should_keep_running() for thread in ended)

    def owns_thread(self, ident: int | None) -> bool:
        return not self.ready or any(thread.ident == ident for thread in self._threads)

    def overflow(self) -> None:
        self.overflowed = True
        self._wake()

    def stop(self) -> None:
        """Take the watches down. Threads that do not end soon are left to end by themselves."""
        with self._lock:
            self._stopped = True
            observer, self._observer = self._observer, None
        _live.discard(self)
        if observer is not None:
            stopper = threading.Thread(
                target=_end, args=(observer,), name="drop-watches", daemon=True
            )
            try:
                stopper.start()
            except RuntimeError:  # no thread to be had: they end, but nobody waits for it
                observer.stop()
            else:
                stopper.join(_PATIENCE)

    def _start(self) -> None:
        # One at a time: the threads that appear meanwhile are this watch's own.
        with _starting:
            try:
                self._set_watches()
            except (OSError, RuntimeError) as error:  # no thread to be had, a tree too deep
                self.failure = error
        with self._lock:
            if not self._stopped:  # whoever stopped us may not be there any more
                self._wake()

    def _set_watches(self) -> None:
        _live.add(self)
        before = set(threading.enumerate())
        observer = _Observer()
        try:
            # Links in the path are resolved here: watchdog would watch the link itself.
            top = os.path.realpath(self._root)
            handler = _Enqueue(self._root, top, self._sink)
            observer.schedule(handler, top, recursive=True, event_filter=_WANTED)
            observer.start()
        except BaseException:
            _end(observer)
            raise
        with self._lock:
            self._threads = [
                thread
                for thread in threading.enumerate()
                if thread not in before and isinstance(thread, BaseThread)
            ]
            self.ready = not self._stopped
            if self.ready:
                self._observer = observer
                return
        _end(observer)


class _Observer(InotifyObserver):
    """Leaves no descriptor open where the thread that would read it is not to be had."""

    def __init__(self) -> None:
        try:
            super().__init__(generate_full_events=True)
        except RuntimeError:
            self._inotify_fd._close_resources()
            raise


def _end(observer: InotifyObserver) -> None:
    try:
        observer.stop()
    except KeyError:  # watchdog lost count of directories that were exchanged for others
        observer.stop()  # it goes on behind what it stumbled over
    if observer.ident is not None:
        observer.join()


class _Enqueue(FileSystemEventHandler):
    """Passes events on. An exception here would end watchdog's thread: so it does nothing else."""

    def __init__(self, root: str, top: str, sink: Sink) -> None:
        self._root = root
        self._prefix = top.rstrip("/") + "/"
        self._sink = sink

    def dispatch(self, event: FileSystemEvent) -> None:
        moved = event.event_type == "moved"
        path = os.fsdecode(event.dest_path if moved else event.src_path)
        if path.startswith(self._prefix):
            below = path[len(self._prefix) :]
            # What a directory brought along was not itself renamed, and may still be written.
            arrived = moved and not event.is_synthetic
            self._sink(Event(self._root, below, event.is_directory, arrived))
        elif moved and not path and event.is_directory:
            self._sink(Event(self._root, "", directory=True, arrived=False, left=True))


def watched_inodes(device: int) -> frozenset[int]:
    """The inodes on one device (as the kernel numbers it) that this process watches."""
    ours = f"{device:x}"
    return frozenset(int(inode, 16) for inode, where in _watches() if where == ours)


def _watches() -> Iterator[tuple[str, str]]:
    """Inode and device of each watch of this process, as hexadecimal digits; see proc(5)."""
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            if _leads_to(number) == "anon_inode:inotify":
                with open(f"/proc/self/fdinfo/{number}", encoding="ascii") as lines:
                    yield from _WATCH.findall(lines.read())


def _leads_to(number: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return ""  # a photo below more directories than a path may name


def explain(error: OSError | RuntimeError) -> str:
    """Why watches could not be set, with the line that helps."""
    if isinstance(error, RuntimeError):
        return f"watches could not be set: {error}"
    if error.errno == errno.ENOSPC:
        return more("max_user_watches", "there are more directories than inotify watches")
    if error.errno == errno.EMFILE:
        return more("max_user_instances", "all inotify instances of this user are taken")
    return f"inotify refuses: {error.strerror or error}"


def more(setting: str, problem: str) -> str:
    """A limit of inotify's and how to raise it."""
    try:
        with open(f"/proc/sys/fs/inotify/{setting}", encoding="ascii") as value:
            limit = int(value.read())
    except (OSError, ValueError):
        return f"{problem}; raise fs.inotify.{setting}"
    raised = max(2 * limit, 1024)
    return f"{problem}; raise the limit of {limit}: sudo sysctl fs.inotify.{setting}={raised}"


class _Overheard(logging.Handler):
    """watchdog's log: the only sign of an overflow. The rest is passed on as our own."""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "overflow" not in message:
            log.log(record.levelno, "watchdog: %s", message)
            return
        for watch in list(_live):
            if watch.owns_thread(record.thread):
                watch.overflow()


_live: set[EventWatch] = set()
_starting = threading.Lock()
_overheard = _Overheard(logging.WARNING)


class _Fallen:
    """What is said when a thread ends by an error: of watchdog's, which are replaced, one line."""

    def __init__(self, others: Callable[[threading.ExceptHookArgs], object]) -> None:
        self._others = others

    def __call__(self, fallen: threading.ExceptHookArgs) -> None:
        if isinstance(fallen.thread, BaseThread):
            log.warning("watchdog: a thread ended by %r", fallen.exc_value)
        else:
            self._others(fallen)


def _prepare() -> None:
    """Keep watchdog quick, quiet, and alive.

    Its reader thread warns, at length, of what is usual (a directory named twice), and dies of
    it where warnings are errors. Done at each start, because others may reset the filters.
    """
    warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"watchdog\.")
    InotifyMoveEventGrouper.delay = PAIRING
    if not isinstance(threading.excepthook, _Fallen):
        threading.excepthook = _Fallen(threading.excepthook)
    logger = logging.getLogger("watchdog")
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    logger.addHandler(_overheard)  # does nothing if it is there already
