"""A small JPEG of a photo, for people to look at: upright, and without what a camera wrote."""

import io

from PIL import Image

from photosortd.records import Limits
from photosortd.vision import MAX_THUMBNAIL
from photosortd.vision.decode.decoding import Picture, Pixels, decode

_SIDE = 288  # pixels of the longer one
_SLIMMEST = 24
_QUALITIES = (68, 40, 15)  # the second and third are for noise, which does not get small


def thumbnail(data: bytes, picture: Picture, limits: Limits = Limits()) -> bytes:  # noqa: B008  frozen
    """`data` decoded once more, in the shape that `picture` says; at most MAX_THUMBNAIL bytes.

    Raises PhotoError as `decode` does: what was decoded once may need too much memory now.
    """
    longer = max(picture.width, picture.height)
    scale = min(_SIDE, longer) / longer
    height, width = (
        max(_SLIMMEST, round(scale * side)) for side in (picture.height, picture.width)
    )
    return _small(decode(data, height, width, limits).pixels)


def _small(pixels: Pixels) -> bytes:
    image = Image.fromarray(pixels)
    for quality in _QUALITIES:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality, optimize=True)
        if stream.tell() <= MAX_THUMBNAIL:
            break
    return stream.getvalue()
