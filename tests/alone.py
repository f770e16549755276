"""Tests run side by side, and one that changes the whole machine has it to itself meanwhile.

A reader-writer lock between processes, by `flock` on two files: who waits for the machine stops
others from taking it once more.
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def _locked(name: str, kind: int) -> Iterator[None]:
    path = Path(tempfile.gettempdir()) / f"photosortd-tests-{os.geteuid()}-{name}.lock"
    with path.open("w") as stream:
        fcntl.flock(stream, kind)
        yield


@contextmanager
def together() -> Iterator[None]:
    """With others, unless one of them needs the machine alone."""
    with ExitStack() as held:
        with _locked("turn", fcntl.LOCK_EX):
            held.enter_context(_locked("machine", fcntl.LOCK_SH))
        yield


@contextmanager
def alone() -> Iterator[None]:
    """When all others have ended; they wait."""
    with _locked("turn", fcntl.LOCK_EX), _locked("machine", fcntl.LOCK_EX):
        yield
