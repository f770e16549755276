"""ISO base media files (HEIF, AVIF, MP4, QuickTime; ISO/IEC 14496-12) and JPEG 2000: boxes."""

from photosortd.vision.whole import heif
from photosortd.vision.whole.view import Data, Unnoticed, blank, boxes, take

_SILENCE = 4096  # zeros that no recording ends with
_IMAGES = frozenset(
    b"heic heix heim heis hevc hevx hevm hevs mif1 msf1 avif avis miaf jpeg".split()
)
_END_OF_CODESTREAM = b"\xff\xd9"


def media(data: Data) -> str | None:
    """Boxes to the end of the file, and those without which it shows nothing."""
    image = take(data, 4, 4) == b"ftyp" and take(data, 8, 4) in _IMAGES
    name, index = ("HEIF", b"meta") if image else ("movie", b"moov")
    seen: dict[bytes, tuple[int, int]] = {}
    last = (0, 0)
    for kind, start, stop in boxes(data):
        if not _sensible(kind):
            break  # padding or a trailer, if what is needed stands before it
        seen.setdefault(kind, (start, stop))
        last = (start, stop) if kind == b"mdat" else (0, 0)
        if stop > len(data):
            return f"{name} without {stop - len(data)} bytes of its last box"
    if index not in seen and not (image and b"moov" in seen):
        return f"{name} without its index"
    if not (b"mdat" in seen or b"moof" in seen or (image and _inside(data, seen.get(b"meta")))):
        return f"{name} without its content"
    if image and b"meta" in seen:
        return heif.lacking(data, *seen[b"meta"])
    if blank(data, *last, _SILENCE):
        return Unnoticed(f"{name} of which the end is not written yet")
    return None


def jpeg2000(data: Data) -> str | None:
    """ISO/IEC 15444-1 annex I. A codestream box may reach to the end of the file."""
    for kind, start, stop in boxes(data):
        if stop > len(data):
            return "JPEG 2000 without its end"
        if kind == b"jp2c":
            tail = data[max(start, stop - 1024) : stop]
            return None if _END_OF_CODESTREAM in tail else "JPEG 2000 without its end"
    return "JPEG 2000 without its image"


def _sensible(kind: bytes) -> bool:
    # QuickTime has kinds that begin with ©.
    return all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind)


def _inside(data: Data, meta: tuple[int, int] | None) -> bool:
    """Whether a small image's content is inside its index."""
    return meta is not None and b"idat" in data[meta[0] : meta[1]]
