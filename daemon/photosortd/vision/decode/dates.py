"""When a photo was taken, from its EXIF block, and which way up it is."""

import re
from datetime import datetime

from PIL import ExifTags, Image

_MOMENT = re.compile(
    r"(\d{4})[:\-/.](\d{1,2})[:\-/.](\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?"
)
_EARLIEST = 1826  # the oldest photograph there is; cameras without a clock write 0000 or 0001


def taken(image: Image.Image) -> datetime | None:
    """DateTimeOriginal, else DateTimeDigitized, else DateTime; naive local time of the camera."""
    try:
        exif = image.getexif()
        inner = exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # noqa: BLE001  a damaged EXIF block makes Pillow raise anything at all
        return None
    candidates = (
        inner.get(ExifTags.Base.DateTimeOriginal),
        inner.get(ExifTags.Base.DateTimeDigitized),
        exif.get(ExifTags.Base.DateTime),
    )
    return next((moment for value in candidates if (moment := parse(value))), None)


def parse(value: object) -> datetime | None:
    """'2024:05:17 10:11:12' and its usual misspellings; None for what is no date."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    match = _MOMENT.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
    try:
        moment = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  EXIF has no zone
    except ValueError:
        return None
    return moment if year >= _EARLIEST else None


def orientation(image: Image.Image) -> int:
    """EXIF orientation 1…8 (TIFF 6.0, tag 274); 1 where it is absent or damaged."""
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001  see above: a photo with bad EXIF is still a photo
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
