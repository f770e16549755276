"""The ways that a line may take: the journal's own protocol, and stderr.

Each raises OSError while nobody answers at its end. `Surely` tries them in order, and keeps what
none of them took.
"""

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from photosortd.journal.lines import Lines, bare
from photosortd.records import printable

SOCKET = "/run/systemd/journal/socket"

KEPT = 1000
"""Records that wait for a way out; beyond, the oldest are lost."""


class Stderr(logging.Handler):
    """Written past Python's buffer, which holds on to what a full disk refused: `Surely` would
    bring it a second time."""

    def __init__(self, stream: TextIO, prefix: Callable[[logging.LogRecord], str]) -> None:
        super().__init__()
        self._stream = stream
        self.setFormatter(Lines(prefix))

    def emit(self, record: logging.LogRecord) -> None:
        data = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
        if self._stream.closed:
            raise BrokenPipeError
        descriptor = self._stream.fileno()
        while data:
            data = data[os.write(descriptor, data) :]


def native(identifier: str) -> logging.Handler | None:
    """The journal's own protocol, which keeps fields; None without the extra `systemd`."""
    try:
        from systemd.journal import JournalHandler, send
    except ImportError:
        return None

    def deliver(message: str, /, **fields: Any) -> None:
        _knock()
        send(message, **{name: fields[name] for name in fields if _is_field(name)})

    class Native(JournalHandler):  # type: ignore[misc]
        def handleError(self, record: logging.LogRecord) -> None:
            raise  # what `emit` caught: another way may be open

    handler: logging.Handler = Native(sender_function=deliver, SYSLOG_IDENTIFIER=identifier)
    handler.setFormatter(Lines(bare))
    handler.addFilter(_printable_fields)
    return handler


def _knock() -> None:
    """Raise OSError if nobody listens: libsystemd drops the message without a word if the
    socket is missing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as knocking:
        knocking.connect(SOCKET)


def _is_field(name: str) -> bool:
    """JournalHandler also passes every attribute of the record, which journald would drop."""
    return name.isupper()


def _printable_fields(record: logging.LogRecord) -> bool:
    """The journal's fields are UTF-8; by its rule their names are in capitals."""
    for name, value in vars(record).items():
        if _is_field(name) and isinstance(value, str):
            setattr(record, name, printable(value))
    return True


class Surely(logging.Handler):
    """Hands each record to the first way that takes it, in their order. What none takes waits
    until a later one gets through. Never raises, and never complains on a way that is shut."""

    def __init__(self, ways: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._ways = ways
        self._kept: deque[logging.LogRecord] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(record)
        self.flush()

    def flush(self) -> None:
        """At our end, too: a last try for what still waits."""
        while self._kept and self._deliver(self._kept[0]):
            self._kept.popleft()

    def _deliver(self, record: logging.LogRecord) -> bool:
        for way in self._ways:
            try:
                way.handle(record)
            except OSError:
                continue
            except (TypeError, ValueError, KeyError):  # arguments that do not fit: our mistake
                self.handleError(record)
            return True
        return False
