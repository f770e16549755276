"""One file, looked at once: its content, its small pixels, its likeness, the teacher's scores."""

import dataclasses
import hashlib
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue

import numpy as np
from PIL import Image

from photosort_trainer import dataset, likeness
from photosort_trainer.dataset import LeftOut, Photo
from photosort_trainer.frozen import Lane
from photosort_trainer.likeness import Look
from photosortd.errors import PhotoError
from photosortd.vision.decode import Picture, Pixels, decode

_PROBE = 64  # pixels, as dataset compares at


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a file."""

    path: str
    size: int  # bytes; -1 if it is gone
    moment: int  # of its last change, nanoseconds
    sha256: str = ""
    waves: int = 0  # as in likeness.Look
    slopes: int = 0
    taken: str | None = None  # ISO 8601
    scores: tuple[float, ...] = ()  # of the teacher, raw
    reason: str = ""  # why it cannot be used

    @property
    def look(self) -> Look:
        taken = None if self.taken is None else datetime.fromisoformat(self.taken)
        return Look(self.waves, self.slopes, taken)


@dataclass(frozen=True, slots=True)
class Glance:
    """A file, and its pixels [side, side, 3] if it has any."""

    seen: Seen
    pixels: Pixels | None = None


def glance(free: "SimpleQueue[Lane]", size: int, side: int, path: str) -> Glance:
    """Look at a file with a lane that is free; the teacher wants to see `size` pixels."""
    try:
        said = os.stat(path)
        seen = Seen(path, said.st_size, said.st_mtime_ns)
    except OSError as error:
        return Glance(Seen(path, -1, 0, reason=f"cannot be read: {error.strerror}"))
    try:
        data = dataset.file_bytes(path)
        picture = decode(data, size, size)
        # A teacher that sees less than is kept is rare.
        larger = picture if size >= side else decode(data, side, side)
    except PhotoError as error:
        return Glance(dataclasses.replace(seen, reason=str(error)))
    look = likeness.look(dataclasses.replace(picture, pixels=_at(larger, _PROBE)))
    known = dataclasses.replace(
        seen,
        sha256=hashlib.sha256(data).hexdigest(),
        waves=look.waves,
        slopes=look.slopes,
        taken=look.taken.isoformat() if look.taken else None,
        scores=_scores(free, picture.pixels),
    )
    return Glance(known, _at(larger, side))


def _at(picture: Picture, side: int) -> Pixels:
    image = Image.fromarray(picture.pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def _scores(free: "SimpleQueue[Lane]", pixels: Pixels) -> tuple[float, ...]:
    lane = free.get()
    try:
        return tuple(float(score) for score in lane([pixels])[0])
    finally:
        free.put(lane)


def usable(
    seen: Sequence[Seen], held: Sequence[Photo], learned: Collection[str]
) -> tuple[list[int], list[LeftOut]]:
    """The places of the files without labels that may be learned from, and what is left out.

    `held` photos choose and judge: to have seen one of them, or one nearly the same, would be to
    know the answer. `learned` has the hashes of the labelled ones; a second copy teaches nothing.
    """
    sealed = {photo.sha256 for photo in held}
    close = likeness.among([each.look for each in seen], [p.look for p in held if p.look])
    places, left_out, known = [], [], set(learned)
    for place, each in enumerate(seen):
        if each.reason:
            left_out.append(LeftOut(each.path, each.reason))
        elif each.sha256 in sealed:
            left_out.append(LeftOut(each.path, "is a photo that the result is chosen or judged by"))
        elif close[place]:
            left_out.append(
                LeftOut(
                    each.path,
                    "is nearly the same as a photo that the result is chosen or judged by",
                )
            )
        elif each.sha256 not in known:
            known.add(each.sha256)
            places.append(place)
    return places, left_out
