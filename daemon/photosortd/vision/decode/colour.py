"""From whatever a file holds to sRGB: bands, depth, transparency, colour profiles.

In two steps around the resizing: `resizable` before it brings every mode to one whose values may
be averaged; `to_srgb` after it does the expensive rest on the few pixels that are left.
"""

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_AVERAGED = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "F"})
_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
# Transparent screenshots, stickers and scans are made to be looked at on a page, and that is white.
_PAPER = (255, 255, 255, 255)
_DEEP = 65535


def resizable(image: Image.Image) -> Image.Image:
    """The same picture in a mode whose values may be averaged."""
    if image.has_transparency_data and image.mode not in ("LA", "RGBA"):
        return image.convert("RGBA")
    if image.mode in _AVERAGED:
        return image
    if image.mode.startswith("I;16"):  # whose blocks Pillow cannot average
        return image.convert("I")
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGB")


def to_srgb(image: Image.Image) -> Image.Image:
    """A small picture, as `resizable` gave it, as 8-bit RGB in sRGB."""
    profile = image.info.get("icc_profile")
    if image.mode in ("I", "F"):
        image = _eight_bit(image)
    if image.mode in ("LA", "RGBA"):
        image = _flatten(image)
    if isinstance(profile, bytes) and profile:
        image = _through_profile(image, profile)
    if image.mode == "LAB":
        image = _from_lab(image)
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16- and 32-bit grey and floats, by the range that their values show them to use."""
    values = np.nan_to_num(np.asarray(image, np.float64), nan=0.0, posinf=_DEEP, neginf=0.0)
    low, high = _range(image.mode, values)
    scaled = (values - low) * (255.0 / (high - low))
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8))


def _range(mode: str, values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    if low >= 0:
        for ceiling in (1.0, 255.0, float(_DEEP)) if mode == "F" else (float(_DEEP),):
            if high <= ceiling:
                return 0.0, ceiling
    return (low, high) if high > low else (low, low + 1.0)


def _flatten(image: Image.Image) -> Image.Image:
    paper = Image.new("RGBA", image.size, _PAPER)
    flat = Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    return flat.convert("L") if image.mode == "LA" else flat


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image:
    """A profile that is broken or belongs to other bands is ignored, as every viewer does."""
    try:
        transform = _transform(profile, image.mode)
        return image if transform is None else ImageCms.applyTransform(image, transform) or image
    except Exception:  # noqa: BLE001  ImageCms lets TypeError, OSError and its own error escape
        return image


@lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    if _SPACES.get(source.profile.xcolor_space.strip()) != mode:
        return None
    return ImageCms.buildTransform(source, _srgb(), mode, "RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    lab = ImageCms.createProfile("LAB")
    converted = ImageCms.profileToProfile(image, lab, _srgb(), outputMode="RGB")
    assert converted is not None  # only inPlace gives None
    return converted


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
