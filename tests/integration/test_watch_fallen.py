"""A thread of watchdog's that falls says so in one line; everybody else's error is told in full."""

import logging
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from watchdog.utils import BaseThread

from photosortd.watch import events
from photosortd.watch.events import _end


def test_of_watchdogs_threads_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    events._prepare()
    events._prepare()
    theirs = SimpleNamespace(thread=BaseThread(), exc_value=KeyError("album"))
    ours = SimpleNamespace(thread=threading.Thread(), exc_value=KeyError("mine"))
    with caplog.at_level(logging.WARNING):
        for fallen in (theirs, ours):
            threading.excepthook(fallen)  # type: ignore[arg-type]
    assert [record.getMessage() for record in caplog.records] == [
        "watchdog: a thread ended by KeyError('album')"
    ]
    assert told == [ours]


def test_watches_are_taken_down_though_watchdog_stumbles() -> None:
    tries = []

    def stop() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise KeyError(b"/dcim/album")

    _end(SimpleNamespace(stop=stop, ident=None))  # type: ignore[arg-type]
    assert tries == [0, 1]


def test_watches_are_counted_though_a_photo_lies_deeper_than_any_path(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(25):
            os.mkdir("d" * 200, dir_fd=here)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        with pytest.raises(OSError, match="File name too long"):
            os.readlink(f"/proc/self/fd/{here}")
        assert events.watched_inodes(0) == frozenset()
    finally:
        os.close(here)
        shutil.rmtree(tmp_path)
