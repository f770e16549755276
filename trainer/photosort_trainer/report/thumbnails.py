"""Photos → small JPEGs inside the page, without what a camera wrote into them."""

import base64
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from photosort_trainer.report.markup import Html, tag
from photosortd.errors import PhotoError
from photosortd.vision.decode import decode, thumbnail

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
            data = stream.read()
        small = thumbnail(data, decode(data, 1, 1))  # the first tells its shape
    except (OSError, ValueError, PhotoError):  # ValueError: a NUL in the path
        return ""
    return "data:image/jpeg;base64," + base64.b64encode(small).decode("ascii")


def shown(thumbnails: Thumbnails, path: str, says: str) -> Html:
    """The photo, or a place that says that it is gone."""
    if url := thumbnails.get(path):
        return tag("img", src=url, alt=says, loading="lazy", decoding="async")
    return tag("div", "no longer there", class_="gone", role="img", aria_label=f"{says} (gone)")
