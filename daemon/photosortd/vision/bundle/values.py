"""What a bundle says, as frozen values. They check nothing: `manifest` does, at the door."""

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODEL = "model.tflite"
MANIFEST = "bundle.json"
CARD = "MODEL_CARD.md"

_CLIP = 1e-7  # keeps the logit finite where a sigmoid has saturated in float32


@dataclass(frozen=True, slots=True)
class Calibration:
    """A monotone map from a raw sigmoid score to a calibrated probability.

    'none' is the identity, 'platt' is sigmoid(a·logit(raw) + b) with a ≥ 0, 'isotonic' is
    piecewise linear through (xs, ys), both ascending, and constant outside.
    """

    kind: str = "none"
    a: float = 1.0
    b: float = 0.0
    xs: tuple[float, ...] = ()
    ys: tuple[float, ...] = ()

    def apply(self, raw: float) -> float:
        """Both 0…1."""
        if self.kind == "platt":
            return _sigmoid(self.a * _logit(raw) + self.b)
        if self.kind == "isotonic":
            return self._interpolate(raw)
        return raw

    def _interpolate(self, raw: float) -> float:
        right = bisect_right(self.xs, raw)
        if right == 0:
            return self.ys[0]
        if right == len(self.xs):
            return self.ys[-1]
        x0, x1 = self.xs[right - 1], self.xs[right]
        y0, y1 = self.ys[right - 1], self.ys[right]
        # min: rounding must not carry the value beyond its right end, or it is not monotone.
        return min(y1, y0 + (y1 - y0) * ((raw - x0) / (x1 - x0)))


def _logit(probability: float) -> float:
    clipped = min(max(probability, _CLIP), 1.0 - _CLIP)
    return math.log(clipped / (1.0 - clipped))


def _sigmoid(value: float) -> float:
    # The form whose exponent is negative: math.exp overflows beyond 709.
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))


@dataclass(frozen=True, slots=True)
class Category:
    """One of the user's labels. A threshold of None: never file into it without being told to."""

    name: str
    threshold: float | None  # on the calibrated score
    calibration: Calibration = Calibration()


@dataclass(frozen=True, slots=True)
class Golden:
    """A small image and the calibrated scores that the model gave it when it was trained."""

    file: str  # below the bundle: 'golden/…'
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One trained model with all that the daemon needs to use it."""

    path: Path
    id: str  # lower-case hex
    categories: tuple[Category, ...]  # in the order of the model's outputs
    height: int  # of the model's input, pixels
    width: int
    decode_version: int
    backbone: str
    created: str  # ISO 8601, UTC
    golden: tuple[Golden, ...]
    metrics: Mapping[str, object]
    recipe: Mapping[str, object]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(category.name for category in self.categories)

    @property
    def thresholds(self) -> dict[str, float | None]:
        return {category.name: category.threshold for category in self.categories}

    @property
    def model(self) -> Path:
        return self.path / MODEL
