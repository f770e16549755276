"""Complete containers are whole, every shorter one is not, and no bytes at all are an error."""

import io
import os
import struct
import time
import warnings

import numpy as np
import pillow_heif
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from photosortd.vision.whole import FileView, missing

pillow_heif.register_heif_opener()

NOISE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def saved(format, image=NOISE, **options):
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.save(stream, format=format, **options)
    return stream.getvalue()


def thumbnailed():
    """A JPEG whose EXIF block holds another whole JPEG, end marker and all."""
    inner = b"Exif\0\0" + saved("JPEG", NOISE.resize((16, 16)))
    plain = saved("JPEG")
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(inner) + 2) + inner + plain[2:]


def box(kind, content=b"", size=None):
    return struct.pack(">I", 8 + len(content) if size is None else size) + kind + content


FTYP_HEIC = box(b"ftyp", b"heic\0\0\0\0mif1heic")
FTYP_MP4 = box(b"ftyp", b"isom\0\0\0\0mp42")
MOVIE = FTYP_MP4 + box(b"moov", b"m" * 40) + box(b"mdat", b"d" * 100)
RESTARTS = saved("JPEG", restart_marker_blocks=1)

PADDING = b" " * 3000 + b'<?xpacket end="w"?>'

WHOLE = {
    "jpeg": saved("JPEG"),
    "progressive": saved("JPEG", progressive=True),
    "restarts": RESTARTS,
    "thumbnail": thumbnailed(),
    "mpo": saved("MPO", save_all=True, append_images=[NOISE.transpose(Image.Transpose.ROTATE_180)]),
    "png": saved("PNG"),
    "apng": saved("PNG", save_all=True, append_images=[NOISE.rotate(90)]),
    "gif": saved("GIF", save_all=True, append_images=[NOISE.rotate(90)]),
    "webp": saved("WEBP"),
    "webp animated": saved("WEBP", save_all=True, append_images=[NOISE.rotate(90)]),
    "heif": saved("HEIF"),
    "avif": saved("AVIF"),
    "jp2": saved("JPEG2000"),
    "tiff": saved("TIFF"),
    "tiff lzw": saved("TIFF", compression="tiff_lzw"),
    "tiff pages": saved("TIFF", save_all=True, append_images=[NOISE.rotate(90)]),
    "bmp": saved("BMP"),
    "mp4": MOVIE,
    "mov without ftyp": box(b"wide") + box(b"mdat", b"d" * 50) + box(b"moov", b"m" * 9),
    "xmp": b'<?xpacket begin=""?><x:xmpmeta xmlns:x="a"><a/></x:xmpmeta>' + PADDING,
    "aae": b'<?xml version="1.0"?>\n<plist version="1.0"><dict/></plist>\n',
    "json": b'{"photoTakenTime": {"timestamp": "1"}}\n',
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_whole_ones_are_whole(name):
    assert missing(WHOLE[name]) is None


@pytest.mark.parametrize("name", [name for name in WHOLE if name not in ("mp4", "tiff pages")])
def test_no_shorter_one_is_whole(name):
    """Cut anywhere; but movies need their own test, and Pillow pads a TIFF of several pages."""
    data = WHOLE[name]
    step = max(1, len(data) // 400)
    for length in {*range(1, len(data) - 1, step), len(data) - 2, len(data) // 2}:
        assert missing(data[:length]) or length < 12 or _unknowable(name, data, length), length
    assert missing(data[: len(data) - 2])


def test_the_end_of_a_thumbnail_is_not_the_photos():
    data = thumbnailed()
    end = data.index(b"\xff\xd9") + 2
    assert end < len(data)
    assert missing(data[:end]) == "JPEG without its end marker"


def _unknowable(name, data, length):
    """An XMP packet is whole before its padding."""
    return name in ("xmp", "aae") and data[:length].rstrip().endswith(
        (b"</x:xmpmeta>", b"</plist>")
    )


def test_a_cut_movie_is_missing_its_index_or_its_content():
    for length in range(12, len(MOVIE)):
        assert missing(MOVIE[:length]), length
    assert missing(FTYP_MP4 + box(b"mdat", b"d" * 50)) == "movie without its index"
    assert missing(FTYP_MP4 + box(b"moov", b"m" * 50)) == "movie without its content"
    assert missing(FTYP_HEIC + box(b"meta", b"m" * 50)) == "HEIF without its content"
    assert missing(FTYP_HEIC + box(b"mdat", b"m" * 50)) == "HEIF without its index"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty file"),
        (bytes(5000), "only zeros"),
        (WHOLE["jpeg"][:-2] + bytes(500), "JPEG without its end marker"),
        (WHOLE["jpeg"][:200] + bytes(5000), "JPEG without its end marker"),
        (WHOLE["png"][:100] + bytes(5000), "PNG"),
        (WHOLE["gif"][:-1] + bytes(5000), "GIF without its trailer"),
        (WHOLE["webp"][:-1], "WebP file shorter"),
        (b"RIFF\0\0\0\0WEBP" + bytes(50), "without its length"),
        (FTYP_HEIC + bytes(5000), "HEIF without its index"),
        (b"\xff\xd8", "JPEG without its end marker"),
        (b"\x89PN", "PNG cut short"),
    ],
)
def test_what_is_missing_is_said(data, words):
    assert words in missing(data)


def test_what_follows_the_end_does_not_matter():
    for name in ("jpeg", "png", "gif", "webp", "tiff", "bmp"):
        assert missing(WHOLE[name] + b"SEFH" + bytes(40) + b"SEFT") is None, name
    assert missing(WHOLE["heif"] + box(b"sefd", b"x" * 30)) is None
    assert missing(WHOLE["mp4"] + bytes(4)) is None
    assert missing(WHOLE["mp4"] + bytes(400)) is None


def test_boxes_with_long_sizes_and_without_sizes():
    long = struct.pack(">I", 1) + b"mdat" + struct.pack(">Q", 116) + b"d" * 100
    assert missing(FTYP_HEIC + box(b"meta", b"x") + long) is None
    assert (
        missing(FTYP_HEIC + box(b"meta", b"x") + long[:-1])
        == "HEIF without 1 bytes of its last box"
    )
    to_end = struct.pack(">I", 0) + b"mdat" + b"d" * 30
    assert missing(FTYP_HEIC + box(b"meta", b"x") + to_end) is None
    assert missing(FTYP_HEIC + box(b"meta", b"..idat..")) is None
    huge = struct.pack(">I", 1) + b"mdat" + b"\xff" * 8
    assert "without" in missing(FTYP_MP4 + huge)
    assert missing(FTYP_MP4 + struct.pack(">I", 7) + b"moov") == "HEIF or movie cut short"


def with_xmp(packet, behind=b""):
    content = b"http://ns.adobe.com/xap/1.0/\0" + packet
    plain = WHOLE["jpeg"]
    head = b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content
    return plain[:2] + head + plain[2:] + behind


MICRO = b'<rdf:Description GCamera:MicroVideo="1" GCamera:MicroVideoOffset="%d"/>'
ATTRIBUTES = (
    b'<Container:Directory><rdf:Seq><rdf:li rdf:parseType="Resource"><Container:Item '
    b'Item:Semantic="Primary" Item:Length="999999" Item:Padding="0"/></rdf:li>'
    b'<rdf:li rdf:parseType="Resource"><Container:Item Item:Mime="image/jpeg" '
    b'Item:Semantic="GainMap" Item:Length="%d"/></rdf:li>'
    b'<rdf:li><Container:Item Item:Mime="video/mp4" Item:Semantic="MotionPhoto" '
    b'Item:Length="%d" Item:Padding="10"/></rdf:li></rdf:Seq></Container:Directory>'
)


def test_a_motion_photo_needs_its_movie():
    assert missing(with_xmp(MICRO % 500, b"m" * 500)) is None
    assert missing(with_xmp(MICRO % 500, b"m" * 600)) is None
    assert missing(with_xmp(MICRO % 500, b"m" * 499)) == (
        "JPEG without 1 bytes of what its XMP announces"
    )
    element = b"<GCamera:MicroVideoOffset>500</GCamera:MicroVideoOffset>"
    assert missing(with_xmp(element, b"m" * 500)) is None
    assert missing(with_xmp(element, b"m" * 400))


def test_a_container_directory_counts_every_item_but_the_primary():
    assert missing(with_xmp(ATTRIBUTES % (300, 200), b"m" * 510)) is None
    assert missing(with_xmp(ATTRIBUTES % (300, 200), b"m" * 509)) == (
        "JPEG without 1 bytes of what its XMP announces"
    )


def test_mpf_lengths_must_fit():
    data = WHOLE["mpo"]
    assert b"MPF\0" in data
    for length in (len(data) - 1, len(data) - 500):
        assert "MPF announces" in missing(data[:length])


def test_a_nonsense_mpf_index_is_not_believed():
    data = bytearray(WHOLE["mpo"])
    at = data.index(b"MPF\0")
    data[at + 4 : at + 8] = b"\1\2\3\4"
    assert missing(bytes(data)) is None


@pytest.mark.parametrize("name", WHOLE)
def test_an_open_file_is_judged_as_its_bytes(tmp_path, name):
    path = tmp_path / "file"
    for data in (WHOLE[name], WHOLE[name][: len(WHOLE[name]) * 2 // 3]):
        path.write_bytes(data)
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.lseek(descriptor, 5, os.SEEK_SET)
            assert missing(FileView(descriptor)) == missing(data)
            assert os.lseek(descriptor, 0, os.SEEK_CUR) == 5
        finally:
            os.close(descriptor)


def test_a_large_movie_is_judged_by_a_few_reads(tmp_path, monkeypatch):
    path = tmp_path / "film.mov"
    with path.open("wb") as file:
        file.write(FTYP_MP4 + box(b"mdat", size=1 << 30))
        file.seek(len(FTYP_MP4) + (1 << 30))
        file.write(box(b"moov", b"m" * 100))
    read = []
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda *a: (read.append(a[1]), pread(*a))[1])
    with path.open("rb") as file:
        assert missing(FileView(file.fileno())) is None
    assert sum(read) < 1000


kinds = st.sampled_from(sorted(WHOLE))


@settings(deadline=None, max_examples=400)
@given(kinds, st.data())
def test_damage_is_judged_without_error(name, data):
    content = bytearray(WHOLE[name])
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    result = missing(bytes(content[:cut]))
    assert result is None or (result and result.isprintable())


MAGICS = [b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF", b"II*\0", b"MM\0*", b"BM",
          b"\0\0\0\x0cjP  ", b"\0\0\0\x18ftypheic", b"\0\0\0\x08moov", b"<?xml", b"{",
          b""]  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(MAGICS), st.binary(max_size=200))
@example(b"MM\0*", b"\0\0\0\x08\xff\xff")
@example(b"\xff\xd8", b"\xff" * 50)
def test_any_bytes_are_judged_without_error(magic, rest):
    result = missing(magic + rest)
    assert result is None or (result and result.isprintable())


@pytest.mark.parametrize(
    "evil",
    [
        b"\xff\xd8" + b"\xff\xe1\0\2" * 500_000,
        b"\xff\xd8" + b"\xff" * 4_000_000,
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * 300_000,
        b"GIF89a" + bytes(7) + b"!\xff\x01a" * 500_000,
        b"GIF89a" + bytes(4_000_000),
        FTYP_MP4 + box(b"free") * 500_000,
        b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, 330, 4, 200_000, 8) + bytes(900_000),
        with_xmp(b"<Item " * 10_000),
        b"<" * 4_000_000,
        b"<?xml" + b"<a " * 1_000_000 + b">",
    ],
    ids=range(10),
)
def test_hostile_files_take_no_time(evil):
    started = time.perf_counter()
    missing(evil)
    assert time.perf_counter() - started < 3


