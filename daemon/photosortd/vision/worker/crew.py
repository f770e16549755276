"""Which worker a job goes to, and which of them there have to be. Monotonic seconds.

Where there are several, and live photos are to go before an archive, the archive's are behind: the
first worker takes none of them, another process stands in for it while there are any, and all
others leave the cores to it. Else a live photo would wait until what is half done is done.
"""

from collections.abc import Sequence

from photosortd.vision.worker.slot import OUTSTANDING, Slot, Task

NICE = 5  # the daemon, and whatever else the machine is for, comes first
_NICER = 10  # and the worker that has live photos alone; more would starve those who have them, too
_LINGER = 60.0  # seconds without a job behind after which nobody stands in for the first worker


class Crew:
    """The slots. Starts and ends nobody."""

    def __init__(self, count: int, express: bool) -> None:
        """`express`: jobs that are not behind find the first of several workers free."""
        self.count = count  # less the one that stands in
        self.express = express and count > 1
        self.slots = [Slot() for _ in range(count + self.express)]
        self._behind_until = 0.0  # the last one is there while there are jobs that are behind

    def note(self, task: Task, now: float) -> None:
        """It was submitted."""
        if task.behind:
            self._behind_until = now + _LINGER

    def free(self, behind: bool) -> int:
        """Places for jobs which are behind, or are not."""
        return sum(OUTSTANDING - len(slot.tasks) for slot in self.takers(behind))

    def taker(self, task: Task, awaited: Sequence[Slot] = ()) -> Slot | None:
        """The idlest worker that takes it now, of those that nobody else waits for."""
        free = [
            slot
            for slot in self.takers(task.behind)
            if slot.takes(task) and not any(slot is each for each in awaited)
        ]
        return min(free, key=lambda slot: len(slot.tasks), default=None)

    def takers(self, behind: bool) -> Sequence[Slot]:
        """Who takes such jobs."""
        if not self.express:
            return self.slots
        if not behind:
            return self.slots[:-1]
        others = self.slots[1:]
        # Until one of them is there the first one does it: better than to wait.
        return others if any(slot.ready for slot in others) else self.slots[:1]

    def wants(self, slot: Slot, now: float, proven: bool) -> bool:
        """Whether there has to be a worker. The first one alone finds out if the bundle loads."""
        if slot is self.slots[0]:
            return True
        stands_in = self.express and slot is self.slots[-1]
        return proven and not (stands_in and now >= self._behind_until)

    def nice(self, slot: Slot) -> int:
        """How far it leaves the cores to others, as nice(2) counts it."""
        if not self.express:
            return NICE
        return 0 if slot is self.slots[0] else _NICER
