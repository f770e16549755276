"""Learns a network's weights in Keras: loss, learning rate, and the choice of the best epoch.

Owns how a head stands in Keras too, though it learns elsewhere (`fit_head`). Never opens a photo;
the diary of a training is `diary`'s.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from photosort_trainer.diary import LOSS, Diary, Epoch, Hearers
from photosort_trainer.heads import Head, class_weights
from photosort_trainer.recipe import Recipe

Model = Any  # keras.Model, which has no types
Batches = Any  # keras.utils.PyDataset, which has no types
Array = NDArray[Any]

_NOBODY = Hearers()
_FLAT = 2  # dimensions of what is no picture any more
_WIDEST = 4096  # features: the flattened pictures of the report's network are none


def head(inputs: int, outputs: int, recipe: Recipe) -> Model:
    """Features [n, inputs] → scores 0…1 [n, outputs]."""
    import keras

    penalty = keras.regularizers.L2(recipe.penalty)
    features = keras.Input((inputs,), name="features")
    x = features
    for number in range(recipe.layers):
        x = keras.layers.Dense(
            recipe.hidden,
            activation=recipe.activation,
            kernel_regularizer=penalty,
            name=f"hidden_{number + 1}",
        )(x)
        x = keras.layers.Dropout(recipe.dropout, name=f"dropout_{number + 1}")(x)
    scores = keras.layers.Dense(
        outputs, activation="sigmoid", kernel_regularizer=penalty, name="scores"
    )(x)
    return keras.Model(features, scores, name="head")


def as_keras(learned: Head, recipe: Recipe) -> Model:
    """The same head, with what it has learned."""
    model = head(learned.weights[0].shape[0], learned.weights[-1].shape[0], recipe)
    model.set_weights(learned.weights)
    return model


def fit(
    model: Model,
    training: Batches,
    validation: Batches | None,
    truth: Array,
    recipe: Recipe,
    folder: str | Path,
    hearers: Hearers = _NOBODY,
) -> tuple[Epoch, ...]:
    """Train `model` for `recipe.epochs` and tell how it went.

    The photos of `training` have the labels `truth`. With `validation` the best weights are kept
    in `folder` whenever the validation loss improves, and `model` is left with them; without, it
    is left with those of the last epoch. The state after each epoch is kept too and taken up
    again, and what was finished before is only loaded.
    """
    diary = Diary(Path(folder), hearers, validation is not None)
    if diary.finished:
        diary.load(model)
        return tuple(diary.epochs)
    _compile(model, truth, recipe)
    diary.restore(model)
    if not diary.is_over(recipe.patience):  # it was cut off between that and its end
        model.fit(
            training,
            validation_data=validation,
            initial_epoch=len(diary.epochs),
            epochs=recipe.epochs,
            shuffle=False,  # the batches know their order, and it is the same after a stop
            verbose=0,
            callbacks=diary.callbacks(model, recipe.patience, training),
        )
    diary.finish(model)
    return tuple(diary.epochs)


def _compile(model: Model, truth: Array, recipe: Recipe) -> None:
    import keras

    loss = balanced_loss(truth, recipe.balance, recipe.smoothing)
    model.compile(
        optimizer=_optimizer(recipe, len(truth)),
        loss=loss,
        # Keras adds the penalty to its losses; it goes on falling when the photos are learned.
        metrics=[keras.metrics.MeanMetricWrapper(loss, name=LOSS)],
    )


def _optimizer(recipe: Recipe, photos: int) -> Any:
    import keras

    if not recipe.decay:
        return keras.optimizers.Adam(recipe.learning_rate)
    steps = recipe.epochs * -(-photos // recipe.batch)
    return keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(recipe.learning_rate, steps, alpha=0.01)
    )


def balanced_loss(truth: Array, balance: float, smoothing: float) -> Callable[..., Any]:
    """Binary cross-entropy in which a rare category's photos weigh more.

    `balance` as of `heads.class_weights`, `smoothing` as of `heads.smoothed`.
    """
    from keras import ops

    weights = class_weights(truth, balance)

    def loss(labels: Any, scores: Any) -> Any:
        target = labels * (1 - smoothing) + smoothing / 2
        likely = ops.clip(scores, 1e-7, 1 - 1e-7)
        right = target * weights * ops.log(likely)
        return -ops.mean(right + (1 - target) * ops.log(1 - likely), axis=-1)

    return loss


def bare(model: Model) -> Model:
    """The same layers, without loss and optimizer: anybody's Keras can load it."""
    import keras

    return keras.Model(model.input, model.output, name=model.name)


def whole(network: Model, top: Model, size: int) -> Model:
    """Pixels 0…255 [n, size, size, 3] → scores: network and head in one."""
    import keras

    pixels = keras.Input((size, size, 3), name="pixels")
    scores = bare(top)(network(pixels, training=False), training=False)
    return keras.Model(pixels, scores, name="whole")


def telling(model: Model) -> Model:
    """Pixels as `model` takes them → [n, d + categories]: its pooled features, then its scores.

    Of what `whole` made these are what the head gets; of a network from scratch what its first
    layer gives that is no picture any more.
    """
    import keras

    _, first, *rest = model.layers
    if isinstance(first, keras.Model):
        features = first(model.input, training=False)
        scores = rest[0](features, training=False)
    else:
        flat = (layer.output for layer in model.layers if len(layer.output.shape) == _FLAT)
        features = next(each for each in flat if each.shape[-1] <= _WIDEST)
        scores = model.output
    return keras.Model(model.input, keras.layers.Concatenate()([features, scores]), name="telling")
