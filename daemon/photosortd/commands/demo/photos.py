"""Which photos the phone brings: real ones that installed libraries carry, and drawn ones."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_INSTALLED = {
    "skimage": (
        "data",
        ("astronaut.png", "chelsea.png", "camera.png", "coffee.png", "rocket.jpg", "coins.png",
         "motorcycle_left.png", "hubble_deep_field.jpg", "page.png"),
    ),
    "matplotlib": ("mpl-data/sample_data", ("grace_hopper.jpg",)),
    "sklearn": ("datasets/images", ("china.jpg", "flower.jpg")),
}  # fmt: skip
"""Where they lie in the packages of the extra `demo`, which are not imported."""

_SLOW = 4  # of them are written slowly, under their final names

_NO_PHOTO = b"Not a photo, though its name says so.\n"


@dataclass(frozen=True, slots=True)
class Sample:
    """A file to be brought. A phone that writes `slowly` uses no temporary name."""

    name: str
    data: bytes
    slowly: bool = False


def samples(scratch: Path) -> list[Sample]:
    """In the order of their coming. `scratch` is a directory to draw in; it must not exist."""
    photos = [
        Sample(path.name, path.read_bytes()) for path in _mixed(_installed(), _drawn(scratch))
    ]
    slow_ones = min(_SLOW, len(photos) // 2)  # without the packages there are only drawn ones
    quick, slow = photos[:-slow_ones], photos[-slow_ones:]
    again = Sample(f"copy-of-{quick[0].name}", quick[0].data)
    slow = [Sample(each.name, each.data, slowly=True) for each in slow]
    return [*quick, again, Sample("notes.jpg", _NO_PHOTO), *slow]


def announced(found: list[Sample]) -> str:
    slow = sum(each.slowly for each in found)
    return (
        f"The daemon watches an empty DCIM folder. A phone syncs {len(found)} files into it: most "
        f"under hidden names that it changes when they are complete, {slow} slowly under their "
        "final names. One comes twice, and one is no photo.\n"
    )


def _installed() -> list[Path]:
    found = []
    for package, (directory, names) in _INSTALLED.items():
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            found += [path for name in names if (path := Path(location, directory, name)).is_file()]
    return found


def _drawn(directory: Path) -> list[Path]:
    """Drawn in a process of its own: this one has no need of Pillow, and the daemon none at all."""
    directory.mkdir()
    subprocess.run([sys.executable, "-m", "photosortd.vision.samples", directory], check=True)
    return sorted(directory.iterdir())


def _mixed(many: list[Path], few: list[Path]) -> Iterator[Path]:
    """All of both, the few spread over the many."""
    for number, path in enumerate(many):
        yield path
        if number % 3 == 2 and few:
            yield few.pop(0)
    yield from few
