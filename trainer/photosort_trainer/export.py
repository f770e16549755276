"""Keras → TFLite in the smallest form that still gives what was trained.

Owns the forms and the parity gate. What it hands on takes uint8 pixels and gives float32 scores.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.errors import ExportError
from photosort_trainer.quiet import hushed

Model = Any  # keras.Model, which has no types
Pictures = Callable[[], Iterator[NDArray[np.uint8]]]
"""Photos as [size, size, 3], to find the ranges of a network's values by."""

AGREE = 0.995
"""The share of labels on which an exported form must agree with Keras."""

FALL = 0.005
"""By which the macro-F1 of an exported form may fall below that of Keras."""

ABOUT = 1.1
"""Times the size of the smallest form that counts as equally small: 8-bit weights alone are a few
per cent smaller than 8 bits throughout, and took seven times as long on x86-64."""

FORMS = ("float32", "float16", "int8 weights", "int8")
"""Single precision; weights in half precision; weights of 8 bits; everything in 8 bits."""

_RATHER = ("int8", "float16", "float32", "int8 weights")
"""Of equally small ones, the faster first; by a stopwatch the same training would ship now this,
now that."""


@dataclass(frozen=True, slots=True)
class Parity:
    """How one form compares with the network in Keras on validation photos."""

    form: str
    size: int  # bytes
    agreement: float  # share of labels that are the same, at the thresholds
    fall: float  # of the macro-F1; negative if the form is better
    gap: float  # the largest difference of a raw score
    seconds: float  # for one photo, on the training machine
    error: str = ""  # why no daemon would take it

    @property
    def passes(self) -> bool:
        return not self.error and self.agreement >= AGREE and self.fall <= FALL

    def as_json(self) -> dict[str, object]:
        return {
            "form": self.form,
            "bytes": self.size,
            "agreement": round(self.agreement, 5),
            "macro_f1_fall": round(self.fall, 5),
            "largest_gap": round(self.gap, 5),
            "milliseconds": round(1000 * self.seconds, 2),
            "passes": self.passes,
            "error": self.error,
        }


def forms(
    model: Model, size: int, pictures: Pictures, names: Iterable[str] = FORMS
) -> Iterator[tuple[str, bytes]]:
    """`model` (float pixels 0…255 → scores) in each form, made when asked for."""
    import tensorflow as tf

    infer = tf.function(lambda pixels: model(tf.cast(pixels, tf.float32), training=False))
    exact = tf.function(lambda pixels: model(pixels, training=False))
    with hushed():
        concrete = infer.get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.uint8))
        floating = exact.get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.float32))
    for name in names:
        with hushed():
            whole = name == "int8"
            converted = _convert(floating if whole else concrete, name, pictures)
        yield name, converted


def _convert(concrete: Any, form: str, pictures: Pictures) -> bytes:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if form != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if form == "int8":
        converter.representative_dataset = lambda: _ranges(pictures)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
    return bytes(converter.convert())


def _ranges(pictures: Pictures) -> Iterator[list[NDArray[np.float32]]]:
    """Every picture with one pixel of black and one of white: a step of the input is then exactly
    one step of a pixel, whatever the photos show."""
    for picture in pictures():
        batch = picture[np.newaxis].astype(np.float32)
        batch[0, 0, 0], batch[0, -1, -1] = 0.0, 255.0
        yield [batch]


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
    macro_f1: tuple[float, float],
) -> Parity:
    """Compare a form with Keras: all pairs are (of the form, of Keras), [photos, categories]."""
    return Parity(
        form,
        len(data),
        agreement=float(np.mean(verdicts[0] == verdicts[1])),
        fall=macro_f1[1] - macro_f1[0],
        gap=float(np.max(np.abs(scores[0] - scores[1]))),
        seconds=seconds,
    )


def unusable(form: str, data: bytes, error: str) -> Parity:
    """Of a form that gives no scores at all."""
    return Parity(form, len(data), 0.0, 1.0, 1.0, 0.0, error)


def smallest(tried: Sequence[Parity]) -> Parity:
    """The one to ship; of those that are about as small the one that `_RATHER` names first. Raises
    ExportError if none passes."""
    passing = [each for each in tried if each.passes]
    if not passing:
        raise refuse(tried)
    least = min(each.size for each in passing)
    return min(
        (each for each in passing if each.size <= ABOUT * least),
        key=lambda each: _RATHER.index(each.form),
    )


def refuse(tried: Sequence[Parity]) -> ExportError:
    said = "; ".join(
        p.error or f"{p.form}: {p.agreement:.2%} of labels agree, macro-F1 {-p.fall:+.3f}"
        for p in tried
    )
    return ExportError(
        f"no exported form gives what was trained ({said}, {AGREE:.1%} are asked for): there is no "
        "new bundle"
    )
