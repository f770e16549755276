"""Which photos are learned from, which set the thresholds, and which judge the result.

Owns RUN/split.csv: a photo that has its part keeps it in every later run. From an empty file the
parts depend on hashes, labels and seed alone.
"""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from photosort_trainer.dataset import Photo
from photosort_trainer.errors import DatasetError
from photosort_trainer.files import write_whole
from photosortd.records import printable


class Part(StrEnum):
    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


SHARES: Mapping[Part, float] = {Part.TRAIN: 0.6, Part.VALIDATION: 0.2, Part.TEST: 0.2}
_FIELDS = ("sha256", "part", "path")
_NO_LABEL = frozenset({""})  # photos of no category are shared out like a category of their own


def assign(
    photos: Sequence[Photo],
    seed: int,
    kept: Mapping[str, Part] | None = None,
    shares: Mapping[Part, float] = SHARES,
) -> dict[str, Part]:
    """The part of every photo by its hash, each label shared out as `shares` says.

    Iterative stratification after Sechidis, Tsoumakas and Vlahavas, "On the Stratification of
    Multi-Label Data" (2011): the rarest label first, each photo to the part that is shortest of
    that label. `kept` are the parts of an earlier run, which do not change.
    """
    parts = {p.sha256: kept[p.sha256] for p in photos if kept and p.sha256 in kept}
    wanting = _Wanting(photos, shares)
    for photo in photos:
        if photo.sha256 in parts:
            wanting.give(photo, parts[photo.sha256])
    left = {p.sha256: p for p in photos if p.sha256 not in parts}
    while left:
        label = _rarest(left.values())
        fitting = [p for p in left.values() if label in _labels(p)]
        for photo in sorted(fitting, key=lambda p: _lot(seed, p)):
            part = wanting.shortest(label)
            wanting.give(photo, part)
            parts[photo.sha256] = part
            del left[photo.sha256]
    return parts


class _Wanting:
    """How many photos of each label each part still wants."""

    def __init__(self, photos: Sequence[Photo], shares: Mapping[Part, float]) -> None:
        totals = Counter(label for photo in photos for label in _labels(photo))
        self._photos = {part: share * len(photos) for part, share in shares.items()}
        self._labels = {
            (part, label): share * total
            for part, share in shares.items()
            for label, total in totals.items()
        }

    def shortest(self, label: str) -> Part:
        """Rounded: two ways to add up the same shares must not decide."""
        return max(
            self._photos,
            key=lambda part: (
                round(self._labels[part, label], 6),
                round(self._photos[part], 6),
                -list(Part).index(part),
            ),
        )

    def give(self, photo: Photo, part: Part) -> None:
        self._photos[part] -= 1
        for label in _labels(photo):
            self._labels[part, label] -= 1


def _labels(photo: Photo) -> frozenset[str]:
    return photo.labels or _NO_LABEL


def _rarest(photos: Iterable[Photo]) -> str:
    counts = Counter(label for photo in photos for label in _labels(photo))
    return min(counts, key=lambda label: (counts[label], label))


def _lot(seed: int, photo: Photo) -> str:
    """A random order that only the seed and the content decide."""
    return hashlib.sha256(f"{seed}:{photo.sha256}".encode()).hexdigest()


def load(path: str) -> dict[str, Part]:
    """What an earlier run kept; empty if there is none. Raises DatasetError for another file."""
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{printable(path)}: {error}; remove it to split anew") from error
    try:
        return {row["sha256"]: Part(row["part"]) for row in rows}
    except (KeyError, ValueError) as error:
        raise DatasetError(
            f"{printable(path)}: not a split of this trainer ({error}); remove it to split anew"
        ) from error


def save(path: str, parts: Mapping[str, Part], photos: Sequence[Photo]) -> None:
    """Keep the parts, those of photos that are gone just now too."""
    paths = {photo.sha256: printable(photo.path) for photo in photos}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_FIELDS)
    for sha256 in sorted(parts):
        writer.writerow((sha256, parts[sha256], paths.get(sha256, "")))
    write_whole(path, text.getvalue().encode("utf-8"))
