"""Logging: to the journal with priorities and fields, else to stderr in plain lines.

Owns the form of a line and nothing of its content: names come out on one line, whatever bytes
they hold, and what holds for a while is said once, and once when it is over.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from photosortd.records import printable

_IDENTIFIER = "photosortd"
_PACKAGE = "photosortd"

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Of syslog(3), which the journal uses too; anything below is 7, debug."""


class Lines(logging.Formatter):
    """One or more lines, each with a prefix and each free of control characters.

    A text among the arguments stays on one line: it may be the name of a file. An exception
    keeps its line breaks: several complaints are several lines.
    """

    def __init__(self, prefix: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        lines = _message(record).split("\n")
        if record.exc_info:
            lines += self.formatException(record.exc_info).split("\n")
        return "\n".join(self._prefix(record) + printable(line) for line in lines)


def set_up(
    verbose: int = 0,
    quiet: bool = False,
    environ: Mapping[str, str] = os.environ,
    stream: TextIO | None = None,
) -> None:
    """Send all logging to the journal if stderr leads there, else to stderr. Once is enough.

    `quiet`: only what needs attention; `verbose`: what we do in detail, twice: libraries too.
    """
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.name == _IDENTIFIER]:
        root.removeHandler(old)
    handler = _handler(environ, stream or sys.stderr)
    handler.name = _IDENTIFIER
    root.addHandler(handler)
    root.setLevel(logging.DEBUG if verbose > 1 else logging.WARNING)
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    logging.getLogger(_PACKAGE).setLevel(level)


def leads_to_journal(environ: Mapping[str, str], stream: TextIO) -> bool:
    """Whether systemd connected this stream to the journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        stat = os.fstat(stream.fileno())
    except (OSError, ValueError):  # closed, or a stream that is no file
        return False
    return environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def _handler(environ: Mapping[str, str], stream: TextIO) -> logging.Handler:
    if leads_to_journal(environ, stream):
        return _native() or _stream(stream, _priority)
    return _stream(stream, _clock if stream.isatty() else _date)


def _native() -> logging.Handler | None:
    """The journal's own protocol, which keeps fields; None without the extra `systemd`."""
    try:
        from systemd.journal import JournalHandler
    except ImportError:
        return None
    handler: logging.Handler = JournalHandler(SYSLOG_IDENTIFIER=_IDENTIFIER)
    handler.setFormatter(Lines(lambda record: ""))
    handler.addFilter(_printable_fields)
    return handler


def _stream(stream: TextIO, prefix: Callable[[logging.LogRecord], str]) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(prefix))
    return handler


def _priority(record: logging.LogRecord) -> str:
    """systemd takes it off again (SyslogLevelPrefix)."""
    number = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
    return f"<{number}>"


def _clock(record: logging.LogRecord) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {_level(record)}"


def _date(record: logging.LogRecord) -> str:
    return (
        f"{time.strftime('%Y-%m-%d %H:%M:%S%z', time.localtime(record.created))} {_level(record)}"
    )


def _level(record: logging.LogRecord) -> str:
    plain = record.levelno in (logging.INFO, logging.DEBUG)
    return "" if plain else f"{record.levelname.lower()}: "


def _message(record: logging.LogRecord) -> str:
    message = str(record.msg)
    if isinstance(record.args, Mapping):
        return message % {key: _on_one_line(value) for key, value in record.args.items()}
    return message % tuple(map(_on_one_line, record.args)) if record.args else message


def _on_one_line(argument: Any) -> Any:
    return printable(argument) if isinstance(argument, str) else argument


def _printable_fields(record: logging.LogRecord) -> bool:
    """The journal's fields are UTF-8; by its rule their names are in capitals."""
    for name, value in vars(record).items():
        if name.isupper() and isinstance(value, str):
            setattr(record, name, printable(value))
    return True


class Condition:
    """Something that holds for a while, such as a full disk: logged when it begins and ends.

    A change of its description counts as a beginning.
    """

    def __init__(self, log: logging.Logger, level: int = logging.WARNING) -> None:
        self._log = log
        self._level = level
        self._said: str | None = None

    def holds(self, description: str) -> None:
        if description != self._said:
            self._log.log(self._level, "%s", description)
            self._said = description

    def over(self, description: str) -> None:
        """Says so only if it held before."""
        if self._said is not None:
            self._log.info("%s", description)
            self._said = None
