"""The user's folder of examples: every file in it, and which labels it is said to have.

Two ways to say it: a file stands in a category's folder (the same photo in two folders has two
labels), or `labels.csv` beside the folders names it. What `labels.csv` says goes first. Lists
names only; no photo is opened here.
"""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from photosort_trainer.errors import DatasetError
from photosortd.errors import BundleError
from photosortd.records import printable
from photosortd.vision.bundle import check_category, folded

NONE = "none"
"""The folder, and the label, of photos that belong to no category."""

LABELS = "labels.csv"
"""Columns `file` (below the folder), `labels` (separated by `;`; empty: as its folder says) and,
if you like, `part`."""

SOURCES = "SOURCES.csv"
"""In a category's folder: where photos from the web come from. No example itself."""

BELOW = Path("images", "original")
"""Where `photosort-train init` makes the categories' folders."""

_JUNK = frozenset({"@eadir", "#recycle", "lost+found"})
_FIELDS = frozenset({"file", "labels", "part"})


class Part(StrEnum):
    """What a photo is for: to learn from, to set thresholds with, or to judge by."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, and what is said of it."""

    path: str
    labels: frozenset[str]  # empty: it belongs to no category
    part: Part | None = None  # None: wherever the split puts it


@dataclass(frozen=True, slots=True)
class Originals:
    """Everything that was found."""

    categories: tuple[str, ...]  # sorted
    entries: tuple[Entry, ...]
    loose: tuple[str, ...]  # files of which nothing is said


@dataclass(frozen=True, slots=True)
class _Row:
    labels: frozenset[str] | None  # None: as the folder says
    part: Part | None


@dataclass(slots=True)
class _Found:
    entries: list[Entry] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)
    categories: set[str] = field(default_factory=set)


def root(folder: str | Path) -> Path:
    """Where the categories' folders are: below what `init` made, or `folder` itself."""
    below = Path(folder, BELOW)
    return below if below.is_dir() else Path(folder)


def find(folder: str | Path, none: str | Path | None = None) -> Originals:
    """Every file below `folder`, and below `none`, whose photos belong to no category.

    Raises DatasetError, with every complaint, for a folder, a name or a line that cannot be used.
    """
    top = root(folder)
    folders, loose = _folders(top)
    rows = _table(top)
    check_names([each.name for each in folders if folded(each.name) != NONE], top, "its folder")
    found = _Found()
    for each in folders:
        _take(each, top, rows, found)
    for path in loose:
        _take_loose(path, top, rows, found)
    if none is not None:
        found.entries += [Entry(path, frozenset()) for path in files(Path(none))]
    if not found.categories:
        raise DatasetError(
            f"{printable(str(top))}: has no folders; make one for each category, "
            "named as you want it called, and put its example photos there"
        )
    return Originals(tuple(sorted(found.categories)), tuple(found.entries), tuple(found.loose))


def make(folder: str | Path, categories: Sequence[str]) -> list[Path]:
    """Make a folder for each category, and one for photos of none; those there are left alone.

    Returns all of them. Raises DatasetError for a name that cannot be used, OSError.
    """
    top = Path(folder, BELOW)
    check_names(list(categories), top, "it")
    wanted = [top / name for name in (*categories, NONE)]
    for each in wanted:
        each.mkdir(parents=True, exist_ok=True)
    return wanted


def files(folder: Path) -> Iterator[str]:
    """Every file below `folder` that is not hidden, in a stable order."""
    if not folder.is_dir():
        raise DatasetError(f"{printable(str(folder))}: no such folder")
    for here, below, names in os.walk(folder):
        below[:] = sorted(b for b in below if not b.startswith(".") and b.lower() not in _JUNK)
        yield from (os.path.join(here, n) for n in sorted(names) if not _is_ours(n))


def _is_ours(name: str) -> bool:
    return name.startswith(".") or name == SOURCES


