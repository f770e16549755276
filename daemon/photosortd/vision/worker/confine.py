"""What a worker process may do to the machine: little. Linux; called in the child alone."""

import ctypes
import os
import resource
import signal
from contextlib import suppress

_PR_SET_PDEATHSIG = 1  # prctl(2)
_OOM_SCORE = 500  # of 1000: under memory pressure the worker goes first, the daemon stays


def confine(parent: int) -> None:
    """Die with the parent, leave signals to it, be the first to go when memory runs out."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Service managers signal every process of a unit; the parent decides when we end.
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        os._exit(0)
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(_OOM_SCORE))
    except OSError:
        return  # a container may forbid it; the memory limit below holds all the same


def give_way(nice: int) -> None:
    """Leave the cores to others, as nice(2) counts it."""
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(nice)


def limit_memory(size: int) -> None:
    """At most `size` bytes of address space; no core dumps, which would hold people's photos."""
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def silence() -> None:
    """C libraries write warnings about odd photos to stderr; the journal does not want them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
