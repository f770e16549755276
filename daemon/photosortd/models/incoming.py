"""A bundle on its way in beside a running daemon: `<state>/incoming-…`, where the daemon sees it.

Whoever brings it holds a lock on that directory. One that nobody holds was left by a crash.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from photosortd import files

_PREFIX = "incoming-"


@contextmanager
def incoming_directory(state: str) -> Iterator[str]:
    """A directory in the state directory that is gone when the block ends. Raises OSError."""
    path, descriptor = _made(state)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def sweep(state: Path) -> None:
    """Remove those that a crash left."""
    for left in state.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody brings a bundle, or has just taken it away again
            descriptor = files.open_directory(str(left))
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(descriptor)


def _made(state: str) -> tuple[str, int]:
    """The path, and the descriptor that holds the lock."""
    while True:
        path = tempfile.mkdtemp(prefix=_PREFIX, dir=state)
        with suppress(FileNotFoundError):  # a sweep came before our lock: another one, then
            descriptor = files.open_directory(path)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.isdir(path):
                return path, descriptor
            os.close(descriptor)
