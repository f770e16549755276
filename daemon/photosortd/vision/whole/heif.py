"""HEIF and AVIF: the bytes of the images, where the index says that they are.

ISO/IEC 14496-12, 8.11: `iloc` tells the extents of each item, `iinf` what each item is.
"""

from collections.abc import Iterator

from photosortd.vision.whole.view import Data, ShortError, Unnoticed, blank, boxes, number, take

_MOST = 10_000  # extents that are looked at
_IMAGES = frozenset((b"hvc1", b"hev1", b"av01", b"jpeg"))
_TAIL = 16  # zeros that no coded image ends with


def lacking(data: Data, start: int, stop: int) -> str | None:
    """What the images lack that the content of a `meta` box, from `start` to `stop`, tells of."""
    index = take(data, start, stop - start)
    inside = {kind: (first, last) for kind, first, last in boxes(index, 4)}
    try:
        kinds = dict(_kinds(index, *inside[b"iinf"]))
        extents = _extents(index, *inside[b"iloc"])
        for (item, first, last), _ in zip(extents, range(_MOST), strict=False):
            if last > len(data):
                return f"HEIF without {last - len(data)} bytes of its images"
            if kinds.get(item) in _IMAGES and blank(data, first, last, _TAIL):
                return Unnoticed("HEIF with an image of which the end is not written yet")
    except (KeyError, ShortError):
        return None  # an index that makes no sense is not judged
    return None


def _kinds(index: bytes, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """Number and kind of each item."""
    wide = number(index, start, 1) > 0
    for kind, first, _ in boxes(index[:stop], start + (8 if wide else 6)):
        if kind == b"infe":
            long = number(index, first, 1) > 2
            yield (
                number(index, first + 4, 4 if long else 2),
                take(index, first + 6 + 2 * (1 + long), 4),
            )


def _extents(index: bytes, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """Item, start and end in the file, of each extent that has a length and is in this file."""
    version, sizes = number(index, start, 1), number(index, start + 4, 2)
    offset, length, base, extra = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    position = start + 6 + wide
    for _ in range(number(index, start + 6, wide)):
        item = number(index, position, wide)
        position += wide
        method = 0
        if version:
            method = number(index, position, 2) & 15
            position += 2
        elsewhere = number(index, position, 2)
        origin = number(index, position + 2, base)
        count = number(index, position + 2 + base, 2)
        position += 4 + base
        if not (offset or length or (version and extra)):
            count = min(count, 1)  # extents that take no bytes: no end of them would be found
        for _ in range(count):
            position += extra if version else 0
            first = origin + number(index, position, offset)
            size = number(index, position + offset, length)
            position += offset + length
            if size and not method and not elsewhere:
                yield item, first, first + size
