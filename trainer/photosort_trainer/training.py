"""One run, from the folder of originals to bundle and report: the page that knows the order.

Prints nothing and keeps nothing itself: what can be used again is kept by split, features,
learners and search, and the bundle appears whole at the end. Test photos are looked at once, after
everything is chosen.
"""

import dataclasses
import os
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import (
    calibrate,
    candidates,
    dataset,
    facts,
    folds,
    learners,
    leaving,
    originals,
    quiet,
    sharing,
    shipping,
)
from photosort_trainer.alone import alone
from photosort_trainer.bench import Bench, Learned, Learner, Tell
from photosort_trainer.candidates import Course, Tried
from photosort_trainer.dataset import Dataset, labels
from photosort_trainer.errors import DatasetError
from photosort_trainer.leaving import Result
from photosort_trainer.pictures import Pictures
from photosort_trainer.recipe import Plan, Recipe
from photosort_trainer.sharing import Parts
from photosort_trainer.stages import Stages
from photosortd.records import printable
from photosortd.vision.bundle import Category

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    originals: str
    out: str  # the run's directory
    plan: Plan
    weights_dir: str | None = None
    none: str | None = None  # a folder of photos of no category, beside originals/none

    @property
    def cache(self) -> Path:
        return Path(self.out, "cache")

    @property
    def examples(self) -> dict[str, str]:
        """Where the photos are, for who learns from this run."""
        folders = {"originals": self.originals, "none": self.none}
        return {name: os.path.abspath(path) for name, path in folders.items() if path is not None}


def run(request: Request, tell: Tell) -> Result:
    """Train as asked; write `request.out`/bundle, model.keras, results.json and report.html.

    Raises TrainerError (and its kinds) for what the user can mend, PhotoError for a photo that
    changed meanwhile, OSError from the file system. An older bundle stays until the new one is
    whole.
    """
    _check_place(request)
    quiet.load_tensorflow(request.plan.seed)
    for recipe in request.plan.candidates:
        learners.check_weights(recipe, request.weights_dir)
    new = not os.path.lexists(request.out)
    with alone(Path(request.out)):
        try:
            return _run(request, tell, Stages(Path(request.out)))
        except DatasetError:
            if new:  # of what was refused nothing stays
                shutil.rmtree(request.out, ignore_errors=True)
            raise


def _run(request: Request, tell: Tell, stages: Stages) -> Result:
    plan = request.plan
    with stages.doing("reading photos"):
        bar = partial(tell.each, "reading photos")
        data = dataset.read(request.originals, request.none, plan.few, bar)
        _check_promises(plan, data)
        parts = sharing.share_out(data, plan, os.path.join(request.out, "split.csv"), tell)
    course = parts.course
    bench = Bench(course.names, tuple(parts.both), request.cache, request.weights_dir, tell)
    tried = [_attempt(recipe, bench, course, stages) for recipe in plan.candidates]
    with stages.doing("refinement"):
        winner = candidates.best(tried)
        log = request.cache / "search.log"
        refined = candidates.refine(winner, course, plan.trial_epochs, log, tell)
    best = refined.best
    with stages.doing("thresholds"):
        held = _hold_out(best, parts, plan)
        categories = _categories(held, course.names, plan)
    with stages.doing("learning from all"):
        model = _finish(best, parts, plan).whole()
        leaving.keep(model, Path(request.out, leaving.MODEL))
    with stages.doing("export"):
        pictures = Pictures(request.cache, best.recipe.size)
        shipped = shipping.choose_form(model, categories, course, pictures, tell)
    with stages.doing("test photos"):
        judged = shipping.judge(shipped, categories, tried, course, parts.test, tell)
    with stages.doing("report"):
        known = (parts.data, course, parts.test, tried, refined, plan, categories, held)
        found = facts.gather(facts.Run(*known, shipped, judged))
        found = dataclasses.replace(found, examples=request.examples)
        made = leaving.write(Path(request.out), found, categories, shipped)
    stages.finish()
    return made


def _attempt(recipe: Recipe, bench: Bench, course: Course, stages: Stages) -> Tried:
    with stages.doing(recipe.backbone):
        return candidates.attempt(learners.learner(recipe, bench), course, recipe.backbone)


# ---- photos


def _check_place(request: Request) -> None:
    """Each folder beside the categories is one: the run would be learned from the next time."""
    top, out = (
        Path(os.path.realpath(each)) for each in (originals.root(request.originals), request.out)
    )
    if out == top or top in out.parents:
        raise DatasetError(
            f"{printable(request.out)}: stands among the categories' folders, where it would be "
            "taken for one; say an --out that is elsewhere"
        )


def _check_promises(plan: Plan, data: Dataset) -> None:
    problems = [
        f"'{printable(name)}' was promised a precision, but there is no such category "
        f"({', '.join(map(printable, data.categories))})"
        for name in plan.promises
        if name not in data.categories
    ]
    if problems:
        raise DatasetError(*problems)


# ---- thresholds, and the last training


def _frozen(best: Tried) -> Learner:
    """The recipe as it stands."""
    return best.learner.by(best.learned.settled(best.recipe))


def _hold_out(best: Tried, parts: Parts, plan: Plan) -> facts.HeldOut:
    """What networks say of photos that they have not learned from."""
    if not plan.folds:
        photos = parts.course.validation
        return facts.HeldOut(photos, best.learned.scores(photos, plan.held_out))
    dealt = folds.deal(parts.both, plan.folds, parts.alike, plan.seed)
    scores = folds.held_out(
        _frozen(best),
        parts.both,
        dealt,
        plan.held_out,
        lambda number: f"fold {number + 1} of {plan.folds}",
    )
    return facts.HeldOut(parts.both, scores)


def _categories(held: facts.HeldOut, names: tuple[str, ...], plan: Plan) -> tuple[Category, ...]:
    return calibrate.categories(
        names,
        held.raw,
        labels(held.photos, names),
        plan.promised(names),
        plan.classic,
    )


def _finish(best: Tried, parts: Parts, plan: Plan) -> Learned:
    """The same parts, fitted again on everything that may be learned from."""
    if not plan.folds:
        return best.learned
    return _frozen(best).learn(parts.both, None, "learning from all")
