"""What is kept of a training in Keras while it runs: losses, the best weights, the state to go on
from."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from photosort_trainer import states

LOSS = "cross_entropy"
"""The metric that is watched: the loss without the penalty on the weights."""

F1 = "macro_f1"
"""What decides instead, where it is known."""

_RARELY = 10
"""Times as long as keeping a state took is learned before the next one is kept: that of 17 million
weights has 200 MB."""

Model = Any  # keras.Model, which has no types


@dataclass(frozen=True, slots=True)
class Epoch:
    """After one pass over the training photos."""

    number: int  # from 1
    loss: float
    validation_loss: float | None  # None: nothing was held out
    validation_f1: float | None = None  # None: the loss decides which epoch is best


def best(epochs: Sequence[Epoch]) -> int:
    """The number of the epoch whose weights count, from 1: by F1 where there is one and then by
    loss, of equals the first; the last where nothing was held out."""
    held = [epoch for epoch in epochs if epoch.validation_loss is not None]
    return min(held, key=_worth).number if held else len(epochs)


def _worth(epoch: Epoch) -> tuple[float, float]:
    """The lower the better."""
    f1 = 0.0 if epoch.validation_f1 is None else round(epoch.validation_f1, 4)
    return -f1, epoch.validation_loss or 0.0


class Averaged(Protocol):
    """Weights that are averaged over steps, and count instead of the model's own."""

    def weights(self) -> list[Any]: ...
    def take(self, weights: list[Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Hearers:
    """Who is told."""

    epoch: Callable[[Epoch], None] = lambda epoch: None
    far: Callable[[float], None] = lambda epochs: None  # epochs that are over, and parts of one


class Diary:
    """Keeps `folder`, which belongs to one training alone, and goes on in it."""

    def __init__(
        self, folder: Path, hearers: Hearers, validated: bool, averaged: Averaged | None = None
    ) -> None:
        """`validated`: the best weights count; otherwise those of the last epoch."""
        self._averaged = averaged
        self._state, self._best = folder / "state.npz", folder / "best.npz"
        self._hearers, self._validated = hearers, validated
        self._kept_at, self._cost = 0.0, 0.0  # seconds
        kept = states.load(self._state)
        if kept and (validated or kept[1]["finished"]) and states.load(self._best) is None:
            kept = None  # a power failure took the best weights: all begins anew
        self._lists, said = kept or ({}, {"epochs": [], "finished": False})
        self.epochs = [Epoch(**epoch) for epoch in said["epochs"]]
        self.finished: bool = said["finished"]

    def is_over(self, patience: int) -> bool:
        """Whether so many epochs in a row were no better than the best before them."""
        return self._validated and len(self.epochs) - best(self.epochs) >= patience

    def restore(self, model: Model) -> None:
        """`model`, which is compiled, goes on where it was."""
        if not self._lists:
            return
        model.set_weights(self._lists["weights"])
        model.optimizer.build(model.trainable_variables)
        kept = self._lists["optimizer"]
        for variable, value in zip(model.optimizer.variables, kept, strict=True):
            variable.assign(value)
        if self._averaged is not None:
            self._averaged.take(self._lists["averaged"])
        self._lists = {}

    def callbacks(self, model: Model, patience: int, training: Any) -> list[Any]:
        """For Keras' fit. `training.epoch` is set before each epoch."""
        import keras

        def begin(number: int, logs: dict[str, float]) -> None:
            training.epoch = number
            _reseed(model, number)

        def batch(number: int, logs: dict[str, float]) -> None:
            self._hearers.far(training.epoch + (number + 1) / len(training))

        def end(number: int, logs: dict[str, float]) -> None:
            held_out, f1 = logs.get(f"val_{LOSS}"), logs.get(f"val_{F1}")
            seen = (None if each is None else float(each) for each in (held_out, f1))
            self._end(model, Epoch(number + 1, float(logs[LOSS]), *seen))
            model.stop_training = self.is_over(patience)

        return [
            keras.callbacks.LambdaCallback(
                on_epoch_begin=begin, on_epoch_end=end, on_train_batch_end=batch
            )
        ]

    def finish(self, model: Model) -> None:
        """`model` is left with the weights that count."""
        if not self._validated:
            self._keep_best(model)
        self.finished = True
        states.save(self._state, {}, self._said())
        self.load(model)

    def load(self, model: Model) -> None:
        """What was finished. Raises OSError if its file is gone."""
        found = states.load(self._best)
        if found is None:
            raise FileNotFoundError(2, "was there a moment ago", str(self._best))
        model.set_weights(found[0]["weights"])

    def _end(self, model: Model, epoch: Epoch) -> None:
        """The weights that count come first: without its state an epoch is done again."""
        self.epochs.append(epoch)
        if self._validated and best(self.epochs) == len(self.epochs):
            self._keep_best(model)
        if time.monotonic() - self._kept_at >= _RARELY * self._cost:
            self._keep_state(model)
        self._hearers.epoch(epoch)

    def _keep_state(self, model: Model) -> None:
        began = time.monotonic()
        moments = [np.asarray(variable) for variable in model.optimizer.variables]
        lists = {"weights": model.get_weights(), "optimizer": moments}
        if self._averaged is not None:
            lists["averaged"] = self._averaged.weights()
        states.save(self._state, lists, self._said())
        self._kept_at = time.monotonic()
        self._cost = self._kept_at - began

    def _keep_best(self, model: Model) -> None:
        counting = model.get_weights() if self._averaged is None else self._averaged.weights()
        states.save(self._best, {"weights": counting}, {})

    def _said(self) -> dict[str, Any]:
        return {"epochs": [asdict(epoch) for epoch in self.epochs], "finished": self.finished}


def _reseed(model: Model, epoch: int) -> None:
    """Drop-outs depend on the epoch, not on what this process did before: Keras keeps weights and
    optimizer, but not where its random numbers were."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            _reseed(layer, epoch)
        elif (generator := getattr(layer, "seed_generator", None)) is not None:
            seed = int(generator.state.numpy()[0])
            generator.state.assign([seed, epoch << 20])  # far more than an epoch has steps
