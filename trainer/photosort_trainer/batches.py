"""What is learned from, batch by batch: a head gets features, Keras gets pixels.

Both kinds read from disk what they need for one batch, so memory does not grow with the number of
photos. The order of the pixels hangs on seed and epoch; the diary sets `epoch` before each.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.dataset import Photo, labels
from photosort_trainer.features import Table
from photosort_trainer.pictures import Pictures

Batches = Any  # keras.utils.PyDataset, which has no types
Floats = NDArray[np.float32]
Places = NDArray[np.int64]


class Rows:
    """Features of photos and their first so many versions, for a head to learn from."""

    def __init__(
        self, table: Table, photos: Sequence[Photo], names: Sequence[str], versions: int
    ) -> None:
        """KeyError for a photo that is not in the table."""
        self.truth = labels(photos, names)
        self.width = table.width
        self._table, self._places, self._versions = table, table.places(photos), versions + 1

    def batches(
        self, size: int, rng: np.random.Generator | None
    ) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
        """(features, labels), so many rows at a time; in their own order without `rng`."""
        count = len(self._places) * self._versions
        order = np.arange(count) if rng is None else rng.permutation(count)
        for start in range(0, count, size):
            photo, version = np.divmod(order[start : start + size], self._versions)
            found = self._table.rows[self._places[photo], version]
            yield found.astype(np.float32), self.truth[photo]


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

    def order(epoch: int) -> Places:
        count = len(photos)
        if seed is None:
            return np.arange(count)
        return np.random.default_rng((seed, epoch)).permutation(count)

    def rows(chosen: Places, epoch: int, _: int) -> tuple[Floats, Floats]:
        number = 0 if seed is None else epoch + 1
        drawn = [pictures.versions(photos[i], [number])[0] for i in chosen]
        return np.stack(drawn).astype(np.float32), truth[chosen].astype(np.float32)

    return of_rows(len(photos), size, order, rows)


def of_rows(
    count: int,
    size: int,
    order: Callable[[int], Places],
    rows: Callable[[Places, int, int], tuple[Floats, Floats]],
) -> Batches:
    """What `rows` gives of so many places at a time, with the epoch and the batch's number.

    `order` names the `count` places of an epoch. Both are to hang on their arguments alone.
    """
    import keras

    class Dataset(keras.utils.PyDataset):  # type: ignore[misc, unused-ignore]
        epoch = 0

        def __len__(self) -> int:
            return -(-count // size)

        def __getitem__(self, number: int) -> tuple[Floats, Floats]:
            chosen = order(self.epoch)[number * size : (number + 1) * size]
            return rows(chosen, self.epoch, number)

    return Dataset()
