"""A run that has ended, as a teacher: its network, its calibration, its photos and their parts."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photosort_trainer import dataset, facts, fit, frozen, leaving, results, sharing
from photosort_trainer.errors import DatasetError, TrainerError
from photosort_trainer.facts import Scores
from photosort_trainer.frozen import Lane
from photosort_trainer.originals import Entry
from photosort_trainer.recipe import Plan, Recipe
from photosort_trainer.results import Results
from photosort_trainer.sharing import Parts
from photosortd.errors import BundleError
from photosortd.records import printable
from photosortd.vision import DECODE_VERSION
from photosortd.vision.bundle import Bundle, read_bundle

Model = Any  # keras.Model, which has no types


@dataclass(frozen=True, slots=True)
class Teacher:
    """What a run has come to."""

    run: Path
    found: Results
    bundle: Bundle

    @property
    def size(self) -> int:
        """Pixels of both sides of its input."""
        return self.bundle.height

    @property
    def key(self) -> str:
        """Of everything that decides what it says of a file."""
        digest = hashlib.sha256((self.run / leaving.MODEL).read_bytes())
        digest.update(f"{self.size} decode {DECODE_VERSION} {frozen.engine()}".encode())
        return digest.hexdigest()[:16]

    def calibrated(self, raw: Scores) -> Scores:
        """[photos, categories] both."""
        return facts.calibrated(self.bundle.categories, raw)


def open_run(run: str) -> Teacher:
    """Raises TrainerError for a directory in which no training has ended."""
    path = Path(run)
    found = results.load(path)
    if found.distilled:
        raise TrainerError(f"{printable(run)}: is a student itself; name the run that taught it")
    try:
        bundle = read_bundle(path / leaving.BUNDLE)
    except BundleError as error:
        raise TrainerError(f"{error}; train again") from error
    if bundle.id != found.bundle or not (path / leaving.MODEL).is_file():
        raise TrainerError(
            f"{printable(run)}: {leaving.MODEL}, the bundle and {results.FILE} are not of one "
            "training: the last one did not end; the same train command goes on where it was"
        )
    return Teacher(path, found, bundle)


@dataclass(frozen=True, slots=True)
class Voice:
    """What a teacher says of a look: its pooled features, and then its raw scores. Of the network
    itself: the shipped file may know 256 scores only, and small ones are what there is to learn."""

    network: Model
    size: int

    @property
    def width(self) -> int:
        """Features and scores together."""
        return int(self.network.output.shape[-1])

    def lanes(self) -> list[Lane]:
        """Pixels [size, size, 3] → [width], one lane a core."""
        return frozen.lanes(self.network, self.size)


def voice(teacher: Teacher) -> Voice:
    """Raises TrainerError."""
    return Voice(fit.telling(_network(teacher)), teacher.size)


def _network(teacher: Teacher) -> Model:
    import keras

    path = teacher.run / leaving.MODEL
    try:
        return keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError) as error:
        said = " ".join(str(error).split())[:300]
        raise TrainerError(f"{printable(str(path))}: cannot be loaded: {said}") from error


def photos(
    teacher: Teacher,
    originals: str | None,
    none: str | None,
    progress: Callable[[list[Entry]], Iterable[Entry]],
) -> Parts:
    """The photos of its training, each in the part that it had. Raises DatasetError.

    `originals` and `none` where the folders are now; None: where they were.
    """
    data = dataset.survey(
        where(teacher, originals), none or teacher.found.examples.get("none"), progress
    )
    if data.categories != teacher.bundle.names:
        raise DatasetError(
            f"the categories are {', '.join(map(printable, data.categories))} now, and the teacher "
            f"knows {', '.join(map(printable, teacher.bundle.names))}: train again"
        )
    return sharing.as_before(data, str(teacher.run / "split.csv"))


def where(teacher: Teacher, originals: str | None) -> str:
    """The folder of originals. Raises DatasetError if it is not there."""
    folder = originals or teacher.found.examples.get("originals")
    if folder is None:
        raise DatasetError(
            f"{printable(str(teacher.run))}: does not say where its photos are; say --originals DIR"
        )
    if not Path(folder).is_dir():
        raise DatasetError(
            f"{printable(folder)}: the photos of the training are not there; say --originals DIR"
        )
    return folder


def plan(teacher: Teacher, recipe: Recipe) -> Plan:
    """What was promised stays promised; thresholds are by the validation photos alone."""
    said = teacher.found.plan
    return Plan(
        (recipe,),
        seed=recipe.seed,
        few=said["few"],
        split=tuple(said["split"]),
        held_out=said["held_out"],
        folds=0,
        trial_epochs=0,
        precision=said["precision"],
        promises=said["promises"],
        classic=said["classic"],
    )
