"""What is kept of a training while it runs: losses, the best weights, the state to go on from."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from photosort_trainer.files import write_whole

LOSS = "cross_entropy"
"""The metric that is watched: the loss without the penalty on the weights."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """After one pass over the training photos."""

    number: int  # from 1
    loss: float
    validation_loss: float


class Diary:
    """Keeps `folder`, which belongs to one training alone. With `resume` it goes on in it."""

    def __init__(self, folder: Path, progress: Callable[[Epoch], None], resume: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.weights = folder / "best.weights.h5"
        self.epochs: list[Epoch] = []
        self.finished = False
        self._folder, self._progress, self._resume = folder, progress, resume
        if resume and self._history.exists() and self.weights.exists():
            self._read()

    def callbacks(self, patience: int, training: Any) -> list[Any]:
        """For Keras' fit. `training.epoch` is set before each epoch if there is such a thing."""
        import keras

        best = min((e.validation_loss for e in self.epochs), default=None)
        found = [
            keras.callbacks.ModelCheckpoint(
                str(self.weights),
                monitor=f"val_{LOSS}",
                mode="min",
                save_best_only=True,
                save_weights_only=True,
                initial_value_threshold=best,
            ),
            keras.callbacks.EarlyStopping(f"val_{LOSS}", patience=patience, mode="min"),
            keras.callbacks.LambdaCallback(
                on_epoch_begin=lambda number, logs: self._begin(number, training),
                on_epoch_end=self._end,
            ),
        ]
        if self._resume:
            # Last: an epoch is over when its losses and weights are kept.
            state = keras.callbacks.BackupAndRestore(str(self._folder / "state"))
            found.append(state)
        return found

    def finish(self) -> None:
        self.finished = True
        self._write()

    def _begin(self, number: int, training: Any) -> None:
        del self.epochs[number:]  # what was noted after the state that is gone on from
        if hasattr(training, "epoch"):
            training.epoch = number

    def _end(self, number: int, logs: dict[str, float]) -> None:
        epoch = Epoch(number + 1, float(logs[LOSS]), float(logs[f"val_{LOSS}"]))
        self.epochs.append(epoch)
        if self._resume:
            self._write()
        self._progress(epoch)

    @property
    def _history(self) -> Path:
        return self._folder / "history.json"

    def _write(self) -> None:
        said = {"finished": self.finished, "epochs": [asdict(epoch) for epoch in self.epochs]}
        write_whole(self._history, json.dumps(said).encode())

    def _read(self) -> None:
        said = json.loads(self._history.read_bytes())
        self.epochs = [Epoch(**epoch) for epoch in said["epochs"]]
        self.finished = said["finished"]
