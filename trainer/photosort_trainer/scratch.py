"""The small network that is trained from random weights: under 1 MB, for the demo and for tests.

Owns its shape and its training, which goes on where it was cut off.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import augment, fit
from photosort_trainer.dataset import Photo, labels, pixels
from photosort_trainer.diary import Epoch
from photosort_trainer.recipe import Recipe
from photosortd.vision import DECODE_VERSION
from photosortd.vision.decode import Pixels

Model = Any  # keras.Model, which has no types
Bools = NDArray[np.bool_]

_WIDTHS = (24, 48, 96, 128)  # 0.41 million weights, 0.83 MB in half precision
# Keras' 0.99 is made for runs of many thousand steps; ours has some hundred.
_MOMENTUM = 0.9
# Settings that do not reach this training.
_ELSEWHERE = frozenset({"few", "augment", "held_out", "hidden", "precision"})


def small_network(categories: int, recipe: Recipe) -> Model:
    """Pixels 0…255 [n, size, size, 3] → scores 0…1 [n, categories]."""
    import keras

    inputs = keras.Input((recipe.size, recipe.size, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 255.0, name="scale")(inputs)
    x = _convolved(x, _WIDTHS[0], 2, recipe.penalty)
    for width in _WIDTHS[1:]:
        x = _convolved(x, width, 2, recipe.penalty)
        x = keras.layers.add([x, _convolved(x, width, 1, recipe.penalty)])
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(recipe.dropout)(x)
    scores = keras.layers.Dense(categories, activation="sigmoid", name="scores")(x)
    return keras.Model(inputs, scores, name="small_scratch")


def _convolved(x: Any, width: int, stride: int, penalty: float) -> Any:
    import keras

    x = keras.layers.Conv2D(
        width,
        3,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(penalty),
    )(x)
    x = keras.layers.BatchNormalization(momentum=_MOMENTUM)(x)
    return keras.layers.ReLU()(x)


def train(
    training: Sequence[Photo],
    validation: Sequence[Photo],
    names: Sequence[str],
    recipe: Recipe,
    cache: str | Path,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[Model, tuple[Epoch, ...]]:
    """Train it; every epoch sees another version of each photo.

    The state after each epoch is kept under `cache`. Raises PhotoError for a photo that has
    changed since it was looked at.
    """
    folder = Path(cache, f"scratch-{_key(training, validation, names, recipe)}")
    model = small_network(len(names), recipe)
    epochs = fit.fit(
        model,
        _versions(training, names, recipe),
        (_pictures(validation, recipe.size), labels(validation, names)),
        labels(training, names),
        recipe,
        folder,
        progress,
        resume=True,
    )
    return model, epochs


def _pictures(photos: Sequence[Photo], size: int) -> NDArray[np.uint8]:
    return np.stack([pixels(photo, size) for photo in photos])


def _versions(photos: Sequence[Photo], names: Sequence[str], recipe: Recipe) -> Any:
    """A Keras data set whose epoch n holds version n + 1 of every photo, in an order of its own."""
    import keras

    pictures, truth = _pictures(photos, recipe.size), labels(photos, names)

    class Versions(keras.utils.PyDataset):  # type: ignore[misc, unused-ignore]
        epoch = 0  # set by fit

        def __len__(self) -> int:
            return -(-len(photos) // recipe.batch)

        def __getitem__(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            order = np.random.default_rng((recipe.seed, self.epoch)).permutation(len(photos))
            chosen = order[number * recipe.batch : (number + 1) * recipe.batch]
            drawn = [self._version(pictures[i], photos[i]) for i in chosen]
            return np.stack(drawn).astype(np.float32), truth[chosen].astype(np.float32)

        def _version(self, picture: Pixels, photo: Photo) -> Pixels:
            return augment.version(picture, photo.sha256, self.epoch + 1)

    return Versions()


def _key(
    training: Sequence[Photo], validation: Sequence[Photo], names: Sequence[str], recipe: Recipe
) -> str:
    """Everything that decides the result: a state of another training must not be taken up."""
    said = {
        "recipe": {k: v for k, v in recipe.as_json().items() if k not in _ELSEWHERE},
        "names": list(names),
        "parts": [[(p.sha256, sorted(p.labels)) for p in part] for part in (training, validation)],
        "versions": [DECODE_VERSION, augment.VERSION, _WIDTHS],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
