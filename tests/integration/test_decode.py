"""Every kind of file that a person may bring becomes upright sRGB, or one clear reason."""

import io
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from datetime import datetime

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from photosortd.errors import PhotoError
from photosortd.records import Limits
from photosortd.vision.decode import decode
from photosortd.vision.decode.dates import parse

SIDE = 64
# Four quarters by which any turn or mirroring is told.
QUARTERS = {"top left": (200, 30, 30), "top right": (30, 180, 30),
            "bottom left": (30, 30, 200), "bottom right": (220, 220, 60)}  # fmt: skip
LOSSLESS = ("PNG", "GIF", "TIFF", "BMP", "PPM")
LOSSY = ("JPEG", "WEBP", "JPEG2000", "AVIF", "HEIF")

pillow_heif.register_heif_opener()


def at(*parts):
    return datetime(*parts)


def quarters(width=160, height=120):
    image = Image.new("RGB", (width, height))
    x, y = width // 2, height // 2
    for (left, top), color in zip([(0, 0), (x, 0), (0, y), (x, y)], QUARTERS.values(), strict=True):
        image.paste(color, (left, top, left + x, top + y))
    return image


def saved(image, format="PNG", **options):
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.save(stream, format=format, **options)
    return stream.getvalue()


def exif(**tags):
    block = Image.Exif()
    for name, value in tags.items():
        block[ExifTags.Base[name]] = value
    return block


def assert_upright(pixels, tolerance=24):
    side = pixels.shape[0]
    near, far = side // 4, 3 * side // 4
    found = [pixels[near, near], pixels[near, far], pixels[far, near], pixels[far, far]]
    for (name, color), value in zip(QUARTERS.items(), found, strict=True):
        assert np.abs(value.astype(int) - color).max() <= tolerance, (name, value, color)


def picture_or_reason(data, limits=Limits()):  # noqa: B008  frozen
    try:
        return decode(data, SIDE, SIDE, limits), None
    except PhotoError as error:
        return None, str(error)


def mean(data, **limits):
    return decode(data, SIDE, SIDE, Limits(**limits)).pixels.mean(axis=(0, 1))


@pytest.mark.parametrize("format", LOSSLESS + LOSSY)
def test_every_format_by_its_content(format):
    picture = decode(saved(quarters(), format), SIDE, SIDE)
    assert picture.pixels.shape == (SIDE, SIDE, 3)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.flags.c_contiguous
    assert (picture.format, picture.width, picture.height) == (format, 160, 120)
    assert picture.taken is None
    assert_upright(picture.pixels)


@pytest.mark.parametrize("shape", [(32, 96), (96, 32), (224, 160)])
def test_the_photo_is_stretched_to_height_and_width(shape):
    assert decode(saved(quarters()), *shape).pixels.shape == (*shape, 3)


STORED = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
          4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
          6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
          8: Image.Transpose.ROTATE_270}  # fmt: skip


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_format_that_has_one(format, orientation):
    turn = STORED[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    # As bytes: pillow-heif makes the turn of them that the standard asks for.
    data = saved(stored, format, exif=exif(Orientation=orientation).tobytes())
    picture = decode(data, SIDE, SIDE)
    assert_upright(picture.pixels)
    assert (picture.width, picture.height) == (160, 120)


def test_in_heif_only_its_own_turn_counts():
    """ISO/IEC 23008-12: readers ignore the EXIF orientation, which may repeat what irot says."""
    data = saved(quarters(), "HEIF", exif=exif(Orientation=6))  # written without irot
    assert b"irot" not in data
    assert_upright(decode(data, SIDE, SIDE).pixels)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_an_orientation_that_is_none_is_ignored(orientation):
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = orientation
    assert_upright(decode(saved(quarters(), "JPEG", exif=block), SIDE, SIDE).pixels)


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_reduced_decode_still_covers_the_network(orientation):
    """A target just above an eighth must be decoded at a quarter, whichever way it lies."""
    stripes = np.zeros((800, 1600, 3), np.uint8)
    stripes[:, ::2] = 255  # one-pixel stripes: a decode that is too small could not stay grey
    stripes[:, :200] = (255, 0, 0)
    data = saved(Image.fromarray(stripes), "JPEG", quality=95, exif=exif(Orientation=orientation))
    shape = (101, 201) if orientation == 1 else (201, 101)
    with_draft = decode(data, *shape).pixels.astype(int)
    full = decode(
        saved(Image.open(io.BytesIO(data)), "PNG", exif=exif(Orientation=orientation)), *shape
    )
    assert np.abs(with_draft - full.pixels).mean() < 3


def test_the_same_bytes_give_the_same_pixels():
    for format in LOSSLESS + LOSSY:
        data = saved(quarters(), format)
        assert np.array_equal(decode(data, SIDE, SIDE).pixels, decode(data, SIDE, SIDE).pixels)


def test_transparency_shows_white_paper():
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert mean(saved(image)).tolist() == [255, 255, 255]
    assert mean(saved(image, "WEBP", lossless=True)).tolist() == [255, 255, 255]
    half = Image.new("RGBA", (40, 40), (255, 0, 0, 128))
    assert mean(saved(half)) == pytest.approx([255, 127, 127], abs=1)
    assert mean(saved(Image.new("LA", (40, 40), (0, 128)))) == pytest.approx([127] * 3, abs=1)


def test_colour_under_transparency_does_not_bleed_out():
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 32, 64))
    pixels = decode(saved(image), 20, 20).pixels.astype(int)
    assert (pixels[..., 1] <= pixels[..., 0]).all()


