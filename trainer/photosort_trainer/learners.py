"""The candidates: networks that learn from photos, each by its own recipe, behind one face.

A pretrained network stays as it is and a head learns on its features (and, in a refinement, its
last blocks); a network from scratch learns everything.
"""

import dataclasses
import os
from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np

from photosort_trainer import backbones, batches, fit, fit_head, scratch
from photosort_trainer.bench import Bar, Bench, Learned, Learner, Model, Scores
from photosort_trainer.dataset import Photo, labels
from photosort_trainer.diary import Epoch
from photosort_trainer.features import Extractor, Table
from photosort_trainer.heads import Head
from photosort_trainer.pictures import Pictures
from photosort_trainer.recipe import SCRATCH, SMALL_SCRATCH, Recipe

FROM_SCRATCH = (SCRATCH, SMALL_SCRATCH)
_COSTS = {SCRATCH: 0.13, SMALL_SCRATCH: 0.05}
_BATCH = 16  # photos, for a network that learns
_ROWS = 512  # features, for a head that says what it thinks


def check_weights(recipe: Recipe, weights_dir: str | None) -> None:
    """Before any long work: a file that is missing or another network's is the commonest trouble.
    Raises WeightsError."""
    if recipe.backbone not in FROM_SCRATCH:
        pretrained(recipe, weights_dir)
        tidy()


def pretrained(recipe: Recipe, weights_dir: str | None) -> Model:
    """As `backbones.build` makes it. Raises WeightsError."""
    backbone = backbones.TABLE[recipe.backbone]
    weights = backbones.find_weights(backbone, weights_dir, os.environ)
    return backbones.build(backbone, recipe.size, weights)


def learner(recipe: Recipe, bench: Bench) -> Learner:
    if recipe.backbone in FROM_SCRATCH:
        return FromScratch(recipe, bench)
    return OnFeatures(recipe, bench)


class FromScratch:
    """Every weight is learned from these photos; each epoch sees another version of each."""

    can_unfreeze = False

    def __init__(self, recipe: Recipe, bench: Bench) -> None:
        self.recipe, self._bench = recipe, bench

    @property
    def cost(self) -> float:
        return _COSTS[self.recipe.backbone]

    def by(self, recipe: Recipe) -> "FromScratch":
        return FromScratch(recipe, self._bench)

    def learn(
        self, training: Sequence[Photo], validation: Sequence[Photo] | None, what: str
    ) -> Learned:
        recipe, names = self.recipe, self._bench.names
        fresh(recipe)
        model = self._network()
        pictures = self._bench.pictures(recipe)
        feed = partial(batches.of_pixels, pictures, names=names, size=recipe.batch)
        epochs = fit.fit(
            model,
            feed(training, seed=recipe.seed),
            None if validation is None else feed(validation),
            labels(training, names),
            recipe,
            folder := self._bench.folder(recipe, training, validation),
            self._bench.hearers(recipe.epochs, what),
        )
        scores = partial(pixel_scores, model, pictures, self._bench.scoring(what))
        return Learned(epochs, scores, partial(fit.bare, model), folder)

    def _network(self) -> Model:
        recipe, count = self.recipe, len(self._bench.names)
        if recipe.backbone == SCRATCH:
            return scratch.report_network(count, recipe.size, recipe.hidden, recipe.dropout)
        return scratch.small_network(count, recipe.size, recipe.dropout, recipe.penalty)


