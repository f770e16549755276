"""The networks that are taught: small enough for a Raspberry Pi."""

from typing import Any

from photosort_trainer import backbones, learners, scratch
from photosort_trainer.distill.settings import MOBILENET, Settings
from photosort_trainer.recipe import SMALL_RESNET, TINY

Model = Any  # keras.Model, which has no types

PRETRAINED = (MOBILENET,)
"""From ImageNet's weights."""

COSTS = {SMALL_RESNET: 0.45, TINY: 0.05, MOBILENET: 0.30}
"""Thousand million multiply-adds for one photo of 224×224."""


def check_weights(settings: Settings, weights_dir: str | None) -> None:
    """Before any long work. Raises WeightsError."""
    if settings.student in PRETRAINED:
        learners.check_weights(settings.recipe(), weights_dir)


def network(settings: Settings, categories: int, weights_dir: str | None) -> Model:
    """Pixels 0…255 [n, size, size, 3] → scores 0…1 [n, categories]. Raises WeightsError."""
    if settings.student == SMALL_RESNET:
        return scratch.residual_network(categories, settings.size, settings.dropout)
    if settings.student == TINY:
        return scratch.small_network(categories, settings.size, settings.dropout, 0.0)
    return _pretrained(settings, categories, weights_dir)


def _pretrained(settings: Settings, categories: int, weights_dir: str | None) -> Model:
    """All of its weights learn. Batch normalisation stays as ImageNet left it: files whose norms
    were folded into the convolutions would break otherwise."""
    import keras

    pooled = learners.pretrained(settings.recipe(), weights_dir)
    backbones.melt(pooled)
    pixels = keras.Input((settings.size, settings.size, 3), name="pixels")
    x = keras.layers.Dropout(settings.dropout)(pooled(pixels))
    scores = keras.layers.Dense(categories, activation="sigmoid", name="scores")(x)
    return keras.Model(pixels, scores, name=settings.student)
