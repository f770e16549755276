"""The refinement of the best candidate: every combination a short training, kept if F1 improved.

An Optuna study in the run's directory: what was tried is not tried again, a run that is cut off
goes on with the next combination.
"""

import dataclasses
import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photosort_trainer.learners import FROM_SCRATCH
from photosort_trainer.recipe import Recipe

GRID: Mapping[str, Sequence[Any]] = {
    "layers": (1, 2),
    "hidden": (128, 256, 512),
    "dropout": (0.2, 0.4, 0.6),
    "activation": ("relu", "sigmoid"),
    "learning_rate": (1e-3, 3e-3),
}
"""Of a head: 72 combinations."""

SCRATCH_GRID: Mapping[str, Sequence[Any]] = {
    "hidden": (256, 512),
    "dropout": (0.2, 0.4),
    "learning_rate": (3e-4, 1e-3),
}
"""Of a network from scratch, where an epoch takes minutes."""

FINALISTS = 3
"""The best so many combinations are trained to their end, and compared with the candidate."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination."""

    number: int
    settings: Mapping[str, Any]
    macro_f1: float  # on validation photos


def grid(recipe: Recipe) -> Mapping[str, Sequence[Any]]:
    return SCRATCH_GRID if recipe.backbone in FROM_SCRATCH else GRID


def combinations(recipe: Recipe) -> int:
    return math.prod(map(len, grid(recipe).values()))


def study(
    recipe: Recipe,
    judge: Callable[[Recipe], float],
    path: Path,
    key: str,
) -> list[Trial]:
    """Try every combination of the grid, each by `judge`: recipe → macro-F1. The best one first.

    `key` stands for everything else that decides the result.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path.parent.mkdir(parents=True, exist_ok=True)
    _mend(path)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    said = json.dumps([key, recipe.as_json()], sort_keys=True)
    name = hashlib.sha256(said.encode()).hexdigest()[:16]
    studied = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    space: dict[str, Any] = {
        each: optuna.distributions.CategoricalDistribution(tuple(values))
        for each, values in grid(recipe).items()
    }
    known = {_said(trial.settings) for trial in _trials(studied)}
    # Each by itself, and noted when it is known: Optuna's own grid takes what was cut off for done.
    for settings in _every(recipe):
        if _said(settings) in known:
            continue
        found = judge(dataclasses.replace(recipe, **settings))
        studied.add_trial(
            optuna.trial.create_trial(params=settings, distributions=space, value=found)
        )
    return sorted(_trials(studied), key=lambda trial: (-trial.macro_f1, trial.number))


def _mend(path: Path) -> None:
    """A line that a full disk or a kill cut off goes; so does the lock of who wrote it, on which
    Optuna would wait half a minute. This run is the only one in its directory."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    try:
        written = path.read_bytes()
    except FileNotFoundError:
        return
    whole = written.rfind(b"\n") + 1
    if whole < len(written):
        os.truncate(path, whole)


def _every(recipe: Recipe) -> Iterator[dict[str, Any]]:
    space = grid(recipe)
    for values in itertools.product(*space.values()):
        yield dict(zip(space, values, strict=True))


def _said(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)


def _trials(studied: Any) -> list[Trial]:
    return [
        Trial(trial.number, dict(trial.params), trial.value)
        for trial in studied.get_trials(deepcopy=False)
    ]
