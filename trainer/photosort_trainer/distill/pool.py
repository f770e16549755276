"""Photos read and decoded once: small pixels, what the teacher says, and what they look like.

Kept on disk in chunks, each whole or not there, so that a run that is cut off goes on where it was;
the pixels are mapped, and memory does not grow with their number.
"""

import io
import json
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import frozen
from photosort_trainer.distill.looking import Glance, Seen, Way, glance
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
    """Owns `folder`, whose name says what a teacher said and how photos were looked at."""

    def __init__(self, folder: Path, way: Way, width: int) -> None:
        """The teacher says `width` numbers of each look."""
        self._folder, self._way, self._width = folder, way, width
        self._maps: list[tuple[Pixels, NDArray[np.float16]]] = []
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

    def pixels(self, kept: Kept, look: int) -> Pixels:
        """[side, side, 3]"""
        found: Pixels = self._maps[kept.chunk][0][kept.row, look]
        return found

    def said(self, kept: Kept) -> NDArray[np.float16]:
        """Of all looks: [looks, width]"""
        found: NDArray[np.float16] = self._maps[kept.chunk][1][kept.row]
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
        found = frozen.spread(lanes, partial(glance, self._way), progress(missing))
        with closing(found):
            while chunk := list(islice(found, _CHUNK)):
                self._add(chunk)

    def _add(self, chunk: list[Glance]) -> None:
        """The facts last: without them a chunk is not there."""
        number = len(self._maps)
        pixels, said = self._empty(len(chunk))
        for row, each in enumerate(chunk):
            if each.pixels is not None and each.said is not None:
                pixels[row], said[row] = each.pixels, each.said
        first, second = self._arrays(number)
        write_whole(first, _stored(pixels))
        write_whole(second, _stored(said))
        facts = json.dumps([asdict(each.seen) for each in chunk])
        write_whole(self._facts(number), facts.encode())
        self._open(number)

    def _empty(self, photos: int) -> tuple[Pixels, NDArray[np.float16]]:
        looks, side = self._way.looks, self._way.side
        pixels = np.zeros((photos, looks, side, side, 3), np.uint8)
        return pixels, np.zeros((photos, looks, self._width), np.float16)

    def _open(self, number: int) -> bool:
        """Whether there is such a chunk. What a power failure left of one is none."""
        try:
            rows = json.loads(self._facts(number).read_bytes())
            pixels, said = (
                np.load(path, mmap_mode="r", allow_pickle=False) for path in self._arrays(number)
            )
        except (FileNotFoundError, ValueError, EOFError):
            return False
        if (pixels.shape, said.shape) != tuple(each.shape for each in self._empty(len(rows))):
            return False
        self._maps.append((pixels, said))
        for row, facts in enumerate(rows):
            seen = Seen(**facts)
            self._kept[seen.path] = Kept(seen, number, row)
        return True

    def _arrays(self, number: int) -> tuple[Path, Path]:
        """Pixels, and what the teacher said."""
        return self._folder / f"{number:05d}.npy", self._folder / f"{number:05d}-said.npy"

    def _facts(self, number: int) -> Path:
        return self._folder / f"{number:05d}.json"


def _stored(array: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
