"""What every candidate of a run shares, and what each of them has to be able to do.

Owns where a training is kept: under a key of everything that decides it, so that a run that is cut
off goes on where it was.
"""

import dataclasses
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import augment, heads, scratch
from photosort_trainer.dataset import Photo
from photosort_trainer.diary import Epoch, Hearers, best
from photosort_trainer.keys import key
from photosort_trainer.pictures import Pictures
from photosort_trainer.recipe import Recipe
from photosortd.vision import DECODE_VERSION

Model = Any  # keras.Model, which has no types
Scores = NDArray[np.float64]
Bar = Callable[[Sequence[Photo]], Iterable[Photo]]
"""Wraps photos that are gone through, to show how far that is."""
T = TypeVar("T")


class Tell(Protocol):
    """Where progress goes."""

    def say(self, text: str) -> None: ...
    def each(self, title: str, items: Sequence[T]) -> Iterable[T]: ...
    def epoch(self, epoch: Epoch, of: int, what: str) -> None: ...
    def far(self, epochs: float, of: int, what: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What every candidate of a run shares."""

    names: tuple[str, ...]  # the categories
    photos: tuple[Photo, ...]  # all that will ever be learned from
    cache: Path
    weights_dir: str | None
    tell: Tell

    def pictures(self, recipe: Recipe) -> Pictures:
        return Pictures(self.cache, recipe.size, recipe.changes)

    def hearers(self, of: int, what: str) -> Hearers:
        """Of a training of so many epochs; nobody wants to hear of one without a name."""
        if not what:
            return Hearers()
        tell = self.tell
        return Hearers(
            lambda epoch: tell.epoch(epoch, of, what), lambda epochs: tell.far(epochs, of, what)
        )

    def scoring(self, what: str) -> Bar:
        return partial(self.tell.each, f"{what}, scores") if what else iter

    def folder(
        self,
        recipe: Recipe,
        training: Sequence[Photo],
        validation: Sequence[Photo] | None,
        origin: str = "",
    ) -> Path:
        """Where a training is kept: a state of another one must not be taken up. `origin` says
        what gave the features."""
        parts = [
            None if part is None else [(p.sha256, sorted(p.labels)) for p in part]
            for part in (training, validation)
        ]
        said = {
            "recipe": recipe.as_json(),
            "names": list(self.names),
            "parts": parts,
            "origin": origin,
            "versions": [DECODE_VERSION, augment.VERSION, scratch.VERSION, heads.VERSION],
        }
        return self.cache / f"learned-{key(said)}"


@dataclass(frozen=True, slots=True)
class Learned:
    """A network that has learned."""

    epochs: tuple[Epoch, ...]
    scores: Callable[[Sequence[Photo], int], Scores]
    """Raw scores of photos and their first so many versions: [photos, 1 + versions, categories]"""
    whole: Callable[[], Model]
    """Pixels 0…255 [n, size, size, 3] → scores."""
    folder: Path  # where it is kept
    slow: tuple[Epoch, ...] = ()  # those in which the last blocks learned too
    last: bool = False  # the last epoch counts, and not the best

    @property
    def best(self) -> int:
        """The number of the epoch whose weights it has, from 1."""
        return len(self.epochs) if self.last else best(self.epochs)

    def settled(self, recipe: Recipe) -> Recipe:
        """For the same again where nothing is held out: as many epochs as were best."""
        unfreeze = best(self.slow) if self.slow else 0
        return dataclasses.replace(recipe, epochs=self.best, unfreeze=unfreeze)

    def forget(self) -> None:
        """Its scores are known, and nobody will want it again."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Learner(Protocol):
    """A network that can learn, by `recipe`."""

    recipe: Recipe
    can_unfreeze: bool

    @property
    def cost(self) -> float:
        """Of one photo, in thousand million multiply-adds: what a small machine pays."""
        ...

    def learn(
        self, training: Sequence[Photo], validation: Sequence[Photo] | None, what: str
    ) -> Learned:
        """With `validation` the best epoch counts, without it the last of `recipe.epochs`."""
        ...

    def by(self, recipe: Recipe) -> "Learner":
        """The same network, by another recipe."""
        ...