@pytest.mark.shared
def test_real_photos_are_whole(shared):
    for part in ("camera", "dcim", "faces", "photos/none"):
        for path in sorted((shared / part).rglob("*")):
            if path.is_file():
                assert missing(path.read_bytes()) is None, path


CUT = {"truncated_half.jpg", "truncated_header_only.jpg", "zero_byte.jpg", "decompression_bomb.gif",
       "broken.png", "broken_data_stream.png", "truncated_end_chunk.png", "truncated_image.png",
       "truncated_jpeg.jpg", "sugarshack_no_data.mpo"}  # fmt: skip


@pytest.mark.shared
def test_of_the_awkward_files_only_the_cut_ones_are_not_whole(shared):
    files = [path for path in sorted((shared / "awkward").rglob("*")) if path.is_file()]
    assert {path.name for path in files if missing(path.read_bytes())} == CUT


@pytest.mark.shared
def test_real_photos_cut_anywhere_are_not_whole(shared):
    names = ["camera/jolla.jpg", "awkward/heic/exif_IMG_5195.HEIC", "awkward/video/example.mp4",
             "awkward/avif_webp_jxl/example.avif", "awkward/avif_webp_jxl/denali.webp",
             "awkward/raw/canon_eos_6d.dng", "awkward/motion/frozenpond.mpo"]  # fmt: skip
    for name in names:
        data = (shared / name).read_bytes()
        for part in range(1, 40):
            assert missing(data[: len(data) * part // 40]), (name, part)
