"""Photos whose label is probably wrong, by what networks that had not learned from them say."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.dataset import Photo
from photosortd.records import printable


def find(
    photos: Sequence[Photo],
    names: Sequence[str],
    truth: NDArray[np.bool_],
    scores: NDArray[np.float64],
) -> list[dict[str, Any]]:
    """The most suspicious first; `truth` and calibrated `scores` are [photos, categories].

    Confident learning: Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in
    Dataset Labels" (2021), each category by itself, as cleanlab does it.
    """
    from cleanlab.filter import find_label_issues

    found = []
    for place, name in enumerate(names):
        said, score = truth[:, place], np.clip(scores[:, place], 0.0, 1.0)
        if said.all() or not said.any():
            continue
        wrong = find_label_issues(
            said.astype(int),
            np.column_stack([1 - score, score]),
            filter_by="confident_learning",
            n_jobs=1,
        )
        found += [
            {
                "path": printable(photos[row].path),
                "category": name,
                "labelled": bool(said[row]),
                "score": round(float(score[row]), 4),
            }
            for row in np.flatnonzero(wrong).tolist()
        ]
    return sorted(found, key=lambda each: each["score"] if each["labelled"] else 1 - each["score"])
