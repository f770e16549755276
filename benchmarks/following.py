"""A command from its start to its end, and what it and its children used on the way."""

import os
import select
import subprocess
import time
from dataclasses import dataclass

import processes
from processes import Usage

_EVERY = 0.1  # seconds between two looks
_MEMORY_EVERY = 0.5  # each walks page tables


@dataclass(frozen=True, slots=True)
class Followed:
    """What was used, the first process apart from those that it started."""

    seconds: float
    parent: Usage
    children: Usage
    parent_memory: int  # bytes (PSS), at most
    memory: int  # of all together, at most


def follow(process: "subprocess.Popen[bytes]", started: float) -> Followed:
    """Wait for its end. `started` is the monotonic time from which its seconds count."""
    used: dict[int, Usage] = {}
    memory, parent_memory, due = 0, 0, 0.0
    descriptor = os.pidfd_open(process.pid)
    try:
        while not select.select([descriptor], [], [], _EVERY)[0]:
            pss = time.monotonic() >= due
            now = processes.tree(process.pid, pss)
            used |= now
            if pss:
                due = time.monotonic() + _MEMORY_EVERY
                memory = max(memory, processes.together(now).pss)
                parent_memory = max(parent_memory, now.get(process.pid, Usage()).pss)
        seconds = time.monotonic() - started
    finally:
        os.close(descriptor)
    process.wait()
    parent = used.pop(process.pid, Usage())
    return Followed(seconds, parent, processes.together(used), parent_memory, memory)
