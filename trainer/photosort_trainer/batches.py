"""What Keras is fed: features or pixels, batch by batch, in an order that seed and epoch decide.

Both kinds read from disk what they need for one batch, so memory does not grow with the number of
photos. `epoch` is set by the diary before each epoch begins.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import augment
from photosort_trainer.dataset import Photo, labels
from photosort_trainer.features import Table
from photosort_trainer.pictures import Pictures

Batches = Any  # keras.utils.PyDataset, which has no types
Floats = NDArray[np.float32]


def of_features(
    table: Table,
    photos: Sequence[Photo],
    names: Sequence[str],
    versions: int,
    size: int,
    seed: int | None = None,
) -> Batches:
    """(features, labels) of these photos with their first so many versions, `size` at a time.

    Without a `seed` in their own order.
    """
    places, truth = table.places(photos), labels(photos, names)

    def rows(chosen: NDArray[np.int64], epoch: int) -> tuple[Floats, Floats]:
        photo, version = np.divmod(chosen, versions + 1)
        found = table.rows[places[photo], version]
        return found.astype(np.float32), truth[photo].astype(np.float32)

    return _dataset(len(photos) * (versions + 1), size, rows, seed)


def of_pixels(
    pictures: Pictures,
    photos: Sequence[Photo],
    names: Sequence[str],
    size: int,
    seed: int | None = None,
) -> Batches:
    """(pixels 0…255, labels) of these photos; with a `seed` epoch n holds version n + 1 of each.

    Raises PhotoError, from within Keras, for a photo that has changed since it was looked at.
    """
    truth = labels(photos, names)

    def rows(chosen: NDArray[np.int64], epoch: int) -> tuple[Floats, Floats]:
        number = 0 if seed is None else epoch + 1
        drawn = [augment.version(pictures(photos[i]), photos[i].sha256, number) for i in chosen]
        return np.stack(drawn).astype(np.float32), truth[chosen].astype(np.float32)

    return _dataset(len(photos), size, rows, seed)


def _dataset(
    count: int,
    size: int,
    rows: Callable[[NDArray[np.int64], int], tuple[Floats, Floats]],
    seed: int | None,
) -> Batches:
    import keras

    class Dataset(keras.utils.PyDataset):  # type: ignore[misc, unused-ignore]
        epoch = 0

        def __len__(self) -> int:
            return -(-count // size)

        def __getitem__(self, number: int) -> tuple[Floats, Floats]:
            return rows(self._order()[number * size : (number + 1) * size], self.epoch)

        def _order(self) -> NDArray[np.int64]:
            if seed is None:
                return np.arange(count)
            return np.random.default_rng((seed, self.epoch)).permutation(count)

    return Dataset()
