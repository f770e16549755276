"""How a head learns: epochs over features, step by step, and what is kept of that.

Owns a training's one file: the state of the best epoch, from which a training that was cut off
goes on and comes to the same. Where the features are, `batches` knows.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import heads, states
from photosort_trainer.diary import Epoch
from photosort_trainer.heads import Floats, Head, Weights
from photosort_trainer.recipe import Recipe

Truth = NDArray[np.bool_] | Floats  # [n, categories], or how likely they are

_BETAS = 0.9, 0.999
_TINY = 1e-7


class Rows(Protocol):
    """Photos with the versions that are learned from."""

    width: int  # of a feature

    @property
    def truth(self) -> Truth: ...

    def batches(self, size: int, rng: np.random.Generator | None) -> Iterator[tuple[Floats, Truth]]:
        """(features, labels), so many at a time; in their own order without `rng`."""
        ...


@dataclass(frozen=True, slots=True)
class State:
    """Where a training is."""

    head: Head
    epochs: tuple[Epoch, ...] = ()
    steps: int = 0
    means: Weights = ()  # of the slopes, and of their squares, as Adam keeps them
    squares: Weights = ()
    finished: bool = False


def fit(
    rows: Rows,
    held_out: Rows | None,
    recipe: Recipe,
    folder: str | Path,
    progress: Callable[[Epoch], None] = lambda epoch: None,
) -> tuple[Head, tuple[Epoch, ...]]:
    """Train a head for `recipe.epochs`; it, and how that went.

    With `held_out` the head is that of the epoch with the lowest loss there, and `recipe.patience`
    epochs without a better one end it; without, that of the last epoch. `folder` belongs to this
    training alone: what was finished in it is only loaded.
    """
    path = Path(folder) / "head.npz"
    best = _kept(path, recipe) or _begun(rows, recipe)
    if best.finished:
        return best.head, best.epochs
    now, emphasis = best, heads.class_weights(rows.truth, recipe.balance)
    for number in range(len(best.epochs) + 1, recipe.epochs + 1):
        now, loss = _epoch(now, rows, recipe, emphasis, number)
        judged = None if held_out is None else _loss(now.head, held_out, recipe, emphasis)
        now = replace(now, epochs=(*now.epochs, Epoch(number, loss, judged)))
        if _is_best(now.epochs):
            best = now
            _keep(best, path)
        progress(now.epochs[-1])
        if number - len(best.epochs) >= recipe.patience:
            break
    _keep(replace(best, epochs=now.epochs, finished=True), path)
    return best.head, now.epochs


def _begun(rows: Rows, recipe: Recipe) -> State:
    rng = np.random.default_rng((recipe.seed, 0))
    head = heads.fresh(rows.width, rows.truth.shape[1], recipe, rng)
    nothing = tuple(np.zeros_like(each) for each in head.weights)
    return State(head, means=nothing, squares=nothing)


def _is_best(epochs: Sequence[Epoch]) -> bool:
    """The last one, of those so far. Where nothing is held out, each is better than the one
    before."""
    losses = [epoch.validation_loss for epoch in epochs if epoch.validation_loss is not None]
    return not losses or losses.index(min(losses)) == len(losses) - 1


# ---- one epoch


def _epoch(
    state: State, rows: Rows, recipe: Recipe, emphasis: Floats, number: int
) -> tuple[State, float]:
    """Its order and drop-outs hang on seed and number alone. The loss is that without penalty."""
    rng = np.random.default_rng((recipe.seed, number))
    sums, count = 0.0, 0
    for features, truth in rows.batches(recipe.batch, rng):
        masks = [_mask(rng, (len(features), recipe.hidden), recipe) for _ in range(recipe.layers)]
        targets = heads.smoothed(truth, recipe.smoothing)
        loss, slopes = state.head.gradients(features, targets, emphasis, masks)
        state = _step(state, slopes, recipe)
        sums, count = sums + loss * len(features), count + len(features)
    return state, sums / count


def _mask(rng: np.random.Generator, shape: tuple[int, int], recipe: Recipe) -> Floats:
    """0 for a node that is left out, and what makes up for it in the others."""
    kept = rng.random(shape, np.float32) >= recipe.dropout
    return kept * np.float32(1 / (1 - recipe.dropout))


def _step(state: State, slopes: Weights, recipe: Recipe) -> State:
    """Adam: Kingma and Ba, "Adam: A Method for Stochastic Optimization" (2015)."""
    first, second = _BETAS
    steps = state.steps + 1
    rate = recipe.learning_rate * math.sqrt(1 - second**steps) / (1 - first**steps)
    moved: list[tuple[Floats, Floats, Floats]] = []
    for place, (weight, slope) in enumerate(zip(state.head.weights, slopes, strict=True)):
        if place % 2 == 0:  # a kernel; a bias has no penalty
            slope = slope + 2 * recipe.penalty * weight
        mean = first * state.means[place] + (1 - first) * slope
        square = second * state.squares[place] + (1 - second) * slope**2
        root: Floats = np.sqrt(square)
        moved.append((weight - rate * mean / (root + _TINY), mean, square))
    weights, means, squares = zip(*moved, strict=True)
    head = replace(state.head, weights=weights)
    return replace(state, head=head, steps=steps, means=means, squares=squares)


def _loss(head: Head, rows: Rows, recipe: Recipe, emphasis: Floats) -> float:
    sums, count = 0.0, 0
    for features, truth in rows.batches(recipe.batch, None):
        targets = heads.smoothed(truth, recipe.smoothing)
        said = head.scores(features)
        sums += heads.cross_entropy(said, targets, emphasis) * len(features)
        count += len(features)
    return sums / count


# ---- what is kept


def _keep(state: State, path: Path) -> None:
    """The moments are not needed any more when it is finished."""
    moments = {} if state.finished else {"means": state.means, "squares": state.squares}
    said = {
        "epochs": [asdict(epoch) for epoch in state.epochs],
        "steps": state.steps,
        "finished": state.finished,
    }
    states.save(path, {"weights": state.head.weights, **moments}, said)


def _kept(path: Path, recipe: Recipe) -> State | None:
    found = states.load(path)
    if found is None:
        return None
    lists, said = found
    weights, means, squares = (
        tuple(lists.get(name, ())) for name in ("weights", "means", "squares")
    )
    epochs = tuple(Epoch(**epoch) for epoch in said["epochs"])
    head = Head(weights, recipe.activation)
    return State(head, epochs, said["steps"], means, squares, said["finished"])
