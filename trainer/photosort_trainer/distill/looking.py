"""One file, read once: its content, its likeness, and looks at it and at parts of it, each with its
small pixels and what the teacher says."""

import dataclasses
import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue

import numpy as np
from PIL import Image

from photosort_trainer import dataset, likeness
from photosort_trainer.dataset import LeftOut, Photo
from photosort_trainer.distill import views
from photosort_trainer.frozen import Features, Lane
from photosort_trainer.likeness import Look
from photosort_trainer.recipe import Changes
from photosortd.errors import PhotoError
from photosortd.vision.decode import Pixels, decode

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
    reason: str = ""  # why it cannot be used

    @property
    def look(self) -> Look:
        taken = None if self.taken is None else datetime.fromisoformat(self.taken)
        return Look(self.waves, self.slopes, taken)


@dataclass(frozen=True, slots=True)
class Way:
    """How files are looked at."""

    size: int  # pixels of both sides, as the teacher wants to see them
    side: int  # as they are kept
    looks: int  # the first is the whole photo
    within: Changes  # what the others may be


@dataclass(frozen=True, slots=True)
class Glance:
    """A file, and what its looks have come to if it can be used."""

    seen: Seen
    pixels: Pixels | None = None  # [looks, side, side, 3]
    said: Features | None = None  # by the teacher of each: [looks, features and scores]


def glance(way: Way, free: SimpleQueue[Lane], path: str) -> Glance:
    """Look at a file with a lane that is free."""
    size, side = way.size, way.side
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
    look = likeness.look(dataclasses.replace(picture, pixels=at(larger.pixels, _PROBE)))
    known = dataclasses.replace(
        seen,
        sha256=(sha256 := hashlib.sha256(data).hexdigest()),
        waves=look.waves,
        slopes=look.slopes,
        taken=look.taken.isoformat() if look.taken else None,
    )
    parts = list(_parts(larger.pixels, sha256, way))
    shown = [picture.pixels, *(at(part, size) for part in parts)]
    kept = np.stack([at(larger.pixels, side), *(at(part, side) for part in parts)])
    return Glance(known, kept, _asked(free, shown))


def _parts(pixels: Pixels, sha256: str, way: Way) -> Iterator[Pixels]:
    """What is looked at beside the whole: of a photo always the same."""
    for number in range(1, way.looks):
        rng = np.random.default_rng((number, int(sha256[:16], 16)))
        yield views.view(pixels, rng, way.within, max(way.size, way.side))


def at(pixels: Pixels, side: int) -> Pixels:
    """At [side, side, 3]."""
    image = Image.fromarray(pixels)
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))


def _asked(free: "SimpleQueue[Lane]", shown: Sequence[Pixels]) -> Features:
    lane = free.get()
    try:
        return lane(shown)
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
