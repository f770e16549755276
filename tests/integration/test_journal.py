"""The lines that logging becomes: on a terminal, in a file, in the journal — or nowhere for now."""

import json
import logging
import os
import pty
import re
import socket
import subprocess
import sys
import types
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from photosortd import journal
from photosortd.errors import ConfigError, WorldError
from photosortd.journal import ways

log = logging.getLogger("photosortd.test_journal")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("photosortd")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


class Sheet:
    """A file that stderr was redirected to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stream = path.open("w")

    def set_up(self, **settings: Any) -> None:
        journal.set_up(**{"environ": {}, "stream": self.stream, **settings})

    @property
    def as_journal(self) -> dict[str, str]:
        """The environment in which it would be the journal's."""
        stat = self.path.stat()
        return {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def lines(self) -> list[str]:
        """Without their dates."""
        return [re.sub(r"^\d\S+ \S+ ", "", line) for line in self.text.splitlines()]


@pytest.fixture
def sheet(tmp_path: Path) -> Iterator[Sheet]:
    sheet = Sheet(tmp_path / "sheet")
    yield sheet
    sheet.stream.close()


def test_a_line_in_a_file_has_a_date_and_a_level_that_matters(sheet: Sheet) -> None:
    sheet.set_up()
    log.info("%s: filed", "a.jpg")
    log.warning("the disk is full")
    log.debug("not shown")
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4}"
    assert re.fullmatch(f"{date} a.jpg: filed\n{date} warning: the disk is full\n", sheet.text)


def test_a_line_on_a_terminal_has_the_time_only() -> None:
    ours, theirs = pty.openpty()
    with open(theirs, "w") as stream, open(ours, "rb", buffering=0) as screen:
        journal.set_up(environ={}, stream=stream)
        log.error("no bundle")
        assert re.fullmatch(rb"\d\d:\d\d:\d\d error: no bundle\r\n", screen.read(1000))


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, ["info", "warning", "library warning"]),
        ({"quiet": True}, ["warning", "library warning"]),
        ({"verbose": 1}, ["debug", "info", "warning", "library warning"]),
        ({"verbose": 2}, ["debug", "info", "warning", "library debug", "library warning"]),
    ],
)
def test_how_much_is_said(settings: dict[str, Any], shown: list[str], sheet: Sheet) -> None:
    sheet.set_up(**settings)
    log.debug("debug")
    log.info("info")
    log.warning("warning")
    logging.getLogger("library").debug("library debug")
    logging.getLogger("library").warning("library warning")
    assert [line.removeprefix("warning: ") for line in sheet.lines] == shown


def test_a_name_cannot_forge_a_line(sheet: Sheet) -> None:
    sheet.set_up()
    log.info("%s: filed", "a\n<0>b\x1b[2J\udcff\u2028.jpg")
    log.info("%(name)s: filed", {"name": "c\r\nd"})
    first, second = sheet.text.splitlines()
    assert first.endswith(r" a\n<0>b\x1b[2J\xff\u2028.jpg: filed")
    assert second.endswith(r" c\r\nd: filed")


def test_several_complaints_are_several_lines_and_so_is_a_traceback(sheet: Sheet) -> None:
    sheet.set_up()
    log.error("keeping the old configuration: %s", ConfigError("first", "second\x07"))
    try:
        raise RuntimeError("ours")
    except RuntimeError:
        log.exception("unexpected")
    lines = [line.removeprefix("error: ") for line in sheet.lines]
    assert lines[:4] == [
        "keeping the old configuration: first",
        r"second\x07",
        "unexpected",
        "Traceback (most recent call last):",
    ]
    assert lines[-1] == "RuntimeError: ours"


def test_set_up_twice_says_everything_once(sheet: Sheet) -> None:
    sheet.set_up()
    sheet.set_up()
    log.info("hello")
    assert sheet.lines == ["hello"]