class OnFeatures:
    """A head on the pooled features of a pretrained network."""

    can_unfreeze = True

    def __init__(self, recipe: Recipe, bench: Bench, table: Table | None = None) -> None:
        self.recipe, self._bench, self._given = recipe, bench, table
        self._backbone = backbones.TABLE[recipe.backbone]

    @property
    def cost(self) -> float:
        return self._backbone.cost

    def by(self, recipe: Recipe) -> "OnFeatures":
        return OnFeatures(recipe, self._bench, self._table)

    @cached_property
    def _table(self) -> Table:
        """The features of every photo to be learned from, computed where they are not kept."""
        return self._given or self._tabled(self._bench.photos, self.recipe.augment)

    def _tabled(self, photos: Sequence[Photo], versions: int) -> Table:
        recipe, bench = self.recipe, self._bench
        pictures = bench.pictures(recipe)
        extractor = Extractor(self._network(), recipe.backbone, pictures, bench.cache)
        title = f"features of {recipe.backbone}"
        return extractor.table(photos, versions, partial(bench.tell.each, title))

    def _network(self) -> Model:
        return pretrained(self.recipe, self._bench.weights_dir)

    def learn(
        self, training: Sequence[Photo], validation: Sequence[Photo] | None, what: str
    ) -> Learned:
        recipe, names = self.recipe, self._bench.names
        rows = partial(batches.Rows, self._table, names=names)
        frozen = dataclasses.replace(recipe, unfreeze=0)
        head, epochs = fit_head.fit(
            rows(training, versions=recipe.augment),
            None if validation is None else rows(validation, versions=0),
            frozen,
            folder := self._bench.folder(frozen, training, validation, self._table.origin),
            self._bench.hearers(recipe.epochs, what).epoch,
        )
        if recipe.unfreeze:
            return self._unfrozen(head, epochs, training, validation, what)
        return Learned(epochs, partial(self._head_scores, head), lambda: self._joined(head), folder)

    def _joined(self, head: Head) -> Model:
        top = fit.as_keras(head, self.recipe)
        return fit.whole(self._network(), top, self.recipe.size)

    def _head_scores(self, head: Head, photos: Sequence[Photo], versions: int) -> Scores:
        table = self._table
        if not (table.holds(photos) and versions <= self.recipe.augment):
            table = self._tabled(photos, versions)
        rows = batches.Rows(table, photos, self._bench.names, versions)
        found = [head.scores(features) for features, _ in rows.batches(_ROWS, None)]
        return np.concatenate(found).astype(np.float64).reshape(len(photos), versions + 1, -1)

    def _unfrozen(
        self,
        head: Head,
        before: tuple[Epoch, ...],
        training: Sequence[Photo],
        validation: Sequence[Photo] | None,
        what: str,
    ) -> Learned:
        """The last blocks learn with the head that has learned, slowly."""
        recipe, names = self.recipe, self._bench.names
        slow = dataclasses.replace(
            recipe, epochs=recipe.unfreeze, learning_rate=recipe.unfreeze_rate, batch=_BATCH
        )
        fresh(recipe)
        network = self._network()
        backbones.unfreeze(network, self._backbone)
        model = fit.whole(network, fit.as_keras(head, recipe), recipe.size)
        pictures = self._bench.pictures(recipe)
        feed = partial(batches.of_pixels, pictures, names=names, size=slow.batch)
        unfrozen = fit.fit(
            model,
            feed(training, seed=recipe.seed),
            None if validation is None else feed(validation),
            labels(training, names),
            slow,
            folder := self._bench.folder(recipe, training, validation, self._table.origin),
            self._bench.hearers(slow.epochs, title := what and f"{what}, last blocks"),
        )
        scores = partial(pixel_scores, model, pictures, self._bench.scoring(title))
        return Learned(before, scores, partial(fit.bare, model), folder, unfrozen)


def pixel_scores(
    model: Model, pictures: Pictures, bar: Bar, photos: Sequence[Photo], versions: int
) -> Scores:
    """As `Learned.scores`, from the photos themselves."""
    numbers = range(versions + 1)
    rows = [
        model.predict_on_batch(np.stack(pictures.versions(photo, numbers)).astype(np.float32))
        for photo in bar(photos)
    ]
    return np.array(rows, np.float64).reshape(len(photos), versions + 1, -1)


def fresh(recipe: Recipe) -> None:
    """The same random weights and drop-outs, whatever was learned before in this process."""
    import keras

    keras.utils.set_random_seed(recipe.seed)


def tidy() -> None:
    """What Keras and TensorFlow remember of networks that nobody holds any more goes: a search
    makes dozens."""
    import keras

    keras.utils.clear_session(free_memory=True)
