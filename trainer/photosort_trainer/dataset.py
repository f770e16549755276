"""The user's example photos: folders of originals → unique photos with their labels.

Owns what counts as a photo, which label it has, and every reason to refuse a collection before
long work starts. Reads only; a file that cannot be used is left out and named.
"""

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.errors import DatasetError
from photosortd.errors import BundleError, PhotoError
from photosortd.records import printable
from photosortd.vision.bundle import check_category, folded
from photosortd.vision.decode import Pixels, decode

NONE = "none"
"""The folder of photos that belong to no category."""

ENOUGH = 20
"""Photos that a category needs: a fifth of them judges the result, and 4 is few enough."""

LEAST = 5
"""What `--few` still needs: three to learn from, one to set the threshold, one to judge."""

_JUNK = frozenset({"@eadir", "#recycle", "lost+found"})
_PROBE = 64  # pixels: enough to make the decoder go through the whole file


@dataclass(frozen=True, slots=True)
class Photo:
    """One content, however many files hold it."""

    sha256: str  # lower-case hex of the file's bytes
    path: str  # of the first file with this content
    labels: frozenset[str]  # empty: belongs to no category


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
    originals: str | Path,
    none: str | Path | None = None,
    few: bool = False,
    progress: Callable[[list[str]], Iterable[str]] = iter,
) -> Dataset:
    """Read `originals`/<category>/… and, as photos of no category, `originals`/none and `none`.

    The same bytes in two folders are one photo with two labels. `progress` wraps the list of
    files to be read. Raises DatasetError for what no training could use: `ENOUGH` photos are
    needed in every category, with `few` only `LEAST`.
    """
    folders, loose = _folders(Path(originals))
    if none is not None:
        folders.append((None, Path(none)))
    files = [(category, path) for category, folder in folders for path in _files(folder)]
    said: dict[str, set[str | None]] = defaultdict(set)
    category_of = _by_path(files)
    paths: dict[str, str] = {}
    left_out = [LeftOut(path, "stands in no category's folder") for path in loose]
    for path in progress([path for _, path in files]):
        try:
            sha256 = _fingerprint(path, known=paths)
        except PhotoError as error:
            left_out.append(LeftOut(path, str(error)))
            continue
        said[sha256].add(category_of[path])
        paths.setdefault(sha256, path)
    photos, torn = _photos(said, paths)
    categories = tuple(sorted({name for name, _ in folders if name is not None}))
    dataset = Dataset(categories, photos, (*left_out, *torn))
    _check(dataset, originals, few)
    return dataset


def _folders(originals: Path) -> tuple[list[tuple[str | None, Path]], list[str]]:
    """The categories' folders, and the files that stand beside them."""
    if not originals.is_dir():
        raise DatasetError(f"{printable(str(originals))}: no such folder")
    entries = sorted(e for e in originals.iterdir() if not e.name.startswith("."))
    folders = [e for e in entries if e.is_dir() and e.name.lower() not in _JUNK]
    _check_names([e.name for e in folders if folded(e.name) != NONE], originals)
    named: list[tuple[str | None, Path]] = [
        (None if folded(e.name) == NONE else e.name, e) for e in folders
    ]
    if not any(name for name, _ in named):
        raise DatasetError(
            f"{printable(str(originals))}: has no folders; make one for each category, "
            "named as you want it called, and put its example photos there"
        )
    return named, [str(e) for e in entries if not e.is_dir()]


def _check_names(names: list[str], originals: Path) -> None:
    problems = []
    seen: dict[str, str] = {}
    for name in names:
        try:
            check_category(name)
        except BundleError as error:
            problems.append(f"{error}; rename its folder")
        earlier = seen.setdefault(folded(name), name)
        if earlier != name:
            problems.append(
                f"'{printable(earlier)}' and '{printable(name)}' would share a directory where "
                "case does not count; rename one folder"
            )
    if problems:
        raise DatasetError(*(f"{printable(str(originals))}: {problem}" for problem in problems))


def _files(folder: Path) -> Iterator[str]:
    """Every file below `folder` that is not hidden, in a stable order."""
    if not folder.is_dir():
        raise DatasetError(f"{printable(str(folder))}: no such folder")
    for here, below, names in os.walk(folder):
        below[:] = sorted(b for b in below if not b.startswith(".") and b.lower() not in _JUNK)
        yield from (os.path.join(here, n) for n in sorted(names) if not n.startswith("."))


def _by_path(files: list[tuple[str | None, str]]) -> dict[str, str | None]:
    return {path: category for category, path in files}


def _fingerprint(path: str, known: dict[str, str]) -> str:
    """The content's hash, once it is sure that the daemon's decoder can read it."""
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise PhotoError(f"cannot be read: {error.strerror}") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if sha256 not in known:
        decode(data, _PROBE, _PROBE)
    return sha256


def _photos(
    said: dict[str, set[str | None]], paths: dict[str, str]
) -> tuple[tuple[Photo, ...], list[LeftOut]]:
    """Unique photos, without those that are said to be of no category and of one."""
    photos, torn = [], []
    for sha256 in sorted(said):
        names = frozenset(name for name in said[sha256] if name is not None)
        if names and None in said[sha256]:
            folders = ", ".join(sorted(names))
            torn.append(LeftOut(paths[sha256], f"stands both in {NONE}/ and in {folders}/"))
        else:
            photos.append(Photo(sha256, paths[sha256], names))
    return tuple(photos), torn


def _check(dataset: Dataset, originals: str | Path, few: bool) -> None:
    """Every complaint at once."""
    needed = LEAST if few else ENOUGH
    problems = [
        _shortage(category, dataset.count(category), needed, few)
        for category in dataset.categories
        if dataset.count(category) < needed
    ] or [
        f"category '{category}': only {others} photos are not in it, so there is nothing to tell "
        f"it from; {LEAST} are needed: put photos of other things into {NONE}/"
        for category in dataset.categories
        if (others := len(dataset.photos) - dataset.count(category)) < LEAST
    ]
    if problems and dataset.left_out:
        first = dataset.left_out[0]
        problems.append(
            f"{len(dataset.left_out)} files were left out, the first is "
            f"{printable(first.path)}: {first.reason}"
        )
    if problems:
        raise DatasetError(*(f"{printable(str(originals))}: {problem}" for problem in problems))


def _shortage(category: str, count: int, needed: int, few: bool) -> str:
    if count == 0:
        return f"category '{category}' has no photo; add some, or remove its folder"
    hint = "" if few or count < LEAST else ", or say --few to try with what there is"
    return f"category '{category}' has {count} photos, {needed} are needed; add some{hint}"
