"""The user's example photos: what the originals say → unique photos with their labels.

Owns what counts as a photo, which label it has, and every reason to refuse a collection before
long work starts. Reads only; a file that cannot be used is left out and named.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import originals
from photosort_trainer.errors import DatasetError
from photosort_trainer.likeness import Look, look
from photosort_trainer.originals import NONE, Entry, Part
from photosortd.errors import PhotoError
from photosortd.records import printable
from photosortd.vision.decode import Pixels, decode

ENOUGH = 20
"""Photos that a category needs: a fifth of them judges the result, and 4 is few enough."""

LEAST = 5
"""What `--few` still needs: three to learn from, one to set the threshold, one to judge."""

_LARGEST = 256 << 20  # bytes
_PROBE = 64  # pixels: enough to make the decoder go through the whole file, and to compare


@dataclass(frozen=True, slots=True)
class Photo:
    """One content, however many files hold it."""

    sha256: str  # lower-case hex of the file's bytes
    path: str  # of the first file with this content
    labels: frozenset[str]  # empty: belongs to no category
    copies: tuple[str, ...] = ()  # paths of the other files
    part: Part | None = None  # that the user gave it
    look: Look | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not learned from."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """What there is to learn from, in an order that depends on the contents alone."""

    categories: tuple[str, ...]  # sorted: the order of the model's outputs
    photos: tuple[Photo, ...]  # sorted by hash
    left_out: tuple[LeftOut, ...] = ()

    def count(self, category: str) -> int:
        return sum(category in photo.labels for photo in self.photos)

    @property
    def negatives(self) -> int:
        """Photos of no category."""
        return sum(not photo.labels for photo in self.photos)

    @property
    def looks(self) -> dict[str, Look]:
        """By hash: what near-duplicates are found by."""
        return {photo.sha256: photo.look for photo in self.photos if photo.look}


@dataclass(slots=True)
class _Content:
    """What was found out about one content, file by file."""

    look: Look
    entries: list[Entry] = field(default_factory=list)


def labels(photos: Sequence[Photo], names: Sequence[str]) -> NDArray[np.bool_]:
    """[photos, categories]"""
    rows = [[name in photo.labels for name in names] for photo in photos]
    return np.array(rows, bool).reshape(len(photos), len(names))


def pixels(photo: Photo, size: int) -> Pixels:
    """The photo as the daemon's decoder sees it. PhotoError, with its name, if it has changed."""
    try:
        with open(photo.path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise PhotoError(f"{printable(photo.path)}: is gone: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != photo.sha256:
        raise PhotoError(f"{printable(photo.path)}: was changed meanwhile; start again")
    return decode(data, size, size).pixels


def read(
    folder: str | Path,
    none: str | Path | None = None,
    few: bool = False,
    progress: Callable[[list[Entry]], Iterable[Entry]] = iter,
) -> Dataset:
    """`survey`, and DatasetError for what no training could use."""
    data = survey(folder, none, progress)
    if problems := shortages(data, few):
        raise DatasetError(
            *(f"{printable(str(originals.root(folder)))}: {problem}" for problem in problems)
        )
    return data


def survey(
    folder: str | Path,
    none: str | Path | None = None,
    progress: Callable[[list[Entry]], Iterable[Entry]] = iter,
) -> Dataset:
    """Read every photo that `originals.find` names.

    The same bytes under several labels are one photo with several labels. `progress` wraps the
    list of files to be read. Raises DatasetError for folders and tables that cannot be used.
    """
    found = originals.find(folder, none)
    left_out = [
        LeftOut(path, "stands in no category's folder, and no line of labels.csv names it")
        for path in found.loose
    ]
    contents: dict[str, _Content] = {}
    for entry in progress(list(found.entries)):
        try:
            _read(entry, contents)
        except PhotoError as error:
            left_out.append(LeftOut(entry.path, str(error)))
    judged = [_photo(sha256, contents[sha256]) for sha256 in sorted(contents)]
    left_out += [each for each in judged if isinstance(each, LeftOut)]
    photos = tuple(each for each in judged if isinstance(each, Photo))
    return Dataset(found.categories, photos, tuple(left_out))


def _read(entry: Entry, contents: dict[str, _Content]) -> None:
    """Note an entry under its content's hash, once it is sure that the decoder can read it."""
    data = file_bytes(entry.path)
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 not in contents:
        contents[sha256] = _Content(look(decode(data, _PROBE, _PROBE)))
    contents[sha256].entries.append(entry)


def file_bytes(path: str) -> bytes:
    """Raises PhotoError for what no photo is, and for what cannot be read."""
    try:
        _check_kind(os.stat(path))
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror}") from error


def _check_kind(said: os.stat_result) -> None:
    """Before it is opened: a pipe would be waited for, a film would fill the memory."""
    if not stat.S_ISREG(said.st_mode):
        raise PhotoError("is no regular file")
    if said.st_size > _LARGEST:
        raise PhotoError(f"has {said.st_size >> 20} MB, which no photo has")


def _photo(sha256: str, content: _Content) -> Photo | LeftOut:
    """One photo, unless what is said of its files does not agree."""
    first, *others = content.entries
    names = frozenset().union(*(entry.labels for entry in content.entries))
    parts = {entry.part for entry in content.entries if entry.part}
    if names and any(not entry.labels for entry in content.entries):
        folders = ", ".join(sorted(names))
        return LeftOut(first.path, f"stands both in {NONE}/ and in {folders}/")
    if len(parts) > 1:
        given = " and ".join(sorted(parts))
        return LeftOut(first.path, f"labels.csv gives the same photo to {given}")
    copies = tuple(entry.path for entry in others)
    return Photo(sha256, first.path, names, copies, parts.pop() if parts else None, content.look)


def shortages(data: Dataset, few: bool = False) -> list[str]:
    """Why no training could use it, every complaint at once; empty if it can.

    `ENOUGH` photos are needed in every category, with `few` only `LEAST`.
    """
    needed = LEAST if few else ENOUGH
    problems = [
        _shortage(category, data.count(category), needed, few)
        for category in data.categories
        if data.count(category) < needed
    ] or [
        f"category '{category}': only {others} photos are not in it, so there is nothing to tell "
        f"it from; {LEAST} are needed: put photos of other things into {NONE}/"
        for category in data.categories
        if (others := len(data.photos) - data.count(category)) < LEAST
    ]
    if problems and data.left_out:
        first = data.left_out[0]
        problems.append(
            f"{len(data.left_out)} files were left out, the first is "
            f"{printable(first.path)}: {first.reason}"
        )
    return problems


def _shortage(category: str, count: int, needed: int, few: bool) -> str:
    if count == 0:
        return f"category '{category}' has no photo; add some, or remove its folder"
    hint = "" if few or count < LEAST else ", or say --few to try with what there is"
    return f"category '{category}' has {count} photos, {needed} are needed; add some{hint}"
