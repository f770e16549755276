"""What a shipped model sees: raw scores through the daemon's own decoder and classifier.

Calibration, thresholds, parity and the report all rest on these, never on scores of Keras.
"""

import os
import tempfile
import timeit
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.dataset import Photo, pixels
from photosortd.vision.bundle import Category, write_bundle
from photosortd.vision.classify import Classifier
from photosortd.vision.decide import decide
from photosortd.vision.decode import decode

Scores = NDArray[np.float64]


class Eyes:
    """One model as the daemon would load it. Not thread-safe."""

    def __init__(self, model: bytes, names: Sequence[str], size: int, threads: int = 0) -> None:
        """`threads` for one photo; 0: what this machine has. Raises BundleError if no daemon would
        take the model."""
        self.size, self._count = size, len(names)
        with tempfile.TemporaryDirectory(prefix="photosort-") as folder:
            bundle = write_bundle(
                Path(folder, "draft"),
                model=model,
                categories=[Category(name, None) for name in names],
                height=size,
                width=size,
                backbone="draft",
                recipe={},
                metrics={},
                golden={},
                model_card="",
            )
            # The model was read into memory: its file is not needed any more.
            self._classifier = Classifier(bundle, threads or min(4, os.cpu_count() or 1))

    def seconds(self) -> float:
        """For one photo that is decoded already: the fastest of a few."""
        grey = np.full((self.size, self.size, 3), 127, np.uint8)
        return min(timeit.repeat(lambda: self._classifier.raw_scores(grey), number=1, repeat=5))

    def look(self, data: bytes) -> tuple[float, ...]:
        """The raw scores of one file. Raises PhotoError."""
        return self._classifier.raw_scores(decode(data, self.size, self.size).pixels)

    def scores(
        self,
        photos: Sequence[Photo],
        progress: Callable[[Sequence[Photo]], Iterable[Photo]] = iter,
    ) -> Scores:
        """Raw scores [photos, categories].

        Raises PhotoError for a photo that has changed since it was learned from.
        """
        see = self._classifier.raw_scores
        rows = [see(pixels(photo, self.size)) for photo in progress(photos)]
        return np.array(rows, np.float64).reshape(len(photos), self._count)


def verdicts(categories: Sequence[Category], raw: Scores) -> NDArray[np.bool_]:
    """What the daemon decides: [photos, categories], from raw scores of the same shape."""
    thresholds = {category.name: category.threshold for category in categories}
    rows = []
    for row in raw:
        pairs = zip(categories, row, strict=True)
        scores = {c.name: c.calibration.apply(float(score)) for c, score in pairs}
        reached = decide(scores, thresholds, 0.0).categories
        rows.append([category.name in reached for category in categories])
    return np.array(rows, bool).reshape(len(raw), len(categories))
