"""Which judge is asked, by the first bytes of the file."""

from photosortd.vision.whole import boxes, chunks, jpeg, text, tiff
from photosortd.vision.whole.view import Data, Judge, ShortError

_START = 64

_BY_MAGIC: tuple[tuple[int, bytes, str, Judge], ...] = (
    (0, b"\xff\xd8", "JPEG", jpeg.missing),
    (0, b"\x89PNG\r\n\x1a\n", "PNG", chunks.png),
    (0, b"GIF8", "GIF", chunks.gif),
    (0, b"RIFF", "RIFF file", chunks.riff),
    (0, b"II*\0", "TIFF", tiff.missing),
    (0, b"MM\0*", "TIFF", tiff.missing),
    (0, b"BM", "BMP", chunks.bmp),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000", boxes.jpeg2000),
    (4, b"ftyp", "HEIF or movie", boxes.media),
    (4, b"moov", "movie", boxes.media),
    (4, b"mdat", "movie", boxes.media),
    (4, b"wide", "movie", boxes.media),
    (4, b"free", "movie", boxes.media),
    (4, b"skip", "movie", boxes.media),
    (4, b"pnot", "movie", boxes.media),
)


def missing(data: Data) -> str | None:
    """None: the container is whole, or of a kind that cannot be judged; else what it lacks.

    Never raises for any content and takes time linear in the length; a FileView may raise OSError.
    """
    if not len(data):
        return "empty file"
    start = data[:_START]
    if not start.strip(b"\0"):
        return "only zeros where its header belongs"
    for offset, magic, name, judge in _BY_MAGIC:
        if start.startswith(magic, offset):
            try:
                return judge(data)
            except ShortError:
                return f"{name} cut short"
    return text.missing(data) or _stub(start)


def _stub(start: bytes) -> str | None:
    """The very beginning of a known kind, too short to be told by its magic."""
    for offset, magic, name, _ in _BY_MAGIC:
        if offset == 0 and len(start) < len(magic) and magic.startswith(start):
            return f"{name} cut short"
    return None
