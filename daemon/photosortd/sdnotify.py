"""Telling systemd how we are: sd_notify(3), without a library.

Does nothing without NOTIFY_SOCKET, and never fails: a service must not die of its supervisor.
"""

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """One connection to the service manager that started us."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]  # a name in the abstract namespace
        self.interval = _watchdog_interval(environ)

    def ready(self) -> None:
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def reloading(self) -> None:
        """Both lines must stand in one datagram; `ready` ends the reload."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def status(self, text: str) -> None:
        self._send("STATUS=" + " ".join(text.split()))

    def watchdog(self) -> None:
        """We are alive. Called by the loop that does the work, and by nobody else."""
        if self.interval is not None:
            self._send("WATCHDOG=1")

    def extend_timeout(self, microseconds: int) -> None:
        self._send(f"EXTEND_TIMEOUT_USEC={microseconds}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        with suppress(OSError), socket.socket(socket.AF_UNIX, kind) as out:
            out.sendto(message.encode("utf-8", "backslashreplace"), self._address)


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Seconds between two signs of life at the most; None if nobody waits for them."""
    pid = environ.get("WATCHDOG_PID", str(os.getpid()))
    usec = environ.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or pid != str(os.getpid()):
        return None
    return int(usec) / 1e6 or None
