"""Everything that a student learns from: the run's training photos, and photos without labels."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from photosort_trainer import originals
from photosort_trainer.bench import Tell
from photosort_trainer.dataset import LeftOut, Photo, labels
from photosort_trainer.distill import lessons, looking, views
from photosort_trainer.distill import teacher as teachers
from photosort_trainer.distill.lessons import Floats, Lessons
from photosort_trainer.distill.looking import Way
from photosort_trainer.distill.pool import Kept, Pool
from photosort_trainer.distill.settings import Settings
from photosort_trainer.distill.teacher import Teacher, Voice
from photosort_trainer.facts import Scores
from photosort_trainer.keys import key
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
    voice = teachers.voice(teacher)
    way = Way(teacher.size, settings.side, settings.looks, settings.look)
    pool = Pool(cache / f"pool-{key([asdict(way), views.VERSION, teacher.key])}", way, voice.width)
    kept = pool.fill(
        [photo.path for photo in training] + found,
        voice.lanes,
        partial(tell.each, "what the teacher says"),
    )
    own, others = kept[: len(training)], kept[len(training) :]
    _check_same(training, own)
    held = [*parts.course.validation, *parts.test]
    known = {photo.sha256 for photo in training}
    places, left_out = looking.usable([each.seen for each in others], held, known)
    chosen = [*own, *(others[place] for place in places)]
    taught = _lessons(teacher, voice, pool, chosen, training, settings)
    return Taught(taught, key([each.seen.sha256 for each in chosen]), tuple(left_out))


def _check_same(photos: Sequence[Photo], kept: Sequence[Kept]) -> None:
    for photo, each in zip(photos, kept, strict=True):
        if each.seen.sha256 != photo.sha256:
            why = each.seen.reason or "was changed meanwhile; start again"
            raise PhotoError(f"{printable(photo.path)}: {why}")


def _lessons(
    teacher: Teacher,
    voice: Voice,
    pool: Pool,
    chosen: Sequence[Kept],
    labelled: Sequence[Photo],
    how: Settings,
) -> Lessons:
    truth, count = labels(labelled, teacher.bundle.names), len(teacher.bundle.names)
    raw: Scores = np.stack([pool.said(each)[:, -count:] for each in chosen]).astype(np.float64)
    likely = teacher.calibrated(raw.reshape(-1, count)).reshape(raw.shape)
    wanted = lessons.targets(likely, truth, how.truth)
    scale = lessons.scale(pool.said(each)[:, :-count] for each in chosen)
    known_by = key(
        [
            how.as_json(),
            views.VERSION,
            [each.seen.sha256 for each in chosen],
            hashlib.sha256(wanted.tobytes()).hexdigest(),
        ]
    )

    def target(place: int, look: int) -> Floats:
        features = scale(pool.said(chosen[place])[look, :-count])
        return np.concatenate([wanted[place, look], features])

    return Lessons(
        looks=how.looks,
        categories=count,
        features=voice.width - count,
        picture=lambda place, look: pool.pixels(chosen[place], look),
        target=target,
        photos=len(chosen),
        chances=lessons.chances(truth),
        key=known_by,
    )