def _folders(top: Path) -> tuple[list[Path], list[str]]:
    """The folders, and the files that stand beside them."""
    if not top.is_dir():
        raise DatasetError(f"{printable(str(top))}: no such folder")
    entries = sorted(e for e in top.iterdir() if not e.name.startswith("."))
    folders = [e for e in entries if e.is_dir() and e.name.lower() not in _JUNK]
    return folders, [str(e) for e in entries if not e.is_dir() and e.name != LABELS]


def _take(folder: Path, top: Path, rows: Mapping[str, _Row], found: _Found) -> None:
    """A folder is a category unless `labels.csv` has other labels for all that is in it."""
    is_none = folded(folder.name) == NONE
    own = frozenset() if is_none else frozenset({folder.name})
    empty = True
    for path in files(folder):
        row = rows.get(os.path.relpath(path, top))
        labels = own if row is None or row.labels is None else row.labels
        found.entries.append(Entry(path, labels, row.part if row else None))
        found.categories |= labels
        empty = False
    if empty:
        found.categories |= own


def _take_loose(path: str, top: Path, rows: Mapping[str, _Row], found: _Found) -> None:
    row = rows.get(os.path.relpath(path, top))
    if row is None or row.labels is None:
        found.loose.append(path)
        return
    found.entries.append(Entry(path, row.labels, row.part))
    found.categories |= row.labels


# ---- labels.csv


def _table(top: Path) -> dict[str, _Row]:
    """What `labels.csv` says, by path below `top`; empty without one."""
    path = top / LABELS
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            numbered = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{printable(str(path))}: not a table in UTF-8: {error}") from error
    if not {"file", "labels"} <= set(reader.fieldnames or ()) <= _FIELDS:
        raise DatasetError(
            f"{printable(str(path))}:1: the columns are to be file,labels or file,labels,part"
        )
    rows: dict[str, _Row] = {}
    problems = []
    for line, row in numbered:
        try:
            name, parsed = _parse(row, top)
            if rows.setdefault(name, parsed) is not parsed:
                raise ValueError(f"{printable(name)} has a line already")
        except (BundleError, ValueError) as error:
            problems.append(f"{printable(str(path))}:{line}: {error}")
    if problems:
        raise DatasetError(*problems)
    named = {label for row in rows.values() for label in row.labels or ()}
    check_names(sorted(named), path, "it")
    return rows


def _parse(row: Mapping[str | None, str | None], top: Path) -> tuple[str, _Row]:
    """Raises ValueError or BundleError in the user's words."""
    if None in row or None in row.values():
        raise ValueError("has more or fewer columns than the first line")
    name = os.path.normpath(row["file"] or "")
    if os.path.isabs(name) or name.split("/")[0] in (os.pardir, os.curdir):
        raise ValueError(f"'{printable(row['file'] or '')}': name a file below this folder")
    if not (top / name).is_file():
        raise ValueError(f"{printable(name)}: no such file")
    part = (row.get("part") or "").strip()
    if part and part not in set(Part):
        raise ValueError(f"part '{printable(part)}': say {', '.join(Part)}, or nothing")
    labels = [label.strip() for label in (row["labels"] or "").split(";") if label.strip()]
    given = frozenset(label for label in labels if folded(label) != NONE)
    if given and len(given) < len(set(labels)):
        raise ValueError(f"'{NONE}' beside other labels")
    for label in given:
        check_category(label)
    return name, _Row(given if labels else None, Part(part) if part else None)


def check_names(names: Sequence[str], where: Path, what: str = "it") -> None:
    """Raises DatasetError, with every complaint, for names that are no categories."""
    problems = []
    seen: dict[str, str] = {}
    for name in names:
        try:
            check_category(name)
        except BundleError as error:
            problems.append(f"{error}; rename {what}")
        earlier = seen.setdefault(folded(name), name)
        if earlier != name:
            problems.append(
                f"'{printable(earlier)}' and '{printable(name)}' would share a directory where "
                f"case does not count; rename one {'folder' if 'folder' in what else 'of them'}"
            )
    if problems:
        raise DatasetError(*(f"{printable(str(where))}: {problem}" for problem in problems))
