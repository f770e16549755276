"""The lines that logging becomes: on a terminal, in a file, in the journal."""

import io
import logging
import os
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from photosortd import journal
from photosortd.errors import ConfigError

log = logging.getLogger("photosortd.test_journal")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("photosortd")
    before = (root.handlers[:], root.level, ours.level)
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def set_up(stream: io.StringIO, **settings: Any) -> None:
    journal.set_up(environ={}, stream=stream, **settings)


def test_a_line_in_a_file_has_a_date_and_a_level_that_matters() -> None:
    stream = io.StringIO()
    set_up(stream)
    log.info("%s: filed", "a.jpg")
    log.warning("the disk is full")
    log.debug("not shown")
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4}"
    assert re.fullmatch(
        f"{date} a.jpg: filed\n{date} warning: the disk is full\n", stream.getvalue()
    )


def test_a_line_on_a_terminal_has_the_time_only() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    set_up(stream)
    log.error("no bundle")
    assert re.fullmatch(r"\d\d:\d\d:\d\d error: no bundle\n", stream.getvalue())


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, ["info", "warning", "library warning"]),
        ({"quiet": True}, ["warning", "library warning"]),
        ({"verbose": 1}, ["debug", "info", "warning", "library warning"]),
        ({"verbose": 2}, ["debug", "info", "warning", "library debug", "library warning"]),
    ],
)
def test_how_much_is_said(settings: dict[str, Any], shown: list[str]) -> None:
    stream = io.StringIO()
    set_up(stream, **settings)
    log.debug("debug")
    log.info("info")
    log.warning("warning")
    logging.getLogger("library").debug("library debug")
    logging.getLogger("library").warning("library warning")
    lines = stream.getvalue().splitlines()
    assert [re.sub(r"^\S+ \S+ (warning: )?", "", line) for line in lines] == shown


def test_a_name_cannot_forge_a_line() -> None:
    stream = io.StringIO()
    set_up(stream)
    log.info("%s: filed", "a\n<0>b\x1b[2J\udcff\u2028.jpg")
    log.info("%(name)s: filed", {"name": "c\r\nd"})
    first, second = stream.getvalue().splitlines()
    assert first.endswith(r" a\n<0>b\x1b[2J\xff\u2028.jpg: filed")
    assert second.endswith(r" c\r\nd: filed")


def test_several_complaints_are_several_lines_and_so_is_a_traceback() -> None:
    stream = io.StringIO()
    set_up(stream)
    log.error("keeping the old configuration: %s", ConfigError("first", "second\x07"))
    try:
        raise RuntimeError("ours")
    except RuntimeError:
        log.exception("unexpected")
    lines = [line.split(" error: ")[1] for line in stream.getvalue().splitlines()]
    assert lines[:4] == [
        "keeping the old configuration: first",
        r"second\x07",
        "unexpected",
        "Traceback (most recent call last):",
    ]
    assert lines[-1] == "RuntimeError: ours"


def test_set_up_twice_says_everything_once() -> None:
    stream = io.StringIO()
    set_up(stream)
    set_up(stream)
    log.info("hello")
    assert stream.getvalue().count("hello") == 1


def journal_stream(path: Path) -> dict[str, str]:
    stat = path.stat()
    return {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}


def test_under_systemd_each_line_has_its_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "systemd.journal", None)  # as without the extra
    file = tmp_path / "journal"
    with file.open("w") as stream:
        journal.set_up(verbose=1, environ=journal_stream(file), stream=stream)
        log.critical("a")
        log.error("b\n%s", "c")
        log.warning("d")
        log.info("e")
        log.debug("f")
    assert file.read_text() == "<2>a\n<3>b\n<3>c\n<4>d\n<6>e\n<7>f\n"


def test_a_stderr_that_was_redirected_is_no_journal(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    other.touch()
    with file.open("w") as stream:
        assert not journal.leads_to_journal(journal_stream(other), stream)
        assert not journal.leads_to_journal({}, stream)
        assert journal.leads_to_journal(journal_stream(file), stream)
    assert not journal.leads_to_journal(journal_stream(file), stream)  # closed
    assert not journal.leads_to_journal({"JOURNAL_STREAM": "1:1"}, io.StringIO())


def test_the_journals_own_protocol_is_used_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, str]] = []

    class JournalHandler(logging.Handler):
        """As systemd-python's: formats the message, sends capital attributes as fields."""

        def __init__(self, **fields: str) -> None:
            super().__init__()
            assert fields == {"SYSLOG_IDENTIFIER": "photosortd"}

        def emit(self, record: logging.LogRecord) -> None:
            sent.append((self.format(record), vars(record).get("PHOTO", "")))

    fake = types.ModuleType("systemd.journal")
    fake.JournalHandler = JournalHandler  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "systemd", types.ModuleType("systemd"))
    monkeypatch.setitem(sys.modules, "systemd.journal", fake)
    file = tmp_path / "journal"
    with file.open("w") as stream:
        journal.set_up(environ=journal_stream(file), stream=stream)
        log.info("%s: filed", "a\nb", extra={"PHOTO": "a\nb\udcff"})
    assert sent == [(r"a\nb: filed", r"a\nb\xff")]
    assert file.read_text() == ""


def test_a_condition_is_said_when_it_begins_when_it_changes_and_when_it_ends() -> None:
    stream = io.StringIO()
    set_up(stream)
    full = journal.Condition(log)
    full.over("never said: it did not hold")
    for _ in range(3):
        full.holds("the disk is full")
    full.holds("the disk is gone")
    full.over("filing goes on")
    full.over("filing goes on")
    full.holds("the disk is full")
    lines = [line.split(" ", 2)[2] for line in stream.getvalue().splitlines()]
    assert lines == [
        "warning: the disk is full",
        "warning: the disk is gone",
        "filing goes on",
        "warning: the disk is full",
    ]


def test_stderr_is_the_default(capfd: pytest.CaptureFixture[str]) -> None:
    assert os.environ.get("JOURNAL_STREAM") is None or not journal.leads_to_journal({}, sys.stderr)
    journal.set_up(environ={})
    log.warning("hello")
    assert "warning: hello" in capfd.readouterr().err
