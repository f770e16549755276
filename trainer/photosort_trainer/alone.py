"""One training at a time in a directory: two would write the same files."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from photosort_trainer.errors import TrainerError
from photosortd.records import printable


@contextmanager
def alone(run: Path) -> Iterator[None]:
    """Raises TrainerError if another process is in here. A killed one leaves no lock behind."""
    path = run / "cache" / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainerError(
                f"{printable(str(run))}: another training is running in this directory; wait for "
                "its end, or say another --out"
            ) from error
        yield
    finally:
        os.close(descriptor)
