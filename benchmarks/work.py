"""What one photo's work takes when nothing else is done: decode, inference, placing."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from house import place
from measuring import Series

from photosortd.place import Library
from photosortd.records import PlaceMode
from photosortd.vision.bundle import read_bundle
from photosortd.vision.classify import Classifier
from photosortd.vision.decode import decode


@dataclass(frozen=True, slots=True)
class Work:
    """Milliseconds, by original and turn."""

    decode: list[list[float]]
    inference: list[list[float]]
    placing: list[list[float]]

    def of(self, source: int) -> float:
        """All that has to be done for one original."""
        parts = (self.decode, self.inference, self.placing)
        return sum(statistics.median(part[source]) for part in parts)

    def rows(self) -> list[tuple[str, Series]]:
        parts = ("decode", self.decode), ("inference", self.inference), ("placing", self.placing)
        rows = [
            (name, Series.of([ms for each in part for ms in each], "ms")) for name, part in parts
        ]
        return [
            *rows,
            ("all three", Series.of([self.of(n) for n in range(len(self.decode))], "ms")),
        ]


def measure_work(
    sources: Sequence[bytes], bundle_path: Path, threads: int, turns: int, base: Path
) -> Work:
    """With the product's own code, one original after the other; the first turn does not count."""
    bundle = read_bundle(bundle_path)
    classifier = Classifier(bundle, threads)
    base.mkdir()
    work = Work([[] for _ in sources], [[] for _ in sources], [[] for _ in sources])
    with Library.open(str(base / "library"), None) as library:
        for turn in range(turns + 1):
            for number, data in enumerate(sources):
                path = base / f"{turn}-{number}.jpg"
                path.write_bytes(data)
                moments = [time.monotonic()]
                picture = decode(path.read_bytes(), bundle.height, bundle.width)
                moments.append(time.monotonic())
                classifier.scores(picture.pixels)
                moments.append(time.monotonic())
                place(library, path, mode=PlaceMode.COPY)
                moments.append(time.monotonic())
                if turn:
                    _note(work, number, moments)
    return work


def _note(work: Work, number: int, moments: Sequence[float]) -> None:
    taken = [1000 * (end - start) for start, end in pairwise(moments)]
    for part, ms in zip((work.decode, work.inference, work.placing), taken, strict=True):
        part[number].append(ms)
