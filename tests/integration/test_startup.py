"""Ready when the watches are set — and what happens while they are not."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from photosortd.sdnotify import Notifier
from photosortd.service import Flags, Stopped, startup
from photosortd.watch import RootSpec, Watcher, events
from running import eventually


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(path))
        self.notifier = Notifier({"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "60000000"})

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with closing(Manager(tmp_path / "notify")) as made:
        yield made


@pytest.fixture
def flags() -> Iterator[Flags]:
    with closing(Flags()) as made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "DCIM"
    (path / "2026").mkdir(parents=True)
    return path


class SlowDisk:
    """No watch is set until it lets go."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()

    def let_go(self) -> None:
        if self.lock.locked():
            self.lock.release()


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowDisk]:
    disk = SlowDisk()
    monkeypatch.setattr(events, "_starting", disk.lock)
    monkeypatch.setattr(events, "_PATIENCE", 0.01)
    monkeypatch.setattr(startup, "GLANCE", 0.02)
    yield disk
    disk.let_go()
    for thread in threading.enumerate():
        if thread.name == "set-watches":
            thread.join(10)


@pytest.fixture
def watch(flags: Flags) -> Iterator[Callable[..., Watcher]]:
    watchers: list[Watcher] = []

    def make(*roots: Path) -> Watcher:
        watchers.append(Watcher([RootSpec(str(root)) for root in roots], flags.ring))
        return watchers[-1]

    yield make
    for each in watchers:
        each.stop()


def test_a_small_tree_is_not_waited_for(
    manager: Manager, flags: Flags, watch: Callable[..., Watcher], root: Path
) -> None:
    watching = watch(root)
    startup.set_watches(watching, flags, manager.notifier)
    assert [state.watched for state in watching.states()] == ["events"]
    assert manager.heard() == []
    assert watching.scanning


def test_patience_is_asked_for_while_watches_are_set_and_not_longer(
    manager: Manager, flags: Flags, watch: Callable[..., Watcher], root: Path, slow_disk: SlowDisk
) -> None:
    watching = watch(root)
    patience = "EXTEND_TIMEOUT_USEC=30000000"
    heard: list[str] = []

    def has_asked_thrice() -> bool:
        heard.extend(manager.heard())
        return heard.count(patience) >= 3

    def let_go_after_a_while() -> None:
        eventually(has_asked_thrice)
        slow_disk.let_go()

    threading.Thread(target=let_go_after_a_while).start()
    startup.set_watches(watching, flags, manager.notifier)
    assert set(heard) == {patience, "WATCHDOG=1"}
    assert [state.watched for state in watching.states()] == ["events"]


def test_one_scan_follows_however_long_it_took(
    manager: Manager, flags: Flags, watch: Callable[..., Watcher], root: Path, slow_disk: SlowDisk
) -> None:
    watching = watch(root)
    threading.Timer(0.1, slow_disk.let_go).start()
    startup.set_watches(watching, flags, manager.notifier)
    listed = []
    while watching.scanning:
        if (listing := watching.next_listing()) is not None:
            listed.append(listing.directory)
        watching.tick(time.monotonic(), time.time())
    assert listed == ["", "2026"]


def test_a_stop_is_obeyed_at_once(
    manager: Manager, flags: Flags, watch: Callable[..., Watcher], root: Path, slow_disk: SlowDisk
) -> None:
    watching = watch(root)
    flags.stop = True
    with pytest.raises(Stopped):
        startup.set_watches(watching, flags, manager.notifier)


def test_nobody_waits_for_ever(
    manager: Manager,
    flags: Flags,
    watch: Callable[..., Watcher],
    root: Path,
    slow_disk: SlowDisk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(startup, "LONGEST", 0.1)
    watching = watch(root)
    startup.set_watches(watching, flags, manager.notifier)
    assert "still not set" in caplog.text
    (state,) = watching.states()
    assert (state.watched, state.reason) == ("scans", "the watches are being set")
    assert watching.scanning


def test_roots_without_watches_are_not_waited_for(
    manager: Manager,
    flags: Flags,
    watch: Callable[..., Watcher],
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One is not there; on the other the kernel refuses."""

    def refuse(_: events.EventWatch) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(events.EventWatch, "_set_watches", refuse)
    watching = watch(root, tmp_path / "away")
    startup.set_watches(watching, flags, manager.notifier)
    assert manager.heard() == []
    assert [state.watched for state in watching.states()] == ["scans", "paused"]
    assert "max_user_watches" in watching.states()[0].reason
