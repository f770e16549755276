"""The order of decoding: header, limits, pixels, upright, small, sRGB."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photosortd.errors import PhotoError
from photosortd.records import Limits, printable
from photosortd.vision.decode import colour, dates
from photosortd.vision.decode.opening import open_image

Pixels = NDArray[np.uint8]
"""[height, width, 3], upright, sRGB."""

_MEGA = 1_000_000
_JPEG = frozenset({"JPEG", "MPO"})
# Averages blocks first, down to three times the size that is wanted; the eye sees no difference.
_REDUCING_GAP = 3.0
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded photo: its pixels at the network's size, and what the file says of itself."""

    pixels: Pixels
    format: str  # by content: 'JPEG', 'PNG', 'HEIF', …
    width: int  # of the photo itself, upright, pixels
    height: int
    taken: datetime | None  # naive local time of the camera


def decode(data: bytes, height: int, width: int, limits: Limits = Limits()) -> Picture:  # noqa: B008  frozen
    """Decode a photo and stretch it to `height` × `width`.

    `limits.pixels` bounds what is decoded at once: a JPEG counts after its reduced decode.
    Raises PhotoError with a readable reason for everything that is wrong with the file.
    """
    try:
        with _quiet():
            return _decode(data, height, width, limits)
    except PhotoError:
        raise
    except MemoryError as error:
        megabytes = limits.memory >> 20
        raise PhotoError(f"needs more memory than {megabytes} MB to be decoded") from error
    except Exception as error:  # decoders let anything escape on malformed files
        raise PhotoError(f"cannot be decoded: {_words(error)}") from error


def _decode(data: bytes, height: int, width: int, limits: Limits) -> Picture:
    image = open_image(data)
    name, stored = image.format or "?", image.size
    if name in _JPEG:
        image.draft(None, _turned((width, height), dates.orientation(image)))
    _check_pixels(image.size, limits.pixels)
    # TIFF forgets the file of its tags when loaded; PNG may tell its date behind the pixels.
    moment = dates.taken(image) if name != "PNG" else None
    image.load()
    if name == "PNG":
        moment = dates.taken(image)
    if name not in _JPEG:
        stored = image.size  # a TIFF is turned upright by loading it
    turn = dates.orientation(image)
    small = colour.to_srgb(_shrunk(image, _turned((width, height), turn)))
    upright = small.transpose(_UPRIGHT[turn]) if turn in _UPRIGHT else small
    return Picture(np.array(upright, np.uint8), name, *_turned(stored, turn), moment)


def _turned(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height, before or after an orientation that may lay the photo on its side."""
    return (size[1], size[0]) if orientation >= 5 else size


def _shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return colour.resizable(image).resize(
        size, Image.Resampling.BILINEAR, reducing_gap=_REDUCING_GAP
    )


def _check_pixels(size: tuple[int, int], most: int) -> None:
    pixels = size[0] * size[1]
    if pixels > most:
        raise PhotoError(f"{pixels / _MEGA:.0f} megapixels, the limit is {most / _MEGA:.0f}")


def _words(error: Exception) -> str:
    text = printable(" ".join(str(error).split()))[:200]
    if text and isinstance(error, OSError | SyntaxError):
        return text  # written for people
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


_quieting = threading.Lock()
_quiet_now = 0
_filters: warnings.catch_warnings | None = None


@contextmanager
def _quiet() -> Iterator[None]:
    """Ignore Pillow's warnings about odd metadata: they are no news, and may be many.

    `catch_warnings` alone would, with several threads, restore filters in the wrong order.
    """
    global _quiet_now, _filters
    with _quieting:
        _quiet_now += 1
        if _filters is None:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.simplefilter("ignore")
    try:
        yield
    finally:
        with _quieting:
            _quiet_now -= 1
            if _quiet_now == 0 and _filters is not None:
                _filters.__exit__(None, None, None)
                _filters = None
