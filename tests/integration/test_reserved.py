"""Files that got their full size first, as SMB clients make them: zeros where content belongs."""

import io
import os
import random
import struct

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from photosortd.records import Limits
from photosortd.vision.whole import FileView, Unnoticed, missing, unwritten
from photosortd.vision.worker.look import look
from photosortd.vision.worker.protocol import Job

pillow_heif.register_heif_opener()

NOISE = Image.fromarray(np.random.default_rng(7).integers(0, 256, (120, 160, 3), dtype=np.uint8))
FLAT = Image.new("RGB", (640, 480), (230, 30, 30))
PAGES = {"save_all": True, "append_images": [NOISE.rotate(90)]}
KINDS = [
    ("JPEG", {}), ("JPEG", {"progressive": True}), ("MPO", PAGES), ("PNG", {}), ("GIF", {}),
    ("WEBP", {}), ("WEBP", {"lossless": True}), ("WEBP", PAGES), ("HEIF", {}), ("AVIF", {}),
    ("TIFF", {"compression": "tiff_lzw"}), ("TIFF", {"compression": "jpeg"}), ("JPEG2000", {}),
]  # fmt: skip


def saved(format, image=NOISE, **options):
    stream = io.BytesIO()
    image.save(stream, format=format, **options)
    return stream.getvalue()


def box(kind, content):
    return struct.pack(">I", 8 + len(content)) + kind + content


def opened(path, data):
    path.write_bytes(data)
    return os.open(path, os.O_RDONLY)


@pytest.mark.parametrize(("format", "options"), KINDS)
def test_zeros_where_the_rest_belongs_are_no_rest(format, options):
    data = saved(format, **options)
    assert missing(data) is None
    dice = random.Random(11)
    page = 4096 if format == "WEBP" else 1  # an even surface may be zeros that begin anywhere
    for _ in range(100):
        cut = dice.randrange(16, len(data) - 512) // page * page  # less is not always known
        assert missing(data[:cut] + bytes(len(data) - cut)), cut


@pytest.mark.parametrize(
    ("format", "image"),
    [(each, NOISE) for each in ("JPEG", "HEIF", "AVIF", "WEBP")]
    + [(each, FLAT) for each in ("JPEG", "HEIF", "AVIF")],
)
def test_what_no_decoder_would_notice_is_refused_even_when_waiting_ends(tmp_path, format, image):
    data = saved(format, image)
    assert missing(data) is None
    middle = len(data) // 2
    if format == "WEBP":
        middle -= middle % 4096
    half = data[:middle] + bytes(len(data) - middle)
    descriptor = opened(tmp_path / "half", half)
    try:
        answer = look(Job(1, descriptor, final=True), (32, 32), Limits()).answer
    finally:
        os.close(descriptor)
    assert answer.seen is None
    assert answer.incomplete
    assert isinstance(missing(half), Unnoticed) or answer.unreadable


@pytest.mark.parametrize("options", [{}, {"method": 0}, {"lossless": True, "method": 0}])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_webp_may_end_with_an_even_surface(options, level):
    """Its encoder writes zeros for what it expects: a black bar, the white of a screenshot."""
    image = Image.new("RGB", (2000, 1500), (level,) * 3)
    image.paste(NOISE.resize((2000, 400)))
    data = saved("WEBP", image, **options)
    assert data.endswith(bytes(64))
    assert missing(data) is None


def test_a_movie_whose_index_comes_first_needs_its_content():
    head = box(b"ftyp", b"isom\0\0\0\0mp42") + box(b"moov", b"m" * 400)
    assert missing(head + box(b"mdat", b"d" * 9000)) is None
    assert "not written" in missing(head + box(b"mdat", b"d" * 4000 + bytes(5000)))
    assert missing(head[:20] + box(b"mdat", bytes(9000)) + head[20:]) is None


def test_the_images_of_a_heif_must_be_in_the_file():
    data = saved("HEIF")
    at = data.index(b"mdat")
    length = int.from_bytes(data[at - 4 : at], "big")
    shorter = data[: at - 4] + struct.pack(">I", length - 900) + data[at : len(data) - 900]
    assert missing(shorter) == "HEIF without 900 bytes of its images"


def test_a_tiff_with_its_directory_at_the_end_needs_it():
    data = saved("TIFF")
    at = int.from_bytes(data[4:8], "little")
    moved = data[:4] + struct.pack("<I", len(data)) + data[8:]
    assert missing(moved + data[at:]) is None
    assert missing(moved + bytes(400)) == "TIFF without its first directory"


def test_a_hole_is_room_that_nobody_has_written_into(tmp_path):
    """The file system knows it of kinds whose zeros may be black pixels."""
    data = saved("BMP", NOISE.resize((300, 300)))
    descriptor = opened(tmp_path / "a.bmp", data)
    half = os.open(tmp_path / "b.bmp", os.O_RDWR | os.O_CREAT)
    try:
        assert unwritten(descriptor) is None
        os.truncate(half, len(data))
        if unwritten(half) is None:
            pytest.skip("needs a file system that tells of holes")
        os.pwrite(half, data[: 64 << 10], 0)
        os.lseek(half, 5, os.SEEK_SET)
        assert unwritten(half) == "room at byte 65536 that nobody has written into yet"
        assert os.lseek(half, 0, os.SEEK_CUR) == 5
        assert missing(FileView(half)) is None
        answer = look(Job(1, half, (half,)), (32, 32), Limits()).answer
        assert answer.incomplete
        assert answer.companions == (answer.incomplete,)
        os.pwrite(half, data[64 << 10 :], 64 << 10)
        assert unwritten(half) is None
    finally:
        os.close(descriptor)
        os.close(half)


def test_in_the_end_a_hole_may_be_what_a_program_made_of_zeros(tmp_path):
    data = saved("BMP", Image.new("RGB", (300, 300)))
    path = tmp_path / "black.bmp"
    with path.open("wb") as file:
        file.write(data[:54])
        file.truncate(len(data))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        answer = look(Job(1, descriptor, (descriptor,), final=True), (32, 32), Limits()).answer
    finally:
        os.close(descriptor)
    assert answer.seen is not None
    assert answer.companions == (None,)
