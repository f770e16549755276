"""Makes tests/assets/tiny-bundle: a model that was not trained but written down.

Its categories red, green and blue are sigmoids of the photo's mean colour, each
sigmoid(12 · (mean − 0.5)) with the mean 0…1, so that a drawn colour is a known label. Needs
TensorFlow; run it only to change the bundle, and commit the result.
"""

import io
import math
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from photosortd.vision.bundle import Category, write_bundle
from photosortd.vision.classify import Classifier
from photosortd.vision.decode import decode

SIDE = 32
STEEPNESS = 12.0
NAMES = ("red", "green", "blue")
GOLDEN = {
    "red.png": (220, 40, 40),
    "magenta.png": (220, 40, 220),
    "grey.png": (60, 60, 60),
}


def model() -> bytes:
    """uint8 [1, 32, 32, 3] → float32 [1, 3]."""

    @tf.function(input_signature=[tf.TensorSpec((1, SIDE, SIDE, 3), tf.uint8)])
    def infer(pixels: tf.Tensor) -> tf.Tensor:
        mean = tf.reduce_mean(tf.cast(pixels, tf.float32), axis=(1, 2)) / 255.0
        return tf.sigmoid(STEEPNESS * (mean - 0.5))

    converter = tf.lite.TFLiteConverter.from_concrete_functions([infer.get_concrete_function()])
    return bytes(converter.convert())


def drawn(color: tuple[int, int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), color).save(stream, format="PNG")
    return stream.getvalue()


def write(directory: Path, golden: Mapping[str, tuple[bytes, tuple[float, ...]]]) -> None:
    write_bundle(
        directory,
        model=model(),
        categories=[Category(name, 0.5) for name in NAMES],
        height=SIDE,
        width=SIDE,
        backbone="mean colour, by hand",
        recipe={"made_by": "tests/assets/make_tiny.py"},
        metrics={},
        golden=golden,
        model_card="# Mean colour\n\nFor tests only: it tells red, green and blue apart.\n",
        created=datetime(2024, 1, 1, tzinfo=UTC),
    )


def main() -> None:
    target = Path(__file__).with_name("tiny-bundle")
    images = {name: drawn(color) for name, color in GOLDEN.items()}
    expected = {
        name: tuple(1 / (1 + math.exp(-STEEPNESS * (band / 255 - 0.5))) for band in color)
        for name, color in GOLDEN.items()
    }
    with tempfile.TemporaryDirectory() as scratch:
        from photosortd.vision.bundle import read_bundle

        write(Path(scratch) / "probe", {})
        classifier = Classifier(read_bundle(Path(scratch) / "probe"))
        scores = {n: classifier.scores(decode(d, SIDE, SIDE).pixels) for n, d in images.items()}
    for name, wanted in expected.items():
        assert np.allclose(scores[name], wanted, atol=1e-5), (name, scores[name], wanted)
    write(target, {name: (images[name], scores[name]) for name in images})
    print(f"{target}: {scores}")


if __name__ == "__main__":
    main()
