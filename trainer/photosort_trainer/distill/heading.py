"""A head alone learns what a teacher says, on a small network that stays as it is: in minutes.

It learns from photos without labels, too, as the whole network would, and from few photos it learns
more than from their labels alone.
"""

import dataclasses
import io
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import fit, fit_head, frozen, learners, scratch
from photosort_trainer.bench import Bench, Learned
from photosort_trainer.dataset import Photo
from photosort_trainer.distill import lessons, looking, students
from photosort_trainer.distill.before import Before
from photosort_trainer.distill.lessons import Floats, Lessons, Scale
from photosort_trainer.distill.settings import Settings
from photosort_trainer.files import write_whole
from photosort_trainer.frozen import Lane
from photosort_trainer.heads import Head
from photosort_trainer.recipe import Recipe

Model = Any  # keras.Model, which has no types

_PENALTY = 4e-3  # L2, on features that all weigh the same
_BALANCE = 0.5  # as in Recipe: of few photos with a label, few say yes


class HeadAlone:
    """The scores of a student whose network has learned before."""

    can_unfreeze = False

    def __init__(self, settings: Settings, bench: Bench, taught: Lessons, first: Before) -> None:
        """`first`: whose network it is."""
        self.recipe = dataclasses.replace(
            settings.recipe(), penalty=_PENALTY, balance=_BALANCE, decay=False
        )
        self._settings, self._bench, self._lessons = settings, bench, taught
        self._first = first

    @property
    def cost(self) -> float:
        return students.COSTS[self._settings.student]

    def by(self, recipe: Recipe) -> "HeadAlone":
        """There is no other recipe for it."""
        return self

    def learn(
        self, training: Sequence[Photo], validation: Sequence[Photo] | None, what: str
    ) -> Learned:
        """From the lessons; the last epoch counts."""
        settings, bench, taught = self._settings, self._bench, self._lessons
        learners.fresh(self.recipe)
        network = self._network()
        origin = f"{taught.key} {self._first.key} head"
        folder = bench.folder(self.recipe, training, validation, origin)
        seen = self._seen(network, folder / "seen.npy")
        scale = lessons.scale(seen)
        rows = Rows(taught, settings, scale(seen))
        hearers = bench.hearers(settings.epochs, what)
        head, epochs = fit_head.fit(rows, None, self.recipe, folder, hearers.epoch)
        model = self._joined(network, unscaled(head, scale))
        pictures = bench.pictures(self.recipe)
        scores = partial(learners.pixel_scores, model, pictures, bench.scoring(what))
        return Learned(epochs, scores, partial(fit.bare, model), folder, last=True)

    def _network(self) -> Model:
        """Pixels 0…255 [n, size, size, 3] → pooled features [n, d], as learned."""
        import keras

        whole = students.network(self._settings, len(self._bench.names), None)
        whole.set_weights(self._first.weights(whole))
        return keras.Model(whole.input, whole.get_layer(scratch.DROPOUT).input, name=whole.name)

    def _joined(self, network: Model, head: Head) -> Model:
        top = fit.as_keras(head, self.recipe)
        return fit.whole(network, top, self._settings.size)

    def _seen(self, network: Model, kept: Path) -> NDArray[np.float16]:
        """The features of every look at every photo, [photos, looks, d]; computed once."""
        if kept.exists():
            found: NDArray[np.float16] = np.load(kept, allow_pickle=False)
            return found
        taught, size = self._lessons, self._settings.size

        def look(free: SimpleQueue[Lane], place: int) -> NDArray[np.float16]:
            shown = [
                looking.at(taught.picture(place, number), size) for number in range(taught.looks)
            ]
            lane = free.get()
            try:
                return lane(shown).astype(np.float16)
            finally:
                free.put(lane)

        places = self._bench.tell.each("what the network sees", range(taught.photos))
        lanes = frozen.lanes(network, size)
        found = np.stack(list(frozen.spread(lanes, look, places)))
        stream = io.BytesIO()
        np.save(stream, found, allow_pickle=False)
        write_whole(kept, stream.getvalue())
        return found


class Rows:
    """Looks at photos, drawn as a whole network would be shown them, for a head to learn from."""

    def __init__(self, taught: Lessons, settings: Settings, features: Floats) -> None:
        """`features` are [photos, looks, d]."""
        self.width = features.shape[-1]
        self._lessons, self._settings, self._features = taught, settings, features
        self._wanted = np.stack(
            [
                [taught.target(place, look)[: taught.categories] for look in range(taught.looks)]
                for place in range(taught.photos)
            ]
        )
        """[photos, looks, categories]"""
        self.truth: Floats = self._wanted[:, 0]

    def batches(
        self, size: int, rng: np.random.Generator | None
    ) -> Iterator[tuple[Floats, Floats]]:
        """(features, how likely each category is), so many at a time; without `rng` the whole
        photos in their own order."""
        count = self._lessons.photos
        places = np.arange(count)
        looks = np.zeros(count, np.int64)
        if rng is not None:
            places = lessons.drawn(self._lessons, self._settings, rng)
            looks = rng.integers(self._lessons.looks, size=len(places))
        for start in range(0, len(places), size):
            some = places[start : start + size], looks[start : start + size]
            yield self._features[some], self._wanted[some]


def unscaled(head: Head, scale: Scale) -> Head:
    """One that says of features what `head` says of them when they are scaled."""
    kernel, bias, *rest = head.weights
    wider = (kernel.T / scale.deviation).T
    return dataclasses.replace(head, weights=(wider, bias - scale.mean @ wider, *rest))
