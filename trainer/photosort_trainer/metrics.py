"""How good are verdicts? Precision, recall and F1 of categories. NumPy only; draws nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
"""[photos, categories]."""


_ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Quality:
    """Of one category on some photos. All 0…1; 0 where there was nothing to count."""

    photos: int  # that are in the category
    precision: float
    recall: float
    f1: float


def quality(truth: NDArray[np.bool_], verdict: NDArray[np.bool_]) -> Quality:
    """Of one category: both [photos]."""
    right = int(np.sum(truth & verdict))
    said, there = int(np.sum(verdict)), int(np.sum(truth))
    return Quality(
        photos=there,
        precision=right / said if said else 0.0,
        recall=right / there if there else 0.0,
        f1=2 * right / (said + there) if said + there else 0.0,
    )


def qualities(names: Sequence[str], truth: Bools, verdicts: Bools) -> dict[str, Quality]:
    return {name: quality(truth[:, i], verdicts[:, i]) for i, name in enumerate(names)}


def macro_f1(found: Mapping[str, Quality]) -> float:
    """The mean F1 of the categories that have photos; 0 without any."""
    scores = [q.f1 for q in found.values() if q.photos]
    return float(np.mean(scores)) if scores else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A macro-F1, and where it would lie with other photos of the same kind."""

    macro_f1: float
    low: float  # 95 of 100 times between these two
    high: float


def estimate(truth: Bools, verdicts: Bools, seed: int = 0) -> Estimate:
    """By the bootstrap's percentiles: Efron, "Bootstrap Methods" (1979); photos drawn again."""
    names = [str(number) for number in range(truth.shape[1])]
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), _ROUNDS)
    right, said, there = (drawn @ each for each in (truth & verdicts, verdicts, truth))
    with np.errstate(invalid="ignore"):
        f1 = np.where(there > 0, 2 * right / (said + there), np.nan)
        means = np.nanmean(f1, axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(macro_f1(qualities(names, truth, verdicts)), float(low), float(high))
