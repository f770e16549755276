"""Everything that a run found out → the facts that are told. Computes, decides nothing."""

import dataclasses
import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import calibrate, mislabelled
from photosort_trainer.backbones import TABLE
from photosort_trainer.candidates import Course, Refined, Tried
from photosort_trainer.dataset import Dataset, Photo, labels
from photosort_trainer.originals import NONE
from photosort_trainer.recipe import CLASSIC, SCRATCH, SMALL_SCRATCH, TINY, Plan
from photosort_trainer.results import CandidateResult, Photos, Results, Shot
from photosort_trainer.shipping import Judged, Shipped, Verdict
from photosortd.records import printable
from photosortd.vision.bundle import Category
from photosortd.vision.decide import decide

Scores = NDArray[np.float64]

_NOTES = {
    SCRATCH: "from random weights: the benchmark to beat",
    SMALL_SCRATCH: "a small residual network from random weights",
    TINY: "a very small residual network from random weights, taught by another network",
}
_PACKAGES = ("photosortd", "tensorflow", "keras", "numpy", "pillow", "ai-edge-litert")


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Photos, and what networks that had not learned from them say of them."""

    photos: Sequence[Photo]
    raw: Scores  # [photos, 1 + versions, categories]


@dataclass(frozen=True, slots=True)
class Run:
    """All parts of a run that has come to its end."""

    data: Dataset
    course: Course
    test: Sequence[Photo]
    tried: Sequence[Tried]
    refined: Refined
    plan: Plan
    categories: tuple[Category, ...]
    held: HeldOut
    shipped: Shipped
    judged: Judged


def gather(run: Run) -> Results:
    """The bundle's id is not known yet."""
    names = run.course.names
    held = calibrated(run.categories, run.held.raw[:, 0])
    truth = labels(run.held.photos, names)
    plan = dataclasses.asdict(dataclasses.replace(run.plan, candidates=()))
    return Results(
        categories=names,
        photos=tuple(_photos(run, name) for name in (*names, NONE)),
        left_out=tuple((printable(each.path), each.reason) for each in run.data.left_out),
        candidates=tuple(map(_candidate, run.tried, run.judged.candidates)),
        winner=run.refined.best.recipe.backbone,
        recipe=run.refined.best.recipe.as_json(),
        plan=plan,
        trials=tuple(asdict(trial) for trial in run.refined.trials),
        refined=run.refined.changed,
        shipped=_judged(run.judged.shipped, run.categories),
        shipped_macro=asdict(run.judged.shipped.macro),
        classic=_judged(run.judged.classic, None),
        classic_macro=asdict(run.judged.classic.macro),
        promises=tuple(asdict(each) for each in _promises(run)),
        exports=tuple(each.as_json() for each in run.shipped.tried),
        form=run.shipped.form,
        held_out={
            name: {
                "scores": [round(float(score), 4) for score in held[:, i]],
                "labels": truth[:, i].tolist(),
            }
            for i, name in enumerate(names)
        },
        shots=tuple(_shots(run)),
        suspects=tuple(mislabelled.find(run.held.photos, names, truth, held)),
        bundle="",
        versions={name: _version(name) for name in _PACKAGES},
    )


def bundle_metrics(found: Results) -> dict[str, Any]:
    """What travels with the bundle: what the same training would find again."""
    shipped = next(each for each in found.exports if each["form"] == found.form)
    return {
        "test": {
            "macro_f1": round(found.shipped_macro["macro_f1"], 4),
            "categories": found.shipped,
        },
        "export": {name: said for name, said in shipped.items() if name != "milliseconds"},
    }


def _photos(run: Run, name: str) -> Photos:
    def count(photos: Sequence[Photo]) -> int:
        if name == NONE:
            return sum(not photo.labels for photo in photos)
        return sum(name in photo.labels for photo in photos)

    return Photos(name, count(run.course.training), count(run.course.validation), count(run.test))


def _candidate(tried: Tried, test: Verdict) -> CandidateResult:
    name = tried.recipe.backbone
    return CandidateResult(
        name=name,
        note=TABLE[name].note if name in TABLE else _NOTES[name],
        cost=tried.learner.cost,
        epochs=len(tried.learned.epochs),
        best=tried.learned.best,
        losses=tuple((epoch.loss, epoch.validation_loss) for epoch in tried.learned.epochs),
        validation=asdict(tried.estimate),
        test=asdict(test.macro),
        by_category={each: quality.f1 for each, quality in test.by_category.items()},
        seconds=round(tried.seconds, 1),
    )


def _judged(verdict: Verdict, categories: Sequence[Category] | None) -> dict[str, Any]:
    thresholds = {each.name: each.threshold for each in categories or ()}
    return {
        name: {
            "threshold": thresholds.get(name) if categories else CLASSIC,
            **{key: round(value, 4) for key, value in asdict(quality).items()},
        }
        for name, quality in verdict.by_category.items()
    }


def _promises(run: Run) -> list[calibrate.Promise]:
    truth = labels(run.held.photos, run.course.names)
    promises = run.plan.promised(run.course.names)
    return [
        calibrate.promised(name, run.held.raw[:, :, i], truth[:, i], asked, run.categories[i])
        for i, name in enumerate(run.course.names)
        if (asked := promises.get(name)) is not None
    ]


def _shots(run: Run) -> list[Shot]:
    """The test photos, the worst first."""
    names, categories = run.course.names, run.categories
    thresholds = {each.name: each.threshold for each in categories}
    scores = calibrated(categories, run.judged.raw)
    truth = labels(run.test, names)
    likely = np.clip(np.where(truth, scores, 1 - scores), 1e-4, 1.0)
    losses = -np.log(likely).mean(axis=1)
    return [
        Shot(
            path=printable(run.test[place].path),
            labels=tuple(sorted(run.test[place].labels)),
            scores=(said := _named(names, scores[place])),
            filed=decide(said, thresholds, 0.0).categories,
            loss=round(float(losses[place]), 4),
        )
        for place in np.argsort(-losses, kind="stable")
    ]


def _named(names: Sequence[str], scores: Scores) -> Mapping[str, float]:
    return {name: round(float(score), 4) for name, score in zip(names, scores, strict=True)}


def calibrated(categories: Sequence[Category], raw: Scores) -> Scores:
    """[photos, categories] both."""
    columns = [
        [category.calibration.apply(float(score)) for score in raw[:, place]]
        for place, category in enumerate(categories)
    ]
    return np.array(columns, np.float64).T.reshape(len(raw), len(categories))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
