"""The phone: brings photos into a folder as sync clients do, a piece at a time."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from photosortd.commands.demo.photos import Sample

_PIECES = 2  # that a photo is written in
_SLOW_PIECES = 6


@dataclass(frozen=True, slots=True)
class Step:
    """What has just happened to one photo. `at` is set when it is complete, under its name."""

    name: str
    doing: str
    at: float | None = None  # seconds since the epoch


def bring(samples: Sequence[Sample], folder: Path) -> Iterator[Step]:
    """Whoever takes a step sets the pace. Slow ones come side by side, the others one by one."""
    for sample in samples:
        if not sample.slowly:
            yield from _hidden(sample, folder)
    yield from _in_turn([_openly(sample, folder) for sample in samples if sample.slowly])


def _hidden(sample: Sample, folder: Path) -> Iterator[Step]:
    """As Syncthing, rsync or Nextcloud do: complete, and only then under its name."""
    beside = folder / f".sync-{sample.name}.tmp"
    with beside.open("wb") as stream:
        for share, piece in _pieces(sample.data, _PIECES):
            stream.write(piece)
            stream.flush()
            yield Step(sample.name, f"arriving under a hidden name, {share:.0%}")
    beside.rename(folder / sample.name)
    yield Step(sample.name, "complete", at=time.time())


def _openly(sample: Sample, folder: Path) -> Iterator[Step]:
    """As a network drive or a camera's cable does: there from the first byte on."""
    with (folder / sample.name).open("wb") as stream:
        for share, piece in _pieces(sample.data, _SLOW_PIECES):
            stream.write(piece)
            stream.flush()
            yield Step(sample.name, f"being written under its final name, {share:.0%}")
    yield Step(sample.name, "complete; is it at rest?", at=time.time())


def _pieces(data: bytes, count: int) -> Iterator[tuple[float, bytes]]:
    size = -(-len(data) // count)
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        yield (start + len(piece)) / len(data), piece


def _in_turn(all_of: list[Iterator[Step]]) -> Iterator[Step]:
    while all_of:
        for each in list(all_of):
            try:
                yield next(each)
            except StopIteration:
                all_of.remove(each)
