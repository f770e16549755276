"""Everything that a student learns from: the run's training photos, and photos without labels."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from photosort_trainer import originals
from photosort_trainer.bench import Tell
from photosort_trainer.dataset import LeftOut, Photo, labels
from photosort_trainer.distill import lessons, looking, views
from photosort_trainer.distill import teacher as teachers
from photosort_trainer.distill.lessons import Lessons
from photosort_trainer.distill.pool import Kept, Pool
from photosort_trainer.distill.settings import Settings
from photosort_trainer.distill.teacher import Teacher
from photosort_trainer.facts import Scores
from photosort_trainer.sharing import Parts
from photosortd.errors import PhotoError
from photosortd.records import printable


@dataclass(frozen=True, slots=True)
class Taught:
    """What a student learns from."""

    lessons: Lessons
    photos: str  # a digest of their contents
    left_out: tuple[LeftOut, ...]  # of those without labels

    @property
    def labelled(self) -> int:
        return len(self.lessons.chances)


def gather(
    teacher: Teacher,
    parts: Parts,
    folders: Sequence[str],
    settings: Settings,
    cache: Path,
    tell: Tell,
) -> Taught:
    """Look at each file once, and ask the teacher. Raises PhotoError for a labelled photo that has
    changed, OSError."""
    training = list(parts.course.training)
    found = [path for folder in folders for path in originals.files(Path(folder))]
    pool = Pool(cache / f"pool-{settings.side}-{teacher.key}", teacher.size, settings.side)
    kept = pool.fill(
        [photo.path for photo in training] + found,
        partial(teachers.lanes, teacher),
        partial(tell.each, "what the teacher says"),
    )
    own, others = kept[: len(training)], kept[len(training) :]
    _check_same(training, own)
    held = [*parts.course.validation, *parts.test]
    known = {photo.sha256 for photo in training}
    places, left_out = looking.usable([each.seen for each in others], held, known)
    chosen = [*own, *(others[place] for place in places)]
    taught = _lessons(teacher, pool, chosen, training, settings)
    return Taught(taught, _digest([each.seen.sha256 for each in chosen]), tuple(left_out))


def _check_same(photos: Sequence[Photo], kept: Sequence[Kept]) -> None:
    for photo, each in zip(photos, kept, strict=True):
        if each.seen.sha256 != photo.sha256:
            why = each.seen.reason or "was changed meanwhile; start again"
            raise PhotoError(f"{printable(photo.path)}: {why}")


def _lessons(
    teacher: Teacher, pool: Pool, chosen: Sequence[Kept], labelled: Sequence[Photo], how: Settings
) -> Lessons:
    raw: Scores = np.array([each.seen.scores for each in chosen], np.float64)
    truth = labels(labelled, teacher.bundle.names)
    wanted = lessons.targets(teacher.calibrated(raw), truth, how.truth)
    key = _digest(
        [
            how.as_json(),
            views.VERSION,
            [each.seen.sha256 for each in chosen],
            hashlib.sha256(wanted.tobytes()).hexdigest(),
        ]
    )
    return Lessons(lambda place: pool.pixels(chosen[place]), wanted, lessons.chances(truth), key)


def _digest(said: Any) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
