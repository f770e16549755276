"""Scores of photos by networks that have not learned from them, for every photo but the test ones.

K-fold: the photos are dealt into as many folds, what hangs together into one; each fold is scored
by a network that has learned from the others. Everything that is trained is trained anew in each.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.bench import Learner
from photosort_trainer.dataset import Photo

Scores = NDArray[np.float64]


def deal(
    photos: Sequence[Photo], count: int, alike: Mapping[str, int], seed: int
) -> list[list[Photo]]:
    """Into so many folds of about the same labels; groups of `alike` photos stay together.

    The largest groups of the rarest labels first, each to the fold that is shortest of them.
    """
    together: dict[object, list[Photo]] = defaultdict(list)
    for photo in photos:
        together[alike.get(photo.sha256, photo.sha256)].append(photo)
    totals = Counter(label for photo in photos for label in photo.labels)
    folds: list[list[Photo]] = [[] for _ in range(count)]
    held: list[Counter[str]] = [Counter() for _ in range(count)]

    def order(group: list[Photo]) -> tuple[int, int, str]:
        labels = {label for photo in group for label in photo.labels}
        rarest = min((totals[label] for label in labels), default=len(photos))
        first = min(photo.sha256 for photo in group)
        lot = hashlib.sha256(f"{seed}:{first}".encode()).hexdigest()
        return rarest, -len(group), lot

    for group in sorted(together.values(), key=order):
        labels = Counter(label for photo in group for label in photo.labels)
        place = min(
            range(count),
            key=lambda n: (sum(held[n][each] / totals[each] for each in labels), len(folds[n]), n),
        )
        folds[place] += group
        held[place] += labels
    return folds


def held_out(
    learner: Learner,
    photos: Sequence[Photo],
    folds: Sequence[Sequence[Photo]],
    versions: int,
    wanted: Callable[[int], str],
) -> Scores:
    """Raw scores [photos, 1 + versions, categories] of `photos`, in their order.

    `wanted` says what a fold's training is called. Raises PhotoError.
    """
    found: dict[str, Scores] = {}
    for number, fold in enumerate(folds):
        if not fold:
            continue
        kept = {photo.sha256 for photo in fold}
        others = [photo for photo in photos if photo.sha256 not in kept]
        learned = learner.learn(others, None, wanted(number))
        scores = learned.scores(fold, versions)
        found |= {photo.sha256: row for photo, row in zip(fold, scores, strict=True)}
    return np.stack([found[photo.sha256] for photo in photos])
