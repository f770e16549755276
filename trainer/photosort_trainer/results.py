"""RUN/results.json: every fact that report and model card tell, and nothing else.

Frozen values on the way from training to the page; the page is a pure function of them.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from photosort_trainer.errors import TrainerError
from photosort_trainer.files import write_whole
from photosortd.records import printable

FILE = "results.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Photos:
    """One category, or 'none': how many photos of it stand where."""

    category: str
    training: int
    validation: int
    test: int


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """One network."""

    name: str
    note: str
    cost: float  # thousand million multiply-adds for one photo
    epochs: int  # that were run
    best: int  # the one whose weights count
    losses: tuple[tuple[float, float | None], ...]  # of training and validation, epoch by epoch
    validation: Mapping[str, float]  # metrics.Estimate
    test: Mapping[str, float]
    by_category: Mapping[str, float]  # F1 on test photos
    seconds: float  # that it took to learn, features included


@dataclass(frozen=True, slots=True)
class Shot:
    """One test photo: what the shipped file says of it."""

    path: str
    labels: tuple[str, ...]
    scores: Mapping[str, float]  # calibrated
    filed: tuple[str, ...]
    loss: float  # cross-entropy of the calibrated scores; the larger the worse


@dataclass(frozen=True, slots=True)
class Results:
    """Everything."""

    categories: tuple[str, ...]
    photos: tuple[Photos, ...]
    left_out: tuple[tuple[str, str], ...]  # path, reason
    candidates: tuple[CandidateResult, ...]
    winner: str
    recipe: Mapping[str, Any]
    plan: Mapping[str, Any]
    trials: tuple[Mapping[str, Any], ...]
    refined: Mapping[str, Any]  # what the refinement changed; empty: nothing was better
    shipped: Mapping[str, Any]  # name → threshold, precision, recall, f1, photos, on test photos
    shipped_macro: Mapping[str, float]
    classic: Mapping[str, Any]  # the same with one threshold of 0.1 for all
    classic_macro: Mapping[str, float]
    promises: tuple[Mapping[str, Any], ...]
    exports: tuple[Mapping[str, Any], ...]
    form: str
    held_out: Mapping[str, Any]  # name → {scores, labels}: calibrated, of photos not learned from
    shots: tuple[Shot, ...]
    suspects: tuple[Mapping[str, Any], ...]  # probable label errors
    bundle: str
    versions: Mapping[str, str] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)  # folders: originals, and none
    distilled: Mapping[str, Any] = field(default_factory=dict)  # of a student: who taught it


def save(results: Results, run: Path) -> None:
    said = {"version": VERSION, **dataclasses.asdict(results)}
    write_whole(run / FILE, json.dumps(said, indent=1, ensure_ascii=True).encode())


def load(run: Path) -> Results:
    """Raises TrainerError for a directory without results, or with those of another version."""
    path = run / FILE
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise TrainerError(
            f"{printable(str(path))}: is not there: no training has ended in this directory"
        ) from error
    except ValueError as error:
        raise TrainerError(f"{printable(str(path))}: {error}; train again") from error
    if said.pop("version", None) != VERSION:
        raise TrainerError(f"{printable(str(path))}: of another version; train again")
    return Results(
        **{
            **said,
            **{name: tuple(map(tuple, said[name])) for name in ("left_out",)},
            **{name: tuple(said[name]) for name in _TUPLES},
            "photos": _each(Photos, said["photos"]),
            "candidates": _each(CandidateResult, said["candidates"]),
            "shots": _each(Shot, said["shots"]),
        }
    )


_TUPLES = ("categories", "trials", "promises", "exports", "suspects")


def _each(kind: Any, rows: Sequence[Mapping[str, Any]]) -> tuple[Any, ...]:
    return tuple(kind(**row) for row in rows)
