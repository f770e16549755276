"""What a record looks like as text. Pure, but for the local time zone."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from photosortd.records import printable

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


def bare(_: logging.LogRecord) -> str:
    return ""


def priority(record: logging.LogRecord) -> str:
    """systemd takes it off again (SyslogLevelPrefix)."""
    number = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
    return f"<{number}>"


def clock(record: logging.LogRecord) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {_level(record)}"


def date(record: logging.LogRecord) -> str:
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
