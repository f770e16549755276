"""The networks that are taught: small enough for a Raspberry Pi."""

from dataclasses import dataclass
from typing import Any

from photosort_trainer import backbones, learners, scratch
from photosort_trainer.distill.settings import MOBILENET, Settings
from photosort_trainer.recipe import SMALL_RESNET, TINY

Model = Any  # keras.Model, which has no types

PRETRAINED = (MOBILENET,)
"""From ImageNet's weights."""

COSTS = {TINY: 0.05, **{name: backbones.TABLE[name].cost for name in (SMALL_RESNET, MOBILENET)}}
"""Thousand million multiply-adds for one photo of 224×224."""


def check_weights(settings: Settings, weights_dir: str | None) -> None:
    """Before any long work. Raises WeightsError."""
    if settings.student in PRETRAINED:
        learners.check_weights(settings.recipe(), weights_dir)


@dataclass(frozen=True, slots=True)
class Pupil:
    """A student while it learns. Both have the same layers, and take pixels of any size if the
    student begins with random weights."""

    scoring: Model  # pixels 0…255 [n, side, side, 3] → scores 0…1 [n, categories]
    asked: (
        Model  # → [n, categories + features]: scores, and what it makes of the teacher's features
    )


def pupil(settings: Settings, categories: int, features: int, weights_dir: str | None) -> Pupil:
    """Raises WeightsError."""
    import keras

    size = settings.size if settings.student in PRETRAINED else None
    scoring = _built(settings, categories, size, weights_dir)
    pooled = scoring.get_layer(scratch.DROPOUT).input
    made = keras.layers.Dense(features, name="features")(pooled)
    answers = keras.layers.Concatenate()([scoring.output, made]) if categories else made
    return Pupil(scoring, keras.Model(scoring.input, answers, name="pupil"))


def network(settings: Settings, categories: int, weights_dir: str | None) -> Model:
    """Pixels 0…255 [n, size, size, 3] → scores 0…1 [n, categories]. Raises WeightsError."""
    return _built(settings, categories, settings.size, weights_dir)


def _built(settings: Settings, categories: int, size: int | None, weights_dir: str | None) -> Model:
    """Of no category: with one score that says nothing."""
    categories = max(1, categories)
    if settings.student == SMALL_RESNET:
        return scratch.residual_network(categories, size, settings.dropout)
    if settings.student == TINY:
        return scratch.small_network(categories, size, settings.dropout, 0.0)
    return _pretrained(settings, categories, weights_dir)


def _pretrained(settings: Settings, categories: int, weights_dir: str | None) -> Model:
    """All of its weights learn. Batch normalisation stays as ImageNet left it: files whose norms
    were folded into the convolutions would break otherwise."""
    import keras

    pooled = learners.pretrained(settings.recipe(), weights_dir)
    backbones.melt(pooled)
    pixels = keras.Input((settings.size, settings.size, 3), name="pixels")
    x = keras.layers.Dropout(settings.dropout, name=scratch.DROPOUT)(pooled(pixels))
    scores = keras.layers.Dense(categories, activation="sigmoid", name="scores")(x)
    return keras.Model(pixels, scores, name=settings.student)
