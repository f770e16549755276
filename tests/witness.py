"""A witness of a daemon's life: reads its status all the time, its memory, and how it rests."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from running import House, Running

GLANCE = 0.05  # seconds between two looks at status.json, which changes once a second at most
TICK = os.sysconf("SC_CLK_TCK")

Status = dict[str, Any]


def contradictions(status: Status) -> list[str]:
    """Where a status says two things of which one cannot be true."""
    found = []
    queue, trouble = status["queue"], status["trouble"]
    busy = [what for what in ("live", "backlog", "in_hand") if queue[what]]
    scanning = [root["path"] for root in status["roots"] if root["scanning"]]
    if status["state"] == "idle" and (busy or scanning):
        found.append(f"idle with {busy or scanning}")
    if trouble is not None and status["state"] not in ("paused", "stopped"):
        found.append(f"{status['state']} in trouble: {trouble}")
    if trouble is None and status["state"] == "paused":
        found.append("paused for no reason")
    found += [
        f"{root['path']} is {root['watched']} for no reason"
        for root in status["roots"]
        if root["watched"] != "events" and not root["reason"]
    ]
    return found


class Witness:
    """Looks at everything that a daemon says from start to end, in a thread."""

    def __init__(self, house: House, running: Running) -> None:
        self._house = house
        self._running = running
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._demands: dict[str, Callable[[Status], bool]] = {}
        self.samples = 0
        self.lies: set[str] = set()

    def _watch(self) -> None:
        while not self._over.wait(GLANCE):
            if status := self._house.status():
                self.samples += 1
                self.lies.update(contradictions(status))
                # Copied: the test may end a demand at this very moment.
                broken = [what for what, holds in list(self._demands.items()) if not holds(status)]
                self.lies.update(f"while {what}: {status}" for what in broken)

    @contextmanager
    def saying(
        self, what: str, holds: Callable[[Status], bool], seconds: float = 30.0
    ) -> Iterator[float]:
        """The status comes to say so, and keeps to it until the end of the block.

        Yields how many seconds it took to come.
        """
        began = time.monotonic()
        while not holds(self._house.status()):
            assert time.monotonic() - began < seconds, f"not said: {what}: {self._house.status()}"
            time.sleep(GLANCE)
        self._demands[what] = holds
        try:
            yield time.monotonic() - began
        finally:
            del self._demands[what]

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def most_memory(self) -> int:
        """MB that the daemon itself, without its workers, held at most."""
        lines = Path(f"/proc/{self._running.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024

    def cpu(self) -> float:
        """Seconds of processor time so far, without the workers."""
        fields = Path(f"/proc/{self._running.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def wakings(self) -> int:
        """How often a thread of the daemon went to sleep so far."""
        found = 0
        for task in Path(f"/proc/{self._running.pid}/task").iterdir():
            lines = (task / "status").read_text().splitlines()
            found += next(int(x.split()[1]) for x in lines if x.startswith("voluntary_ctxt"))
        return found

    def at_rest(self, seconds: float) -> tuple[float, float]:
        """Processor time and wake-ups a second, over some real seconds with nothing to do."""
        began, cpu, wakings = time.monotonic(), self.cpu(), self.wakings()
        time.sleep(seconds)
        took = time.monotonic() - began
        return (self.cpu() - cpu) / took, (self.wakings() - wakings) / took

    def __enter__(self) -> "Witness":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
