"""A frozen network's pooled features of every photo and version, computed once and kept on disk.

Owns the cache: a file for each photo, under a key of everything that moves a feature (network and
its weights, engine, size, decoder, augmentation). A run that is cut off goes on where it was.
Learning reads them from one table that is mapped, so memory does not grow with their number.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import augment, frozen
from photosort_trainer.dataset import Photo
from photosort_trainer.files import write_whole, writing
from photosort_trainer.pictures import Pictures
from photosort_trainer.recipe import Changes
from photosortd.vision import DECODE_VERSION

Model = Any  # keras.Model, which has no types
Features = NDArray[np.float16]
"""[versions, d]; version 0 is the photo itself."""

_HALF = np.dtype(np.float16)


class Extractor:
    """A network and the directory where its features are kept."""

    def __init__(self, network: Model, name: str, pictures: Pictures, cache: Path) -> None:
        self._network, self._pictures = network, pictures
        self._folder = cache / f"{name}-{pictures.size}-{_key(network, pictures.changes)}"

    def table(
        self,
        photos: Sequence[Photo],
        versions: int,
        progress: Callable[[list[Photo]], Iterable[Photo]] = iter,
    ) -> "Table":
        """The features of these photos, each with its first so many versions beside itself.

        What is not in the cache is computed and kept, photo by photo. `progress` wraps the list
        of what is missing. Raises PhotoError for a file that has changed since.
        """
        missing = [photo for photo in photos if len(self._kept(photo)) < versions + 1]
        if missing:
            self._compute(missing, versions, progress)
        return Table(self._pack(photos, versions), photos)

    def _pack(self, photos: Sequence[Photo], versions: int) -> Path:
        """One file of [photos, 1 + versions, d], in their order; made anew unless it is there."""
        said = f"{versions} " + " ".join(photo.sha256 for photo in photos)
        path = self._folder / f"table-{hashlib.sha256(said.encode()).hexdigest()[:16]}.npy"
        if path.exists():
            return path
        shape = (len(photos), versions + 1, self._kept(photos[0]).shape[1])
        # Written, not mapped: a full disk ends a process that writes through a map.
        with writing(path) as stream:
            described = {"descr": _HALF.str, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(stream, described)
            for photo in photos:
                stream.write(self._kept(photo)[: versions + 1].astype(_HALF).tobytes())
        return path

    def _compute(
        self,
        photos: list[Photo],
        versions: int,
        progress: Callable[[list[Photo]], Iterable[Photo]],
    ) -> None:
        """What the cache lacks of these photos. A photo is drawn by the thread that runs it."""
        lanes = frozen.lanes(self._network, self._pictures.size)
        for _ in frozen.spread(lanes, partial(self._add, versions), progress(photos)):
            pass

    def _add(self, count: int, free: SimpleQueue[frozen.Lane], photo: Photo) -> None:
        """The versions of this photo that are missing."""
        before = self._kept(photo)
        drawn = self._pictures.versions(photo, range(len(before), count + 1))
        lane = free.get()
        try:
            new = lane(drawn).astype(np.float16)
        finally:
            free.put(lane)
        self._keep(photo, np.concatenate([before, new]) if len(before) else new)

    def _kept(self, photo: Photo) -> Features:
        try:
            stored = np.load(self._path(photo), allow_pickle=False)
        except (FileNotFoundError, ValueError, EOFError):  # the last two: cut by a power failure
            return np.empty((0, 0), np.float16)
        return np.asarray(stored, np.float16)

    def _keep(self, photo: Photo, features: Features) -> None:
        stream = io.BytesIO()
        np.save(stream, features, allow_pickle=False)
        write_whole(self._path(photo), stream.getvalue())

    def _path(self, photo: Photo) -> Path:
        return self._folder / photo.sha256[:2] / f"{photo.sha256}.npy"


class Table:
    """Features of some photos, mapped from a file: [photos, 1 + versions, d]."""

    def __init__(self, path: Path, photos: Sequence[Photo]) -> None:
        self.rows = np.load(path, mmap_mode="r", allow_pickle=False)
        self.origin = path.parent.name  # says what gave them: network, weights, versions
        self._places = {photo.sha256: place for place, photo in enumerate(photos)}

    @property
    def width(self) -> int:
        return int(self.rows.shape[2])

    def holds(self, photos: Sequence[Photo]) -> bool:
        return all(photo.sha256 in self._places for photo in photos)

    def places(self, photos: Sequence[Photo]) -> NDArray[np.int64]:
        """Where these photos stand in `rows`. KeyError for one that is not in the table."""
        return np.array([self._places[photo.sha256] for photo in photos], np.int64)


def _key(network: Model, changes: Changes) -> str:
    """Everything that moves a feature and is not in the folder's name."""
    versions = f"decode {DECODE_VERSION} augment {augment.VERSION} {changes} {frozen.engine()}"
    digest = hashlib.sha256(versions.encode())
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
