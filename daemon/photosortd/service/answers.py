"""What the workers have answered, and whether it is the moment to go on with it."""

import time

from photosortd.pipeline import Pipeline
from photosortd.vision.worker import Answer


class Answers:
    """Those of one pipeline that nobody has gone on with; live ones first. `now` is monotonic."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._waiting: list[Answer] = []
        self._gave_way = False  # in the last turn, to what was heard

    def __len__(self) -> int:
        return len(self._waiting)

    def collect(self, seconds: float, wake: int | None = None) -> None:
        """Wait for more of them, until the descriptor `wake` is readable."""
        self._waiting += self._pipeline.workers.collect(seconds, wake)
        self._waiting.sort(key=lambda answer: not self._pipeline.is_live(answer))

    def hurry(self, now: float) -> float:
        """Seconds for which the first answer is better not gone on with."""
        return 0.0 if self._is_live_next() else self._pipeline.hurry(now)

    def filing_due(self, now: float) -> float | None:
        """When those that wait to be filed together are to be gone on with."""
        due = self._pipeline.next_due()
        return None if due is None else max(due, now + self.hurry(now))

    def go_on(self, ends: bool = False) -> None:
        """A live photo first, then those that are ready to be filed together, then any other.

        `ends`: nothing gives way to what is to come.
        """
        pipeline, now = self._pipeline, time.monotonic()
        due = pipeline.next_due()
        together = due is not None and due <= now and not self._is_live_next()
        if not (together or self._waiting):
            return
        if not (self._is_live_next() or ends) and self._gives_way():
            return
        if together:
            pipeline.file_together(now, time.time())
        else:
            pipeline.answered(self._waiting.pop(0), now, time.time())

    def _is_live_next(self) -> bool:
        return bool(self._waiting) and self._pipeline.is_live(self._waiting[0])

    def _gives_way(self) -> bool:
        """Whether a step for the archive is put off: for a live photo that is nearly there, or for
        what has just been heard, which may be one. For that no turn after the other, or who is
        never silent would have nothing filed any more."""
        self._gave_way = self._pipeline.watcher.hinted and not self._gave_way
        return self._gave_way or self.hurry(time.monotonic()) > 0
