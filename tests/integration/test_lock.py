"""One writer, and everybody else learns who it is."""

import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from photosortd import lock
from photosortd.errors import BusyError, WorldError

HOLD = """
import sys
from photosortd import lock
with lock.writer(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_told_the_first_ones_pid(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, state], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        assert lock.holder(state) == other.pid
        with pytest.raises(BusyError, match=f"pid {other.pid}"), lock.writer(state):
            pytest.fail("two writers")
        assert other.stdin is not None
        other.stdin.close()
        other.wait(timeout=10)
    assert lock.holder(state) is None
    with lock.writer(state):
        assert lock.holder(state) == os.getpid()


def test_nobody_holds_what_was_never_there(tmp_path: Path) -> None:
    assert lock.holder(str(tmp_path / "none")) is None


@pytest.mark.root
def test_who_may_not_write_is_told_who_may() -> None:
    with tempfile.TemporaryDirectory() as state:
        Path(state).chmod(0o755)
        assert advice_for_nobody(state) == 0


def advice_for_nobody(state: str) -> int:
    """0 if the user nobody is told to run it as root."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setuid(65534)
            with lock.writer(state):
                pass
        except WorldError as error:
            code = 0 if "run it as user root" in str(error) else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("call", ["ftruncate", "pwrite"])
def test_a_lock_that_cannot_be_written_is_the_worlds_fault(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, call, failing(errno.ENOSPC))
    said = "lock: cannot be locked and written: No space left"
    with pytest.raises(WorldError, match=said), lock.writer(str(tmp_path)):
        pytest.fail("locked")
    monkeypatch.undo()
    with lock.writer(str(tmp_path)):
        pass


def test_a_file_system_without_locks_is_the_worlds_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / lock.NAME).touch()
    monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    with pytest.raises(WorldError, match="No locks available"), lock.writer(str(tmp_path)):
        pytest.fail("locked")
    with pytest.raises(WorldError, match="No locks available"):
        lock.holder(str(tmp_path))


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
