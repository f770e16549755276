"""Thresholds raised by photos of collections that the network has not seen, and how they do there.

Each photo's scores are of a network that has not seen its collection (`benchmarks/apart.py`), as in
`folds` they are of one that has not seen the photo: what a threshold keeps there it keeps elsewhere
sooner than by photos that look like those that were learned from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import metrics

KEPT = 0.8
"""Of what is filed into a category at least so much was right; a category that cannot is None."""

_FEWEST = 4  # photos that have to be right: one or two are chance
_PARTS = 10

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


def filed(scores: Scores, truth: Labels, own: Labels) -> Labels:
    """What is left of `own`, which each network's own thresholds filed, with the thresholds that
    the other parts of the photos call for; [photos, categories] all."""
    part = np.arange(len(scores)) % _PARTS
    said = own.copy()
    for number in range(_PARTS):
        here = part == number
        for place in range(truth.shape[1]):
            level = threshold(scores[~here, place], truth[~here, place])
            said[here, place] &= level is not None and scores[here, place] >= level
    return said


def measure(names: Sequence[str], shots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Which thresholds `shots` call for, and how well such ones do on those that did not choose
    them."""
    scores = np.array([[shot["scores"][name] for name in names] for shot in shots], np.float64)
    truth, own = (
        np.array([[name in shot[what] for name in names] for shot in shots])
        for what in ("labels", "filed")
    )
    said = filed(scores, truth, own)
    qualities = metrics.qualities(names, truth, said)
    return {
        "photos": len(shots),
        **asdict(metrics.estimate(truth, said)),
        "categories": {
            name: {"least": threshold(scores[:, place], truth[:, place]), **asdict(quality)}
            for place, (name, quality) in enumerate(qualities.items())
        },
    }


def raised(own: float | None, least: float | None) -> float | None:
    """A threshold that keeps its precision on both kinds of photos. Never lower than its own: of
    the photos of a held-out collection many may be of one category, which is easy to hit."""
    return None if own is None or least is None else max(own, least)
