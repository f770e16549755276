"""What a daemon tells its service manager, heard in its place: sd_notify(3)."""

import socket
import time
from contextlib import suppress
from pathlib import Path

from house import Running

PATIENCE = 600.0  # seconds; far more than anything here takes


class Notices:
    """A socket for one daemon. `env` is what the daemon has to be given."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        self._path = path
        self.env = {"NOTIFY_SOCKET": str(path)}

    def __enter__(self) -> "Notices":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._path.unlink()

    def until(self, beginning: str, running: Running) -> float:
        """The monotonic time at which it said a line that begins like this."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and running.process.poll() is None:
            self._socket.settimeout(1.0)
            with suppress(TimeoutError):
                lines = self._socket.recv(1 << 16).decode(errors="replace").splitlines()
                if any(line.startswith(beginning) for line in lines):
                    return time.monotonic()
        raise RuntimeError(f"it never said {beginning}:\n{running.said()}")
