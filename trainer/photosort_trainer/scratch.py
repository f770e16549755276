"""The networks that are trained from random weights: their shapes, and nothing else.

`report_network` is the one that pretrained networks have to beat; `small_network`, under 1 MB, is
for the demo and for tests; `residual_network` learns from another network, for small machines.
"""

from typing import Any

Model = Any  # keras.Model, which has no types

_WIDTHS = (24, 48, 96, 128)  # 0.41 million weights, 0.83 MB in half precision
# Keras' 0.99 is made for runs of many thousand steps; ours has some hundred.
_MOMENTUM = 0.9

DROPOUT = "dropout"
"""The layer of small networks whose input is their pooled features."""

_STAGES = (32, 64, 128, 256)  # two blocks each

VERSION = 1
"""Of all shapes. Count up with every change: what was learned before does not fit any more."""


def report_network(
    categories: int = 6, size: int = 256, dense: int = 512, dropout: float = 0.4
) -> Model:
    """Pixels 0…255 [n, size, size, 3] → scores 0…1 [n, categories].

    Four pairs of 2×2 convolution and max pooling, two dense layers; 17,086,902 weights with six
    categories at 256×256.
    """
    import keras

    inputs = keras.Input((size, size, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 255.0, name="scale")(inputs)
    for filters in (16, 32, 64, 128):
        x = keras.layers.Conv2D(
            filters, 2, padding="same", activation="relu", name=f"convolution_{filters}"
        )(x)
        x = keras.layers.MaxPooling2D(2, name=f"pooling_{filters}")(x)
    x = keras.layers.Dropout(0.3, name="dropout_0")(x)
    x = keras.layers.Flatten(name="flat")(x)
    for number in (1, 2):
        x = keras.layers.Dense(dense, activation="relu", name=f"dense_{number}")(x)
        x = keras.layers.Dropout(dropout, name=f"dropout_{number}")(x)
    scores = keras.layers.Dense(categories, activation="sigmoid", name="scores")(x)
    return keras.Model(inputs, scores, name="scratch")


def small_network(categories: int, size: int | None, dropout: float, penalty: float) -> Model:
    """Pixels 0…255 [n, size, size, 3] → scores 0…1 [n, categories]. `size` None: of any size."""
    import keras

    inputs = keras.Input((size, size, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 255.0, name="scale")(inputs)
    x = _convolved(x, _WIDTHS[0], 2, penalty)
    for width in _WIDTHS[1:]:
        x = _convolved(x, width, 2, penalty)
        x = keras.layers.add([x, _convolved(x, width, 1, penalty)])
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(dropout, name=DROPOUT)(x)
    scores = keras.layers.Dense(categories, activation="sigmoid", name="scores")(x)
    return keras.Model(inputs, scores, name="small_scratch")


def residual_network(categories: int, size: int | None, dropout: float) -> Model:
    """Pixels 0…255 [n, size, size, 3] → scores 0…1 [n, categories]. `size` None: of any size.

    Half as wide as the network of 18 layers of He and others, "Deep Residual Learning for Image
    Recognition" (2016), and with a smaller first convolution; 2,801,382 weights with six
    categories, 148 million multiply-adds at 128×128.
    """
    import keras

    inputs = keras.Input((size, size, 3), name="pixels")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="scale")(inputs)
    x = _convolved(x, _STAGES[0], 2, 0.0)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for width in _STAGES:
        x = _block(x, width, 1 if width == _STAGES[0] else 2, f"block_{width}a")
        x = _block(x, width, 1, f"block_{width}b")
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(dropout, name=DROPOUT)(x)
    scores = keras.layers.Dense(categories, activation="sigmoid", name="scores")(x)
    return keras.Model(inputs, scores, name="small_resnet")


def _block(x: Any, width: int, stride: int, name: str) -> Any:
    """Two convolutions beside a way past them."""
    import keras

    past = x if stride == 1 else _normal(x, width, 1, stride, 0.0)
    x = _normal(_convolved(x, width, stride, 0.0, name), width, 3, 1, 0.0)
    return keras.layers.ReLU()(keras.layers.add([past, x]))


def _convolved(x: Any, width: int, stride: int, penalty: float, name: str | None = None) -> Any:
    import keras

    return keras.layers.ReLU()(_normal(x, width, 3, stride, penalty, name))


def _normal(
    x: Any, width: int, kernel: int, stride: int, penalty: float, name: str | None = None
) -> Any:
    """A convolution and its batch normalisation."""
    import keras

    x = keras.layers.Conv2D(
        width,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(penalty),
        name=name,
    )(x)
    return keras.layers.BatchNormalization(momentum=_MOMENTUM)(x)
