"""What another student has learned, for one that begins with it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import leaving
from photosort_trainer.errors import TrainerError
from photosortd.records import printable

Model = Any  # keras.Model, which has no types

OURS = "packaged"
_OURS = Path(__file__).parents[1] / "assets" / "small_resnet.npz"
"""Weights of a `small_resnet` that we taught (docs/starter.md), in their own order."""

_HEAD = 2  # arrays: what the scores are made with


@dataclass(frozen=True, slots=True)
class Before:
    """The network of a distillation that has ended, or the one that comes with us."""

    path: Path  # of a Keras file, or of NumPy's

    @property
    def key(self) -> str:
        """Of its weights."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    def weights(self, model: Model) -> list[NDArray[np.float32]]:
        """For `model`, whose layers are the same; with another number of categories its scores
        keep their own. Raises TrainerError for another network."""
        where = printable(str(self.path))
        try:
            found = self._arrays()
        except (ValueError, TypeError, OSError, KeyError) as error:
            said = " ".join(str(error).split())[:300]
            raise TrainerError(f"{where}: cannot be loaded: {said}") from error
        own = model.get_weights()
        shapes = [[each.shape for each in some] for some in (found, own)]
        if shapes[0][:-_HEAD] != shapes[1][:-_HEAD]:
            raise TrainerError(f"{where}: is another network: say the --student that it is")
        return found if shapes[0] == shapes[1] else [*found[:-_HEAD], *own[-_HEAD:]]

    def _arrays(self) -> list[NDArray[np.float32]]:
        if self.path.suffix == ".npz":
            with np.load(self.path, allow_pickle=False) as kept:
                return [kept[name].astype(np.float32) for name in kept.files]
        import keras

        arrays: list[NDArray[np.float32]] = keras.models.load_model(
            self.path, compile=False
        ).get_weights()
        return arrays


def open_student(directory: str | None) -> Before | None:
    """Of a directory, or OURS. Raises TrainerError for one in which no distillation has ended."""
    if directory is None:
        return None
    if directory == OURS:
        return Before(_OURS)
    path = Path(directory, leaving.MODEL)
    if not path.is_file():
        raise TrainerError(
            f"--begin-with {printable(directory)}: no {leaving.MODEL} is there; say the directory "
            "of a distillation that has ended"
        )
    return Before(path)
