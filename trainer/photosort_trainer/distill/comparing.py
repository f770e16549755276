"""Teacher and student side by side, on the same test photos and the same core."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from photosort_trainer import metrics
from photosort_trainer.bench import Tell
from photosort_trainer.dataset import Photo, labels
from photosort_trainer.distill.teacher import Teacher
from photosort_trainer.seeing import Eyes, verdicts
from photosort_trainer.shipping import Judged, Shipped, Verdict
from photosortd.vision.bundle import Category

Row = dict[str, Any]


def compare(
    teacher: Teacher,
    student: str,
    shipped: Shipped,
    judged: Judged,
    categories: Sequence[Category],
    test: Sequence[Photo],
    tell: Tell,
) -> Mapping[str, Any]:
    """A row for each, and the share of labels on which they agree. Nothing is chosen by it."""
    names = [category.name for category in categories]
    data, truth = teacher.bundle.model.read_bytes(), labels(test, names)
    eyes = Eyes(data, names, teacher.size, threads=1)
    raw = eyes.scores(test, partial(tell.each, "the teacher's test photos"))
    said = verdicts(teacher.bundle.categories, raw)
    verdict = Verdict(metrics.estimate(truth, said), metrics.qualities(names, truth, said))
    exports = {each["form"]: each["agreement"] for each in teacher.found.exports}
    form = teacher.found.form
    first = _row("teacher", eyes, len(data), verdict)
    own = Eyes(shipped.data, names, shipped.eyes.size, threads=1)
    second = _row("student", own, len(shipped.data), judged.shipped)
    first |= {"network": teacher.found.winner, "form": form, "parity": exports[form]}
    second |= {
        "network": student,
        "form": shipped.form,
        "parity": round(shipped.parity.agreement, 5),
    }
    agree = float(np.mean(said == verdicts(categories, judged.raw)))
    return {"rows": [first, second], "agreement": round(agree, 4)}


def _row(who: str, eyes: Eyes, size: int, verdict: Verdict) -> Row:
    return {
        "who": who,
        "pixels": eyes.size,
        "bytes": size,
        "milliseconds": round(1000 * eyes.seconds(), 2),
        **asdict(verdict.macro),
        "by_category": _f1(verdict),
    }


def _f1(verdict: Verdict) -> Mapping[str, float]:
    return {name: round(quality.f1, 4) for name, quality in verdict.by_category.items()}
