"""Held-out raw scores and labels → a calibration and a threshold for each category.

NumPy only. The scores are those that the shipped model gave through the daemon's own eyes; what
cannot be promised is None, never a guess.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photosortd.vision.bundle import Calibration, Category

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]

NEAR = 0.05
"""How far below the best F1 a threshold may be. The best one hangs on a handful of photos: the
middle of the good ones was better by 0.02 macro-F1 on photos of other collections, and varied half
as much."""

_CLIP = 1e-7  # as Calibration.apply clips, or the fit would see other logits than the daemon
_STEPS = 100
_RIDGE = 1e-3  # keeps the slope finite where the two groups do not touch
_SLOPES = (0.05, 20.0)


def categories(
    names: Sequence[str], raw: Scores, labels: Labels, precision: float = 0.0
) -> tuple[Category, ...]:
    """Calibrate every category; `raw` and `labels` are [photos, categories].

    A threshold keeps `precision` on these photos, or is None.
    """
    return tuple(category(name, raw[:, i], labels[:, i], precision) for i, name in enumerate(names))


def category(name: str, raw: Scores, labels: Labels, precision: float = 0.0) -> Category:
    """One category. Its threshold is None if no score tells its photos from the others.

    The threshold is chosen among raw scores and then calibrated: half-way between two raw scores
    held better on photos of other collections than half-way between two calibrated ones.
    """
    calibration = platt(raw, labels)
    chosen = threshold(raw, labels, precision)
    return Category(name, None if chosen is None else calibration.apply(chosen), calibration)


def platt(raw: Scores, labels: Labels) -> Calibration:
    """Fit sigmoid(a·logit(raw) + b), a > 0, by Newton's method; 'none' without both kinds.

    Targets are Platt's (1999), a little off 0 and 1 by how few photos there are, so that a perfect
    separation of a handful is not taken for certainty.
    """
    positives, negatives = int(labels.sum()), int((~labels).sum())
    if not positives or not negatives or not np.isfinite(raw).all():
        return Calibration()
    targets = np.where(labels, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    logits = _logit(raw)
    a, b = 1.0, float(np.log((positives + 1) / (negatives + 1)))
    for _ in range(_STEPS):
        step = _newton(a, b, logits, targets)
        a = float(np.clip(a - step[0], *_SLOPES))
        b = float(np.clip(b - step[1], -50.0, 50.0))
        if np.abs(step).max() < 1e-9:
            break
    return Calibration("platt", a, b)


def _newton(a: float, b: float, logits: Scores, targets: Scores) -> Scores:
    """One damped step: gradient and Hessian of the cross-entropy with a small ridge about a = 1."""
    likely = _sigmoid(a * logits + b)
    error, weight = likely - targets, likely * (1 - likely)
    gradient = np.array([np.sum(error * logits) + _RIDGE * (a - 1), np.sum(error)])
    mixed = np.sum(weight * logits)
    hessian = np.array(
        [[np.sum(weight * logits**2) + _RIDGE, mixed], [mixed, np.sum(weight) + _RIDGE]]
    )
    step: Scores = np.clip(np.linalg.solve(hessian, gradient), -2.0, 2.0)
    return step


def threshold(scores: Scores, labels: Labels, precision: float = 0.0) -> float | None:
    """In the middle of the thresholds whose F1 is near the best and which keep `precision`.

    None if there is none, or if none does better than letting all in. Each candidate stands
    half-way between the lowest score that it lets in and the highest that it does not.
    """
    if not labels.any() or not np.isfinite(scores).all():
        return None
    levels = np.unique(scores)[::-1]
    lets_in = scores[:, np.newaxis] >= levels
    right = np.sum(lets_in & labels[:, np.newaxis], axis=0)
    said = np.sum(lets_in, axis=0)
    f1 = 2 * right / (said + labels.sum())
    all_in = f1[-1]
    f1[right < precision * said] = 0.0
    # The last level lets all in, which is no threshold.
    best = f1[:-1].max(initial=0.0)
    if best <= all_in:
        return None
    near = np.flatnonzero(f1[:-1] >= max(best - NEAR, all_in))
    lowest, below = levels[near], levels[near + 1]
    middles = (lowest + below) / 2
    middles = np.where(middles > below, middles, lowest)  # two neighbours have no middle
    centre = (middles[0] + middles[-1]) / 2
    return float(middles[np.argmin(np.abs(middles - centre))])


def _logit(raw: Scores) -> Scores:
    clipped = np.clip(raw, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


def _sigmoid(value: Scores) -> Scores:
    # tanh does not overflow.
    return 0.5 * (1 + np.tanh(value / 2))
