"""PNG, GIF, RIFF (WebP, AVI) and BMP: kinds that tell their length, at once or piece by piece."""

import re

from photosortd.vision.whole.view import Data, number, take

_MOST = 1_000_000  # chunks; a file with more is not judged, so that nobody can keep us busy
_BLOCK = re.compile(rb"[!,;]")  # extension, image, trailer; decoders skip what is between


def png(data: Data) -> str | None:
    """PNG specification, section 5: chunks to IEND."""
    position = 8
    for _ in range(_MOST):
        head = take(data, position, 8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if not kind.isalpha():
            return f"PNG with something else than a chunk at byte {position}"
        position += 12 + length
        if position > len(data):
            return "PNG without its end chunk"
        if kind == b"IEND":
            return None
    return None


def gif(source: Data) -> str | None:
    """GIF89a: blocks to the trailer."""
    data = source if isinstance(source, bytes) else source[:]
    position = 13 + _table(number(data, 10, 1))
    while (match := _BLOCK.search(data, position)) is not None:
        position = match.end()
        if match[0] == b";":
            return None
        if match[0] == b",":
            position += 9 + _table(number(data, position + 8, 1))
        position += 1  # an extension's label, or an image's code size
        while length := number(data, position, 1):
            position += 1 + length
        position += 1
    return "GIF without its trailer"


def _table(flags: int) -> int:
    """Bytes of the colour table that these flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def riff(data: Data) -> str | None:
    size = number(data, 4, 4, "little")
    if size in (0, 0xFFFFFFFF):  # a writer that did not know, or does not know yet
        return "RIFF file without its length"
    kind = {b"WEBP": "WebP", b"AVI ": "AVI"}.get(take(data, 8, 4), "RIFF")
    return f"{kind} file shorter than its header says" if 8 + size > len(data) else None


def bmp(data: Data) -> str | None:
    """Only the Windows header of 40 bytes or more: older ones and compression are not judged."""
    start, header = number(data, 10, 4, "little"), number(data, 14, 4, "little")
    if header < 40 or number(data, 30, 4, "little") not in (0, 3):
        return None
    width, height = _signed(data, 18), abs(_signed(data, 22))
    row = (abs(width) * number(data, 28, 2, "little") + 31) // 32 * 4
    return "BMP with rows missing" if start + row * height > len(data) else None


def _signed(data: Data, position: int) -> int:
    return int.from_bytes(take(data, position, 4), "little", signed=True)
