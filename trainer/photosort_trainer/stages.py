"""What a run has done and is doing: RUN/progress.json, for `photosort-train status`."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from photosort_trainer.files import write_whole

FILE = "progress.json"


@dataclass(slots=True)
class Stages:
    """Kept up to date in `folder`. Times are seconds since the epoch."""

    folder: Path
    now: Callable[[], float] = time.time
    done: list[dict[str, object]] = field(default_factory=list)

    @contextmanager
    def doing(self, name: str) -> Iterator[None]:
        """The stage that is under way; done when nothing was raised."""
        began = self.now()
        self._write("running", name)
        try:
            yield
        except KeyboardInterrupt:
            self._write("stopped", name)
            raise
        except Exception as error:
            self._write("failed", name, str(error))
            raise
        self.done.append({"stage": name, "seconds": round(self.now() - began, 1)})

    def finish(self) -> None:
        self._write("finished", "")

    def _write(self, state: str, stage: str, why: str = "") -> None:
        said = {
            "state": state,
            "stage": stage,
            "why": why,
            "pid": os.getpid(),
            "at": self.now(),
            "done": self.done,
        }
        write_whole(self.folder / FILE, json.dumps(said, indent=1).encode())
