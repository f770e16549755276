"""Containers that announce far more than they hold: the checks take no longer for it."""

import struct
import time

import pytest

from photosortd.vision.whole import missing


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


def heif(iloc: bytes) -> bytes:
    meta = b"\0\0\0\0" + box(b"iinf", b"\0\0\0\0\0\0") + box(b"iloc", iloc)
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", meta) + box(b"mdat", b"x" * 8)


ITEM = b"\0\1\0\0\xff\xff"  # an item of 65,535 extents

TIFF_ENTRIES = 5000
TIFF_VALUES = struct.pack("<HHII", 700, 1, 60_000, 8)  # 60,000 bytes from byte 8 on
TIFF = (
    b"II*\0\x08\0\0\0" + struct.pack("<H", TIFF_ENTRIES) + TIFF_VALUES * TIFF_ENTRIES + b"\0\0\0\0"
)


@pytest.mark.parametrize(
    "data",
    [
        heif(b"\0\0\0\0\0\0\xff\xff" + ITEM * 2000),
        TIFF,
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0teXt\0\0\0\0" * 20_000,
        b"GIF89a" + bytes(7) + b",!" * 20_000,
        b"\xff\xd8" + b"\xff\x01" * 50_000,
        b"{" + b'"\\' * 20_000,
    ],
    ids=["heif extents", "tiff values", "png chunks", "gif blocks", "jpeg markers", "json strings"],
)
def test_what_is_announced_is_not_walked(data: bytes) -> None:
    started = time.process_time()
    missing(data)
    assert time.process_time() - started < 2.0
