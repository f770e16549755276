"""The networks: shapes and sizes as described, their own scaling, their weights by name."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner, Result

from drawing import draw_photo
from photosort_trainer import backbones
from photosort_trainer.diary import Diary
from photosort_trainer.errors import WeightsError

pytestmark = [
    pytest.mark.trainer,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None,
        reason="needs TensorFlow: pip install 'photosortd[trainer]'",
    ),
    # Keras' and TensorFlow's own use of what NumPy and Python are retiring.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

MODULES = {
    "MobileNetV2": "mobilenet_v2",
    "MobileNet": "mobilenet",
    "MobileNetV3Large": "mobilenet_v3",
    "EfficientNetV2B0": "efficientnet_v2",
    "ResNet50": "resnet50",
    "VGG19": "vgg19",
    "InceptionV3": "inception_v3",
}


@pytest.fixture(scope="module", autouse=True)
def _quiet() -> None:
    from photosort_trainer import quiet

    quiet.load_tensorflow(0)


def test_the_network_of_the_report_has_its_17_086_902_weights():
    from photosort_trainer.scratch import report_network

    network = report_network(categories=6, size=256)
    counts = {layer.name: layer.count_params() for layer in network.layers if layer.count_params()}
    assert counts == {
        "convolution_16": 208,
        "convolution_32": 2_080,
        "convolution_64": 8_256,
        "convolution_128": 32_896,
        "dense_1": 16_777_728,
        "dense_2": 262_656,
        "scores": 3_078,
    }
    assert network.count_params() == 17_086_902
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds == [
        "InputLayer", "Rescaling",
        *["Conv2D", "MaxPooling2D"] * 4,
        "Dropout", "Flatten", "Dense", "Dropout", "Dense", "Dropout", "Dense",
    ]  # fmt: skip
    rates = [layer.rate for layer in network.layers if type(layer).__name__ == "Dropout"]
    assert rates == [0.3, 0.4, 0.4]
    assert network.layers[2].padding == "same"
    assert network.layers[2].kernel_size == (2, 2)
    assert network.output_shape == (None, 6)


@pytest.mark.parametrize("name", [name for name in backbones.TABLE if name != "small_resnet"])
def test_each_network_scales_as_its_own_preprocessing_does(name: str):
    import keras

    backbone = backbones.TABLE[name]
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 75, 75, 3)).astype(np.float32)
    built = backbones.build(backbone, 75, "")
    assert not built.trainable_weights
    # Random weights hardly tell one picture from another: what goes in is compared.
    own = getattr(keras.applications, MODULES[backbone.constructor]).preprocess_input
    before = keras.Model(built.input, built.layers[-2].output)
    given = np.asarray(before(pixels)) if backbone.scaling != "inside" else pixels
    assert np.allclose(given, own(pixels.copy()), atol=1e-3)


@pytest.mark.parametrize("name", list(backbones.TABLE))
def test_unfreezing_reaches_the_last_blocks_alone(name: str):
    backbone = backbones.TABLE[name]
    built = backbones.build(backbone, 75, "")
    backbones.unfreeze(built, backbone)
    learning = sum(int(np.prod(each.shape)) for each in built.trainable_weights)
    assert 0.05 * built.count_params() < learning < 0.6 * built.count_params()
    assert not any("normalization" in w.path or "_bn" in w.path for w in built.trainable_weights)


def test_a_missing_file_is_named_with_its_published_hash(tmp_path):
    with pytest.raises(WeightsError, match="4d473c1dd8becc155b73f8504c6f6626") as refused:
        backbones.find_weights(backbones.TABLE["resnet50"], str(tmp_path), {})
    assert "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5" in str(refused.value)


def test_a_network_that_cannot_be_downloaded_says_what_to_put_where(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def offline(**_: object) -> None:
        raise Exception("URL fetch failure")

    import keras

    monkeypatch.setattr(keras.applications, "VGG19", offline)
    with pytest.raises(WeightsError, match="253f8cb515780f3b799900260a226db6") as refused:
        backbones.build(backbones.TABLE["vgg19"], 64, "imagenet")
    assert "small_resnet" in str(refused.value)


def test_our_own_network_needs_no_download_and_has_its_weights(tmp_path):
    backbone = backbones.TABLE["small_resnet"]
    weights = backbones.find_weights(backbone, str(tmp_path), {})
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 112, 112, 3)).astype(np.float32)
    known, random = (backbones.build(backbone, 112, file) for file in (weights, ""))
    seen = known.predict_on_batch(pixels)
    assert seen.shape == (4, 256)
    # Its batch normalisation knows what photos are like; random weights were not told.
    assert not np.allclose(seen, random.predict_on_batch(pixels), rtol=0.1)
    again = backbones.build(backbone, 112, weights).predict_on_batch(pixels)
    assert np.array_equal(seen, again)
    larger = backbones.build(backbone, 160, weights)
    assert larger.predict_on_batch(np.zeros((1, 160, 160, 3), np.float32)).shape == (1, 256)


def test_our_own_network_learns_to_see_from_photos_without_labels(tmp_path, monkeypatch):
    """Stopped in the middle, it goes on, to the same weights; what is no photo is left out."""
    import keras

    from photosort_trainer import packaged, scratch, starter
    from photosort_trainer.distill import sight
    from photosort_trainer.recipe import Recipe

    monkeypatch.setattr(scratch, "_STAGES", (8, 16))  # most of it is making graphs
    monkeypatch.setattr(sight, "TEACHER", Recipe(backbone="mobilenet_0.25", size=32))
    short = replace(starter.SIGHT, size=32, batch=4, looks=2, learning_rate=0.02)
    monkeypatch.setattr(starter, "SIGHT", short)
    keras.utils.set_random_seed(1)
    keras.applications.MobileNet(
        input_shape=(32, 32, 3), alpha=0.25, include_top=False, weights=None
    ).save_weights(str(tmp_path / "mobilenet_0.25_notop.weights.h5"))
    for number in range(9):
        photo = draw_photo((30 * number, 100, 200 - 20 * number), (48, 48), seed=number)
        (tmp_path / "any" / f"{number}.jpg").parent.mkdir(exist_ok=True)
        (tmp_path / "any" / f"{number}.jpg").write_bytes(photo)
    (tmp_path / "any" / "broken.jpg").write_bytes(photo[:100])

    def learn(work: str, **options: object) -> Result:
        more = [f"--{name}={value}" for name, value in options.items()]
        places = ["--weights-dir", str(tmp_path), "--work", str(tmp_path / work)]
        asked = ["network", str(tmp_path / "any"), "--epochs", "3", *places, *more]
        return CliRunner().invoke(starter.command, asked)

    whole = learn("whole", to=tmp_path / "whole.npz")
    assert whole.exit_code == 0, (whole.output, whole.exception)
    with monkeypatch.context() as patch:
        patch.setattr(Diary, "_end", stopping_after(Diary._end, 2))
        assert learn("cut", to=tmp_path / "cut.npz").exit_code == 1
    assert not (tmp_path / "cut.npz").exists()
    assert learn("cut", to=tmp_path / "cut.npz").exit_code == 0
    pixels = np.random.default_rng(0).uniform(0, 255, (4, 32, 32, 3)).astype(np.float32)
    said, again, random = (
        packaged.network(32, path).predict_on_batch(pixels)
        for path in (tmp_path / "whole.npz", tmp_path / "cut.npz", None)
    )
    assert np.allclose(said, again, rtol=1e-3, atol=1e-3)
    assert not np.allclose(said, random, rtol=0.1)
    assert "another distillation stands here" in str(learn("whole", epochs=4).exception)
    (tmp_path / "none").mkdir()
    nothing = CliRunner().invoke(
        starter.command,
        [
            "network",
            str(tmp_path / "none"),
            "--work",
            str(tmp_path / "w"),
            "--weights-dir",
            str(tmp_path),
        ],
    )
    assert "no photo is there" in str(nothing.exception)


def stopping_after(end, count):
    """As a Ctrl-C once so many epochs have ended."""
    ended = []

    def ending(self, model, epoch):
        end(self, model, epoch)
        ended.append(epoch)
        if len(ended) == count:
            raise KeyboardInterrupt

    return ending
