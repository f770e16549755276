"""One writer: the lock of the state directory, and who holds it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from photosortd import files, identity
from photosortd.errors import BusyError, WorldError
from photosortd.records import printable

NAME = "lock"

MOMENT = 0.3  # seconds


@contextmanager
def writer(state: str) -> Iterator[None]:
    """Be the one writer of this state directory (made if missing) until the block ends.

    Raises BusyError, naming the other's process id; WorldError where we may not write.
    """
    with files.world_errors(f"{printable(state)}: cannot be written; {run_as(state)}"):
        os.makedirs(state, mode=0o755, exist_ok=True)  # status.json is for the whole household
        descriptor = os.open(_path(state), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with files.world_errors(f"{printable(_path(state))}: cannot be locked and written"):
            if not _locked(descriptor):
                raise BusyError(f"photosortd is running already (pid {_pid(descriptor)})")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(state: str) -> int | None:
    """The process id of the writer that runs now, or None."""
    try:
        descriptor = os.open(_path(state), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WorldError(f"{printable(state)}: {error.strerror}; {run_as(state)}") from error
    try:
        # A shared lock that we get at once proves that nobody holds the exclusive one.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        with files.world_errors(f"{printable(_path(state))}: cannot be read"):
            return _pid(descriptor)
    except OSError as error:
        shown = printable(_path(state))
        raise WorldError(f"{shown}: cannot be locked: {error.strerror}") from error
    finally:
        os.close(descriptor)


def run_as(path: str) -> str:
    """What to do where we may not write: the advice names the user who may."""
    while not os.path.exists(path) and path != "/":
        path = os.path.dirname(path.rstrip("/")) or "/"
    return f"run it as user {identity.user_name(os.stat(path).st_uid)}"


def _path(state: str) -> str:
    return os.path.join(state, NAME)


def _locked(descriptor: int) -> bool:
    """Take the lock. Tried for a moment: who asks for the holder has it for an instant, too."""
    until = time.monotonic() + MOMENT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > until:
                return False
        time.sleep(0.01)


def _pid(descriptor: int) -> int:
    """Of the process that holds the lock: it writes it down right after it got it."""
    until = time.monotonic() + MOMENT
    while not (text := os.pread(descriptor, 32, 0).strip()).isdigit():
        if time.monotonic() > until:
            raise BusyError("photosortd is running already, and does not say as which process")
        time.sleep(0.01)
    return int(text)
