"""A frozen network's pooled features of every photo and version, computed once and kept on disk.

Owns the cache: a file for each photo, under a key of everything that moves a feature (network and
its weights, size, decoder, augmentation). A run that is cut off goes on where it was.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import augment
from photosort_trainer.dataset import Photo, pixels
from photosort_trainer.files import write_whole
from photosortd.vision import DECODE_VERSION
from photosortd.vision.decode import Pixels

Model = Any  # keras.Model, which has no types
Features = NDArray[np.float16]
"""[versions, d]; version 0 is the photo itself."""

T = TypeVar("T")
R = TypeVar("R")

_BATCH = 16  # photos or versions at once: more is no faster on a CPU, and costs memory


class Extractor:
    """A network and the directory where its features are kept."""

    def __init__(self, network: Model, name: str, size: int, cache: str | Path) -> None:
        import tensorflow as tf

        self.size = size
        self._infer = tf.function(lambda batch: network(batch, training=False))
        self._folder = Path(cache, f"{name}-{size}-{_key(network)}")

    def features(
        self,
        wanted: Sequence[tuple[Photo, int]],
        progress: Callable[[list[tuple[Photo, int]]], Iterable[tuple[Photo, int]]] = iter,
    ) -> dict[str, Features]:
        """The features of each photo and of its first so many versions, by hash.

        What is not in the cache is computed and kept, photo by photo. `progress` wraps the list
        of what is missing. Raises PhotoError for a file that has changed since.
        """
        kept = {photo.sha256: self._kept(photo) for photo, _ in wanted}
        missing = [(p, n) for p, n in wanted if len(kept[p.sha256]) < n + 1]
        with ThreadPoolExecutor(max_workers=1) as drawing:
            for photo, versions in _ahead(drawing, self._draw, progress(missing)):
                kept[photo.sha256] = self._run(versions)
                self._keep(photo, kept[photo.sha256])
        return {photo.sha256: kept[photo.sha256][: n + 1] for photo, n in wanted}

    def _draw(self, item: tuple[Photo, int]) -> tuple[Photo, list[Pixels]]:
        photo, count = item
        plain = pixels(photo, self.size)
        return photo, [augment.version(plain, photo.sha256, n) for n in range(count + 1)]

    def _run(self, versions: list[Pixels]) -> Features:
        batches = (versions[k : k + _BATCH] for k in range(0, len(versions), _BATCH))
        rows = [self._infer(np.stack(batch).astype(np.float32)).numpy() for batch in batches]
        return np.concatenate(rows).astype(np.float16)

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


def _ahead(pool: ThreadPoolExecutor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`work` on the items in order, one ahead of who takes the results: memory stays flat."""
    queue = iter(items)
    running = [pool.submit(work, item) for item in islice(queue, 1)]
    while running:
        done = running.pop(0)
        running.extend(pool.submit(work, item) for item in islice(queue, 1))
        yield done.result()


def _key(network: Model) -> str:
    """Everything that moves a feature and is not in the folder's name."""
    digest = hashlib.sha256(f"decode {DECODE_VERSION} augment {augment.VERSION}".encode())
    for array in network.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
