"""JPEG: segments to the end marker (ITU T.81 annex B), and what is announced to follow it.

Phones append a movie or further images to a JPEG. XMP (Google's GContainer and the older
MicroVideoOffset) and MPF (CIPA DC-007) tell their lengths; anything may follow them.
"""

import re
from collections.abc import Iterator

from photosortd.vision.whole.view import Data, ShortError, Unnoticed, blank, number

_NO_END = "JPEG without its end marker"
_TAIL = 64  # zeros that nothing announced ends with
# In a scan FF 00 is a plain FF, FF D0…D7 are restarts, FF FF is filling; the rest are markers.
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_EOI, _SOS, _APP1, _APP2 = 0xD9, 0xDA, 0xE1, 0xE2
_END = b"\xff\xd9"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MPF = b"MPF\0"
_MP_ENTRIES = 0xB002
_ITEM = re.compile(rb"<(?:[\w-]+:)?Item\b[^<>]*>|<rdf:li\b[^<>]*Item:[^<>]*>")
_LENGTH = re.compile(rb"Item:Length\s*=\s*[\"'](\d{1,18})[\"']")
_PADDING = re.compile(rb"Item:Padding\s*=\s*[\"'](\d{1,18})[\"']")
_PRIMARY = re.compile(rb"Item:Semantic\s*=\s*[\"']Primary[\"']")
_MICRO = re.compile(rb"MicroVideoOffset(?:\s*=\s*[\"']|>)(\d{1,18})")


def missing(source: Data) -> str | None:
    data = source if isinstance(source, bytes) else source[:]
    xmp: list[bytes] = []
    announced = 0
    end = None
    try:
        for marker, start, stop in _segments(data):
            if marker == _EOI:
                end = stop
            elif marker == _APP1 and data.startswith(_XMP, start):
                xmp.append(data[start + len(_XMP) : stop])
            elif marker == _APP2 and data.startswith(_MPF, start):
                announced = max(announced, _mpf_end(data, start + len(_MPF), stop))
            elif marker == _SOS and _closed(data, announced, xmp):
                return None
    except ShortError:
        end = None
    if end is None:
        # Decoders take zeros for a part of the picture.
        return Unnoticed(_NO_END) if blank(data, 0, len(data), _TAIL) else _NO_END
    if announced > len(data):
        return f"JPEG without {announced - len(data)} bytes of the images that its MPF announces"
    behind = max((_behind(packet) for packet in xmp), default=0)
    if end + behind > len(data):
        return f"JPEG without {end + behind - len(data)} bytes of what its XMP announces"
    if announced > end and _unwritten(data, end, announced):
        return "JPEG with images of its MPF that are not written yet"
    if behind and _unwritten(data, end, len(data)):
        return "JPEG with what its XMP announces not written yet"
    return None


def _closed(data: bytes, announced: int, xmp: list[bytes]) -> bool:
    """Whether the file ends with an end marker, and nothing is announced to follow the image.

    No scan holds one, so it stands where it belongs, and none has to be searched for it: of a
    large photo that is two milliseconds.
    """
    return data.endswith(_END) and not (announced or any(map(_behind, xmp)))


def _unwritten(data: bytes, start: int, stop: int) -> bool:
    """Zeros at the end of what is announced, and no padding of an image that ends before them."""
    ending = blank(data, start, stop, _TAIL)
    return ending and not data[start:stop].rstrip(b"\0").endswith(_END)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of content of each segment up to EOI. ShortError if it ends before."""
    position = 2
    while (match := _MARKER.search(data, position)) is not None:
        marker, start = data[match.end() - 1], match.end()
        if marker == _EOI:
            yield marker, start, start
            return
        if marker in _ALONE:
            position = start
            continue
        # Bytes between segments that belong to none are skipped, as decoders do.
        length = number(data, start, 2)
        if start + length > len(data):
            raise ShortError
        yield marker, start + 2, start + length
        position = start + max(2, length)


def _mpf_end(data: bytes, base: int, stop: int) -> int:
    """Where the last image of the index ends, in the file; 0 if the index makes no sense."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(data[base : base + 4])
    if order is None:
        return 0
    block = data[base:stop]
    try:
        directory = number(block, 4, 4, order)
        count = number(block, directory, 2, order)
        for entry in range(directory + 2, directory + 2 + 12 * min(count, 100), 12):
            if number(block, entry, 2, order) == _MP_ENTRIES:
                length, offset = (
                    number(block, entry + 4, 4, order),
                    number(block, entry + 8, 4, order),
                )
                return max(_mpf_entries(block, base, offset, length, order), default=0)
    except ShortError:
        return 0
    return 0


def _mpf_entries(block: bytes, base: int, offset: int, length: int, order: str) -> Iterator[int]:
    """The end of each image. Offsets count from the index; 0 is the first image, from the start."""
    for entry in range(offset, offset + min(length, len(block)) // 16 * 16, 16):
        size, start = number(block, entry + 4, 4, order), number(block, entry + 8, 4, order)
        yield size + (base + start if start else 0)


def _behind(packet: bytes) -> int:
    """How many bytes XMP announces behind the end marker."""
    micro = _MICRO.search(packet)
    items = 0
    for item in _ITEM.findall(packet):
        length = 0 if _PRIMARY.search(item) else _integer(_LENGTH.search(item))
        items += length + _integer(_PADDING.search(item))
    return max(items, _integer(micro))


def _integer(match: re.Match[bytes] | None) -> int:
    return int(match[1]) if match else 0
