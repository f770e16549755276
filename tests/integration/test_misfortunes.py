"""The world fails where it seldom does: what is in hand waits or is named, and is not forgotten."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drawing import RED, draw_photo
from integration.test_pipeline import Daemon, start
from photosortd import files
from photosortd.errors import WorldError
from photosortd.ledger import Ledger
from photosortd.pipeline import Gate
from photosortd.records import Outcome
from photosortd.sdnotify import Notifier
from photosortd.service.telling import Teller
from photosortd.watch import root, scan, walk

__all__ = ["start"]  # the fixture


class Fails:
    """Fails the first few times."""

    def __init__(self, real: Callable[..., object], error: Exception, times: int) -> None:
        self._real, self._error, self.left = real, error, times

    def __call__(self, *arguments: object, **more: object) -> object:
        if self.left:
            self.left -= 1
            raise self._error
        return self._real(*arguments, **more)


def broken(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
def test_a_photo_that_cannot_be_opened_for_a_moment_is_filed(
    number: int, start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start(once=True)
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    fails = Fails(daemon.watcher.open, broken(number), 2)
    monkeypatch.setattr(daemon.watcher, "open", fails)
    daemon.until(lambda: daemon.outcome("a.jpg") is Outcome.PLACED)
    assert not fails.left


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_photo_that_cannot_be_looked_at_for_a_moment_is_filed(
    number: int, start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(root, "AGAIN", 0.2)
    daemon = start()
    fails = Fails(scan.look, broken(number), 1)
    monkeypatch.setattr(scan, "look", fails)
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.outcome("a.jpg") is Outcome.PLACED)
    assert not fails.left


def test_a_sidecar_that_cannot_be_read_for_a_moment_follows_its_photo(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start()
    fails = Fails(files.sha256_of, broken(errno.EIO), 1)
    monkeypatch.setattr(files, "sha256_of", fails)
    (daemon.dcim / "a.xmp").write_bytes(b"<x/>")
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.outcome("a.xmp") is Outcome.PLACED)
    assert daemon.outcome("a.jpg") is Outcome.PLACED
    assert not fails.left


def test_what_a_share_answers_to_a_close_ends_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    fails = Fails(os.close, broken(errno.EIO), 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "close", fails)
        files.close(-1)
    with pytest.raises(OSError, match="Bad file descriptor"):
        files.close(-1)


def test_a_photo_that_can_never_be_opened_is_set_aside(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start(once=True)
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    monkeypatch.setattr(daemon.watcher, "open", Fails(daemon.watcher.open, broken(errno.EIO), 9))
    daemon.until(lambda: daemon.outcome("a.jpg") is Outcome.SET_ASIDE)
    version = daemon.version("a.jpg")
    assert version is not None
    assert "cannot be opened: Input/output error" in version.reason


@pytest.mark.parametrize("once", [True, False])
def test_a_photo_whose_root_fails_for_a_moment_is_tried_again(
    once: bool, start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--once` would end, and say nothing; a daemon would let it lie until the hourly scan."""
    daemon = start(once=once)
    fails = Fails(daemon.watcher.open, WorldError("it cannot be read: Stale file handle"), 1)
    monkeypatch.setattr(daemon.watcher, "open", fails)
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.outcome("a.jpg") is Outcome.PLACED)
    assert not fails.left


def test_a_library_that_cannot_be_noted_is_not_kept_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(str(tmp_path / "ledger.db"))
    fails = Fails(ledger.bind_library, WorldError("ledger.db: disk I/O error"), 1)
    monkeypatch.setattr(ledger, "bind_library", fails)
    gate = Gate(str(tmp_path / "library"), ledger, lambda _: True)
    with pytest.raises(WorldError, match="disk I/O error"):
        gate.library(0.0)
    gate.library(0.0).check()
    gate.close()
    ledger.close()


def test_the_last_word_is_said_though_the_ledger_cannot_be_read(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start()
    fails = Fails(daemon.ledger.counts, WorldError("ledger.db: disk I/O error"), 2)
    monkeypatch.setattr(daemon.ledger, "counts", fails)
    teller = Teller(Notifier({}), None, dict)
    with pytest.raises(WorldError):
        teller.tell(daemon.pipeline, 0.0)
    teller.tell(daemon.pipeline, 0.0, stopped=True)


@pytest.mark.parametrize("name", ["ledger.db", "ledger.db-wal"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_ledger_taken_away_under_the_daemon_is_its_end(
    name: str, replaced: bool, start: Callable[..., Daemon]
) -> None:
    daemon = start()
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.outcome("a.jpg") is Outcome.PLACED)
    ledger = daemon.base / name
    ledger.rename(daemon.base / "aside")
    if replaced:
        ledger.write_bytes((daemon.base / "aside").read_bytes())
    with pytest.raises(WorldError, match=f"{name} was moved, removed or replaced while in use"):
        daemon.until(lambda: False)


def test_a_directory_that_cannot_be_read_now_is_told_and_looked_at_again_soon(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start(once=True)
    monkeypatch.setattr(walk, "read_directory", Fails(walk.read_directory, broken(errno.ESTALE), 1))
    daemon.settle()
    (state,) = daemon.watcher.states()
    assert state.broken
    assert "Stale file handle" in state.reason
    assert state.next_scan is not None
    assert state.next_scan < time.time() + 310
    daemon.watcher.request_scan()
    daemon.until(lambda: not daemon.watcher.states()[0].broken)
