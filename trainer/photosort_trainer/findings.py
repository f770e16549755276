"""What is to be said of a collection before any training: what is there, what is wrong. Pure."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from photosort_trainer.dataset import Dataset, LeftOut, Photo, shortages

PLENTY = 100
"""Photos of a category from which more of them help little."""

UNEVEN = 3.0
"""Times that the largest category may have the photos of another one."""


@dataclass(frozen=True, slots=True)
class Count:
    """One category."""

    category: str
    photos: int
    shared: int  # of them, that have other labels too
    alike: int  # of them, nearly the same as another one of them
    missing: int  # until PLENTY
    times: float  # how many times as many photos the largest category has; 0 for none


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that `photosort-train check` says."""

    photos: int
    negatives: int  # photos of no category
    counts: tuple[Count, ...]
    unusable: tuple[LeftOut, ...]
    copies: tuple[tuple[str, ...], ...]  # files with the same bytes under the same labels
    across: tuple[tuple[str, ...], ...]  # files with the same bytes: a photo of several labels
    alike: tuple[tuple[str, ...], ...]  # different files, nearly the same photo
    problems: tuple[str, ...]  # why no training would begin

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def find(data: Dataset, alike: Mapping[str, int], few: bool = False) -> Findings:
    """`alike` numbers the groups of nearly the same photos, by hash."""
    groups = defaultdict(list)
    for photo in data.photos:
        groups[alike.get(photo.sha256, -1)].append(photo)
    scenes = [group for number, group in groups.items() if number >= 0 and len(group) > 1]
    largest = max((data.count(name) for name in data.categories), default=0)
    copied = [photo for photo in data.photos if photo.copies]
    return Findings(
        photos=len(data.photos),
        negatives=data.negatives,
        counts=tuple(_count(data, name, scenes, largest) for name in data.categories),
        unusable=data.left_out,
        copies=tuple(_files(p) for p in copied if len(p.labels) < 2),
        across=tuple(_files(p) for p in copied if len(p.labels) > 1),
        alike=tuple(tuple(sorted(p.path for p in group)) for group in scenes),
        problems=tuple(shortages(data, few)),
    )


def _count(data: Dataset, name: str, scenes: list[list[Photo]], largest: int) -> Count:
    photos = [photo for photo in data.photos if name in photo.labels]
    within = [[photo for photo in scene if name in photo.labels] for scene in scenes]
    return Count(
        category=name,
        photos=len(photos),
        shared=sum(len(photo.labels) > 1 for photo in photos),
        alike=sum(len(scene) for scene in within if len(scene) > 1),
        missing=max(0, PLENTY - len(photos)),
        times=round(largest / len(photos), 1) if photos else 0.0,
    )


def _files(photo: Photo) -> tuple[str, ...]:
    return (photo.path, *photo.copies)
