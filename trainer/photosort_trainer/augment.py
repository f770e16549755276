"""Random versions of a photo at the network's size: turned, mirrored, cropped, in other light.

Owns which versions there are: a version depends on the photo's hash, its number and how far it may
go, so that cached features of it stay true. NumPy and Pillow; reads and writes nothing.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photosort_trainer.recipe import Changes
from photosortd.vision.decode import Pixels

VERSION = 3
"""Which pixels a version has. Count up with every change: the feature cache is keyed by it."""

_WIDER = 1 / 6  # of the crop: by so much the view may grow, and the mirrored surroundings show
_STRETCH = 0.4  # of the crop: width against height, as a logarithm, either way
_SHIFT = 0.6  # of the room that the crop leaves
_TINT = 0.25  # of the colour: each channel, as a logarithm, either way
_USUAL = Changes()
_GREY = np.array((0.299, 0.587, 0.114))  # ITU-R BT.601 luma


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


def version(pixels: Pixels, sha256: str, number: int, within: Changes = _USUAL) -> Pixels:
    """Version `number` of a photo, of the same shape; 0 is the photo itself.

    `sha256` is the photo's content hash in hex: the same photo always gets the same versions.
    """
    return versions(pixels, sha256, [number], within)[0]


def versions(
    pixels: Pixels, sha256: str, numbers: Iterable[int], within: Changes = _USUAL
) -> list[Pixels]:
    """Several at once, as `version`."""
    surrounded = _Surrounded(pixels)
    return [
        _drawn(surrounded, draw(np.random.default_rng((number, int(sha256[:16], 16))), within))
        if number
        else pixels
        for number in numbers
    ]


def draw(rng: np.random.Generator, within: Changes) -> Change:
    """Draw a change that goes no further than it may."""
    zoom = 1 + within.crop * rng.uniform(-1, _WIDER)
    stretch = math.exp(within.crop * _STRETCH * rng.uniform(-1, 1) / 2)
    room = _SHIFT * max(0.0, 1.0 - zoom) / 2
    brightness, contrast = np.exp(within.light * rng.uniform(-1, 1, 2))
    saturation = math.exp(within.colour * rng.uniform(-1, 1))
    tint = np.exp(within.colour * _TINT * rng.uniform(-1, 1, 3))
    return Change(
        turn=math.radians(within.turn * rng.uniform(-1, 1)),
        mirror=bool(rng.random() < 0.5),
        width=zoom * stretch,
        height=zoom / stretch,
        right=rng.uniform(-room, room),
        down=rng.uniform(-room, room),
        brightness=float(brightness),
        contrast=float(contrast),
        saturation=saturation,
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
    )


class _Surrounded:
    """A photo that goes on as a mirror beyond its edges."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self.height, self.width, _ = pixels.shape
        self.margin = max(self.height, self.width) // 2

    @cached_property
    def image(self) -> Image.Image:
        margin, pixels = self.margin, self._pixels
        edges = ((margin, margin), (margin, margin), (0, 0))
        return Image.fromarray(np.pad(pixels, edges, mode="symmetric"))


def _drawn(photo: _Surrounded, change: Change) -> Pixels:
    moved = _moved(photo, change)
    counts = np.array(moved.histogram()).reshape(3, 256)
    mean = counts @ np.arange(256) / (photo.height * photo.width)
    return np.asarray(moved.convert("RGB", light(change, mean)))


def _moved(photo: _Surrounded, change: Change) -> Image.Image:
    """Turn, mirror and crop in one resampling."""
    height, width, margin = photo.height, photo.width, photo.margin
    cos, sin = math.cos(change.turn), math.sin(change.turn)
    across = change.width * (-1 if change.mirror else 1)
    # Output pixel → input pixel, about the centres of both.
    a, b = cos * across, -sin * change.height
    d, e = sin * across, cos * change.height
    x = margin + width * (0.5 + change.right) - a * width / 2 - b * height / 2
    y = margin + height * (0.5 + change.down) - d * width / 2 - e * height / 2
    return photo.image.transform(
        (width, height), Image.Transform.AFFINE, (a, b, x, d, e, y), Image.Resampling.BILINEAR
    )


def light(change: Change, mean: NDArray[np.float64]) -> tuple[float, ...]:
    """Brightness and tint, then contrast about the mean, then saturation about grey, in one: the
    rows of a 3×4 matrix for Pillow's convert, its last column to be added. `mean` [3] is of the
    pixels, 0…255."""
    channels = np.array(change.tint) * change.brightness
    saturate = change.saturation * np.eye(3) + (1 - change.saturation) * _GREY
    rows = change.contrast * saturate * channels
    offset = (1 - change.contrast) * float(np.mean(channels * mean))
    return tuple(np.column_stack([rows, np.full(3, offset)]).ravel().tolist())
