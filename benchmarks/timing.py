"""How long commands take, side by side."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import Series

Command = Sequence[str | Path]

SCRIPT = Path(sys.executable).with_name("photosortd")


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds that passed, and seconds that the processors worked for it."""

    wall: float
    cpu: float


def wall(took: Sequence[Took]) -> Series:
    return Series.of([each.wall for each in took], "s")


def cpu(took: Sequence[Took]) -> Series:
    return Series.of([each.cpu for each in took], "s")


def in_turns(commands: Mapping[str, Command], repeats: int) -> dict[str, list[Took]]:
    """One after the other, again and again, so that a busy moment hits all of them."""
    found: dict[str, list[Took]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            found[name].append(run(command))
    return found


def run(command: Command) -> Took:
    """To its end; what it prints is not looked at. Raises RuntimeError if it fails."""
    began = time.monotonic()
    return ended(subprocess.Popen(command, stdout=subprocess.DEVNULL), began)


def ended(process: "subprocess.Popen[bytes]", began: float) -> Took:
    """Wait for the end of a process. Of its children, those count for which it waited itself."""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    took = Took(time.monotonic() - began, used.ru_utime + used.ru_stime)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return took
