"""Thresholds and calibrations by photos of collections that the network has not seen.

Each photo's scores are of a network that has not seen its collection (`benchmarks/apart.py`), as in
`folds` they are of one that has not seen the photo: what a threshold keeps there it keeps elsewhere
sooner than by photos that look like those that were learned from, and there are more of them. What
such photos come to is less sure, too, so scores are calibrated by them once more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import calibrate, metrics
from photosortd.vision.bundle import Calibration, Category

KEPT = 0.8
"""Of what is filed into a category at least so much was right; a category that cannot is None."""

_FEWEST = 4  # photos that have to be right: one or two are chance
_PARTS = 10
_ROUNDED = 5e-5  # as far as `shots` tell scores, which have four digits

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]


def threshold(scores: Scores, truth: Labels) -> float | None:
    """Of those that keep KEPT the one with the best F1; half-way to the next lower score."""
    levels = np.unique(scores)[::-1]
    said = np.array([np.sum(scores >= level) for level in levels])
    right = np.array([np.sum(truth & (scores >= level)) for level in levels])
    keeps = (right >= KEPT * said) & (right >= _FEWEST)
    f1 = np.where(keeps, 2 * right / (said + truth.sum()), 0.0)
    best = int(np.argmax(f1))
    if f1[best] == 0.0 or best + 1 == len(levels):  # the last one files everything
        return None
    return float((levels[best] + levels[best + 1]) / 2)


def filed(scores: Scores, truth: Labels) -> Labels:
    """What each tenth of the photos comes to by thresholds that the others choose; [photos,
    categories] all."""
    part = np.arange(len(scores)) % _PARTS
    said = np.zeros_like(truth)
    for number in range(_PARTS):
        here = part == number
        for place in range(truth.shape[1]):
            level = threshold(scores[~here, place], truth[~here, place])
            said[here, place] = level is not None and scores[here, place] >= level
    return said


def measure(names: Sequence[str], shots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Which thresholds `shots` call for, and how well such ones do on those that did not choose
    them."""
    scores = np.array([[shot["scores"][name] for name in names] for shot in shots], np.float64)
    truth = np.array([[name in shot["labels"] for name in names] for shot in shots])
    said = filed(scores, truth)
    qualities = metrics.qualities(names, truth, said)
    return {
        "photos": len(shots),
        **asdict(metrics.estimate(truth, said)),
        "categories": {
            name: {**_wanted(scores[:, place], truth[:, place]), **asdict(quality)}
            for place, (name, quality) in enumerate(qualities.items())
        },
    }


def _wanted(scores: Scores, truth: Labels) -> dict[str, Any]:
    """The slope and shift of the second calibration, and a threshold on what comes of it."""
    second = calibrate.platt(np.clip(scores, _ROUNDED, 1 - _ROUNDED), truth)
    chosen = threshold(scores, truth)
    return {
        "threshold": None if chosen is None else second.apply(chosen),
        "platt": [second.a, second.b],
    }


def category(own: Category, wanted: Mapping[str, Any]) -> Category:
    """With the threshold that `measure` found, and calibrated twice."""
    slope, shift = wanted["platt"]
    second = Calibration("platt", slope, shift)
    return Category(own.name, wanted["threshold"], _both(own.calibration, second))


def _both(first: Calibration, second: Calibration) -> Calibration:
    """What `second` makes of what `first` makes of a score."""
    if first.kind == "isotonic":
        return replace(first, ys=tuple(map(second.apply, first.ys)))
    return Calibration("platt", second.a * first.a, second.a * first.b + second.b)
