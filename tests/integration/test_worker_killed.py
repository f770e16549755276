"""A worker that is killed while it loads the bundle: that is not the bundle's fault."""

import signal
import sys
from pathlib import Path

import pytest

from photosortd.errors import BundleError, WorldError
from photosortd.records import Limits
from photosortd.vision.worker import Workers, pool, process

TINY = str(Path(__file__).resolve().parents[1] / "assets" / "tiny-bundle")


@pytest.mark.parametrize(
    ("number", "fault"), [(signal.SIGKILL, WorldError), (signal.SIGSEGV, BundleError)]
)
def test_out_of_memory_is_the_worlds_fault_and_a_crash_the_bundles(
    monkeypatch: pytest.MonkeyPatch, number: int, fault: type[Exception]
) -> None:
    code = (
        "import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); "
        f"os.kill(os.getpid(), {number:d})"
    )
    monkeypatch.setattr(process, "_command", lambda _: [sys.executable, "-c", code])
    monkeypatch.setattr(pool, "_BACKOFF", 0.01)
    workers = Workers(TINY, 1, 1, Limits())
    with pytest.raises(fault, match="while loading it the worker was ended by"):
        workers.start()
    workers.close()
