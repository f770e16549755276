"""What the facts come to when they are counted. Numbers in, numbers out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from photosort_trainer.results import Photos, Results, Shot

NONE = "none"


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of the test photos, all categories together."""

    photos: int
    exact: int  # filed exactly as labelled
    right: int  # labels that were given rightly
    said: int  # that were given
    there: int  # that there are

    @property
    def precision(self) -> float:
        return self.right / self.said if self.said else 0.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 0.0


def filed(shots: Sequence[Shot]) -> Filed:
    return Filed(
        photos=len(shots),
        exact=sum(set(shot.filed) == set(shot.labels) for shot in shots),
        right=sum(len(set(shot.filed) & set(shot.labels)) for shot in shots),
        said=sum(len(shot.filed) for shot in shots),
        there=sum(len(shot.labels) for shot in shots),
    )


def total(photos: Photos) -> int:
    return photos.training + photos.validation + photos.test


def photos_of(found: Results, name: str) -> int:
    return next((total(each) for each in found.photos if each.category == name), 0)


@dataclass(frozen=True, slots=True)
class At:
    """One category, were its threshold here."""

    threshold: float
    precision: float
    recall: float
    f1: float


def at(curve: Mapping[str, Any], threshold: float) -> At:
    """`curve` as in Results.held_out."""
    pairs = list(zip(curve["scores"], curve["labels"], strict=True))
    right = sum(1 for score, label in pairs if label and score >= threshold)
    said = sum(1 for score, _ in pairs if score >= threshold)
    return _at(threshold, right, said, sum(map(bool, curve["labels"])))


def levels(curve: Mapping[str, Any]) -> Iterator[At]:
    """Every threshold that lets another photo in, the highest first."""
    pairs = sorted(zip(curve["scores"], curve["labels"], strict=True), reverse=True)
    there, right = sum(map(bool, curve["labels"])), 0
    for place, (score, label) in enumerate(pairs, 1):
        right += bool(label)
        if place == len(pairs) or pairs[place][0] != score:
            yield _at(score, right, place, there)


def _at(threshold: float, right: int, said: int, there: int) -> At:
    return At(
        threshold,
        right / said if said else 1.0,
        right / there if there else 0.0,
        2 * right / (said + there) if said + there else 0.0,
    )


@dataclass(frozen=True, slots=True)
class Bin:
    """Scores of about the same height, and how often they were right."""

    score: float  # their mean
    share: float
    count: int


def reliability(shots: Sequence[Shot], bins: int = 10) -> list[Bin]:
    """Of all categories together, on test photos: those no calibration was fitted to."""
    held: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for shot in shots:
        for name, score in shot.scores.items():
            if math.isfinite(score):
                held[min(bins - 1, max(0, int(score * bins)))].append((score, name in shot.labels))
    return [
        Bin(sum(s for s, _ in each) / len(each), sum(r for _, r in each) / len(each), len(each))
        for each in held
        if each
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """How far a score is from the share that is right, on average."""
    count = sum(each.count for each in bins)
    return sum(each.count * abs(each.score - each.share) for each in bins) / count if count else 0.0


def interval(share: float, count: int) -> tuple[float, float]:
    """Where a share of so many lies, 95 times out of 100: Wilson (1927)."""
    z = 1.96
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    spread = share * (1 - share) / count + z * z / (4 * count * count)
    half = z / (1 + z * z / count) * math.sqrt(spread)
    return max(0.0, middle - half), min(1.0, middle + half)


Matrix = Mapping[tuple[str, str], int]


def together(found: Results) -> Matrix:
    """How many test photos have both labels; of one label with itself: how many have it."""
    return {
        (a, b): sum(a in shot.labels and b in shot.labels for shot in found.shots)
        for a in found.categories
        for b in found.categories
    }


def confusion(found: Results) -> Matrix:
    """(label, filed into): on the diagonal what is right, elsewhere only what is wrong.

    A photo of no label counts under NONE; a label that was missed, and nothing wrong said instead,
    is in (label, NONE).
    """
    counts: dict[tuple[str, str], int] = {}
    for shot in found.shots:
        for label in shot.labels or (NONE,):
            into = [name for name in shot.filed if name == label or name not in shot.labels]
            for name in into or (NONE,):
                counts[label, name] = counts.get((label, name), 0) + 1
    return counts
