"""The place of one worker in the pool, and the jobs that stand in it. Monotonic seconds."""

from dataclasses import dataclass, field

from photosortd.errors import PhotosortdError
from photosortd.vision.worker.process import Process
from photosortd.vision.worker.protocol import Job

OUTSTANDING = 2  # a worker decodes the next photo while it infers one
START_SECONDS = 120.0  # a Pi may read the libraries from a slow card
START_TRIES = 3
GLANCE = 1.0  # seconds of waiting for a start between two calls of `between`


def nothing() -> None:
    """What is called while a start is awaited, unless somebody wants to be."""


@dataclass(slots=True)
class Task:
    """A job on its way to an answer."""

    job: Job
    behind: bool = False  # live photos go before it
    alone: bool = False  # it was there when a worker died with two in hand
    repeats: int = 0  # times that a worker died before it began with it
    begun: float | None = None


@dataclass(slots=True)
class Slot:
    """The place of one worker; who stands in it changes."""

    process: Process | None = None
    ready: bool = False
    started: float = 0.0  # when its process was
    since: float = 0.0  # when its process was started, or it was last heard of or sent a job
    tasks: dict[int, Task] = field(default_factory=dict)
    said: str = ""  # its last words
    starved: bool = False  # which were that the machine gives it too little
    failures: int = 0  # failed starts in a row
    blame: PhotosortdError | None = None  # for the last of them
    refused: bool = False  # it told the blame itself: trying again is of no use
    not_before: float = 0.0  # no new start earlier

    @property
    def hopeless(self) -> bool:
        """Whether starting it failed in a way that another try will not mend."""
        return self.refused or self.failures >= START_TRIES

    def takes(self, task: Task) -> bool:
        if not self.ready or any(other.alone for other in self.tasks.values()):
            return False
        return len(self.tasks) < (1 if task.alone else OUTSTANDING)

    def deadline(self, seconds: float) -> float | None:
        """When it has had its time, with its start or with the job in hand; None: it is idle."""
        if self.process is None:
            return None
        if not self.ready:
            return self.since + START_SECONDS
        # One that has not begun waits for its turn, but not for ever for a sign of life.
        starts = [self.since if t.begun is None else t.begun for t in self.tasks.values()]
        return min(starts) + seconds if starts else None
