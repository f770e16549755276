"""Keras → TFLite in the smallest form that still gives what was trained.

Owns the forms and the parity gate. What it hands on takes uint8 pixels and gives float32 scores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.errors import ExportError
from photosort_trainer.quiet import hushed

Model = Any  # keras.Model, which has no types

AGREE = 0.995
"""The share of labels on which an exported form must agree with Keras."""

FORMS = ("float16", "float32")
"""Tried in this order. Weights of 8 bits halve the file again, but took twice the time of either
on x86-64 and moved scores by up to 0.06; half precision is as fast as single and moves 0.004."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How one form compares with the network in Keras on validation photos."""

    form: str
    size: int  # bytes
    agreement: float  # share of labels that are the same, at the thresholds
    gap: float  # the largest difference of a raw score
    seconds: float  # for one photo, on the training machine

    @property
    def passes(self) -> bool:
        return self.agreement >= AGREE

    def as_json(self) -> dict[str, object]:
        return {
            "form": self.form,
            "bytes": self.size,
            "agreement": round(self.agreement, 5),
            "largest_gap": round(self.gap, 5),
            "milliseconds": round(1000 * self.seconds, 2),
        }


def forms(model: Model, size: int, names: Sequence[str] = FORMS) -> Iterator[tuple[str, bytes]]:
    """`model` (float pixels 0…255 → scores) in each of the forms named, made when asked for."""
    import tensorflow as tf

    infer = tf.function(lambda pixels: model(tf.cast(pixels, tf.float32), training=False))
    with hushed():
        concrete = infer.get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.uint8))
    for name in names:
        with hushed():
            converted = _convert(concrete, name)
        yield name, converted


def _convert(concrete: Any, form: str) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if form == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


def keras_scores(model: Model, batches: Iterator[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """What the network itself says of the same pixels: [photos, categories]."""
    rows = [model.predict_on_batch(batch.astype(np.float32)) for batch in batches]
    return np.concatenate(rows).astype(np.float64)


def parity(
    form: str,
    data: bytes,
    seconds: float,
    scores: tuple[NDArray[np.float64], NDArray[np.float64]],
    verdicts: tuple[NDArray[np.bool_], NDArray[np.bool_]],
) -> Parity:
    """Compare a form with Keras: both pairs are (of the form, of Keras), [photos, categories]."""
    return Parity(
        form,
        len(data),
        agreement=float(np.mean(verdicts[0] == verdicts[1])),
        gap=float(np.max(np.abs(scores[0] - scores[1]))),
        seconds=seconds,
    )


def refuse(tried: Sequence[Parity]) -> ExportError:
    said = "; ".join(f"{p.form}: {p.agreement:.2%} of labels agree" for p in tried)
    return ExportError(
        f"no exported form gives what was trained ({said}, {AGREE:.1%} are asked for): nothing "
        "was written"
    )
