"""What another student has learned, for one that begins with it."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import leaving, packaged
from photosort_trainer.errors import TrainerError
from photosortd.records import printable

Model = Any  # keras.Model, which has no types

OURS = "packaged"
"""The one that comes with us, which knows no categories."""


@dataclass(frozen=True, slots=True)
class Before:
    """The network of a distillation that has ended, or the one that comes with us."""

    path: Path  # of a Keras file, or of NumPy's

    @property
    def key(self) -> str:
        """Of its weights."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    def weights(self, model: Model) -> list[NDArray[np.float32]]:
        """For `model`, whose layers are the same; where these know no categories, or another number
        of them, its scores keep their own. Raises TrainerError for another network."""
        where = printable(str(self.path))
        try:
            found = self._arrays()
        except (ValueError, TypeError, OSError, KeyError) as error:
            said = " ".join(str(error).split())[:300]
            raise TrainerError(f"{where}: cannot be loaded: {said}") from error
        own = model.get_weights()
        body = len(own) - packaged.HEAD
        if _shapes(found[:body]) != _shapes(own[:body]):
            raise TrainerError(f"{where}: is another network: say the --student that it is")
        fits = _shapes(found[body:]) == _shapes(own[body:])
        return found if fits else [*found[:body], *own[body:]]

    def _arrays(self) -> list[NDArray[np.float32]]:
        if self.path.suffix == ".npz":
            return packaged.read(self.path)
        import keras

        arrays: list[NDArray[np.float32]] = keras.models.load_model(
            self.path, compile=False
        ).get_weights()
        return arrays


def _shapes(arrays: list[NDArray[np.float32]]) -> list[tuple[int, ...]]:
    return [each.shape for each in arrays]


def open_student(directory: str | None) -> Before | None:
    """Of a directory, or OURS. Raises TrainerError for one in which no distillation has ended."""
    if directory is None:
        return None
    if directory == OURS:
        return Before(packaged.PATH)
    path = Path(directory, leaving.MODEL)
    if not path.is_file():
        raise TrainerError(
            f"--begin-with {printable(directory)}: no {leaving.MODEL} is there; say the directory "
            "of a distillation that has ended"
        )
    return Before(path)
