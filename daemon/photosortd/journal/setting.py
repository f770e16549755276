"""Which way the lines of this process take, and how much is said."""

import logging
import os
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from photosortd.journal.conditions import Flood
from photosortd.journal.lines import clock, date, priority
from photosortd.journal.ways import Stderr, Surely, native

_IDENTIFIER = "photosortd"
_PACKAGE = "photosortd"


def set_up(
    verbose: int = 0,
    quiet: bool = False,
    environ: Mapping[str, str] = os.environ,
    stream: TextIO | None = None,
) -> None:
    """Send all logging to the journal if stderr leads there, else to stderr. Once is enough.

    `quiet`: only what needs attention; `verbose`: what we do in detail, twice: libraries too.
    """
    occupy_standard_descriptors()
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.name == _IDENTIFIER]:
        root.removeHandler(old)
    handler = _handler(environ, stream or sys.stderr)
    handler.name = _IDENTIFIER
    if not verbose:
        handler.addFilter(Flood(time.monotonic))
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


def _handler(environ: Mapping[str, str], stream: TextIO | None) -> logging.Handler:
    if stream is None:  # we were started without a stderr
        return logging.NullHandler()
    if leads_to_journal(environ, stream):
        ways = [native(_IDENTIFIER), Stderr(stream, priority)]
        return Surely([way for way in ways if way is not None])
    return Surely([Stderr(stream, clock if stream.isatty() else date)])


def occupy_standard_descriptors() -> None:
    """A file of the library must not be opened as number 2, where messages are written to.

    What `set_up` does first, for whoever opens anything before that.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)
