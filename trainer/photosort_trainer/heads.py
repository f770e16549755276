"""A head on a frozen network's features: its weights, what it says, and which way it has to move.

NumPy alone. Keras takes seconds to prepare each of a search's dozens of heads and keeps memory of
every one; the arithmetic itself takes a tenth of that. Knows nothing of epochs and files.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.recipe import Recipe

Floats = NDArray[np.float32]
Weights = tuple[Floats, ...]
"""Kernel [inputs, outputs] and bias [outputs] of each layer in turn, the scores' last."""

VERSION = 1
"""Of the arithmetic. Count up with every change: what was learned before would come out
otherwise."""

_LEAST = 1e-7  # that a likelihood is taken for: its logarithm stays finite


@dataclass(frozen=True, slots=True)
class Head:
    """Hidden layers with an activation, then a sigmoid for each category."""

    weights: Weights
    activation: str  # 'relu' or 'sigmoid'

    def scores(self, features: Floats) -> Floats:
        """[n, d] → 0…1 [n, categories]."""
        return _sigmoid(self._through(features, [])[-1])

    def gradients(
        self, features: Floats, targets: Floats, emphasis: Floats, masks: Sequence[Floats]
    ) -> tuple[float, Weights]:
        """The loss of a batch, and its slope along every weight.

        `targets` [n, categories], 0…1; `emphasis` [categories] as of `class_weights`; `masks` are
        the drop-outs of each hidden layer [n, nodes]: 0, or what makes up for those.
        """
        *hidden, outputs = self._through(features, masks)
        said = _sigmoid(outputs)
        loss = cross_entropy(said, targets, emphasis)
        slope: Floats = said * (1 - targets) - targets * emphasis * (1 - said)
        slope /= said.size
        found: list[Floats] = []
        for layer in reversed(range(len(self.weights) // 2)):
            below = hidden[layer]
            found[:0] = (below.T @ slope, slope.sum(axis=0))
            if layer:
                slope = (slope @ self.weights[2 * layer].T) * self._slope(below, masks[layer - 1])
        return loss, tuple(found)

    def _through(self, features: Floats, masks: Sequence[Floats]) -> list[Floats]:
        """What enters each layer, and the logits of the scores."""
        values = [features]
        for layer in range(0, len(self.weights) - 2, 2):
            inputs = values[-1] @ self.weights[layer] + self.weights[layer + 1]
            values.append(np.maximum(inputs, 0) if self.activation == "relu" else _sigmoid(inputs))
            if masks:
                values[-1] = values[-1] * masks[layer // 2]
        return [*values, values[-1] @ self.weights[-2] + self.weights[-1]]

    def _slope(self, dropped: Floats, mask: Floats) -> Floats:
        """Of activation and drop-out together, by what came out of them."""
        if self.activation == "relu":
            return mask * (dropped > 0)
        kept = np.divide(dropped, mask, out=np.zeros_like(dropped), where=mask > 0)
        slope: Floats = mask * kept * (1 - kept)
        return slope


def fresh(inputs: int, outputs: int, recipe: Recipe, rng: np.random.Generator) -> Head:
    """Random kernels and no biases.

    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks"
    (2010), the uniform kind.
    """
    widths = [inputs, *[recipe.hidden] * recipe.layers, outputs]
    weights: list[Floats] = []
    for above, below in itertools.pairwise(widths):
        edge = np.sqrt(6 / (above + below))
        weights.append(rng.uniform(-edge, edge, (above, below)).astype(np.float32))
        weights.append(np.zeros(below, np.float32))
    return Head(tuple(weights), recipe.activation)


def class_weights(truth: NDArray[np.bool_] | Floats, balance: float) -> Floats:
    """(negatives / positives) ** `balance` of each category: a rare one's photos weigh more.

    `truth` is [photos, categories]; as numbers 0…1 it counts in parts.
    """
    count = truth.sum(axis=0)
    positives, negatives = np.clip(count, 1, None), np.clip(len(truth) - count, 1, None)
    return np.asarray((negatives / positives) ** balance, np.float32)


def smoothed(truth: NDArray[np.bool_] | Floats, smoothing: float) -> Floats:
    """Targets that stand half of `smoothing` from 0 and 1: a network that was never sure of its own
    photos keeps its scores apart on those of other cameras too."""
    return (truth * (1 - smoothing) + smoothing / 2).astype(np.float32)


def cross_entropy(said: Floats, targets: Floats, emphasis: Floats) -> float:
    """Binary, the mean over photos and categories; all as in `Head.gradients`."""
    likely = np.clip(said, _LEAST, 1 - _LEAST)
    right = targets * emphasis * np.log(likely)
    return -float(np.mean(right + (1 - targets) * np.log1p(-likely)))


def _sigmoid(value: Floats) -> Floats:
    # tanh does not overflow.
    found: Floats = 0.5 * (1 + np.tanh(0.5 * value))
    return found
