"""The daemon in this process, on a real disk with real events, and a test that is its fate.

Time runs on, but the test may skip hours of it. Looks are answered by `Eyes`, and every call that
changes the disk or the ledger passes a `Seam`, where the daemon may end like a killed process, or
find the disk full.
"""

import hashlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from errno import ENOSPC
from pathlib import Path
from typing import Any
from unittest import mock

from clocks import Clock
from photosortd import build
from photosortd.build import Run
from photosortd.commands import run as running
from photosortd.ledger import schema
from photosortd.ledger.blame import blame
from photosortd.pipeline import Done
from photosortd.place import kernel
from photosortd.records import Limits, Seen
from photosortd.service import Flags, loop, startup, telling
from photosortd.vision.bundle import read_bundle
from photosortd.vision.worker import Answer, Job
from photosortd.watch.inbox import Inbox


class Killed(BaseException):
    """The process is gone. Not an Exception: nothing may catch it and go on."""


class Seam:
    """Where the daemon meets the disk. Counts what it does there, in its own thread alone."""

    _CALLS = ("fsync", "link", "unlink", "rename", "replace", "symlink", "mkdir", "rmdir")
    _GROWING = ("link", "symlink", "mkdir", "create", "write", "COMMIT")

    def __init__(self) -> None:
        self.open = False  # whether the daemon is at work now
        self.calls = 0  # side effects since it was told when to die
        self.dies_at: int | None = None
        self.dead = False  # nothing of it may change anything any more
        self.full = False

    def die(self, at: int | None) -> None:
        self.calls, self.dies_at, self.dead = 0, at, False

    def pass_through(self, what: str) -> None:
        if not self.open or threading.current_thread() is not threading.main_thread():
            return
        self.calls += 1
        if self.dead or (self.dies_at is not None and self.calls > self.dies_at):
            self.dead = True
            raise Killed(what)
        if self.full and what in self._GROWING:
            if what == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            raise OSError(ENOSPC, os.strerror(ENOSPC))

    @contextmanager
    def working(self) -> Iterator[None]:
        self.open = True
        try:
            yield
        finally:
            self.open = False

    def patches(self) -> Iterator[Any]:
        for name in self._CALLS:
            yield mock.patch.object(os, name, self._through(name, getattr(os, name)))
        for name in ("rename_noreplace", "clone"):
            yield mock.patch.object(kernel, name, self._through(name, getattr(kernel, name)))
        yield mock.patch.object(os, "open", self._opened(os.open))
        yield mock.patch.object(os, "write", self._written(os.write))
        yield mock.patch.object(os, "sendfile", self._sent(os.sendfile))
        yield mock.patch.object(schema.Connection, "execute", self._executed())

    def _through(self, what: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.pass_through(what)
            return real(*args, **kwargs)

        return call

    def _opened(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
            if flags & os.O_CREAT:
                self.pass_through("create")
            return real(path, flags, *args, **kwargs)

        return call

    def _written(self, real: Callable[..., int]) -> Callable[..., int]:
        """Half of it is on the disk when the process dies, or the disk is full."""

        def call(descriptor: int, data: Any) -> int:
            if self.open and stat.S_ISREG(os.fstat(descriptor).st_mode):
                try:
                    self.pass_through("write")
                except (Killed, OSError):
                    real(descriptor, bytes(data)[: len(data) // 2])
                    raise
            return real(descriptor, data)

        return call

    def _sent(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(target: int, source: int, offset: int, count: int) -> int:
            try:
                self.pass_through("write")
            except (Killed, OSError):
                real(target, source, offset, (os.fstat(source).st_size - offset) // 2)
                raise
            return real(target, source, offset, count)

        return call

    def _executed(self) -> Callable[..., Any]:
        """Transactions pass before they begin, before they are durable, and after."""
        real = schema.Connection.execute

        def call(database: Any, sql: str, *args: Any) -> Any:
            if sql.startswith(("BEGIN", "COMMIT")):
                try:
                    self.pass_through(sql.split()[0])
                except sqlite3.Error as error:
                    raise blame(database.path, error) from error
            result = real(database, sql, *args)
            if sql == "COMMIT":
                self.pass_through("committed")
            return result

        return call


class Eyes:
    """In the place of the workers: photos of tests say themselves what they show.

    A photo begins with `photo` and a score for each category, anything whole ends with `end`.
    """

    def __init__(self, bundle: str, *_: int | Limits, express: bool) -> None:
        self._names = read_bundle(bundle, hashes=False).names
        self._jobs: list[tuple[Job, bool]] = []
        self.count = 2

    def room(self, behind: bool = False) -> int:
        return 4 - sum(each == behind for _, each in self._jobs)

    def begin(self) -> None:
        """They are there."""

    def start(self, between: Callable[[], None] = lambda: None) -> None:
        between()

    def submit(self, job: Job, behind: bool = False) -> None:
        if not self.room(behind):
            raise ValueError("no room for another job")
        self._jobs.append((job, behind))

    def collect(self, timeout: float, wake: int | None = None) -> list[Answer]:
        jobs, self._jobs = self._jobs, []
        return [self._look(job) for job, _ in jobs]

    def close(self) -> None:
        self._jobs.clear()

    def _look(self, job: Job) -> Answer:
        companions = tuple(_lack(_read(each)) for each in job.companions)
        if job.photo is None:
            return Answer(job.id, companions=companions)
        data = _read(job.photo)
        if (lack := _lack(data)) is not None:
            unreadable = "half of a photo" if job.final else None
            return Answer(job.id, incomplete=lack, unreadable=unreadable, companions=companions)
        if not data.startswith(b"photo"):
            return Answer(job.id, unreadable="no photo", companions=companions)
        scores = tuple(float(word) for word in data.split()[1 : 1 + len(self._names)])
        seen = Seen(hashlib.sha256(data).hexdigest(), "JPEG", 4, 3, None, scores)
        return Answer(job.id, seen=seen, companions=companions)


def _read(descriptor: int) -> bytes:
    return os.pread(descriptor, 1 << 20, 0)


def _lack(data: bytes) -> str | None:
    return None if data.endswith(b"end") else "its end"


class Fate:
    """What the test holds in its hand."""

    def __init__(self) -> None:
        self.clock, self.seam = Clock(), Seam()
        self._heard = threading.Event()

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """Within: daemons of this process live by this fate."""
        put = Inbox.put

        def hear(inbox: Inbox, event: Any) -> None:
            put(inbox, event)
            self._heard.set()

        with ExitStack() as stack:
            for patch in self.seam.patches():
                stack.enter_context(patch)
            for module in (build, loop, startup, telling, running):
                stack.enter_context(mock.patch.object(module, "time", self.clock))
            for name in ("stat", "fstat"):
                stack.enter_context(mock.patch.object(os, name, self._facts(getattr(os, name))))
            stack.enter_context(mock.patch.object(Inbox, "put", hear))
            stack.enter_context(mock.patch.object(loop, "select"))  # it waits for the world there
            stack.enter_context(mock.patch.object(build, "Workers", Eyes))
            stack.enter_context(mock.patch.object(build, "selftest", return_value=None))
            yield

    def _facts(self, real: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def call(*args: Any, **kwargs: Any) -> os.stat_result:
            facts = real(*args, **kwargs)
            return self.clock.told(facts) if self.seam.open else facts

        return call

    def hears(self) -> None:
        """Give inotify a moment to tell what happened; a test must not rely on it."""
        self._heard.wait(0.01)
        self._heard.clear()


class Ears:
    """In the place of the report that a command prints."""

    def done(self, done: Done) -> None:
        pass


class Daemon:
    """One life, from its start to its end. Raises Killed where its fate wants it so."""

    def __init__(self, config: Path, fate: Fate) -> None:
        self._fate = fate
        self._flags = Flags()
        self._process: Any = None
        self.ledger: Any = None
        try:
            with fate.seam.working():
                settings = running.config.load(str(config), {})
                self.ledger = build.open_ledger(settings)
                what: Any = (str(config), settings, Run(), self.ledger, self._flags, Ears())
                self._process = running._Process(*what)
                self._process._service._startup()
        except BaseException:
            self.drop()
            raise

    @property
    def pipeline(self) -> Any:
        return self._process._service._pipeline

    def turn(self) -> None:
        with self._fate.seam.working():
            self._flags.ring()  # never sleep
            self._process._service.tick()

    def ask(self, **command: Any) -> None:
        self.ledger.requests.leave(command, self._fate.clock.time())

    def reload(self) -> None:
        self._flags.reload = self._flags.reread = True

    @property
    def at_rest(self) -> bool:
        pipeline = self.pipeline
        return not (pipeline.outstanding or len(pipeline.intake) or pipeline.watcher.scanning)

    def drop(self) -> None:
        """What the kernel does when a process ends, and no more."""
        if self._process is not None:
            self._process._close()
        if self.ledger is not None:
            with suppress(sqlite3.Error):
                self.ledger.close()
        self._flags.close()
