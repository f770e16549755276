"""Which network is best, and is there a better recipe for it? By validation photos alone."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import calibrate, metrics, search
from photosort_trainer.bench import Learned, Learner, Tell
from photosort_trainer.dataset import Photo, labels
from photosort_trainer.learners import tidy
from photosort_trainer.metrics import Estimate
from photosort_trainer.recipe import Recipe

Bools = NDArray[np.bool_]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Course:
    """What candidates learn from and are compared by."""

    names: tuple[str, ...]
    training: Sequence[Photo]
    validation: Sequence[Photo]

    @property
    def truth(self) -> Bools:
        return labels(self.validation, self.names)


@dataclass(frozen=True, slots=True)
class Tried:
    """A network that has learned from the training photos."""

    learner: Learner
    learned: Learned
    validation: Scores  # raw, [photos, categories]
    estimate: Estimate  # on validation photos
    seconds: float

    @property
    def recipe(self) -> Recipe:
        return self.learner.recipe


@dataclass(frozen=True, slots=True)
class Refined:
    """What the refinement came to."""

    best: Tried
    trials: Sequence[search.Trial]  # the best first
    changed: dict[str, Any]  # settings that are not the candidate's; empty: nothing was better


def attempt(learner: Learner, course: Course, what: str) -> Tried:
    """Learn, and see how well it does on validation photos."""
    began = time.monotonic()
    learned = learner.learn(course.training, course.validation, what)
    seen = learned.scores(course.validation, 0)[:, 0]
    # With thresholds from the same photos: good enough to compare networks by.
    verdicts = seen >= thresholds(seen, course.truth)
    estimate = metrics.estimate(course.truth, verdicts)
    return Tried(learner, learned, seen, estimate, time.monotonic() - began)


def thresholds(raw: Scores, truth: Bools) -> Scores:
    """One for each category; above every score where there is none."""
    found = [calibrate.threshold(raw[:, i], truth[:, i]) for i in range(raw.shape[1])]
    return np.array([2.0 if each is None else each for each in found])


def best(tried: Sequence[Tried]) -> Tried:
    """The highest macro-F1; of equal ones the cheapest."""
    return max(tried, key=lambda each: (_rounded(each), -each.learner.cost))


def refine(winner: Tried, course: Course, trial_epochs: int, log: Path, tell: Tell) -> Refined:
    """Every combination of the grid, each so many epochs; the best ones trained to their end.

    One is kept if it does better than what there is. So is letting the last blocks learn too.
    """
    if not trial_epochs:
        return Refined(winner, (), {})
    recipe = winner.recipe
    bar = iter(tell.each("refinement", range(search.combinations(recipe))))

    def judge(combination: Recipe) -> float:
        next(bar, None)
        short = winner.learner.by(dataclasses.replace(combination, epochs=trial_epochs))
        worth = _worth(short, course)
        tidy()
        return worth

    trials = search.study(recipe, judge, log, winner.learned.folder.name)
    list(bar)
    leading = winner
    for trial in trials[: search.FINALISTS]:
        leading = _better(leading, dataclasses.replace(recipe, **trial.settings), course)
    if leading.learner.can_unfreeze:
        unfrozen = dataclasses.replace(leading.recipe, unfreeze=trial_epochs)
        leading = _better(leading, unfrozen, course)
    before, after = recipe.as_json(), leading.recipe.as_json()
    changed = {name: value for name, value in after.items() if value != before[name]}
    return Refined(leading, trials, changed)


def _worth(learner: Learner, course: Course) -> float:
    """Of one combination. Nothing of it is kept: the study remembers what it was worth."""
    tried = attempt(learner, course, "")
    tried.learned.forget()
    return tried.estimate.macro_f1


def _better(leading: Tried, recipe: Recipe, course: Course) -> Tried:
    """The owner's rule: kept if F1 improved."""
    other = attempt(leading.learner.by(recipe), course, f"refining {recipe.backbone}")
    return other if _rounded(other) > _rounded(leading) else leading


def _rounded(tried: Tried) -> float:
    return round(tried.estimate.macro_f1, 4)
