"""The pretrained networks: where their weights are, and the scaling that each wants.

Owns the table of networks and builds them frozen, pooled, with uint8-valued pixels as input. Never
trains. TensorFlow is loaded only when a network is built.

All but one have ImageNet's weights and are built by keras.applications. The one is ours, and its
weights come with us.
"""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photosort_trainer import packaged
from photosort_trainer.errors import WeightsError
from photosort_trainer.recipe import SMALL_RESNET
from photosortd.records import printable

Model = Any  # keras.Model, which has no types


@dataclass(frozen=True, slots=True)
class Backbone:
    """One network, without its top."""

    name: str  # on the command line and in the bundle
    constructor: str  # in keras.applications; '' for ours
    files: tuple[str, ...]  # names of the weights' file: in a --weights-dir, then Keras' own
    md5: str  # of Keras' own file, as keras.applications publishes it; '' if it does not
    cost: float  # multiply-adds for one photo of 224×224, in thousand millions
    scaling: str  # what it was trained on: 'signed' (-1…1), 'means', or 'inside' its own graph
    last: str  # the first layer of its last blocks, which a refinement may unfreeze
    arguments: Mapping[str, float | bool]
    note: str

    @property
    def published(self) -> str:
        """The file that keras.applications downloads."""
        return self.files[-1]


def _mobilenet(name: str, alpha: float, cost: float, published: str) -> Backbone:
    return Backbone(
        name,
        "MobileNet",
        (f"mobilenet_{alpha:.2f}_notop.weights.h5", published),
        "",
        cost,
        "signed",
        "conv_dw_12",
        {"alpha": alpha},
        f"MobileNet, {alpha:.0%} of its width",
    )


TABLE: Mapping[str, Backbone] = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            "mobilenet_v2",
            "MobileNetV2",
            (
                "mobilenet_v2_1.0_notop.weights.h5",
                "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
            ),
            "",
            0.30,
            "signed",
            "block_15_expand",
            {"alpha": 1.0},
            "MobileNetV2: small, and good enough for most",
        ),
        _mobilenet("mobilenet", 0.75, 0.33, "mobilenet_7_5_224_tf_no_top.h5"),
        _mobilenet("mobilenet_0.25", 0.25, 0.04, "mobilenet_2_5_224_tf_no_top.h5"),
        Backbone(
            "mobilenet_v3",
            "MobileNetV3Large",
            ("weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",),
            "07fb09a5933dd0c8eaafa16978110389",
            0.22,
            "inside",
            "expanded_conv_13_expand",
            {"include_preprocessing": True},
            "MobileNetV3, large",
        ),
        Backbone(
            "efficientnet_v2",
            "EfficientNetV2B0",
            ("efficientnetv2-b0_notop.h5",),
            "893217f2bb855e2983157299931e43ff",
            0.73,
            "inside",
            "block6h_expand_conv",
            {"include_preprocessing": True},
            "EfficientNetV2 B0",
        ),
        Backbone(
            "resnet50",
            "ResNet50",
            ("resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",),
            "4d473c1dd8becc155b73f8504c6f6626",
            3.9,
            "means",
            "conv5_block3_1_conv",
            {},
            "ResNet50: large",
        ),
        Backbone(
            "vgg19",
            "VGG19",
            ("vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",),
            "253f8cb515780f3b799900260a226db6",
            19.6,
            "means",
            "block5_conv1",
            {},
            "VGG19: the largest here",
        ),
        Backbone(
            "inception_v3",
            "InceptionV3",
            ("inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",),
            "bcbd6486424b2319ff4ef7d526e38f63",
            2.9,
            "signed",
            "mixed9",
            {},
            "InceptionV3: large",
        ),
        Backbone(
            SMALL_RESNET,
            "",
            (),
            "",
            0.45,
            "inside",
            "block_256b",
            {},
            "a small residual network that comes with photosortd, taught by another one",
        ),
    )
}

REPORT = ("resnet50", "vgg19", "inception_v3")
"""The three that the description of photosortd compares."""

_MEANS = (103.939, 116.779, 123.68)
"""Of ImageNet's blue, green and red, as Caffe's networks want them taken off."""


