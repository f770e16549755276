"""PNG, GIF, RIFF (WebP, AVI) and BMP: kinds that tell their length, at once or piece by piece."""

import re

from photosortd.vision.whole.view import Data, Unnoticed, blank, number, take

_MOST = 1_000_000  # chunks; a file with more is not judged, so that nobody can keep us busy
_PICTURES = frozenset((b"VP8 ", b"VP8L", b"ANMF"))
_TAIL = 64  # zeros at the end of a picture that are looked at
_PAGE = 4096  # what is written into a file of full size, is written in whole pages
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
    if 8 + size > len(data):
        return f"{kind} file shorter than its header says"
    return _riff_chunks(data, 8 + size, kind)


def _riff_chunks(data: Data, stop: int, kind: str) -> str | None:
    """Zeros where a chunk belongs, or at the end of a picture: the file got its size first."""
    position = 12
    for _ in range(_MOST):
        if position + 8 > stop:
            return None
        name, size = take(data, position, 4), number(data, position + 4, 4, "little")
        end = min(position + 8 + size, stop)
        nothing = name == bytes(4) and blank(data, position, stop, 8)
        if nothing or (name in _PICTURES and _unwritten(data, position + 8, end)):
            return Unnoticed(f"{kind} file of which the end is not written yet")
        position = end + size % 2
    return None


def _unwritten(data: Data, start: int, stop: int) -> bool:
    """Whether a picture has zeros from a page on. An even surface at its end is zeros, too (VP8
    and VP8L write them for what they expect), but those begin anywhere."""
    if not blank(data, start, stop, _TAIL):
        return False
    written = len(take(data, start, stop - start).rstrip(b"\0"))
    return not written or (start + written) % _PAGE == 0


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
