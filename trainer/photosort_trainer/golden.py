"""Golden images: drawn, because a bundle may be handed on and nobody's photo is to go with it.

Owns the drawings and the choice of those whose verdict does not hang on a rounding error.
"""

import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw

from photosortd.vision.bundle import Category

COUNT = 4
_POOL = 24
_SIZE = (128, 96)
_SHAKE = 0.004  # of a raw score: more than two machines' arithmetic differs


def drawings() -> dict[str, bytes]:
    """Pictures by file name: skies, walls, discs and noise. Always the same bytes in pixels."""
    return {
        f"drawn-{number:02d}.{'jpg' if number % 2 else 'png'}": _file(number)
        for number in range(_POOL)
    }


def choose(
    pictures: dict[str, bytes],
    categories: Sequence[Category],
    look: Callable[[bytes], Sequence[float]],
    count: int = COUNT,
) -> dict[str, tuple[bytes, tuple[float, ...]]]:
    """The `count` steadiest pictures with their calibrated scores, as `write_bundle` takes them.

    `look` gives the raw scores of a file.
    """
    raw = {name: look(data) for name, data in pictures.items()}
    steady = sorted(raw, key=lambda name: (_unsteadiness(raw[name], categories), name))
    return {
        name: (pictures[name], _calibrated(raw[name], categories))
        for name in sorted(steady[:count])
    }


def _calibrated(raw: Sequence[float], categories: Sequence[Category]) -> tuple[float, ...]:
    pairs = zip(categories, raw, strict=True)
    return tuple(category.calibration.apply(score) for category, score in pairs)


def _unsteadiness(raw: Sequence[float], categories: Sequence[Category]) -> float:
    """How far a small shake of the raw scores moves the calibrated ones; 1 more for a label."""
    low = _calibrated([max(0.0, score - _SHAKE) for score in raw], categories)
    high = _calibrated([min(1.0, score + _SHAKE) for score in raw], categories)
    flips = sum(
        category.threshold is not None and down < category.threshold <= up
        for category, down, up in zip(categories, low, high, strict=True)
    )
    return flips + max(up - down for down, up in zip(low, high, strict=True))


def _file(number: int) -> bytes:
    stream = io.BytesIO()
    picture = _picture(np.random.default_rng(number))
    if number % 2:
        picture.save(stream, format="JPEG", quality=88)
    else:
        picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def _picture(rng: np.random.Generator) -> Image.Image:
    """A two-coloured ground with a few shapes on it."""
    width, height = _SIZE
    top, bottom = rng.integers(0, 256, (2, 1, 1, 3))
    down = np.linspace(0, 1, height)[:, np.newaxis, np.newaxis]
    ground = np.broadcast_to(top + (bottom - top) * down, (height, width, 3))
    image = Image.fromarray(ground.astype(np.uint8))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 12))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        across, tall = rng.uniform(6, 50, 2)
        color = tuple(int(band) for band in rng.integers(0, 256, 3))
        _shape(pen, int(rng.integers(3)), (x, y, x + across, y + tall), color)
    return image


def _shape(
    pen: ImageDraw.ImageDraw,
    kind: int,
    box: tuple[float, float, float, float],
    color: tuple[int, ...],
) -> None:
    if kind == 0:
        pen.ellipse(box, fill=color)
    elif kind == 1:
        pen.rectangle(box, fill=color)
    else:
        x, y, right, bottom = box
        pen.polygon(((x, bottom), (right, bottom), ((x + right) / 2, y)), fill=color)
