"""Learns a network's weights: loss, class weights, learning rate, and the choice of the best epoch.

Owns the head on the frozen network's features too. Never sees a photo; the diary of a training is
`diary`'s.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.diary import LOSS, Diary, Epoch
from photosort_trainer.recipe import Recipe

Model = Any  # keras.Model, which has no types
Array = NDArray[Any]


def head(inputs: int, outputs: int, recipe: Recipe) -> Model:
    """Features [n, inputs] → scores 0…1 [n, outputs]."""
    import keras

    penalty = keras.regularizers.L2(recipe.penalty)
    features = keras.Input((inputs,), name="features")
    hidden = keras.layers.Dense(
        recipe.hidden, activation="relu", kernel_regularizer=penalty, name="hidden"
    )(features)
    kept = keras.layers.Dropout(recipe.dropout, name="dropout")(hidden)
    scores = keras.layers.Dense(
        outputs, activation="sigmoid", kernel_regularizer=penalty, name="scores"
    )(kept)
    return keras.Model(features, scores, name="head")


def fit(
    model: Model,
    training: Any,
    validation: tuple[Array, Array],
    truth: Array,
    recipe: Recipe,
    folder: str | Path,
    progress: Callable[[Epoch], None] = lambda epoch: None,
    resume: bool = False,
) -> tuple[Epoch, ...]:
    """Train `model`, leave it with the weights of its best epoch, and tell how it went.

    `training` is a pair of inputs and labels, or a Keras data set, of photos with the labels
    `truth`. The best weights are kept in `folder` whenever the validation loss improves. With
    `resume` the state after each epoch is kept too and taken up again, and what was finished
    before is only loaded.
    """
    diary = Diary(Path(folder), progress, resume)
    if not diary.finished:
        _compile(model, truth, recipe)
        _run(model, training, validation, recipe, diary)
    model.load_weights(str(diary.weights))
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


def _run(
    model: Model, training: Any, validation: tuple[Array, Array], recipe: Recipe, diary: Diary
) -> None:
    pair = isinstance(training, tuple)
    model.fit(
        *(_floats(training) if pair else (training,)),
        validation_data=_floats(validation),
        epochs=recipe.epochs,
        batch_size=recipe.batch if pair else None,
        verbose=0,
        callbacks=diary.callbacks(recipe.patience, training),
    )
    diary.finish()


def _floats(pair: tuple[Array, Array]) -> tuple[Array, ...]:
    return tuple(side.astype(np.float32) for side in pair)


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

    A positive weighs (negatives / positives) ** `balance`. `smoothing` moves the targets by half
    of it from 0 and 1 towards each other: a network that was never sure of its own photos keeps
    its scores apart on those of other cameras too.
    """
    from keras import ops

    positives = np.clip(truth.sum(axis=0), 1, None)
    negatives = np.clip((~truth.astype(bool)).sum(axis=0), 1, None)
    weights = ((negatives / positives) ** balance).astype(np.float32)

    def loss(labels: Any, scores: Any) -> Any:
        target = labels * (1 - smoothing) + smoothing / 2
        likely = ops.clip(scores, 1e-7, 1 - 1e-7)
        right = target * weights * ops.log(likely)
        return -ops.mean(right + (1 - target) * ops.log(1 - likely), axis=-1)

    return loss


def whole(network: Model, top: Model, size: int) -> Model:
    """Pixels 0…255 [n, size, size, 3] → scores: network and head in one."""
    import keras

    pixels = keras.Input((size, size, 3), name="pixels")
    return keras.Model(pixels, top(network(pixels), training=False), name="whole")
