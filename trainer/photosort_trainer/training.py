"""One run, from the folder of originals to the bundle: the page that knows the order of the steps.

Prints nothing and keeps nothing itself: what can be used again is kept by split, features and
scratch, and the bundle appears whole at the end.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import (
    backbones,
    calibrate,
    card,
    dataset,
    export,
    fit,
    golden,
    likeness,
    metrics,
    quiet,
    scratch,
    split,
)
from photosort_trainer.dataset import Dataset, LeftOut, Photo, labels, pixels
from photosort_trainer.diary import Epoch
from photosort_trainer.errors import DatasetError
from photosort_trainer.features import Extractor
from photosort_trainer.recipe import SCRATCH, Recipe
from photosort_trainer.seeing import Eyes, verdicts
from photosort_trainer.split import Part
from photosortd.records import printable
from photosortd.vision.bundle import Bundle, Category, write_bundle

Model = Any  # keras.Model, which has no types
T = TypeVar("T")

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    originals: str
    out: str  # the run's directory
    recipe: Recipe
    weights_dir: str | None = None
    none: str | None = None  # a folder of photos of no category, beside originals/none

    @property
    def cache(self) -> Path:
        return Path(self.out, "cache")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    bundle: Bundle
    data: Dataset
    counts: dict[str, tuple[int, int, int]]  # photos in training, validation and test
    found: dict[str, metrics.Quality]  # on test photos
    parity: export.Parity
    best: Epoch


class Tell(Protocol):
    """Where progress goes."""

    def say(self, text: str) -> None: ...
    def each(self, title: str, items: Sequence[T]) -> Iterable[T]: ...
    def epoch(self, epoch: Epoch, of: int) -> None: ...


@dataclass(frozen=True, slots=True)
class _Parts:
    """The photos, shared out."""

    names: tuple[str, ...]
    training: list[Photo]
    validation: list[Photo]
    test: list[Photo]
    left_out: tuple[LeftOut, ...] = ()


def run(request: Request, tell: Tell) -> Result:
    """Train as asked and write `request.out`/bundle.

    Raises TrainerError (and its kinds) for what the user can mend, PhotoError for a photo that
    changed meanwhile, OSError from the file system. An older bundle stays until the new one is
    whole.
    """
    recipe = request.recipe
    weights = _find_weights(request)
    data = dataset.read(
        request.originals, request.none, recipe.few, partial(tell.each, "reading photos")
    )
    parts = _share_out(request, data)
    data = dataclasses.replace(data, left_out=(*data.left_out, *parts.left_out))
    quiet.load_tensorflow(recipe.seed)
    model, epochs = _learn(request, weights, parts, tell)
    eyes, shipped, categories, parity = _ship(model, parts, recipe, tell)
    seen = eyes.scores(parts.test, progress=partial(tell.each, "judging by test photos"))[:, 0]
    truth = labels(parts.test, parts.names)
    found = metrics.qualities(parts.names, truth, verdicts(categories, seen))
    counts = {name: _count(parts, name) for name in parts.names}
    bundle = write_bundle(
        Path(request.out, "bundle"),
        model=shipped,
        categories=categories,
        height=recipe.size,
        width=recipe.size,
        backbone=recipe.backbone,
        recipe=recipe.as_json(),
        metrics={"test": metrics.as_json(found), "export": parity.as_json()},
        golden=golden.choose(golden.drawings(), categories, eyes.look),
        model_card=card.write(recipe, categories, counts, data.negatives, found, parity.as_json()),
    )
    best = min(epochs, key=lambda epoch: epoch.validation_loss)
    return Result(bundle, data, counts, found, parity, best)


def _find_weights(request: Request) -> str:
    """Before any long work: a missing file is the commonest trouble."""
    if request.recipe.backbone == SCRATCH:
        return ""
    backbone = backbones.TABLE[request.recipe.backbone]
    return backbones.find_weights(backbone, request.weights_dir, os.environ)


def _share_out(request: Request, data: Dataset) -> _Parts:
    """Each photo to its part, which it keeps in every later run with this directory."""
    path = os.path.join(request.out, "split.csv")
    kept = split.load(path)
    shares = dict(zip(Part, request.recipe.split, strict=True))
    made = split.assign(data.photos, request.recipe.seed, kept, shares, likeness.groups(data.looks))
    split.save(path, {**kept, **made.parts}, data.photos)
    _check_parts(data, made.parts, path)
    chosen = {part: [p for p in data.photos if made.parts.get(p.sha256) is part] for part in Part}
    return _Parts(
        data.categories,
        chosen[Part.TRAIN],
        chosen[Part.VALIDATION],
        chosen[Part.TEST],
        made.left_out,
    )


def _check_parts(data: Dataset, parts: Mapping[str, Part], path: str) -> None:
    """An earlier split, or photos with many labels at once, can leave a part without a category."""
    got = {(name, parts.get(p.sha256)) for p in data.photos for name in p.labels}
    problems = [
        f"category '{name}' has no photo in the part '{part}' of {printable(path)}: add photos, or "
        "remove that file to split anew"
        for name in data.categories
        for part in (Part.TRAIN, Part.VALIDATION)
        if (name, part) not in got
    ]
    if problems:
        raise DatasetError(*problems)


def _learn(
    request: Request, weights: str, parts: _Parts, tell: Tell
) -> tuple[Model, tuple[Epoch, ...]]:
    """The trained network: pixels 0…255 → scores."""
    recipe = request.recipe
    report = partial(tell.epoch, of=recipe.epochs)
    if recipe.backbone == SCRATCH:
        return scratch.train(
            parts.training, parts.validation, parts.names, recipe, request.cache, report
        )
    network = backbones.build(backbones.TABLE[recipe.backbone], recipe.size, weights)
    extractor = Extractor(network, recipe.backbone, recipe.size, request.cache)
    wanted = [(photo, recipe.augment) for photo in parts.training]
    wanted += [(photo, 0) for photo in parts.validation]
    features = extractor.features(wanted, partial(tell.each, "computing features"))
    truth = labels(parts.training, parts.names)
    top = fit.head(int(network.output_shape[-1]), len(parts.names), recipe)
    epochs = fit.fit(
        top,
        (
            np.concatenate([features[photo.sha256] for photo in parts.training]),
            np.repeat(truth, recipe.augment + 1, axis=0),
        ),
        (
            np.concatenate([features[photo.sha256] for photo in parts.validation]),
            labels(parts.validation, parts.names),
        ),
        truth,
        recipe,
        request.cache / "head",
        report,
    )
    return fit.whole(network, top, recipe.size), epochs


def _ship(
    model: Model, parts: _Parts, recipe: Recipe, tell: Tell
) -> tuple[Eyes, bytes, tuple[Category, ...], export.Parity]:
    """Export, calibrate on what the exported model sees, and compare it with Keras."""
    tell.say("converting to TFLite")
    trained = export.keras_scores(model, _pixels(parts.validation, recipe.size))
    truth = np.repeat(labels(parts.validation, parts.names), recipe.held_out + 1, axis=0)
    tried = []
    for form, data in export.forms(model, recipe.size):
        eyes = Eyes(data, parts.names, recipe.size)
        title = f"setting thresholds ({form})"
        seen = eyes.scores(parts.validation, recipe.held_out, partial(tell.each, title))
        categories = calibrate.categories(
            parts.names, seen.reshape(-1, len(parts.names)), truth, recipe.precision
        )
        pair = (seen[:, 0], trained)
        said = (verdicts(categories, pair[0]), verdicts(categories, pair[1]))
        tried.append(export.parity(form, data, eyes.seconds(), pair, said))
        if tried[-1].passes:
            return eyes, data, categories, tried[-1]
    raise export.refuse(tried)


def _pixels(photos: Sequence[Photo], size: int) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(photos), _BATCH):
        yield np.stack([pixels(photo, size) for photo in photos[start : start + _BATCH]])


def _count(parts: _Parts, name: str) -> tuple[int, int, int]:
    of = [
        sum(name in photo.labels for photo in part)
        for part in (parts.training, parts.validation, parts.test)
    ]
    return of[0], of[1], of[2]