def test_under_systemd_each_line_has_its_priority(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "systemd.journal", None)  # as without the extra
    sheet.set_up(verbose=1, environ=sheet.as_journal)
    log.critical("a")
    log.error("b\n%s", "c")
    log.warning("d")
    log.info("e", extra={"PHOTOSORTD_PHOTO": "/x.jpg"})
    log.debug("f")
    assert sheet.text == "<2>a\n<3>b\n<3>c\n<4>d\n<6>e\n<7>f\n"


def test_a_stderr_that_was_redirected_is_no_journal(sheet: Sheet, tmp_path: Path) -> None:
    other = Sheet(tmp_path / "other")
    other.stream.close()
    assert not journal.leads_to_journal(other.as_journal, sheet.stream)
    assert not journal.leads_to_journal({}, sheet.stream)
    assert journal.leads_to_journal(sheet.as_journal, sheet.stream)
    assert not journal.leads_to_journal(other.as_journal, other.stream)  # closed


# ---- the journal's own protocol


class Journald:
    """Stands in for systemd-python and for journald: the socket is there, or it is not."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        self.path = path
        self._socket: socket.socket | None = None
        monkeypatch.setattr(ways, "SOCKET", str(path))
        module = types.ModuleType("systemd.journal")
        module.JournalHandler = _JournalHandler  # type: ignore[attr-defined]
        module.send = lambda message, **fields: self.sent.append(  # type: ignore[attr-defined]
            (message, fields)
        )
        monkeypatch.setitem(sys.modules, "systemd", types.ModuleType("systemd"))
        monkeypatch.setitem(sys.modules, "systemd.journal", module)

    def start(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))

    def stop(self, leave: bool = False) -> None:
        """`leave`: its socket stays behind, and refuses."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            if not leave:
                self.path.unlink()


class _JournalHandler(logging.Handler):
    """As systemd-python's: catches everything, passes all attributes on as fields."""

    def __init__(self, sender_function: Any, **fields: str) -> None:
        super().__init__()
        self._send, self._fields = sender_function, fields

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._send(self.format(record), CODE_LINE=record.lineno, **self._fields, **vars(record))
        except Exception:  # noqa: BLE001 - as the original
            self.handleError(record)


@pytest.fixture
def journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journald]:
    journald = Journald(tmp_path / "socket", monkeypatch)
    journald.start()
    yield journald
    journald.stop(leave=True)


def test_the_journal_gets_fields_and_no_other_attributes(sheet: Sheet, journald: Journald) -> None:
    sheet.set_up(environ=sheet.as_journal)
    log.info("%s: filed", "a\nb", extra={"PHOTOSORTD_PHOTO": "a\nb\udcff"})
    ((message, fields),) = journald.sent
    assert message == r"a\nb: filed"
    assert fields.pop("CODE_LINE") > 0
    assert fields == {"SYSLOG_IDENTIFIER": "photosortd", "PHOTOSORTD_PHOTO": r"a\nb\xff"}
    assert sheet.text == ""


@pytest.mark.parametrize("leave", [False, True], ids=["missing", "refusing"])
def test_while_the_journal_does_not_answer_lines_go_to_stderr(
    sheet: Sheet, journald: Journald, leave: bool
) -> None:
    sheet.set_up(environ=sheet.as_journal)
    journald.stop(leave)
    log.warning("%s: unreadable", "a\n.jpg", extra={"PHOTOSORTD_PHOTO": "a"})
    assert sheet.text == "<4>a\\n.jpg: unreadable\n"
    assert journald.sent == []
    journald.path.unlink(missing_ok=True)
    journald.start()
    log.info("again")
    assert [message for message, _ in journald.sent] == ["again"]


def broken() -> TextIO:
    """A stderr that nobody reads any more."""
    ours, theirs = os.pipe()
    os.close(ours)
    return open(theirs, "w")


