"""What takes long says so all the while, and can be stopped: a hung child hangs nobody."""

import sys
import time
from pathlib import Path

import pytest

from photosortd.records import Limits
from photosortd.vision.worker import Workers, process, selftest
from photosortd.watch import RootSpec, Watcher, scan
from tiny import TINY


class Enough(Exception):
    """As a stop in the middle of it."""


class Patience:
    """Counts the signs of life, and stops at the third."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self) -> None:
        self.times.append(time.monotonic())
        if len(self.times) == 3:
            raise Enough


@pytest.fixture
def _hung(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that never say anything."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(process, "_command", lambda _: command)


def children() -> list[str]:
    return Path("/proc/thread-self/children").read_text().split()


@pytest.mark.usefixtures("_hung")
def test_a_bundle_is_tested_in_a_child_that_hangs() -> None:
    patience = Patience()
    with pytest.raises(Enough):
        selftest(str(TINY), Limits(), patience)
    assert patience.times[-1] - patience.times[0] < 10
    assert children() == []


@pytest.mark.usefixtures("_hung")
def test_workers_are_started_and_hang() -> None:
    patience = Patience()
    workers = Workers(str(TINY), 2, 1, Limits())
    with pytest.raises(Enough):
        workers.start(patience)
    assert patience.times[-1] - patience.times[0] < 10
    assert workers.pids() == ()
    assert children() == []


def test_a_directory_with_very_many_files(tmp_path: Path) -> None:
    for number in range(3 * scan.STRIDE):
        (tmp_path / f"{number}.jpg").touch()
    watcher = Watcher([RootSpec(str(tmp_path), events=False)], lambda: None)
    calls = []
    watcher.between = lambda: calls.append(1)
    try:
        watcher.start(0.0)
        listing = watcher.next_listing()
        assert listing is not None
        assert len(listing.files) == 3 * scan.STRIDE
        assert len(calls) == 6  # as their names are read, and as each is looked at
    finally:
        watcher.stop()
