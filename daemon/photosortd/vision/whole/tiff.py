"""TIFF and the RAW kinds built on it (DNG, NEF, CR2, ARW …): all that its directories point at.

TIFF 6.0, section 2. Damaged directories are not judged, unless what they point at lies beyond
the end of the file: that is how a file looks that is still being written.
"""

from photosortd.vision.whole.view import Data, ShortError, blank, number, take

_DIRECTORIES = 100
_LONGEST = 1 << 20  # bytes of one entry that are looked at
# Bytes of each type of value, BYTE to IFD; an entry of another type is not judged.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS = frozenset({1, 3, 4, 13})
_LINKS = (330, 34665, 34853)  # directories below a directory: further images, EXIF, GPS
_COMPRESSION = 259
_PLAIN = (1, 32773)  # pixels as they are, and PackBits: black ones may be zeros
_TAIL = 64  # zeros that no compressed picture ends with
# Tags that hold offsets, and those that hold the lengths to them.
_PAIRS = ((273, 279), (324, 325), (513, 514))
_WANTED = frozenset({_COMPRESSION, *_LINKS, *(tag for pair in _PAIRS for tag in pair)})


def missing(data: Data) -> str | None:
    order = "little" if take(data, 0, 2) == b"II" else "big"
    queue = [number(data, 4, 4, order)]
    seen: set[int] = set()
    while queue and len(seen) < _DIRECTORIES:
        directory = queue.pop()
        if directory == 0 or directory in seen:
            continue
        seen.add(directory)
        tags, following = _directory(data, directory, order)
        if not tags and len(seen) == 1:
            return "TIFF without its first directory"
        queue += [following, *(each for link in _LINKS for each in tags.get(link, []))]
        plain = tags.get(_COMPRESSION, [1])[:1] in ([], *([each] for each in _PLAIN))
        for offsets, lengths in _PAIRS:
            pairs = list(zip(tags.get(offsets, []), tags.get(lengths, []), strict=False))
            if any(start + length > len(data) for start, length in pairs):
                return "TIFF without all of its image data"
            start, length = max(pairs, default=(0, 0))
            if not plain and blank(data, start, start + length, _TAIL):
                return "TIFF of which the end is not written yet"
    return None


def _directory(data: Data, position: int, order: str) -> tuple[dict[int, list[int]], int]:
    """Its wanted tags, and where the next directory is."""
    count = number(data, position, 2, order)
    block = take(data, position + 2, 12 * count)
    if count and not any(block[-12:]):
        raise ShortError  # not written to its end yet
    tags: dict[int, list[int]] = {}
    for at in range(0, 12 * count, 12):
        tag, kind = number(block, at, 2, order), number(block, at + 2, 2, order)
        values = _values(data, block[at : at + 12], _SIZES.get(kind, 0), order)
        if tag in _WANTED and kind in _INTEGERS:
            tags[tag] = _integers(values, _SIZES[kind], order)
    try:
        return tags, number(data, position + 2 + 12 * count, 4, order)
    except ShortError:  # some writers leave the last link away
        return tags, 0


def _values(data: Data, entry: bytes, size: int, order: str) -> bytes:
    """The bytes of an entry's values, which stand in it or elsewhere. ShortError if not there."""
    length = size * number(entry, 4, 4, order)
    if length <= 4:
        return entry[8 : 8 + length]
    start = number(entry, 8, 4, order)
    if start + length > len(data):
        raise ShortError
    return take(data, start, min(length, _LONGEST))


def _integers(values: bytes, size: int, order: str) -> list[int]:
    return [number(values, at, size, order) for at in range(0, len(values), size)]
