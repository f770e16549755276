"""Which photos a run learns from, which it compares by, and which judge: `split` applied to what
there is, and what cannot be worked with refused.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from photosort_trainer import likeness, split
from photosort_trainer.bench import Tell
from photosort_trainer.candidates import Course
from photosort_trainer.dataset import Dataset, LeftOut, Photo
from photosort_trainer.errors import DatasetError
from photosort_trainer.recipe import Plan
from photosort_trainer.split import Part
from photosortd.records import printable


@dataclass(frozen=True, slots=True)
class Parts:
    """The photos, shared out."""

    data: Dataset
    alike: Mapping[str, int]
    course: Course
    test: list[Photo]

    @property
    def both(self) -> list[Photo]:
        """All that may be learned from."""
        return [*self.course.training, *self.course.validation]


def share_out(data: Dataset, plan: Plan, path: str, tell: Tell) -> Parts:
    """Each photo to its part, which it keeps in every later run with this directory."""
    kept = split.load(path)
    shares = dict(zip(Part, plan.split, strict=True))
    alike = likeness.groups(data.looks)
    made = split.assign(data.photos, plan.seed, kept, shares, alike)
    _check_parts(data, made.parts, path)
    if made.torn:
        tell.say(
            f"{len(made.torn)} photos stand on different sides though they are nearly the same, as "
            f"labels.csv or {printable(path)} says ({printable(made.torn[0])} is one): the result "
            "will look better than it is"
        )
    split.save(path, {**kept, **made.parts}, data.photos)
    data = dataclasses.replace(data, left_out=(*data.left_out, *made.left_out))
    return _parts(data, alike, made.parts)


def as_before(data: Dataset, path: str) -> Parts:
    """Each photo to the part that an earlier run gave it; those that came since are left out.

    Raises DatasetError.
    """
    kept = split.load(path)
    new = tuple(
        LeftOut(photo.path, f"has no part in {printable(path)}: train again to learn from it")
        for photo in data.photos
        if photo.sha256 not in kept
    )
    old = tuple(photo for photo in data.photos if photo.sha256 in kept)
    data = dataclasses.replace(data, photos=old, left_out=(*data.left_out, *new))
    _check_parts(data, {photo.sha256: kept[photo.sha256] for photo in old}, path)
    return _parts(data, likeness.groups(data.looks), kept)


def _parts(data: Dataset, alike: Mapping[str, int], parts: Mapping[str, Part]) -> Parts:
    chosen = {part: [p for p in data.photos if parts.get(p.sha256) is part] for part in Part}
    course = Course(data.categories, chosen[Part.TRAIN], chosen[Part.VALIDATION])
    return Parts(data, alike, course, chosen[Part.TEST])


def _check_parts(data: Dataset, parts: Mapping[str, Part], path: str) -> None:
    """An earlier split, unusual shares, or photos with many labels at once can leave a part without
    a category. The test photos may lack one: it is not judged then."""
    got = {(name, parts.get(p.sha256)) for p in data.photos for name in p.labels}
    problems = [
        f"category '{name}' has no photo in the part '{part}' of {printable(path)}: add photos, "
        "choose other shares, or remove that file to split anew"
        for name in data.categories
        for part in (Part.TRAIN, Part.VALIDATION)
        if (name, part) not in got
    ]
    if Part.TEST not in parts.values():
        problems.append("no photo is left to judge the result by: give the test photos more")
    if problems:
        raise DatasetError(*problems)
