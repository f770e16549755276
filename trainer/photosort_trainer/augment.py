"""Random versions of a photo at the network's size: turned, mirrored, cropped, in other light.

Owns which versions there are: a version depends on the photo's hash and its number alone, so that
cached features of it stay true. NumPy and Pillow; reads and writes nothing.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photosortd.vision.decode import Pixels

VERSION = 1
"""Which pixels `version` makes. Count up with every change: the feature cache is keyed by it."""

_TURN = 20.0  # degrees, either way
_ZOOM = (0.70, 1.05)  # of a side that stays visible; above 1 the mirrored surroundings show
_ASPECT = 0.12  # stretch of width against height, as a logarithm, either way
_SHIFT = 0.6  # of the room that the crop leaves
_LIGHT = 0.30  # brightness, contrast and saturation, as logarithms, either way
_TINT = 0.08  # each colour channel, as a logarithm, either way
_GREY = np.array((0.299, 0.587, 0.114), np.float32)  # ITU-R BT.601 luma


@dataclass(frozen=True, slots=True)
class Change:
    """One drawn change of geometry and light."""

    turn: float  # radians
    mirror: bool
    width: float  # of the visible part, as a fraction of the whole
    height: float
    right: float  # of its centre, as a fraction of the whole
    down: float
    brightness: float  # factors
    contrast: float
    saturation: float
    tint: tuple[float, float, float]


def version(pixels: Pixels, sha256: str, number: int) -> Pixels:
    """Version `number` of a photo, of the same shape; 0 is the photo itself.

    `sha256` is the photo's content hash in hex: the same photo always gets the same versions.
    """
    if number == 0:
        return pixels
    change = draw(np.random.default_rng((VERSION, number, int(sha256[:16], 16))))
    return _lit(_moved(pixels, change), change)


def draw(rng: np.random.Generator) -> Change:
    """Draw a change within the module's ranges."""
    zoom, aspect = rng.uniform(*_ZOOM), math.exp(rng.uniform(-_ASPECT, _ASPECT) / 2)
    width, height = zoom * aspect, zoom / aspect
    room = _SHIFT * max(0.0, 1.0 - zoom) / 2
    light = np.exp(rng.uniform(-_LIGHT, _LIGHT, 3))
    tint = np.exp(rng.uniform(-_TINT, _TINT, 3))
    return Change(
        turn=math.radians(rng.uniform(-_TURN, _TURN)),
        mirror=bool(rng.random() < 0.5),
        width=width,
        height=height,
        right=rng.uniform(-room, room),
        down=rng.uniform(-room, room),
        brightness=float(light[0]),
        contrast=float(light[1]),
        saturation=float(light[2]),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
    )


def _moved(pixels: Pixels, change: Change) -> Pixels:
    """Turn, mirror and crop in one resampling; beyond its edges the photo goes on as a mirror."""
    height, width, _ = pixels.shape
    margin = max(height, width) // 2
    wide = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    cos, sin = math.cos(change.turn), math.sin(change.turn)
    across = change.width * (-1 if change.mirror else 1)
    # Output pixel → input pixel, about the centres of both.
    a, b = cos * across, -sin * change.height
    d, e = sin * across, cos * change.height
    x = margin + width * (0.5 + change.right) - a * width / 2 - b * height / 2
    y = margin + height * (0.5 + change.down) - d * width / 2 - e * height / 2
    image = Image.fromarray(wide).transform(
        (width, height), Image.Transform.AFFINE, (a, b, x, d, e, y), Image.Resampling.BILINEAR
    )
    return np.asarray(image)


def _lit(pixels: Pixels, change: Change) -> Pixels:
    """Brightness and tint, then contrast about the mean, then saturation about grey."""
    light: NDArray[np.float32] = pixels.astype(np.float32)
    light *= np.array(change.tint, np.float32) * np.float32(change.brightness)
    mean = np.float32(light.mean())
    light = mean + (light - mean) * np.float32(change.contrast)
    grey = (light @ _GREY)[..., np.newaxis]
    coloured = grey + (light - grey) * np.float32(change.saturation)
    return np.clip(np.rint(coloured), 0, 255).astype(np.uint8)
