"""Photos that tests draw."""

import io

from PIL import Image, ImageDraw

RED, GREEN, BLUE, MAGENTA, DARK = (
    (230, 30, 30),
    (30, 230, 30),
    (30, 30, 230),
    (230, 30, 230),
    (20, 20, 20),
)
"""What the tiny bundle calls red, green, blue, red and blue, and nothing."""


def draw_photo(
    color: tuple[int, int, int] = (200, 60, 60),
    size: tuple[int, int] = (320, 240),
    seed: int = 0,
    format: str = "JPEG",
    **save: object,
) -> bytes:
    """A drawn photo: a background colour and a few shapes that depend on `seed`."""
    image = Image.new("RGB", size, color)
    pen = ImageDraw.Draw(image)
    for number in range(4):
        x, y = (seed * 37 + number * 53) % size[0], (seed * 71 + number * 29) % size[1]
        shade = tuple(max(0, min(255, c + 12 * (number - 2))) for c in color)
        pen.ellipse((x, y, x + 24, y + 18), fill=shade)
    stream = io.BytesIO()
    image.save(stream, format=format, **save)
    return stream.getvalue()
