"""What a training leaves behind in its directory: network, bundle, results and report.

All of it is made from the same facts; each appears whole or not at all.
"""

import dataclasses
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photosort_trainer import card, facts, golden, report, results
from photosort_trainer.results import Results
from photosort_trainer.shipping import Shipped
from photosortd.vision.bundle import Bundle, Category, write_bundle

Model = Any  # keras.Model, which has no types

MODEL = "model.keras"
BUNDLE = "bundle"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    bundle: Bundle
    results: Results
    report: Path


def keep(model: Model, path: Path) -> None:
    """Structure and weights; whole or not there. Raises OSError.

    Keras writes HDF5, which ends the process on a full disk: there has to be room before.
    """
    needed = 2 * sum(weight.nbytes for weight in model.get_weights())
    if shutil.disk_usage(path.parent).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        model.save(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write(out: Path, found: Results, categories: tuple[Category, ...], shipped: Shipped) -> Result:
    """Bundle, results and report below `out`. Raises BundleError, OSError."""
    size = shipped.eyes.size
    bundle = write_bundle(
        out / BUNDLE,
        model=shipped.data,
        categories=categories,
        height=size,
        width=size,
        backbone=found.winner,
        recipe=found.recipe,
        metrics=facts.bundle_metrics(found),
        golden=golden.choose(golden.drawings(), categories, shipped.eyes.look),
        model_card=card.write(found),
    )
    found = dataclasses.replace(found, bundle=bundle.id)
    results.save(found, out)
    return Result(bundle, found, report.write(found, out))
