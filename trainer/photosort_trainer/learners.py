"""The candidates: networks that learn from photos, each by its own recipe, behind one face.

A pretrained network stays as it is and a head learns on its features (and, in a refinement, its
last blocks); a network from scratch learns everything. What was learned is kept under a key of
everything that decides it, so a run that is cut off goes on where it was.
"""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import augment, backbones, batches, fit, fit_head, heads, scratch
from photosort_trainer.dataset import Photo, labels
from photosort_trainer.diary import Epoch
from photosort_trainer.features import Extractor, Table
from photosort_trainer.heads import Head
from photosort_trainer.pictures import Pictures
from photosort_trainer.recipe import SCRATCH, SMALL_SCRATCH, Recipe
from photosortd.vision import DECODE_VERSION

Model = Any  # keras.Model, which has no types
Scores = NDArray[np.float64]
T = TypeVar("T")

FROM_SCRATCH = (SCRATCH, SMALL_SCRATCH)
_COSTS = {SCRATCH: 0.13, SMALL_SCRATCH: 0.05}
_BATCH = 16  # photos, for a network that learns
_ROWS = 512  # features, for a head that says what it thinks


class Tell(Protocol):
    """Where progress goes."""

    def say(self, text: str) -> None: ...
    def each(self, title: str, items: Sequence[T]) -> Iterable[T]: ...
    def epoch(self, epoch: Epoch, of: int, what: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What every candidate of a run shares."""

    names: tuple[str, ...]  # the categories
    photos: tuple[Photo, ...]  # all that will ever be learned from
    cache: Path
    weights_dir: str | None
    tell: Tell

    def pictures(self, recipe: Recipe) -> Pictures:
        return Pictures(self.cache, recipe.size, recipe.changes)

    def folder(
        self, recipe: Recipe, training: Sequence[Photo], validation: Sequence[Photo] | None
    ) -> Path:
        """Where a training is kept: a state of another one must not be taken up."""
        parts = [
            None if part is None else [(p.sha256, sorted(p.labels)) for p in part]
            for part in (training, validation)
        ]
        said = {
            "recipe": recipe.as_json(),
            "names": list(self.names),
            "parts": parts,
            "versions": [DECODE_VERSION, augment.VERSION, scratch.VERSION, heads.VERSION],
        }
        key = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
        return self.cache / f"learned-{key}"


@dataclass(frozen=True, slots=True)
class Learned:
    """A network that has learned."""

    epochs: tuple[Epoch, ...]
    scores: Callable[[Sequence[Photo], int], Scores]
    """Raw scores of photos and their first so many versions: [photos, 1 + versions, categories]"""
    whole: Callable[[], Model]
    """Pixels 0…255 [n, size, size, 3] → scores."""
    folder: Path  # where it is kept

    @property
    def best(self) -> int:
        """The number of the epoch whose weights it has, from 1."""
        losses = [e.validation_loss for e in self.epochs if e.validation_loss is not None]
        return 1 + losses.index(min(losses)) if losses else len(self.epochs)

    def forget(self) -> None:
        """Its scores are known, and nobody will want it again."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Learner(Protocol):
    """A network that can learn, by `recipe`."""

    recipe: Recipe
    can_unfreeze: bool

    @property
    def cost(self) -> float:
        """Of one photo, in thousand million multiply-adds: what a small machine pays."""
        ...

    def learn(
        self, training: Sequence[Photo], validation: Sequence[Photo] | None, what: str
    ) -> Learned:
        """With `validation` the best epoch counts, without it the last of `recipe.epochs`."""
        ...

    def by(self, recipe: Recipe) -> "Learner":
        """The same network, by another recipe."""
        ...


def check_weights(recipe: Recipe, weights_dir: str | None) -> str:
    """Before any long work: a missing file is the commonest trouble. Raises WeightsError."""
    if recipe.backbone in FROM_SCRATCH:
        return ""
    return backbones.find_weights(backbones.TABLE[recipe.backbone], weights_dir, os.environ)


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
            lambda epoch: self._bench.tell.epoch(epoch, recipe.epochs, what),
        )
        return Learned(
            epochs, partial(pixel_scores, model, pictures), partial(fit.bare, model), folder
        )

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
        weights = check_weights(self.recipe, self._bench.weights_dir)
        return backbones.build(self._backbone, self.recipe.size, weights)

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
            folder := self._bench.folder(frozen, training, validation),
            lambda epoch: self._bench.tell.epoch(epoch, recipe.epochs, what),
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
        fit.fit(
            model,
            feed(training, seed=recipe.seed),
            None if validation is None else feed(validation),
            labels(training, names),
            slow,
            folder := self._bench.folder(recipe, training, validation),
            lambda epoch: self._bench.tell.epoch(epoch, slow.epochs, f"{what}, last blocks"),
        )
        return Learned(
            before, partial(pixel_scores, model, pictures), partial(fit.bare, model), folder
        )


def pixel_scores(
    model: Model, pictures: Pictures, photos: Sequence[Photo], versions: int
) -> Scores:
    """As `Learned.scores`, from the photos themselves."""
    numbers = range(versions + 1)
    rows = [
        model.predict_on_batch(np.stack(pictures.versions(photo, numbers)).astype(np.float32))
        for photo in photos
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