def test_what_nobody_takes_waits_until_somebody_does(
    sheet: Sheet, journald: Journald, capfd: pytest.CaptureFixture[str]
) -> None:
    with broken() as stream:
        facts = os.fstat(stream.fileno())
        journal.set_up(environ={"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}, stream=stream)
        journald.stop()
        for name in "abc":
            log.warning("lost %s?", name)
        assert journald.sent == []
        journald.start()
        log.info("no")
        assert [message for message, _ in journald.sent] == ["lost a?", "lost b?", "lost c?", "no"]
    assert capfd.readouterr().err == ""


def test_a_stderr_that_is_closed_disturbs_nobody(
    sheet: Sheet, capfd: pytest.CaptureFixture[str]
) -> None:
    with broken() as stream:
        journal.set_up(environ={}, stream=stream)
        log.warning("into a broken pipe")
    log.warning("into a closed stream")
    sheet.set_up()
    os.close(sheet.stream.fileno())
    log.warning("into a closed descriptor")
    os.open(os.devnull, os.O_WRONLY)  # the same number, for `sheet` to close
    assert capfd.readouterr().err == ""


def test_waiting_lines_are_bounded() -> None:
    with broken() as stream:
        journal.set_up(environ={}, stream=stream, verbose=1)
        for number in range(ways.KEPT + 10):
            log.debug("%d", number)
        (handler,) = (each for each in logging.getLogger().handlers if each.name == "photosortd")
        assert isinstance(handler, ways.Surely)
        assert len(handler._kept) == ways.KEPT
        handler._kept.clear()


def test_what_still_waits_is_tried_once_more_at_the_end(sheet: Sheet, journald: Journald) -> None:
    with broken() as stream:
        facts = os.fstat(stream.fileno())
        journal.set_up(environ={"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}, stream=stream)
        journald.stop()
        log.error("why we end")
        journald.start()
        logging.shutdown([weakref.ref(each) for each in logging.getLogger().handlers])
        assert [message for message, _ in journald.sent] == ["why we end"]


def test_our_own_mistake_in_a_line_is_seen_and_does_no_harm(
    sheet: Sheet, capfd: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger().handlers.clear()  # pytest's raise it
    sheet.set_up()
    log.info("%d files", "many")
    log.info("goes on")
    assert "Logging error" in capfd.readouterr().err
    assert sheet.lines == ["goes on"]


_REAL = """
import json, logging, os, socket, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
os.makedirs("/run/systemd/journal")
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("/run/systemd/journal/socket")
from photosortd import journal
facts = os.fstat(2)
journal.set_up(environ={"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"})
log = logging.getLogger("photosortd.test")
log.warning("%s: filed", "a\\nb.jpg", extra={"PHOTOSORTD_PHOTO": "/x/a.jpg"})
server.settimeout(10)
print(json.dumps(server.recv(100_000).decode()))
server.close()
log.warning("refused")
os.unlink("/run/systemd/journal/socket")
log.warning("missing")
"""


def _with_systemd_python() -> list[str]:
    """A command that runs Python with systemd-python, in a mount namespace of its own."""
    own_mounts = ["unshare", "--map-root-user", "--mount"]
    if subprocess.run([*own_mounts, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs a mount namespace")
    for python in (sys.executable, "/usr/bin/python3"):
        probe = [python, "-c", "import systemd.journal, sys; sys.exit(sys.version_info < (3, 11))"]
        if not subprocess.run(probe, capture_output=True, check=False).returncode:
            return [*own_mounts, python]
    pytest.skip("needs systemd-python (pip's, or Debian's python3-systemd)")


def test_systemd_python_itself(tmp_path: Path) -> None:
    """Against a journald that is nothing but its socket."""
    command = _with_systemd_python()
    daemon = str(Path(journal.__file__).parents[2])
    environ = {**os.environ, "PYTHONPATH": f"{daemon}:{os.environ.get('PYTHONPATH', '')}"}
    with (tmp_path / "stderr").open("w") as stream:
        done = subprocess.run(
            [*command, "-c", _REAL],
            stdout=subprocess.PIPE,
            stderr=stream,
            env=environ,
            cwd=tmp_path,
            check=False,
            text=True,
        )
    errors = (tmp_path / "stderr").read_text()
    assert done.returncode == 0, errors
    sent = dict(line.split("=", 1) for line in json.loads(done.stdout).splitlines())
    assert sent["MESSAGE"] == r"a\nb.jpg: filed"
    assert sent["PRIORITY"] == "4"
    assert sent["PHOTOSORTD_PHOTO"] == "/x/a.jpg"
    assert sent["SYSLOG_IDENTIFIER"] == "photosortd"
    assert sent["LOGGER"] == "photosortd.test"
    assert sent.keys() >= {"CODE_FILE", "CODE_LINE", "CODE_FUNC"}
    assert all(name == name.upper() for name in sent)
    assert errors == "<4>refused\n<4>missing\n"


# ---- said once


def test_a_condition_is_said_when_it_begins_when_it_changes_and_when_it_ends(sheet: Sheet) -> None:
    sheet.set_up()
    full = journal.Condition(log)
    full.over("never said: it did not hold")
    for left in range(3):
        full.holds(f"the disk is full: {left} bytes left")
    full.holds("the disk is gone")
    full.over("filing goes on")
    full.over("filing goes on")
    full.holds("the disk is full")
    assert sheet.lines == [
        "warning: the disk is full: 0 bytes left",
        "warning: the disk is gone",
        "filing goes on",
        "warning: the disk is full",
    ]


def test_what_begins_and_ends_for_ever_is_counted_after_a_while(sheet: Sheet) -> None:
    now = 0.0
    flood = journal.Flood(lambda: now)
    sheet.set_up(verbose=1)  # without a filter of its own
    (handler,) = (each for each in logging.getLogger().handlers if each.name == "photosortd")
    handler.addFilter(flood)
    for number in range(50):
        log.warning("%s: paused: %s", "/dcim", f"reason {number}")
        log.error("keeping the old %s: %s", "configuration", "bad")
        log.warning("%s: unreadable", "a.jpg", extra={"PHOTOSORTD_PHOTO": "a.jpg"})
    paused = [line for line in sheet.lines if "paused" in line]
    assert len(paused) == 20
    assert paused[0] == "warning: /dcim: paused: reason 0"
    assert paused[-1].endswith("reason 19 (more like it are only counted, for an hour)")
    assert len([line for line in sheet.lines if "keeping" in line]) == 50  # to be acted on
    assert len([line for line in sheet.lines if "unreadable" in line]) == 50
    now = 3600.0
    log.warning("%s: paused: %s", "/dcim", "again")
    assert sheet.lines[-1].endswith("again (and 30 more like it since the last)")
    log.warning("%s: paused: %s", "/dcim", "and again")
    assert sheet.lines[-1].endswith("and again")


def test_what_is_new_is_said_although_something_else_was_too_often(sheet: Sheet) -> None:
    sheet.set_up()
    for _ in range(50):
        log.warning("waiting: %s", "the disk is full")
    log.warning("waiting: %s", WorldError("the library is not there"))
    assert len(sheet.lines) == 21
    assert sheet.lines[-1] == "warning: waiting: the library is not there"


def test_a_message_about_very_many_things_is_counted_too(sheet: Sheet) -> None:
    sheet.set_up()
    for number in range(500):
        log.warning("%s: killed", "x" * number)
    assert len(sheet.lines) == 50
    assert sheet.lines[-1].endswith("x: killed (more like it are only counted, for an hour)")


def test_stderr_is_the_default(capfd: pytest.CaptureFixture[str]) -> None:
    journal.set_up(environ={})
    log.warning("hello")
    assert "warning: hello" in capfd.readouterr().err
