"""What a student is shown and what it is to answer: an epoch's order, pictures and targets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import batches
from photosort_trainer.distill import views
from photosort_trainer.distill.settings import Settings
from photosortd.vision.decode import Pixels

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
Batches = Any  # keras.utils.PyDataset, which has no types

_STEADY = 1e-3  # a feature that moves no more than this says nothing

SURE = 0.99
"""A score beyond it, or below 1 − it, counts as it: the steps of an isotonic calibration end at 0
and 1, and nobody is as sure as that."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """Photos with labels come first."""

    looks: int  # at each photo
    categories: int
    features: int
    picture: Callable[[int, int], Pixels]  # of a place and a look, [side, side, 3]
    target: Callable[[int, int], Floats]  # likewise, [categories + features]: `targets`, `Scale`
    photos: int
    chances: NDArray[np.float64]  # [labelled photos]: of being drawn; together 1
    key: str  # of everything above

    @property
    def others(self) -> int:
        """Photos without labels."""
        return self.photos - len(self.chances)


def targets(said: NDArray[np.float64], truth: NDArray[np.bool_], share: float) -> Floats:
    """What is to be answered: the teacher's calibrated scores `said` [photos, looks, categories],
    and for the first photos so much of their labels `truth` [labelled, categories].

    Calibrated, because raw scores keep the smoothing and the balance of the teacher's own
    training: 0.1 there may mean "surely not", which no label mixed with it says.
    """
    wanted = np.clip(said, 1 - SURE, SURE)
    count = len(truth)
    wanted[:count] = share * truth[:, np.newaxis] + (1 - share) * wanted[:count]
    return wanted.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Scale:
    """Of features: each of them has a mean of 0 and a deviation of 1 in what is learned from, so
    that all weigh the same."""

    mean: Floats  # [features]
    deviation: Floats

    def __call__(self, features: NDArray[np.float16]) -> Floats:
        """[…, features] both."""
        scaled: Floats = (features.astype(np.float32) - self.mean) / self.deviation
        return scaled


def scale(features: Iterable[NDArray[np.float16]]) -> Scale:
    """`features` [n, features] in parts, at least one."""
    count, sums = 0, np.zeros((2, 1))
    for part in features:
        wide = part.astype(np.float64)
        count += len(wide)
        sums = sums + np.stack([wide.sum(0), (wide**2).sum(0)])
    mean, squares = sums / count
    deviation = np.sqrt(np.maximum(squares - mean**2, _STEADY**2))
    return Scale(mean.astype(np.float32), deviation.astype(np.float32))


def chances(truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each labelled photo: every category is seen about as often, and so are photos of none."""
    groups = np.column_stack([truth, ~truth.any(axis=1)])
    rare = groups / np.maximum(1, groups.sum(axis=0))
    weight: NDArray[np.float64] = rare.max(axis=1)
    weight /= weight.sum()
    return weight


def length(lessons: Lessons, settings: Settings) -> int:
    """Pictures of an epoch: whole batches, so that there is one shape to compile for."""
    return lessons.others + _draws(lessons, settings)


def order(lessons: Lessons, settings: Settings, epoch: int) -> Places:
    """`drawn` for an epoch: its seed is this and the settings'."""
    return drawn(lessons, settings, np.random.default_rng((settings.seed, epoch)))


def drawn(lessons: Lessons, settings: Settings, rng: np.random.Generator) -> Places:
    """Every photo without labels once, and labelled ones drawn as often as they are to be seen."""
    count, draws = len(lessons.chances), _draws(lessons, settings)
    if count:
        more = rng.choice(count, draws, p=lessons.chances)
    else:
        more = rng.choice(lessons.others, draws)
    return rng.permutation(np.concatenate([more, count + np.arange(lessons.others)]))


def _draws(lessons: Lessons, settings: Settings) -> int:
    """Of labelled photos in an epoch: their share, but never fewer than there are, and as many as
    fill the last batch. Without any, these are others once more."""
    if not len(lessons.chances):
        return -lessons.others % settings.batch
    share = settings.labelled / (1 - settings.labelled)
    least = max(len(lessons.chances), round(lessons.others * share))
    return least + -(lessons.others + least) % settings.batch


def of(lessons: Lessons, settings: Settings, size: int) -> Batches:
    """(pixels 0…255 [n, size, size, 3], targets [n, categories + features]), the same after a
    stop."""

    def rows(chosen: Places, epoch: int, number: int) -> tuple[Floats, Floats]:
        rng = np.random.default_rng((settings.seed, epoch, number))
        looks = [(int(place), int(rng.integers(lessons.looks))) for place in chosen]
        shown = [views.view(lessons.picture(*look), rng, settings.changes, size) for look in looks]
        pixels = np.stack(shown).astype(np.float32)
        wanted = np.stack([lessons.target(*look) for look in looks])
        return (
            views.mix(pixels, wanted, rng, settings.mixup) if settings.mixup else (pixels, wanted)
        )

    count = length(lessons, settings)
    return batches.of_rows(count, settings.batch, partial(order, lessons, settings), rows)
