"""Drawn sample photos, for the demo. In `vision` because Pillow is: never loaded by the daemon."""

import math
import sys
from pathlib import Path

from PIL import ExifTags, Image, ImageDraw, ImageFilter

SIZE = (640, 480)


_LAID = 6  # EXIF: to be shown turned by a quarter


def draw_samples(directory: str) -> None:
    """Draw a few scenes as JPEGs into an existing directory.

    They lie on their side, as a phone that is held upright stores its photos.
    """
    for name, draw in (
        ("drawn-hills.jpg", _hills),
        ("drawn-houses.jpg", _houses),
        ("drawn-plate.jpg", _plate),
        ("drawn-sea.jpg", _sea),
    ):
        image = _sky()
        draw(ImageDraw.Draw(image))
        soft = image.filter(ImageFilter.GaussianBlur(0.8))
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = _LAID
        laid = soft.transpose(Image.Transpose.ROTATE_90)
        laid.save(Path(directory, name), quality=90, exif=exif)


def _sky() -> Image.Image:
    column = Image.new("RGB", (1, SIZE[1]))
    for y in range(SIZE[1]):
        share = y / SIZE[1]
        column.putpixel((0, y), (int(90 + 120 * share), int(150 + 70 * share), 230))
    return column.resize(SIZE)


def _hills(pen: ImageDraw.ImageDraw) -> None:
    for layer, green in enumerate((150, 120, 90)):
        ridge = [
            (x, 250 + 60 * layer + 40 * math.sin(x / (70 + 30 * layer) + layer))
            for x in range(0, SIZE[0] + 8, 8)
        ]
        pen.polygon([(0, SIZE[1]), *ridge, (SIZE[0], SIZE[1])], fill=(60 - 10 * layer, green, 60))


def _houses(pen: ImageDraw.ImageDraw) -> None:
    for number in range(9):
        left, height = 70 * number, 150 + 83 * number % 190
        top = SIZE[1] - height
        grey = 90 + 17 * number % 70
        pen.rectangle((left, top, left + 64, SIZE[1]), fill=(grey, grey, grey + 12))
        for row in range(top + 12, SIZE[1] - 20, 26):
            for column in range(left + 8, left + 56, 18):
                lit = (row * 7 + column * 3) % 5 == 0
                colour = (250, 226, 140) if lit else (52, 62, 84)
                pen.rectangle((column, row, column + 9, row + 14), fill=colour)


def _plate(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((0, 0, *SIZE), fill=(128, 84, 52))
    pen.ellipse((130, 60, 510, 440), fill=(240, 238, 232))
    pen.ellipse((170, 100, 470, 400), fill=(226, 222, 214))
    for number, colour in enumerate([(190, 52, 40), (72, 138, 52), (226, 176, 60)] * 4):
        angle = number * 0.53
        x, y = 320 + 85 * math.cos(angle), 250 + 85 * math.sin(angle)
        pen.ellipse((x - 36, y - 30, x + 36, y + 30), fill=colour)


def _sea(pen: ImageDraw.ImageDraw) -> None:
    pen.rectangle((0, 260, *SIZE), fill=(34, 84, 130))
    for wave in range(14):
        y = 270 + wave * 15
        for x in range(wave * 23 % 60, SIZE[0], 90):
            pen.arc((x, y, x + 60, y + 10), 180, 360, fill=(120, 170, 205), width=2)
    pen.ellipse((470, 60, 540, 130), fill=(255, 236, 170))


if __name__ == "__main__":
    draw_samples(sys.argv[1])
