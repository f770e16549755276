"""Photos read and decoded once: small pixels, the teacher's raw scores, and what they look like.

Kept on disk in chunks, each whole or not there, so that a run that is cut off goes on where it was;
the pixels are mapped, and memory does not grow with their number.
"""

import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from photosort_trainer.ahead import ahead
from photosort_trainer.distill.looking import Glance, Seen, glance
from photosort_trainer.files import write_whole
from photosort_trainer.frozen import Lane
from photosortd.vision.decode import Pixels

_CHUNK = 256  # photos: what is lost at most, and of one map


@dataclass(frozen=True, slots=True)
class Kept:
    """A photo, and where its pixels are."""

    seen: Seen
    chunk: int
    row: int


class Pool:
    """Owns `folder`, whose name says which teacher's scores and which size of pixels it has."""

    def __init__(self, folder: Path, size: int, side: int) -> None:
        """The teacher wants to see `size` pixels; [side, side, 3] is kept."""
        self._folder, self._size, self._side = folder, size, side
        self._maps: list[Pixels] = []
        self._kept: dict[str, Kept] = {}
        while self._open(len(self._maps)):
            pass

    def fill(
        self,
        paths: Sequence[str],
        lanes: Callable[[], list[Lane]],
        progress: Callable[[list[str]], Iterable[str]] = iter,
    ) -> list[Kept]:
        """All of these, in their order. What is missing, or has changed, is looked at.

        `lanes` is called only then; `progress` wraps the list of what is missing. Raises OSError.
        """
        missing = [path for path in paths if not self._is_fresh(path)]
        if missing:
            self._look(missing, lanes(), progress)
        return [self._kept[path] for path in paths]

    def pixels(self, kept: Kept) -> Pixels:
        """[side, side, 3]"""
        found: Pixels = self._maps[kept.chunk][kept.row]
        return found

    def _is_fresh(self, path: str) -> bool:
        known = self._kept.get(path)
        if known is None:
            return False
        try:
            said = os.stat(path)
        except OSError:
            return False
        return (said.st_size, said.st_mtime_ns) == (known.seen.size, known.seen.moment)

    def _look(
        self, missing: list[str], lanes: list[Lane], progress: Callable[[list[str]], Iterable[str]]
    ) -> None:
        free: SimpleQueue[Lane] = SimpleQueue()
        for lane in lanes:
            free.put(lane)
        threads = ThreadPoolExecutor(max_workers=len(lanes))
        try:
            work = partial(glance, free, self._size, self._side)
            found = ahead(threads, work, progress(missing), 2 * len(lanes))
            while chunk := list(islice(found, _CHUNK)):
                self._add(chunk)
        finally:
            threads.shutdown(cancel_futures=True)

    def _add(self, chunk: list[Glance]) -> None:
        """The pixels first: without its facts a chunk is not there."""
        number, nothing = len(self._maps), np.zeros((self._side, self._side, 3), np.uint8)
        pixels = np.stack([nothing if each.pixels is None else each.pixels for each in chunk])
        stream = io.BytesIO()
        np.save(stream, pixels, allow_pickle=False)
        write_whole(self._pixels(number), stream.getvalue())
        said = json.dumps([asdict(each.seen) for each in chunk])
        write_whole(self._facts(number), said.encode())
        self._open(number)

    def _open(self, number: int) -> bool:
        """Whether there is such a chunk. What a power failure left of one is none."""
        try:
            rows = json.loads(self._facts(number).read_bytes())
            pixels = np.load(self._pixels(number), mmap_mode="r", allow_pickle=False)
        except (FileNotFoundError, ValueError, EOFError):
            return False
        if pixels.shape != (len(rows), self._side, self._side, 3):
            return False
        self._maps.append(pixels)
        for row, said in enumerate(rows):
            seen = Seen(**{**said, "scores": tuple(said["scores"])})
            self._kept[seen.path] = Kept(seen, number, row)
        return True

    def _pixels(self, number: int) -> Path:
        return self._folder / f"{number:05d}.npy"

    def _facts(self, number: int) -> Path:
        return self._folder / f"{number:05d}.json"