def test_a_palette_with_and_without_transparency():
    palette = quarters().quantize(8)
    assert_upright(decode(saved(palette), SIDE, SIDE).pixels)
    assert_upright(decode(saved(palette, "GIF"), SIDE, SIDE).pixels)
    clear = Image.new("P", (20, 20), 1)
    clear.putpalette([0, 0, 0, 10, 20, 30])
    assert mean(saved(clear, transparency=1)).tolist() == [255, 255, 255]
    assert mean(saved(clear)).tolist() == [10, 20, 30]


def test_grey_one_bit_and_a_colour_that_means_transparent():
    assert mean(saved(Image.new("L", (20, 20), 77))).tolist() == [77] * 3
    assert mean(saved(Image.new("1", (20, 20), 1))).tolist() == [255] * 3
    half = Image.new("1", (64, 64), 0)
    half.paste(1, (0, 0, 64, 32))
    assert mean(saved(half)) == pytest.approx([127.5] * 3, abs=1)
    assert mean(saved(Image.new("L", (20, 20), 9), transparency=9)).tolist() == [255] * 3
    keyed = Image.new("RGB", (20, 20), (9, 8, 7))
    assert mean(saved(keyed, transparency=(9, 8, 7))).tolist() == [255] * 3


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(format):
    deep = Image.fromarray(np.full((30, 30), 0x8080, np.uint16))
    assert mean(saved(deep, format)).tolist() == [128] * 3
    dark = Image.fromarray(np.full((30, 30), 255, np.uint16))
    assert mean(saved(dark, format)).tolist() == [1] * 3


def test_sixteen_bit_colour_png():
    row = b"\0" + struct.pack(">HHH", 0xC8C8, 0x1E1E, 0x6464) * 8
    data = png_of(8, 8, 16, 2, row * 8)
    assert mean(data).tolist() == [200, 30, 100]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.full((30, 30), 0.5, np.float32), 128),
        (np.full((30, 30), 100.0, np.float32), 100),
        (np.full((30, 30), 25700.0, np.float32), 100),
        (np.full((30, 30), np.nan, np.float32), 0),
        (np.full((30, 30), -5.0, np.float32), 0),
        (np.full((30, 30), 25700, np.int32), 100),
        (np.full((30, 30), 1 << 30, np.int32), 0),
    ],
)
def test_floats_and_long_integers_by_the_range_they_use(values, expected):
    assert mean(saved(Image.fromarray(values), "TIFF")).tolist() == [expected] * 3


def test_cmyk_lab_and_ycbcr():
    cmyk = Image.new("CMYK", (30, 30), (0, 255, 255, 0))
    for format in ("JPEG", "TIFF"):
        assert mean(saved(cmyk, format)) == pytest.approx([255, 0, 0], abs=6)
    lab = Image.new("LAB", (30, 30), (128, 128, 128))
    grey = mean(saved(lab, "TIFF"))
    assert grey == pytest.approx([118] * 3, abs=4)  # L* 50 is sRGB 119
    assert_upright(decode(saved(quarters().convert("YCbCr"), "TIFF"), SIDE, SIDE).pixels)


