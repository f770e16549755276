"""Which kinds of file are opened as photos, and what the others are called."""

import io
from codecs import getincrementaldecoder

import pillow_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    PsdImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from photosortd.errors import PhotoError

# Importing a plugin registers it. Pillow knows forty more, among them EPS, which starts
# Ghostscript, and ICO, whose inner pictures have sizes that cannot be checked before decoding.
_PLUGINS = (
    JpegImagePlugin.JpegImageFile,
    PngImagePlugin.PngImageFile,
    WebPImagePlugin.WebPImageFile,
    # Before HEIF: both know the brand 'mif1', and libavif declines what is not AV1.
    AvifImagePlugin.AvifImageFile,
    GifImagePlugin.GifImageFile,
    TiffImagePlugin.TiffImageFile,
    BmpImagePlugin.BmpImageFile,
    Jpeg2KImagePlugin.Jpeg2KImageFile,
    PsdImagePlugin.PsdImageFile,
    PpmImagePlugin.PpmImageFile,
)
FORMATS = (*(plugin.format for plugin in _PLUGINS), "HEIF")

_KINDS = (
    (0, b"\x00\x00\x01\x00", "an icon"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive or office document"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM movie"),
    (0, b"\xff\x0a", "a JPEG XL image, which is not read here"),
    (0, b"\x00\x00\x00\x0cJXL ", "a JPEG XL image, which is not read here"),
    (8, b"AVI ", "an AVI movie"),
    (4, b"ftyp", "a movie, or a kind of HEIF that is not read here"),
    (4, b"moov", "a movie"),
    (4, b"mdat", "a movie"),
)

pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

# Pillow's own limit counts a JPEG before its reduced decode; `decoding` counts after it.
Image.MAX_IMAGE_PIXELS = None


def open_image(data: bytes) -> Image.Image:
    """Read the header. Raises PhotoError for what is no photo; decoders may raise anything."""
    if not data:
        raise PhotoError("not a photo: the file is empty")
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise PhotoError(f"not a photo: {_kind(data)}") from error


def _kind(data: bytes) -> str:
    for offset, magic, name in _KINDS:
        if data.startswith(magic, offset):
            return name
    start = data[:512]
    if not start.strip(b"\0"):
        return "it begins with nothing but zeros"
    if _is_text(start):
        return "a text"
    if _looks_like_a_photo(data):
        return "its beginning is damaged"
    return "its content is of no kind that is read here"


def _is_text(start: bytes) -> bool:
    try:
        # Not final: the last character may be cut in two.
        text = getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError:
        return False
    return all(char.isprintable() or char.isspace() or char == "\ufeff" for char in text)


def _looks_like_a_photo(data: bytes) -> bool:
    return data.startswith((b"\xff\xd8", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM"))
