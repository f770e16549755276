"""What an installation wrote, so that nothing half-done stays when it ends badly."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from photosortd import files
from photosortd.errors import WorldError
from photosortd.records import printable


class Changes:
    """Every change of the file system, each with its way back."""

    def __init__(self) -> None:
        self._back: list[Callable[[], None]] = []

    def write(self, path: str, data: bytes, mode: int = 0o644) -> bool:
        """Write a file and the directories above it; False if it was so already."""
        with files.world_errors(f"{printable(path)}: cannot be written"):
            before = _content(path)
            if before == data:
                return False
            old_mode = os.stat(path).st_mode & 0o7777 if before is not None else mode
            self.directories(os.path.dirname(path))
            self._back.append(lambda: _restore(path, before, old_mode))
            files.write_atomically(path, data, mode)
        return True

    def directories(self, path: str) -> None:
        """Make what is missing of a path."""
        if not os.path.isdir(path):
            self.directories(os.path.dirname(path))
            os.mkdir(path, 0o755)
            self._back.append(lambda: os.rmdir(path))

    def directory(self, path: str, owner: tuple[int, int], mode: int) -> None:
        """Make a directory for somebody else, in a parent that may be theirs."""
        with files.world_errors(f"{printable(path)}: cannot be made"):
            above = files.open_directory(os.path.dirname(path))
            try:
                name = os.path.basename(path)
                os.mkdir(name, 0o700, dir_fd=above)
                self._back.append(lambda: os.rmdir(path))
                # Whoever owns the parent could have put a link there by now.
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(name, flags, dir_fd=above)
                try:
                    if os.fstat(descriptor).st_uid != owner[0] or os.geteuid() == 0:
                        os.fchown(descriptor, *owner)
                    os.fchmod(descriptor, mode)
                finally:
                    os.close(descriptor)
            finally:
                os.close(above)

    def undo(self) -> list[str]:
        """Put everything back, the last change first. Returns what could not be."""
        problems = []
        while self._back:
            try:
                self._back.pop()()
            except (OSError, WorldError) as error:
                problems.append(f"could not be put back: {error}")
        return problems


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def _restore(path: str, before: bytes | None, mode: int) -> None:
    if before is not None:
        files.write_atomically(path, before, mode)
        return
    with suppress(FileNotFoundError):  # it was never written: the disk is full, say
        os.unlink(path)


@contextmanager
def signals_end_us() -> Iterator[None]:
    """As an exception, as Ctrl-C does: a terminal that is closed must leave nothing half-done."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
