"""A small network learns to see as a large one does, from photos without labels.

It knows no categories afterwards, and saw none: what is measured of a training that it serves says
how that does on photos whose like it never saw with a label. So came the network that ships with us
(docs/starter.md).
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from photosort_trainer import backbones, frozen, originals, packaged
from photosort_trainer.alone import alone
from photosort_trainer.bench import Bench, Tell
from photosort_trainer.distill import begun, lessons, looking, views
from photosort_trainer.distill.learning import Student
from photosort_trainer.distill.lessons import Lessons
from photosort_trainer.distill.looking import Way
from photosort_trainer.distill.pool import Kept, Pool
from photosort_trainer.distill.settings import Settings
from photosort_trainer.errors import DatasetError
from photosort_trainer.keys import key
from photosort_trainer.recipe import Recipe
from photosortd.records import printable
from photosortd.vision import DECODE_VERSION

TEACHER = Recipe()
"""Whose backbone is learned from, and at which size it looks."""


def learn(
    folders: Sequence[str], weights_dir: str | None, settings: Settings, out: Path, tell: Tell
) -> packaged.Weights:
    """Its weights. What is half done stays in `out`, and the same call goes on with it.

    Raises WeightsError, DatasetError without a photo, TrainerError if something else was begun in
    `out`, OSError.
    """
    backbone = backbones.TABLE[TEACHER.backbone]
    weights = backbones.find_weights(backbone, weights_dir, os.environ)
    teacher = backbones.build(backbone, TEACHER.size, weights)
    asked = {**settings.as_json(), "teacher": _key(teacher)}
    begun.check(out, asked)
    with alone(out):
        begun.note(out, asked)
        taught = _lessons(teacher, folders, settings, out / "cache", tell)
        bench = Bench((), (), out / "cache", weights_dir, tell)
        learned = Student(settings, bench, taught).learn((), None, settings.student)
        found: packaged.Weights = learned.whole().get_weights()
        return found


def _lessons(
    teacher: backbones.Model, folders: Sequence[str], settings: Settings, cache: Path, tell: Tell
) -> Lessons:
    paths = [path for folder in folders for path in originals.files(Path(folder))]
    way = Way(TEACHER.size, settings.side, settings.looks, settings.look)
    width = int(teacher.output.shape[-1])
    said = [asdict(way), views.VERSION, _key(teacher)]
    pool = Pool(cache / f"pool-{key(said)}", way, width)
    bar = partial(tell.each, "what the teacher sees")
    kept = pool.fill(paths, partial(frozen.lanes, teacher, TEACHER.size), bar)
    places, _ = looking.usable([each.seen for each in kept], (), ())
    chosen = [kept[place] for place in places]
    if not chosen:
        where = ", ".join(map(printable, folders))
        raise DatasetError(f"{where}: no photo is there that can be read")
    return _of(pool, chosen, width, settings)


def _of(pool: Pool, chosen: Sequence[Kept], width: int, settings: Settings) -> Lessons:
    scale = lessons.scale(pool.said(each) for each in chosen)
    photos = [each.seen.sha256 for each in chosen]
    return Lessons(
        looks=settings.looks,
        categories=0,
        features=width,
        picture=lambda place, look: pool.pixels(chosen[place], look),
        target=lambda place, look: scale(pool.said(chosen[place])[look]),
        photos=len(chosen),
        chances=np.empty(0),
        key=key([settings.as_json(), views.VERSION, photos]),
    )


def _key(network: backbones.Model) -> str:
    """Of everything that decides what it says of a file."""
    weights = hashlib.sha256()
    for each in network.get_weights():
        weights.update(np.ascontiguousarray(each).tobytes())
    return key([weights.hexdigest(), TEACHER.size, DECODE_VERSION, frozen.engine()])
