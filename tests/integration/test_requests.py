"""Requests between processes: withdrawn, begun, too old, or about what is not watched any more."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from photosortd import lock, requests, undo
from photosortd.commands.undo import _time
from photosortd.errors import WorldError
from photosortd.ledger import Ledger, Note, Progress
from photosortd.models import Models
from photosortd.records import Outcome, Source, Stamp
from photosortd.service import Flags
from photosortd.watch import RootSpec, Watcher
from running import House, Running, eventually

IMPATIENT = """
import sys
from photosortd import requests
from photosortd.commands import main
requests.PATIENCE = float(sys.argv.pop(1))
main()
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def ledger(house: House) -> Iterator[Ledger]:
    house.state.mkdir()
    opened = Ledger.open(str(house.state / "ledger.db"))
    yield opened
    opened.close()


@pytest.fixture
def deaf() -> Iterator[None]:
    """Whoever asks knocks at the process that holds the lock, which is ours."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def daemon(house: House, ledger: Ledger, deaf: None) -> Iterator[Ledger]:
    """We are the daemon: we hold the lock, and answer when the test says so."""
    with lock.writer(str(house.state)):
        yield ledger


@contextmanager
def asking(house: House, patience: float = 600.0) -> Iterator[Running]:
    """`photosortd retry`, waiting for the daemon."""
    log = house.base / "asking.txt"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, str(patience), "-c", str(house.config), "retry"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(process, log)
    try:
        yield running
    finally:
        running.kill()
    assert "Traceback" not in running.said()


def left(ledger: Ledger) -> int:
    """The number of the request, once there is one."""
    eventually(lambda: ledger.requests.open())
    (request,) = ledger.requests.open()
    return request.id


def numbers(house: House) -> list[tuple[Any, ...]]:
    return house.query("SELECT id FROM request")


# ---- who stops waiting takes the request back


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_who_is_interrupted_takes_the_request_back(
    house: House, daemon: Ledger, number: int, code: int
) -> None:
    with asking(house) as client:
        left(daemon)
        assert client.stop(number) == code
    assert numbers(house) == []
    assert "goes on" not in client.said()


def test_who_is_interrupted_in_the_middle_is_told_so(house: House, daemon: Ledger) -> None:
    with asking(house) as client:
        number = left(daemon)
        assert daemon.requests.begin(number, os.getpid())
        assert client.stop(signal.SIGINT) == 130
    assert "has begun with it and goes on" in client.said()
    assert numbers(house) == [(number,)]


def test_a_daemon_that_does_not_begin_is_not_waited_for(house: House, daemon: Ledger) -> None:
    with asking(house, patience=0.3) as client:
        assert client.process.wait(30) == 1
    assert "nothing was changed" in client.said()
    assert numbers(house) == []


def test_a_daemon_that_has_begun_is_waited_for(house: House, daemon: Ledger) -> None:
    with asking(house, patience=1.0) as client:
        number = left(daemon)
        assert daemon.requests.begin(number, os.getpid())
        with pytest.raises(subprocess.TimeoutExpired):
            client.process.wait(2.5)
        daemon.requests.answer(number, {"retried": ["/x/a.jpg"], "unwatched": []}, 1.0)
        assert client.process.wait(30) == 0
    assert "/x/a.jpg" in client.said()


def test_a_daemon_that_ends_without_a_word(house: House, ledger: Ledger, deaf: None) -> None:
    with ExitStack() as life, asking_of(house, life) as client:
        left(ledger)
        life.close()
        assert client.process.wait(30) == 1
    assert "nothing was changed" in client.said()
    assert numbers(house) == []


def test_a_daemon_that_ends_in_the_middle(house: House, ledger: Ledger, deaf: None) -> None:
    with ExitStack() as life, asking_of(house, life) as client:
        assert ledger.requests.begin(left(ledger), os.getpid())
        life.close()
        assert client.process.wait(30) == 1
    assert "ended in the middle" in client.said()


@contextmanager
def asking_of(house: House, life: ExitStack) -> Iterator[Running]:
    """Ask a daemon that lives until `life` is closed."""
    life.enter_context(lock.writer(str(house.state)))
    with asking(house) as client:
        yield client


# ---- what the daemon does with them


def desk(ledger: Ledger, now: float, **more: Any) -> requests.Desk:
    def none(*_: object) -> Any:
        pytest.fail("not asked for")

    parts: dict[str, Any] = {
        "library": none,
        "accept_library": none,
        "roots": {"/dcim"},
        "models": Models("/nowhere"),
        "configured_model": None,
        "test_bundle": none,
        "look_again": none,
        "reload": none,
        "go_on": lambda: True,
    }
    return requests.Desk(ledger=ledger, now=lambda: now, **{**parts, **more})


def test_an_old_request_is_dropped(ledger: Ledger) -> None:
    done: list[bool] = []
    old = ledger.requests.leave({"do": "accept"}, 1000.0)
    new = ledger.requests.leave({"do": "accept"}, 1000.0 + requests.PATIENCE)
    at = 1001.0 + requests.PATIENCE
    requests.carry_out_waiting(desk(ledger, at, accept_library=lambda: done.append(True)))
    progress = ledger.requests.progress(old)
    assert progress is not None
    assert progress.result is not None
    assert "too long" in progress.result["error"]
    assert ledger.requests.progress(new) == Progress(os.getpid(), {})
    assert done == [True]


def test_a_request_is_begun_before_anything_is_changed(ledger: Ledger) -> None:
    number = ledger.requests.leave({"do": "accept"}, 1000.0)
    seen: list[object] = []

    def accept() -> None:
        seen.append(ledger.requests.progress(number))
        seen.append(ledger.requests.withdraw(number))

    requests.carry_out_waiting(desk(ledger, 1000.0, accept_library=accept))
    assert seen == [Progress(os.getpid(), None), False]


def test_what_was_withdrawn_is_not_carried_out(ledger: Ledger) -> None:
    first = ledger.requests.leave({"do": "accept"}, 1000.0)
    second = ledger.requests.leave({"do": "accept"}, 1000.0)
    done: list[bool] = []

    def accept() -> None:  # while the first is carried out, the second is withdrawn
        done.append(ledger.requests.withdraw(second))

    requests.carry_out_waiting(desk(ledger, 1000.0, accept_library=accept))
    assert done == [True]
    assert ledger.requests.progress(first) == Progress(os.getpid(), {})
    assert ledger.requests.progress(second) is None


def test_what_a_crash_interrupted_is_not_repeated(ledger: Ledger) -> None:
    number = ledger.requests.leave({"do": "accept"}, 1000.0)
    assert ledger.requests.begin(number, 1)
    requests.carry_out_waiting(desk(ledger, 1000.0))
    assert ledger.requests.progress(number) == Progress(1, None)
    later = ledger.requests.leave({"do": "nothing"}, 1000.0 + 90000)
    requests.carry_out_waiting(desk(ledger, 1000.0 + 90000))
    assert ledger.requests.progress(number) is None  # of the day before
    assert ledger.requests.progress(later) is not None


def test_an_undo_first_puts_right_what_a_crash_left(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was half-filed stands from then on, and is among what is undone."""
    done: list[str] = []

    def library() -> None:
        done.append("recovered")

    def plan(*_: object) -> list[object]:
        done.append("planned")
        return []

    monkeypatch.setattr(undo, "plan", plan)
    ledger.requests.leave({"do": "undo", "selection": {"since": 1.0}}, 1000.0)
    requests.carry_out_waiting(desk(ledger, 1000.0, library=library))
    assert done == ["recovered", "planned"]


