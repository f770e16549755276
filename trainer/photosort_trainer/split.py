"""Which photos are learned from, which set the thresholds, and which judge the result.

Owns RUN/split.csv: a photo that has its part keeps it in every later run. From an empty file the
parts depend on hashes, labels and seed alone.
"""

import csv
import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from photosort_trainer.dataset import LeftOut, Photo
from photosort_trainer.errors import DatasetError
from photosort_trainer.files import write_whole
from photosort_trainer.originals import Part
from photosortd.records import printable

__all__ = ["SHARES", "Part", "Split", "assign", "load", "save"]

SHARES: Mapping[Part, float] = {Part.TRAIN: 0.6, Part.VALIDATION: 0.2, Part.TEST: 0.2}
_FIELDS = ("sha256", "part", "path")
_NO_LABEL = frozenset({""})  # photos of no category are shared out like a category of their own


@dataclass(frozen=True, slots=True)
class Split:
    """Who got which part."""

    parts: dict[str, Part]  # by hash
    left_out: tuple[LeftOut, ...] = ()  # photos that got none
    torn: tuple[str, ...] = ()  # paths of those whose like was given to another part


@dataclass(frozen=True, slots=True)
class _Group:
    """Photos that are nearly the same: one scene, one part."""

    photos: tuple[Photo, ...]

    @property
    def labels(self) -> frozenset[str]:
        return frozenset().union(*(_labels(photo) for photo in self.photos))


def assign(
    photos: Sequence[Photo],
    seed: int,
    kept: Mapping[str, Part] | None = None,
    shares: Mapping[Part, float] = SHARES,
    alike: Mapping[str, int] | None = None,
) -> Split:
    """The part of every photo by its hash, each label shared out as `shares` says.

    Iterative stratification after Sechidis, Tsoumakas and Vlahavas, "On the Stratification of
    Multi-Label Data" (2011), of groups instead of photos: the rarest label first, each group to
    the part that is shortest of that label. `kept` are the parts of an earlier run, which do not
    change, and go before what the user gave. `alike` numbers the groups of nearly the same
    photos: a new photo follows its group; one that would link two parts is left out.
    """
    parts = {p.sha256: part for p in photos if (part := _known(p, kept or {}))}
    wanting = _Wanting(photos, shares, parts)
    left_out: list[LeftOut] = []
    torn: list[str] = []
    left: list[_Group] = []
    for group in _groups(photos, alike or {}):
        new = tuple(photo for photo in group.photos if photo.sha256 not in parts)
        sides = {parts[p.sha256] for p in group.photos if p.sha256 in parts}
        if len(sides) > 1:
            torn += [photo.path for photo in group.photos if photo.sha256 in parts]
            left_out += [LeftOut(p.path, _links(p, group, parts)) for p in new]
        elif sides:
            _give(new, sides.pop(), wanting, parts)
        else:
            left.append(_Group(new))
    _deal(left, seed, wanting, parts)
    return Split(parts, tuple(left_out), tuple(torn))


def _deal(left: list[_Group], seed: int, wanting: "_Wanting", parts: dict[str, Part]) -> None:
    """The rarest label first, each group to the part that is shortest of it."""
    while left:
        label = _rarest(left)
        fitting = [group for group in left if label in group.labels]
        for group in sorted(fitting, key=lambda g: (-len(g.photos), _lot(seed, g))):
            _give(group.photos, wanting.shortest(label), wanting, parts)
        left = [group for group in left if label not in group.labels]


def _known(photo: Photo, kept: Mapping[str, Part]) -> Part | None:
    return kept.get(photo.sha256, photo.part)


def _groups(photos: Sequence[Photo], alike: Mapping[str, int]) -> list[_Group]:
    together: dict[object, list[Photo]] = defaultdict(list)
    for photo in photos:
        together[alike.get(photo.sha256, photo.sha256)].append(photo)
    return [_Group(tuple(each)) for each in together.values()]


def _links(photo: Photo, group: _Group, parts: Mapping[str, Part]) -> str:
    """Why a photo is left out, in the user's words."""
    old = {parts[p.sha256]: p for p in group.photos if p.sha256 in parts}
    named = " and ".join(f"{printable(p.path)} ({part})" for part, p in sorted(old.items()))
    return f"hangs together with photos on different sides: {named}"


def _give(photos: Sequence[Photo], part: Part, wanting: "_Wanting", parts: dict[str, Part]) -> None:
    wanting.give(photos, part)
    parts.update(dict.fromkeys((photo.sha256 for photo in photos), part))


class _Wanting:
    """How many photos of each label each part still wants."""

    def __init__(
        self, photos: Sequence[Photo], shares: Mapping[Part, float], given: Mapping[str, Part]
    ) -> None:
        """`given` are the parts that some photos have already."""
        self._open = [part for part in Part if shares.get(part)]
        has = Counter(given[photo.sha256] for photo in photos if photo.sha256 in given)
        wanted = _wanted(len(photos), has, shares)
        self._photos = {part: wanted[part] - has[part] for part in Part}
        self._labels: dict[tuple[Part, str], float] = {}
        totals = Counter(label for photo in photos for label in _labels(photo))
        for label, total in totals.items():
            of_label = [p for p in photos if label in _labels(p) and p.sha256 in given]
            has = Counter(given[photo.sha256] for photo in of_label)
            wanted = _wanted(total, has, shares)
            self._labels |= {(part, label): wanted[part] - has[part] for part in Part}

    def shortest(self, label: str) -> Part:
        """Rounded: two ways to add up the same shares must not decide."""
        return max(
            self._open,
            key=lambda part: (
                round(self._labels[part, label], 6),
                round(self._photos[part], 6),
                -list(Part).index(part),
            ),
        )

    def give(self, photos: Iterable[Photo], part: Part) -> None:
        for photo in photos:
            self._photos[part] -= 1
            for label in _labels(photo):
                self._labels[part, label] -= 1


def _wanted(total: int, has: Mapping[Part, int], shares: Mapping[Part, float]) -> dict[Part, float]:
    """Of so many photos. Who has more than its share wants no more, and the others share what is
    left as they would share all: nobody goes short of a category by a user's many test photos."""
    full = {part for part in Part if has[part] > shares.get(part, 0.0) * total}
    left = total - sum(has[part] for part in full)
    whole = sum(shares.get(part, 0.0) for part in Part if part not in full)
    return {
        part: has[part] if part in full else shares.get(part, 0.0) / whole * left if whole else 0.0
        for part in Part
    }


def _labels(photo: Photo) -> frozenset[str]:
    return photo.labels or _NO_LABEL


def _rarest(groups: Iterable[_Group]) -> str:
    counts = Counter(
        label for group in groups for photo in group.photos for label in _labels(photo)
    )
    return min(counts, key=lambda label: (counts[label], label))


def _lot(seed: int, group: _Group) -> str:
    """A random order that only the seed and the contents decide."""
    first = min(photo.sha256 for photo in group.photos)
    return hashlib.sha256(f"{seed}:{first}".encode()).hexdigest()


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
