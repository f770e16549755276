"""The pretrained networks: where their weights are, and the scaling that each wants.

Owns the table of networks and builds them frozen, pooled, with uint8-valued pixels as input. Never
trains. TensorFlow is loaded only when a network is built.
"""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photosort_trainer.errors import WeightsError
from photosortd.records import printable

Model = Any  # keras.Model, which has no types


@dataclass(frozen=True, slots=True)
class Backbone:
    """One network of keras.applications, without its top."""

    name: str  # on the command line and in the bundle
    constructor: str  # in keras.applications
    files: tuple[str, ...]  # names of the weights' file: in a --weights-dir, then Keras' own
    arguments: Mapping[str, float]
    note: str

    @property
    def published(self) -> str:
        """The file that keras.applications downloads."""
        return self.files[-1]


def _mobilenet(name: str, alpha: float, published: str) -> Backbone:
    return Backbone(
        name,
        "MobileNet",
        (f"mobilenet_{alpha:.2f}_notop.weights.h5", published),
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
            {"alpha": 1.0},
            "MobileNetV2: small, and good enough for most",
        ),
        _mobilenet("mobilenet", 0.75, "mobilenet_7_5_224_tf_no_top.h5"),
        _mobilenet("mobilenet_0.25", 0.25, "mobilenet_2_5_224_tf_no_top.h5"),
    )
}


def find_weights(backbone: Backbone, weights_dir: str | None, environ: Mapping[str, str]) -> str:
    """The weights' file, or 'imagenet': let keras.applications fetch it or take it from its cache.

    Raises WeightsError, which names the file to put and where, if `weights_dir` lacks it.
    """
    if weights_dir is None:
        return "imagenet"
    for file in backbone.files:
        path = Path(weights_dir, file)
        if path.is_file():
            return str(path)
    cache = Path(environ.get("KERAS_HOME") or Path.home() / ".keras", "models")
    raise WeightsError(
        f"the weights of {backbone.name} are not in {printable(weights_dir)}: put "
        f"{' or '.join(backbone.files)} there; or leave --weights-dir out, and Keras takes "
        f"{backbone.published} from {printable(str(cache))}, or downloads it to there"
    )


def build(backbone: Backbone, size: int, weights: str) -> Model:
    """The frozen network: float pixels 0…255 [n, size, size, 3] → pooled features [n, d].

    `weights` as `find_weights` gives it, or '' for random ones. Raises WeightsError.
    """
    import keras

    network = _construct(backbone, size, weights)
    network.trainable = False
    pixels = keras.Input((size, size, 3), name="pixels")
    # Both MobileNets were trained on -1…1; in the graph, so that no reader can forget it.
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(pixels)
    return keras.Model(pixels, network(scaled, training=False), name=f"{network.name}_pooled")


def _construct(backbone: Backbone, size: int, weights: str) -> Model:
    import keras

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
    reason = " ".join(str(error).split())[:300]
    if weights != "imagenet":
        return f"{printable(weights)} does not hold the weights of {backbone.name}: {reason}"
    cache = os.path.join(os.environ.get("KERAS_HOME") or "~/.keras", "models")
    return (
        f"the weights of {backbone.name} could not be downloaded ({reason}): put "
        f"{backbone.published} into {cache}, or {backbone.files[0]} into a folder and name that "
        "by --weights-dir"
    )