def test_a_retry_leaves_out_what_is_not_watched(ledger: Ledger) -> None:
    here, gone = Source("/dcim", "a.jpg"), Source("/old", "b.jpg")
    for source in (here, gone):
        ledger.finish(Note(source, Stamp(1, 1, 1, 1, 1), 1.0, 2.0), Outcome.SET_ASIDE)
    again: list[Source] = []
    for sources in ([], [("/dcim", "a.jpg"), ("/old", "b.jpg")]):
        command = {"do": "retry", "sources": sources}
        result = requests.carry_out(desk(ledger, 3.0, look_again=again.append), command)
        assert result["unwatched"] == ["/old/b.jpg"]
    assert again == [here]
    kept = ledger.version(gone)
    assert kept is not None
    assert kept.outcome is Outcome.SET_ASIDE


def test_a_long_retry_goes_on_only_while_it_may(ledger: Ledger) -> None:
    for number in range(5):
        source = Source("/dcim", f"{number}.jpg")
        ledger.finish(Note(source, Stamp(1, 1, 1, 1, 1), 1.0, 2.0), Outcome.SET_ASIDE)
    again: list[Source] = []
    parts = {"look_again": again.append, "go_on": lambda: len(again) < 2}
    result = requests.carry_out(desk(ledger, 3.0, **parts), {"do": "retry"})
    assert result["retried"] == [source.full for source in again]
    assert len(ledger.with_outcome(Outcome.SET_ASIDE)) == 3


# ---- a watcher that is asked about roots that it does not watch


def test_an_unknown_root_is_nothing_or_the_worlds_fault(tmp_path: Path) -> None:
    watcher = Watcher([RootSpec(str(tmp_path))], lambda: None)
    watcher.start(0.0)
    try:
        source = Source("/not/watched", "a.jpg")
        assert watcher.look(source.root, "") is None
        asked: list[Callable[[Source], object]] = [watcher.stat, watcher.open, watcher.ignored_by]
        for ask in asked:
            with pytest.raises(WorldError, match="/not/watched: not watched any more"):
                ask(source)
        watcher.request_scan(source.root)
        watcher.unnamed(source.root, 3)
    finally:
        watcher.stop()


# ---- signals


def test_a_hangup_is_a_reload_or_the_end() -> None:
    for stops in (False, True):
        flags = Flags(hangup_stops=stops)
        try:
            with flags.handling():
                signal.raise_signal(signal.SIGHUP)
            assert (flags.stop, flags.reload, flags.reread) == (stops, not stops, not stops)
        finally:
            flags.close()


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    flags = Flags(hangup_stops=True)
    try:
        with flags.handling():
            signal.raise_signal(signal.SIGHUP)
        assert not flags.stop
        assert not flags.reload
    finally:
        flags.close()
        signal.signal(signal.SIGHUP, before)


# ---- times


@pytest.mark.parametrize(
    ("text", "end", "means"),
    [
        ("2026-05-01", False, datetime(2026, 5, 1)),
        ("2026-05-01", True, datetime(2026, 5, 1, 23, 59, 59, 999999)),
        ("2026-05-01 18:00", True, datetime(2026, 5, 1, 18)),
        ("2026-05-01 18:00", False, datetime(2026, 5, 1, 18)),
    ],
)
def test_a_bare_date_includes_its_day(text: str, end: bool, means: datetime) -> None:
    assert _time(text, end=end) == means.timestamp()
