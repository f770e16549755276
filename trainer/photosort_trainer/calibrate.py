"""Held-out raw scores and labels → a calibration and a threshold for each category.

The photos must not have been learned from by whatever gave the scores. What cannot be promised is
None, never a guess.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.recipe import CLASSIC
from photosortd.vision.bundle import Calibration, Category

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]

NEAR = 0.05
"""How far below the best F1 a threshold may be. The best one hangs on a handful of photos: the
middle of the good ones was better by 0.02 macro-F1 on photos of other collections, and varied half
as much."""

PLENTY = 200
"""Photos of a category from which its calibration may have any monotone shape: a line in the
logits has two numbers to fit, this one dozens."""

SURE = 0.90
"""How sure a promise has to be: the one-sided bound of the precision on held-out photos."""

_CLIP = 1e-7  # as Calibration.apply clips, or the fit would see other logits than the daemon
_STEPS = 100
_RIDGE = 1e-3  # keeps the slope finite where the two groups do not touch
_SLOPES = (0.05, 20.0)
_MOST = 100_000  # photos; a promise that needs more is not one that more photos keep


@dataclass(frozen=True, slots=True)
class Promise:
    """What was asked of a category's precision, and whether it can be kept."""

    category: str
    precision: float  # asked for
    kept: bool
    bound: float  # the best that SURE photos in a hundred such samples would show
    more: int | None  # photos of the category that would keep it; None: more alone will not


def categories(
    names: Sequence[str],
    raw: Scores,
    labels: Labels,
    promises: Mapping[str, float] | None = None,
    classic: bool = False,
) -> tuple[Category, ...]:
    """Calibrate every category; `raw` is [photos, versions, categories], `labels` [photos,
    categories].

    A threshold keeps the precision that `promises` says with the certainty SURE, or is None.
    `classic`: CLASSIC on the raw score for every category.
    """
    asked = promises or {}
    return tuple(
        category(name, raw[:, :, i], labels[:, i], asked.get(name), classic)
        for i, name in enumerate(names)
    )


def category(
    name: str,
    raw: Scores,
    labels: Labels,
    promise: float | None = None,
    classic: bool = False,
) -> Category:
    """One category: `raw` [photos, versions]. Its threshold is None if no score tells its photos
    from the others.

    With Platt's calibration the threshold is chosen among raw scores and then calibrated:
    half-way between two raw scores held better on photos of other collections than half-way
    between two calibrated ones.
    """
    flat, repeated = raw.ravel(), np.repeat(labels, raw.shape[1])
    if classic:
        calibration = platt(flat, repeated)  # has no steps, in which a raw score would be lost
        return Category(name, calibration.apply(CLASSIC), calibration)
    calibration = calibrated(flat, repeated, int(labels.sum()))
    stepped = calibration.kind == "isotonic"  # its steps hold many raw scores each
    seen = np.array([calibration.apply(score) for score in flat]) if stepped else flat
    chosen = threshold(seen, repeated, promise, raw.shape[1])
    if chosen is None or stepped:
        return Category(name, chosen, calibration)
    return Category(name, calibration.apply(chosen), calibration)


def calibrated(raw: Scores, labels: Labels, positives: int) -> Calibration:
    """Platt's with few photos, isotonic from PLENTY `positives` on."""
    if positives < PLENTY or labels.all() or not np.isfinite(raw).all():
        return platt(raw, labels)
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(raw, labels)
    # Narrower than single precision is one and the same score to the daemon.
    xs, kept = np.unique(fitted.X_thresholds_.astype(np.float32), return_index=True)
    ys = np.maximum.accumulate(fitted.y_thresholds_[kept])
    return Calibration("isotonic", xs=tuple(xs.tolist()), ys=tuple(ys.tolist()))


def promised(name: str, raw: Scores, labels: Labels, precision: float, chosen: Category) -> Promise:
    """Whether `precision` is kept by `chosen`, and what would keep it. `raw` [photos, versions]."""
    versions = raw.shape[1]
    _, right, said = _levels(raw.ravel(), np.repeat(labels, versions))
    right, said = right / versions, said / versions
    bounds = lower_bound(right, said)
    best = float(bounds.max(initial=0.0))
    if chosen.threshold is not None:
        return Promise(name, precision, True, best, 0)
    place = int(np.argmax(np.where(right >= 1, right / said, 0.0)))
    return Promise(
        name, precision, False, best, _more(right[place], said[place], precision, labels.sum())
    )


def _more(right: float, said: float, precision: float, positives: int) -> int | None:
    """Photos of the category that keep it, if further ones are like those there are."""
    if not said or right / said <= precision:
        return None
    for times in np.geomspace(1.0, _MOST / max(1, positives), 200):
        if lower_bound(np.array([right * times]), np.array([said * times]))[0] >= precision:
            return max(1, int(np.ceil(positives * (times - 1))))
    return None


def lower_bound(right: Scores, said: Scores) -> Scores:
    """Of right / said, one-sided, SURE certain; 0 where nothing was said.

    Clopper and Pearson, "The Use of Confidence or Fiducial Limits" (1934).
    """
    from scipy.stats import beta

    bound = beta.ppf(1 - SURE, np.maximum(right, 1e-9), np.maximum(said - right, 0.0) + 1)
    return np.where(said > 0, bound, 0.0)


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


def threshold(
    scores: Scores,
    labels: Labels,
    promise: float | None = None,
    versions: int = 1,
) -> float | None:
    """In the middle of the thresholds whose F1 is near the best.

    With a `promise` they must keep that precision with the certainty SURE; so many `versions` of
    one photo then count as one. None if there is none, or if none does better than letting all in.
    Each candidate stands half-way between the lowest score that it lets in and the highest that it
    does not.
    """
    if not labels.any() or not np.isfinite(scores).all():
        return None
    levels, right, said = _levels(scores, labels)
    f1 = 2 * right / (said + labels.sum())
    all_in = f1[-1] if promise is None else 0.0
    if promise is not None:
        f1[lower_bound(right / versions, said / versions) < promise] = 0.0
    # The last level lets all in, which is no threshold.
    best = f1[:-1].max(initial=0.0)
    if best <= all_in:
        return None
    near = np.flatnonzero(f1[:-1] >= max(best - NEAR, all_in, 1e-12))
    lowest, below = levels[near], levels[near + 1]
    middles = (lowest + below) / 2
    middles = np.where(middles > below, middles, lowest)  # two neighbours have no middle
    centre = (middles[0] + middles[-1]) / 2
    return float(middles[np.argmin(np.abs(middles - centre))])


def _levels(scores: Scores, labels: Labels) -> tuple[Scores, Scores, Scores]:
    """Every score as a threshold, the highest first: it, how many of those let in are right, and
    how many are let in."""
    levels = np.unique(scores)[::-1]
    order = np.sort(scores), np.sort(scores[labels])
    said = len(scores) - np.searchsorted(order[0], levels)
    right = len(order[1]) - np.searchsorted(order[1], levels)
    return levels, right.astype(np.float64), said.astype(np.float64)


def _logit(raw: Scores) -> Scores:
    clipped = np.clip(raw, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


def _sigmoid(value: Scores) -> Scores:
    # tanh does not overflow.
    return 0.5 * (1 + np.tanh(value / 2))
