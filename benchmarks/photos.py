"""Photos to measure with: what cameras made, or drawn ones that cost about as much to decode."""

import os
import random
import time
from collections.abc import Iterator, Sequence
from itertools import count as numbers
from pathlib import Path

from PIL import Image

SHARED = Path(__file__).resolve().parents[2] / "shared/camera"
PREFIX = "IMG_"
_SIZE = (4000, 3000)
_DRAWN = 5  # different ones; the others are the same with other bytes
_REST = 2.1  # seconds: settle.quiet as it is by default, and a little
_GRAIN = 12  # of grey levels: a drawn photo then has about 3 MB, as one of a phone


def originals(directory: Path | None, cache: Path) -> list[bytes]:
    """The JPEGs of a directory, else those beside the checkout, else drawn ones."""
    chosen = directory or SHARED
    files = sorted(path for path in chosen.glob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    return [path.read_bytes() for path in files or drawn(cache)]


def distinct(sources: Sequence[bytes]) -> Iterator[bytes]:
    """Without end, each with other bytes: a number stands behind the JPEG's own end."""
    for number in numbers():
        yield sources[number % len(sources)] + b"%012d" % number


def write(sources: Sequence[bytes], count: int, into: Path) -> list[Path]:
    """So many photos with names of their own, in one directory.

    They are at rest when this returns, as those of an archive are: what has just been written is
    waited for, and then counts as live.
    """
    into.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, data in zip(range(count), distinct(sources), strict=False):
        paths.append(into / f"{PREFIX}{number:06d}.jpg")
        paths[-1].write_bytes(data)
    os.sync()
    time.sleep(_REST)
    return paths


def drawn(cache: Path) -> list[Path]:
    """12-megapixel JPEGs, drawn once and kept."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = [cache / f"drawn-{number}.jpg" for number in range(_DRAWN)]
    for number, path in enumerate(paths):
        if not path.exists():
            beside = path.with_suffix(".part")
            _draw(number).save(beside, "JPEG", quality=88)
            beside.rename(path)
    return paths


def _draw(seed: int) -> Image.Image:
    """Large soft shapes under fine grain: without it, a JPEG decodes in half the time."""
    lots = random.Random(seed)
    soft = Image.new("RGB", (16, 12))
    soft.putdata([tuple(lots.randrange(40, 216) for _ in range(3)) for _ in range(16 * 12)])
    grain = Image.effect_noise(_SIZE, _GRAIN).convert("RGB")
    return Image.blend(soft.resize(_SIZE, Image.Resampling.BICUBIC), grain, 0.5)
