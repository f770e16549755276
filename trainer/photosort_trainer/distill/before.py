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


@dataclass(frozen=True, slots=True)
class Before:
    """The network of a distillation that has ended."""

    path: Path

    @property
    def key(self) -> str:
        """Of its weights."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    def weights(self, model: Model) -> list[NDArray[np.float32]]:
        """For `model`, whose layers are the same. Raises TrainerError if they are not."""
        import keras

        where = printable(str(self.path))
        try:
            found = keras.models.load_model(self.path, compile=False).get_weights()
        except (ValueError, TypeError, OSError, KeyError) as error:
            said = " ".join(str(error).split())[:300]
            raise TrainerError(f"{where}: cannot be loaded: {said}") from error
        if [each.shape for each in found] != [each.shape for each in model.get_weights()]:
            raise TrainerError(
                f"{where}: is another network, or knows another number of categories: say the "
                "--student that it is"
            )
        weights: list[NDArray[np.float32]] = found
        return weights


def open_student(directory: str | None) -> Before | None:
    """Raises TrainerError for a directory in which no distillation has ended."""
    if directory is None:
        return None
    path = Path(directory, leaving.MODEL)
    if not path.is_file():
        raise TrainerError(
            f"--begin-with {printable(directory)}: no {leaving.MODEL} is there; say the directory "
            "of a distillation that has ended"
        )
    return Before(path)
