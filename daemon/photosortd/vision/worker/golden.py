"""Does this machine see what the training machine saw? The bundle's golden images, in a child."""

import hashlib
import os
import select
import time
from collections.abc import Callable

from photosortd.errors import BundleError, WorldError
from photosortd.records import Limits, printable
from photosortd.vision import DECODE_VERSION
from photosortd.vision.worker.crew import NICE
from photosortd.vision.worker.process import Process
from photosortd.vision.worker.protocol import Hello, reason_of
from photosortd.vision.worker.slot import GLANCE, START_SECONDS, nothing

_DISTRIBUTIONS = ("ai-edge-litert", "tflite-runtime", "numpy", "pillow", "pillow-heif")


def fingerprint() -> str:
    """Runtime, decoder and machine, without loading any of them.

    While it is the same, a bundle that has passed its self-test need not be tested again.
    """
    # Imported here: a worker, which looks at no fingerprint, starts in half the time without.
    from importlib.metadata import PackageNotFoundError, version

    parts = [f"decode {DECODE_VERSION}", os.uname().machine, _processor()]
    for name in _DISTRIBUTIONS:
        try:
            parts.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _processor() -> str:
    """What tells the machine's instructions from another's: the runtime chooses kernels by it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            wanted = {
                line
                for line in lines
                if line.startswith(("model name", "flags", "Features", "CPU part"))
            }
    except OSError:
        return "unknown"
    return "".join(sorted(wanted))


def selftest(bundle_dir: str, limits: Limits, between: Callable[[], None] = nothing) -> str:
    """Check hashes, model and golden images of a bundle in a fresh child; give `fingerprint()`.

    `between` is called every second of the wait; what it raises ends the test and passes on.
    Raises BundleError if anything differs (a score by more than 0.02, or a label), or if the
    child dies on it or takes longer than its start and one photo's time.
    """
    try:
        process = Process.start(Hello(bundle_dir, 1, limits, golden=True, nice=NICE))
    except OSError as error:
        raise WorldError(f"a worker cannot be started: {error.strerror}") from error
    try:
        _await(process, bundle_dir, START_SECONDS + limits.seconds, between)
    finally:
        process.kill()
        process.ended(timeout=5.0)
    return fingerprint()


def _await(process: Process, bundle_dir: str, seconds: float, between: Callable[[], None]) -> None:
    poll = select.poll()
    poll.register(process.fileno(), select.POLLIN)
    until = time.monotonic() + seconds
    alive = True
    while alive and (left := until - time.monotonic()) > 0:
        between()
        poll.poll(1000 * min(left, GLANCE))
        said, alive = process.messages()
        for message in said:
            if message.get("say") == "ready":
                return
            raise BundleError(reason_of(message))
    how = f"took longer than {seconds:g} s" if alive else process.epitaph(timeout=1.0)
    raise BundleError(f"{printable(bundle_dir)}: cannot be tested: {how}")