def swapped_profile():
    """sRGB with its red and blue primaries exchanged: a profile whose effect nobody can miss."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    entries = {}
    for index in range(int.from_bytes(profile[128:132], "big")):
        at = 132 + 12 * index
        entries[bytes(profile[at : at + 4])] = at
    red, blue = entries[b"rXYZ"], entries[b"bXYZ"]
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_colour_profile_is_applied(format):
    red = Image.new("RGB", (48, 48), (240, 20, 20))
    found = mean(saved(red, format, icc_profile=swapped_profile()))
    assert found == pytest.approx([20, 20, 240], abs=12)


def test_a_profile_that_is_broken_or_of_other_bands_is_ignored():
    red = Image.new("RGB", (48, 48), (240, 20, 20))
    for profile in (b"junk", swapped_profile()[:200]):
        assert mean(saved(red, icc_profile=profile)).tolist() == [240, 20, 20]
    grey = Image.new("L", (48, 48), 99)
    assert mean(saved(grey, icc_profile=swapped_profile())).tolist() == [99] * 3


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP"])
def test_the_first_frame_of_an_animation(format):
    frames = [Image.new("RGB", (40, 40), color) for color in [(250, 0, 0), (0, 0, 250)]]
    data = saved(frames[0], format, save_all=True, append_images=frames[1:], duration=100)
    assert mean(data) == pytest.approx([250, 0, 0], abs=8)


def test_the_first_image_of_an_mpo():
    data = saved(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (160, 120))])
    picture = decode(data, SIDE, SIDE)
    assert picture.format == "MPO"
    assert_upright(picture.pixels)


def png_of(width, height, depth=8, kind=2, raw=b""):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def test_a_bomb_is_refused_by_its_header():
    bomb = png_of(25000, 25000, raw=b"\0" * 100_000)
    started = time.perf_counter()
    with pytest.raises(PhotoError, match=r"^625 megapixels, the limit is 100$"):
        decode(bomb, SIDE, SIDE)
    assert time.perf_counter() - started < 0.5


def test_a_jpeg_counts_after_its_reduced_decode():
    data = saved(quarters(1600, 1200), "JPEG")
    assert decode(data, SIDE, SIDE, Limits(pixels=200 * 150)).width == 1600
    with pytest.raises(PhotoError, match="megapixels"):
        decode(data, SIDE, SIDE, Limits(pixels=200 * 150 - 1))
    with pytest.raises(PhotoError, match="megapixels"):
        decode(saved(quarters(1600, 1200)), SIDE, SIDE, Limits(pixels=200 * 150))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a photo: the file is empty"),
        (b"Dear diary,\nno photo today.\n", "not a photo: a text"),
        ("Ein schöner Tag 写真".encode(), "not a photo: a text"),
        (b"\0" * 5000, "begins with nothing but zeros"),
        (b"\x00\x00\x00\x18ftypmp42" + b"\0" * 40, "not a photo: a movie"),
        (b"RIFF\x10\0\0\0AVI " + b"\0" * 40, "an AVI movie"),
        (b"\x00\x00\x01\x00\x01\x00" + b"\0" * 40, "an icon"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not a photo: a text"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"\xff\xd8\xff", "not a photo: its beginning is damaged"),
        (b"\x01\x02\x03\xff\xfe" * 50, "of no kind that is read here"),
    ],
)
def test_what_is_no_photo_says_what_it_is(data, reason):
    with pytest.raises(PhotoError, match=reason):
        decode(data, SIDE, SIDE)


@pytest.mark.parametrize(
    "format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "GIF", "JPEG2000"]
)
def test_half_a_photo_is_refused(format):
    noise = np.random.default_rng(3).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    data = saved(Image.fromarray(noise), format)
    with pytest.raises(PhotoError):
        decode(data[: len(data) // 2], SIDE, SIDE)


def test_too_little_memory_says_so(monkeypatch):
    def exhausted(*_, **__):
        raise MemoryError

    data = saved(quarters())
    monkeypatch.setattr(Image.Image, "resize", exhausted)
    with pytest.raises(PhotoError, match="needs more memory than 2048 MB") as caught:
        decode(data, SIDE, SIDE)
    assert isinstance(caught.value.__cause__, MemoryError)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_when_it_was_taken(format):
    block = exif(DateTime="2020:01:01 00:00:00")
    data = saved(quarters(), format, exif=block)
    assert decode(data, SIDE, SIDE).taken == at(2020, 1, 1)
    if format == "TIFF":  # Pillow writes no inner directory into it
        return
    block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeDigitized] = "2021:02:03 04:05:06"
    data = saved(quarters(), format, exif=block)
    assert decode(data, SIDE, SIDE).taken == at(2021, 2, 3, 4, 5, 6)
    block.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2022:03:04 05:06:07"
    data = saved(quarters(), format, exif=block)
    assert decode(data, SIDE, SIDE).taken == at(2022, 3, 4, 5, 6, 7)


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2024:05:17 10:11:12", at(2024, 5, 17, 10, 11, 12)),
        (b"2024:05:17 10:11:12\0", at(2024, 5, 17, 10, 11, 12)),
        ("2024-05-17T10:11:12.345Z", at(2024, 5, 17, 10, 11, 12)),
        ("2024/05/17 10:11", at(2024, 5, 17, 10, 11)),
        (" 2024:05:17", at(2024, 5, 17)),
        ("0000:00:00 00:00:00", None),
        ("2024:13:01 00:00:00", None),
        ("0001:01:01 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("", None),
        (20240517, None),
        (None, None),
        ((2024, 5, 17), None),
    ],
)
def test_dates_and_their_misspellings(value, moment):
    assert parse(value) == moment


@given(st.text() | st.binary())
def test_no_date_field_is_an_error(value):
    assert parse(value) is None or isinstance(parse(value), datetime)


SAMPLES = [
    saved(quarters(), format, exif=exif(DateTime="2020:01:01 00:00:00", Orientation=6))
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF")
] + [saved(quarters(), format) for format in ("GIF", "BMP", "JPEG2000", "PPM")]


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_are_decoded_or_refused_and_nothing_else(data):
    content = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    picture, reason = picture_or_reason(bytes(content), Limits(pixels=1_000_000))
    assert picture is None or picture.pixels.shape == (SIDE, SIDE, 3)
    assert picture or (reason and reason.isprintable())


def test_odd_metadata_warns_nobody_and_filters_are_put_back():
    odd = saved(quarters(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\x7f\x12\x01\x03\0")
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_upright(decode(odd, SIDE, SIDE).pixels)
    assert not caught
    assert list(warnings.filters) == before


def test_several_threads_at_once():
    data = [saved(quarters(), format) for format in ("JPEG", "PNG", "WEBP")] * 8
    before = list(warnings.filters)
    results, failures = [], []

    def work(content):
        try:
            results.append(decode(content, SIDE, SIDE).pixels)
        except Exception as error:  # noqa: BLE001  told below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(content,)) for content in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(results) == len(data)
    for pixels in results:
        assert_upright(pixels)
    assert list(warnings.filters) == before


@pytest.mark.shared
def test_every_awkward_file_is_a_picture_or_a_reason(shared):
    count = 0
    for path in sorted((shared / "awkward").rglob("*")):
        if not path.is_file():
            continue
        count += 1
        picture, reason = picture_or_reason(path.read_bytes())
        assert picture is None or picture.pixels.shape == (SIDE, SIDE, 3), path
        assert picture or (reason and reason.isprintable()), path
    assert count > 100


@pytest.mark.shared
def test_the_eight_real_orientations_show_one_scene(shared):
    for name in ("landscape", "portrait"):
        pictures = [
            decode(
                (shared / "awkward" / "orientation" / f"{name}_{n}.jpg").read_bytes(), 16, 16
            ).pixels
            for n in range(1, 9)
        ]
        for picture in pictures[1:]:  # the digit in the middle differs
            assert np.abs(picture.astype(int) - pictures[0]).mean() < 20


@pytest.mark.shared
def test_the_real_bomb_costs_milliseconds(shared):
    data = (shared / "awkward" / "synthetic" / "bomb_25000x25000.png").read_bytes()
    started = time.perf_counter()
    with pytest.raises(PhotoError, match=r"^625 megapixels, the limit is 100$"):
        decode(data, SIDE, SIDE)
    assert time.perf_counter() - started < 0.5


def test_nothing_of_pillow_leaks_into_the_package_that_the_parent_imports():
    script = (
        "import sys, photosortd.vision.worker, photosortd.vision.bundle, photosortd.vision.decide\n"
        "heavy = {'numpy', 'PIL', 'pillow_heif', 'ai_edge_litert', 'tflite_runtime'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    environment = {"PYTHONPATH": ":".join(p for p in sys.path if p), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_a_large_16_bit_grey_picture_is_reduced_too() -> None:
    grey = np.full((480, 640), 40_000, np.uint16)
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "PNG")
    picture = decode(stream.getvalue(), 32, 32)
    assert abs(int(picture.pixels.mean()) - 40_000 // 257) <= 1
