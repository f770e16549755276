"""Decoded photos and their versions: each is decoded once, however many networks want it."""

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from photosort_trainer import augment
from photosort_trainer.dataset import Photo, pixels
from photosort_trainer.files import write_whole
from photosort_trainer.recipe import Changes
from photosortd.vision import DECODE_VERSION
from photosortd.vision.decode import Pixels

_USUAL = Changes()


class Pictures:
    """Photos at one size, as the daemon's decoder sees them, and random versions of them."""

    def __init__(self, cache: Path, size: int, changes: Changes = _USUAL) -> None:
        self.size, self.changes = size, changes
        self._folder = cache / f"pixels-{size}-{DECODE_VERSION}"

    def __call__(self, photo: Photo) -> Pixels:
        """Raises PhotoError for a photo that is needed and has changed since it was looked at."""
        path = self._folder / photo.sha256[:2] / f"{photo.sha256}.npy"
        kept = self._kept(path)
        if kept is None:
            kept = pixels(photo, self.size)
            stream = io.BytesIO()
            np.save(stream, kept, allow_pickle=False)
            write_whole(path, stream.getvalue())
        return kept

    def versions(self, photo: Photo, numbers: Iterable[int]) -> list[Pixels]:
        """As `augment.version` numbers them. Raises PhotoError."""
        return augment.versions(self(photo), photo.sha256, numbers, self.changes)

    def _kept(self, path: Path) -> Pixels | None:
        try:
            found = np.load(path, allow_pickle=False)
        except (FileNotFoundError, ValueError, EOFError):  # the last two: cut by a power failure
            return None
        return found if found.shape == (self.size, self.size, 3) else None
