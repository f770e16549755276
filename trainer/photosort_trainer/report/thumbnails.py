"""Photos → small JPEGs inside the page, without what a camera wrote into them."""

import base64
import io
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from photosort_trainer.report.markup import Html, tag
from photosortd.errors import PhotoError
from photosortd.vision.decode import decode

_SIDE = 288  # pixels of the longer one
_QUALITY = 68
_SLIMMEST = 24
_AT_ONCE = 4

Thumbnails = Mapping[str, str]


def make(paths: Iterable[str]) -> Thumbnails:
    """By path, as data: URLs; '' for a photo that is gone or cannot be read."""
    wanted = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(wanted, pool.map(_thumbnail, wanted), strict=True))


def _thumbnail(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            picture = decode(stream.read(), _SIDE, _SIDE)
    except (OSError, ValueError, PhotoError):  # ValueError: a NUL in the path
        return ""
    longer = max(picture.width, picture.height)
    size = tuple(
        max(_SLIMMEST, round(_SIDE * side / longer)) for side in (picture.width, picture.height)
    )
    small = Image.fromarray(picture.pixels).resize((size[0], size[1]), Image.Resampling.LANCZOS)
    kept = io.BytesIO()
    small.save(kept, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(kept.getvalue()).decode("ascii")


def shown(thumbnails: Thumbnails, path: str, says: str) -> Html:
    """The photo, or a place that says that it is gone."""
    if url := thumbnails.get(path):
        return tag("img", src=url, alt=says, loading="lazy", decoding="async")
    return tag("div", "no longer there", class_="gone", role="img", aria_label=f"{says} (gone)")