def find_weights(backbone: Backbone, weights_dir: str | None, environ: Mapping[str, str]) -> str:
    """The weights' file, or 'imagenet': let keras.applications fetch it or take it from its cache.

    Raises WeightsError, which names the file to put and where, if `weights_dir` lacks it.
    """
    if not backbone.constructor:
        return str(packaged.PATH)
    if weights_dir is None:
        return "imagenet"
    for file in backbone.files:
        path = Path(weights_dir, file)
        if path.is_file():
            return str(path)
    cache = Path(environ.get("KERAS_HOME") or Path.home() / ".keras", "models")
    raise WeightsError(
        f"the weights of {backbone.name} are not in {printable(weights_dir)}: put "
        f"{' or '.join(backbone.files)} there{_hash(backbone)}; or leave --weights-dir out, and "
        f"Keras takes {backbone.published} from {printable(str(cache))}, or downloads it to there"
    )


def _hash(backbone: Backbone) -> str:
    return f" (MD5 {backbone.md5})" if backbone.md5 else ""


def build(backbone: Backbone, size: int, weights: str) -> Model:
    """The frozen network: float pixels 0…255 [n, size, size, 3] → pooled features [n, d].

    `weights` as `find_weights` gives it, or '' for random ones. Raises WeightsError.
    """
    import keras

    network = _construct(backbone, size, weights)
    network.trainable = False
    pixels = keras.Input((size, size, 3), name="pixels")
    # In the graph, so that no reader can forget it.
    scaled = _scaled(pixels, backbone.scaling)
    return keras.Model(pixels, network(scaled, training=False), name=f"{network.name}_pooled")


def melt(network: Model) -> Model:
    """Let everything learn but batch normalisation, which stays as ImageNet left it. Returns the
    network of keras.applications inside."""
    import keras

    inner = next(layer for layer in network.layers if isinstance(layer, keras.Model))
    inner.trainable = True
    for layer in inner.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return inner


def unfreeze(network: Model, backbone: Backbone) -> None:
    """Let the last blocks learn; batch normalisation stays as ImageNet left it."""
    import keras

    inner = melt(network)
    below = True
    for layer in inner.layers:
        below = below and layer.name != backbone.last
        layer.trainable = not below and not isinstance(layer, keras.layers.BatchNormalization)
    if below:
        raise WeightsError(f"{backbone.name}: this version of Keras has no layer {backbone.last}")


def _scaled(pixels: Any, scaling: str) -> Any:
    import keras

    if scaling == "inside":
        return pixels
    if scaling == "means":
        blue_first = keras.ops.flip(pixels, axis=-1)
        offsets = [-mean for mean in _MEANS]
        return keras.layers.Rescaling(1.0, offset=offsets, name="scale")(blue_first)
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(pixels)


def _construct(backbone: Backbone, size: int, weights: str) -> Model:
    import keras

    if not backbone.constructor:
        return packaged.network(size, Path(weights) if weights else None)
    constructor = getattr(keras.applications, backbone.constructor)
    try:
        # Keras warns of every size that is not ImageNet's own, before it does what is asked.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return constructor(
                input_shape=(size, size, 3),
                include_top=False,
                pooling="avg",
                weights=weights or None,
                **backbone.arguments,
            )
    except (ValueError, KeyError, OSError) as error:
        raise WeightsError(_unusable(backbone, weights, error)) from error
    except Exception as error:
        if weights != "imagenet":
            raise
        # Keras wraps whatever the download met in a bare Exception.
        raise WeightsError(_unusable(backbone, weights, error)) from error


def _unusable(backbone: Backbone, weights: str, error: Exception) -> str:
    reason = " ".join(str(error).split())
    if weights != "imagenet":
        if isinstance(error, ValueError | KeyError):
            reason = "they have other shapes or names"
        return f"{printable(weights)} does not hold the weights of {backbone.name}: {reason[:300]}"
    cache = os.path.join(os.environ.get("KERAS_HOME") or "~/.keras", "models")
    return (
        f"the weights of {backbone.name} could not be downloaded ({reason[:300]}): put "
        f"{backbone.published}{_hash(backbone)} into {cache}, or "
        f"{backbone.files[0]} into a folder and name that by --weights-dir; or say --backbone "
        f"{SMALL_RESNET}, which comes with photosortd"
    )
