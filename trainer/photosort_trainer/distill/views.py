"""Cheap random views of small pictures: cropped, mirrored, in other light, two mixed into one.

About half a millisecond each on a slow core. What may be drawn is `augment`'s.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photosort_trainer import augment
from photosort_trainer.recipe import Changes
from photosortd.vision.decode import Pixels

Floats = NDArray[np.float32]

VERSION = 1
"""Count up with every change: what was half learned before does not fit any more."""

_EVERY = 4  # pixels from one that is looked at to the next, for the mean


def view(pixels: Pixels, rng: np.random.Generator, within: Changes, size: int) -> Pixels:
    """A random part of `pixels` [side, side, 3] at [size, size, 3]. It is never turned."""
    change = augment.draw(rng, within)
    side = pixels.shape[0]
    across, down = _span(change.width, change.right, side), _span(change.height, change.down, side)
    image = Image.fromarray(pixels).resize(
        (size, size), Image.Resampling.BILINEAR, (across[0], down[0], across[1], down[1])
    )
    mean = np.asarray(image)[::_EVERY, ::_EVERY].mean((0, 1))
    lit = np.asarray(image.convert("RGB", augment.light(change, mean)))
    return lit[:, ::-1] if change.mirror else lit


def _span(length: float, aside: float, side: int) -> tuple[float, float]:
    """First and last edge, in pixels, of a part so long (of 1) whose centre is so far aside."""
    length = min(1.0, length)
    first = min(max(0.5 + aside - length / 2, 0.0), 1.0 - length)
    return first * side, min((first + length) * side, float(side))


def mix(
    pixels: Floats, targets: Floats, rng: np.random.Generator, alpha: float
) -> tuple[Floats, Floats]:
    """Each picture [n, size, size, 3] with a share of another, and its target [n, categories].

    Zhang and others, "mixup: Beyond Empirical Risk Minimization" (2018).
    """
    share = np.float32(rng.beta(alpha, alpha))
    others = rng.permutation(len(pixels))
    rest = np.float32(1) - share
    return pixels * share + pixels[others] * rest, targets * share + targets[others] * rest
