"""From the network that has learned to the file that is shipped; the one look at test photos."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import candidates, export, metrics
from photosort_trainer.bench import Tell
from photosort_trainer.candidates import Course, Tried
from photosort_trainer.dataset import Photo, labels
from photosort_trainer.metrics import Estimate, Quality
from photosort_trainer.pictures import Pictures
from photosort_trainer.recipe import CLASSIC
from photosort_trainer.seeing import Eyes, verdicts
from photosortd.errors import BundleError
from photosortd.vision.bundle import Category

Model = Any  # keras.Model, which has no types
Scores = NDArray[np.float64]

_BATCH = 16
_RANGES = 100  # photos by which the ranges of an 8-bit network are found


@dataclass(frozen=True, slots=True)
class Shipped:
    """The form that goes into the bundle."""

    eyes: Eyes
    form: str
    data: bytes  # of the TFLite file
    tried: tuple[export.Parity, ...]

    @property
    def parity(self) -> export.Parity:
        return next(each for each in self.tried if each.form == self.form)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How good something is on test photos."""

    macro: Estimate
    by_category: dict[str, Quality]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the test photos say."""

    raw: Scores  # of the shipped file, [photos, categories]
    shipped: Verdict
    classic: Verdict  # the same file with one threshold for all
    candidates: tuple[Verdict, ...]


def choose_form(
    model: Model, categories: Sequence[Category], course: Course, pictures: Pictures, tell: Tell
) -> Shipped:
    """Every form against Keras on validation photos; the smallest that passes the gate.

    Raises ExportError if none does.
    """
    names, truth = course.names, course.truth
    bar = partial(tell.each, "comparing Keras")
    trained = export.keras_scores(model, batched(bar(course.validation), pictures))
    right = verdicts(categories, trained)
    wanted = metrics.macro_f1(metrics.qualities(names, truth, right))

    def sample() -> Iterator[NDArray[np.uint8]]:
        yield from (pictures(photo) for photo in course.training[:_RANGES])

    tried, made = [], {}
    names_of_forms = tell.each("exported forms", export.FORMS)
    for form, data in export.forms(model, pictures.size, sample, names_of_forms):
        bar = partial(tell.each, f"comparing {form}")
        try:
            eyes = Eyes(data, names, pictures.size)
            seen = eyes.scores(course.validation, progress=bar)
        except BundleError as error:  # a value too large for half precision, say
            tried.append(export.unusable(form, data, str(error)))
            continue
        said = verdicts(categories, seen)
        macro = metrics.macro_f1(metrics.qualities(names, truth, said))
        pairs = (seen, trained), (said, right), (macro, wanted)
        tried.append(export.parity(form, data, eyes.seconds(), *pairs))
        made[form] = eyes, data
    form = export.smallest(tried).form
    return Shipped(*made[form][:1], form, made[form][1], tuple(tried))


def batched(photos: Iterable[Photo], pictures: Pictures) -> Iterator[NDArray[np.uint8]]:
    """[n, size, size, 3], a few photos at a time."""
    left = iter(photos)
    while batch := [pictures(photo) for photo in islice(left, _BATCH)]:
        yield np.stack(batch)


def judge(
    shipped: Shipped,
    categories: Sequence[Category],
    tried: Sequence[Tried],
    course: Course,
    test: Sequence[Photo],
    tell: Tell,
) -> Judged:
    """By the shipped file and by every candidate, in one pass. Nothing is chosen after this."""
    names, truth = course.names, labels(test, course.names)
    bar = partial(tell.each, "judging by test photos")
    raw = shipped.eyes.scores(test, progress=bar)

    def verdict(said: NDArray[np.bool_]) -> Verdict:
        return Verdict(metrics.estimate(truth, said), metrics.qualities(names, truth, said))

    return Judged(
        raw,
        verdict(verdicts(categories, raw)),
        verdict(raw >= CLASSIC),
        tuple(
            verdict(
                each.learned.scores(test, 0)[:, 0]
                >= candidates.thresholds(each.validation, course.truth)
            )
            for each in tried
        ),
    )
