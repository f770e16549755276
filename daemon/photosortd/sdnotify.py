"""Telling systemd how we are: sd_notify(3), without a library.

Does nothing without NOTIFY_SOCKET, and never fails: a service must not die of its supervisor.
"""

import math
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

PATIENCE = 3.0
"""Seconds that a change of our state waits for a service manager that is busy."""

SPARING = 1.0
"""Seconds between two signs of life: more would only fill the queue of all services."""


class Notifier:
    """One connection to the service manager that started us."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]  # a name in the abstract namespace
        self.interval = _watchdog_interval(environ)
        self._fed = -math.inf

    def ready(self) -> None:
        self._send("READY=1", PATIENCE)

    def stopping(self) -> None:
        self._send("STOPPING=1", PATIENCE)

    def reloading(self) -> None:
        """Both lines must stand in one datagram; `ready` ends the reload."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}", PATIENCE)

    def status(self, text: str) -> None:
        self._send("STATUS=" + " ".join(text.split()))

    def watchdog(self) -> None:
        """We are alive. Called by the loop that does the work, and by nobody else.

        As often as it likes: what goes out is only as much as is needed.
        """
        if self.interval is None:
            return
        now = time.monotonic()
        if now - self._fed >= min(SPARING, self.interval / 4):
            self._fed = now
            self._send("WATCHDOG=1")

    def extend_timeout(self, microseconds: int) -> None:
        self._send(f"EXTEND_TIMEOUT_USEC={microseconds}")

    def _send(self, message: str, patience: float = 0.0) -> None:
        """What cannot be sent within `patience` seconds is dropped: a state is told but once."""
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as out:
            out.settimeout(patience)
            out.sendto(message.encode("utf-8", "backslashreplace"), self._address)


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life at the most; None if nobody waits for them."""
    pid = environ.get("WATCHDOG_PID", str(os.getpid()))
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or pid != str(os.getpid()):
        return None
    return int(usec) / 1e6 or None
