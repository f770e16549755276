"""How good are verdicts? Precision, recall and F1 of categories. NumPy only; draws nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
"""[photos, categories]."""


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


def as_json(found: Mapping[str, Quality]) -> dict[str, object]:
    """For the bundle: rounded to what the number of photos can carry."""
    return {
        "macro_f1": round(macro_f1(found), 4),
        "categories": {
            name: {key: round(value, 4) for key, value in asdict(q).items()}
            for name, q in found.items()
        },
    }
