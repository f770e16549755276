"""The interpreter behind its one door, with models that fit their manifest and some that do not."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photosortd.errors import BundleError
from photosortd.vision.bundle import Calibration, Category, read_bundle, write_bundle
from photosortd.vision.classify import Classifier, runtime
from photosortd.vision.decode import decode

TINY = Path(__file__).resolve().parents[1] / "assets" / "tiny-bundle"


def plain(color, side=32):
    return np.full((side, side, 3), color, np.uint8)


def variant(directory, model=None, names=("red", "green", "blue"), side=32, calibration=None):
    """A bundle around the tiny model, or around `model`, that says something else of it."""
    return write_bundle(
        directory,
        model=(TINY / "model.tflite").read_bytes() if model is None else model,
        categories=[Category(name, 0.5, calibration or Calibration()) for name in names],
        height=side,
        width=side,
        backbone="test",
        recipe={},
        metrics={},
        golden={},
        model_card="",
    )


@pytest.fixture(scope="module")
def tiny():
    return Classifier(read_bundle(TINY))


def test_the_tiny_model_is_the_sigmoid_that_it_says_it_is(tiny):
    for color in [(220, 40, 40), (0, 255, 0), (255, 0, 255), (0, 0, 0), (120, 130, 140)]:
        expected = [1 / (1 + np.exp(-12 * (band / 255 - 0.5))) for band in color]
        assert tiny.scores(plain(color)) == pytest.approx(expected, abs=1e-5)


def test_the_same_pixels_give_the_same_scores(tiny):
    noise = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    first = tiny.scores(noise)
    tiny.scores(plain((1, 2, 3)))
    assert tiny.scores(noise) == first


def test_golden_images_get_their_scores(tiny):
    bundle = read_bundle(TINY)
    assert bundle.golden
    for golden in bundle.golden:
        picture = decode((TINY / golden.file).read_bytes(), bundle.height, bundle.width)
        assert tiny.scores(picture.pixels) == pytest.approx(golden.scores, abs=1e-4)


def test_calibration_is_applied_to_scores_but_not_to_raw_scores(tmp_path):
    half = Calibration("isotonic", xs=(0.0, 1.0), ys=(0.0, 0.5))
    classifier = Classifier(variant(tmp_path / "b", calibration=half))
    raw = classifier.raw_scores(plain((220, 40, 40)))
    assert classifier.scores(plain((220, 40, 40))) == pytest.approx([score / 2 for score in raw])


def test_runtime_names_a_version():
    name, version = runtime().split(" ", 1)
    assert name in ("ai-edge-litert", "tflite-runtime")
    assert version[0].isdigit()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"side": 64}, r"its input is uint8 \(1, 32, 32, 3\), .* asks for uint8 \(1, 64, 64, 3\)"),
        ({"names": ("red", "green")}, r"its output is float32 \(1, 3\), .* float32 \(1, 2\)"),
        ({"model": b""}, "cannot be used"),
        ({"model": b"TFL3" * 100}, "cannot be used"),
        ({"model": (TINY / "model.tflite").read_bytes()[:800]}, "cannot be used"),
    ],
)
def test_a_model_that_is_not_what_the_manifest_says(tmp_path, changes, complaint):
    bundle = variant(tmp_path / "b", **changes)
    with pytest.raises(BundleError, match=complaint) as caught:
        Classifier(bundle)
    assert "model.tflite" in str(caught.value)


def _converted(body, dtype):
    tf = pytest.importorskip("tensorflow", reason="needs the extra trainer (TensorFlow)")
    signature = [tf.TensorSpec((1, 32, 32, 3), dtype)]
    function = tf.function(body, input_signature=signature).get_concrete_function()
    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([function]).convert())


@pytest.mark.trainer
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", ["float input", "integer output", "nan", "logits"])
def test_models_of_another_kind(tmp_path, case):
    tf = pytest.importorskip("tensorflow", reason="needs the extra trainer (TensorFlow)")

    def mean(pixels):
        return tf.reduce_mean(tf.cast(pixels, tf.float32), axis=(1, 2))

    bodies = {
        "float input": (lambda p: tf.sigmoid(mean(p)), tf.float32, "its input is float32"),
        "integer output": (lambda p: tf.cast(mean(p), tf.int32), tf.uint8, "its output is int32"),
        "nan": (lambda p: tf.math.log(mean(p) - 256.0), tf.uint8, "not in 0…1"),
        "logits": (lambda p: mean(p) - 300.0, tf.uint8, "not in 0…1"),
    }
    body, dtype, complaint = bodies[case]
    bundle = variant(tmp_path / "b", model=_converted(body, dtype))
    with pytest.raises(BundleError, match=complaint):
        Classifier(bundle).scores(plain((10, 20, 30)))


def test_loading_says_nothing_on_stderr_and_leaves_no_descriptor():
    script = (
        "import os, sys\n"
        "from photosortd.vision.bundle import read_bundle\n"
        "from photosortd.vision.classify import Classifier\n"
        "Classifier(read_bundle(sys.argv[1]))\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        "for _ in range(3): Classifier(read_bundle(sys.argv[1]))\n"
        "assert len(os.listdir('/proc/self/fd')) == before\n"
        "os.write(2, b'still there')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, TINY], capture_output=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.stderr == b"still there"


def test_what_becomes_of_the_file_afterwards_changes_nothing(tmp_path):
    bundle = variant(tmp_path / "b")
    classifier = Classifier(bundle)
    before = classifier.scores(plain((230, 30, 30)))
    with bundle.model.open("r+b") as stream:  # a map of it would show the new bytes
        stream.write(bytes(bundle.model.stat().st_size))
    assert classifier.scores(plain((230, 30, 30))) == before
    os.truncate(bundle.model, 0)  # and a map of this would kill us
    assert classifier.scores(plain((230, 30, 30))) == before


def test_the_committed_bundle_is_small_and_drawn():
    total = sum(path.stat().st_size for path in TINY.rglob("*") if path.is_file())
    assert total < 20_000
    manifest = json.loads((TINY / "bundle.json").read_text())
    for golden in manifest["golden"]:
        image = Image.open(io.BytesIO((TINY / golden["file"]).read_bytes()))
        assert len(image.getcolors() or ()) == 1
