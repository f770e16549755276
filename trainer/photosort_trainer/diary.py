"""What is kept of a training while it runs: losses, the best weights, the state to go on from."""

import json
import shutil
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
    validation_loss: float | None  # None: nothing was held out


class Diary:
    """Keeps `folder`, which belongs to one training alone, and goes on in it."""

    def __init__(self, folder: Path, progress: Callable[[Epoch], None], validated: bool) -> None:
        """`validated`: the best weights count; otherwise those of the last epoch."""
        folder.mkdir(parents=True, exist_ok=True)
        self.weights = folder / ("best.weights.h5" if validated else "last.weights.h5")
        self.epochs: list[Epoch] = []
        self.finished = False
        self._folder, self._progress, self._validated = folder, progress, validated
        if self._history.exists() and (self.weights.exists() or not validated):
            self._read()

    def is_over(self, patience: int) -> bool:
        """Whether so many epochs in a row were no better than the best before them."""
        losses = [e.validation_loss for e in self.epochs if e.validation_loss is not None]
        return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= patience

    def callbacks(self, model: Any, patience: int, training: Any) -> list[Any]:
        """For Keras' fit. `training.epoch` is set before each epoch."""
        import keras

        def end(number: int, logs: dict[str, float]) -> None:
            self._end(number, logs)
            model.stop_training = self.is_over(patience)

        def begin(number: int, _: dict[str, float]) -> None:
            del self.epochs[number:]  # what was noted after the state that is gone on from
            training.epoch = number
            _reseed(model, number)

        kept = keras.callbacks.LambdaCallback(on_epoch_begin=begin, on_epoch_end=end)
        # Last: an epoch is over when its losses and weights are kept.
        state = keras.callbacks.BackupAndRestore(str(self._state), delete_checkpoint=False)
        return [self._best(), kept, state] if self._validated else [kept, state]

    def _best(self) -> Any:
        import keras

        losses = [e.validation_loss for e in self.epochs if e.validation_loss is not None]
        return keras.callbacks.ModelCheckpoint(
            str(self.weights),
            monitor=f"val_{LOSS}",
            mode="min",
            save_best_only=True,
            save_weights_only=True,
            initial_value_threshold=min(losses, default=None),
        )

    def finish(self, model: Any) -> None:
        if not self._validated:
            model.save_weights(str(self.weights))
        self.finished = True
        self._write()
        shutil.rmtree(self._state, ignore_errors=True)

    def _end(self, number: int, logs: dict[str, float]) -> None:
        held_out = logs.get(f"val_{LOSS}")
        epoch = Epoch(number + 1, float(logs[LOSS]), None if held_out is None else float(held_out))
        self.epochs.append(epoch)
        self._write()
        self._progress(epoch)

    @property
    def _history(self) -> Path:
        return self._folder / "history.json"

    @property
    def _state(self) -> Path:
        return self._folder / "state"

    def _write(self) -> None:
        said = {"finished": self.finished, "epochs": [asdict(epoch) for epoch in self.epochs]}
        write_whole(self._history, json.dumps(said).encode())

    def _read(self) -> None:
        said = json.loads(self._history.read_bytes())
        self.epochs = [Epoch(**epoch) for epoch in said["epochs"]]
        self.finished = said["finished"]


def _reseed(model: Any, epoch: int) -> None:
    """Drop-outs depend on the epoch, not on what this process did before: Keras keeps weights and
    optimizer, but not where its random numbers were."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            _reseed(layer, epoch)
        elif (generator := getattr(layer, "seed_generator", None)) is not None:
            seed = int(generator.state.numpy()[0])
            generator.state.assign([seed, epoch << 20])  # far more than an epoch has steps
