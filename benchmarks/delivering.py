"""Photos brought to a running daemon by writers of several kinds, and when each was filed."""

import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import measuring
import photos
from sightings import CLOSE_WRITE, CREATE, MOVED_TO, Sightings


def _mv(data: bytes, aside: Path, target: Path) -> None:
    """From another directory of that disk."""
    aside.write_bytes(data)
    aside.rename(target)


def _syncthing(data: bytes, _: Path, target: Path) -> None:
    """Under a hidden name first, beside the last one."""
    beside = target.with_name(f".syncthing.{target.name}.tmp")
    beside.write_bytes(data)
    beside.rename(target)


def _rsync(data: bytes, aside: Path, target: Path) -> None:
    aside = aside.with_name(target.name)
    aside.write_bytes(data)
    subprocess.run(["rsync", "--times", str(aside), str(target.parent)], check=True)


def _cp(data: bytes, _: Path, target: Path) -> None:
    target.write_bytes(data)


Writer = Callable[[bytes, Path, Path], None]
CLOSES = "cp"
"""The writer whose photo is not known to be whole before it has been quiet for a while."""


def writers() -> Mapping[str, Writer]:
    found: dict[str, Writer] = {"mv": _mv, "syncthing": _syncthing, "cp": _cp}
    if shutil.which("rsync"):
        found["rsync"] = _rsync
    return found


@dataclass(frozen=True, slots=True)
class Arrival:
    """One photo's way."""

    writer: str
    source: int  # which of the originals it is
    seconds: float
    overtook: int  # archive photos that were filed while it could have been


class Scene:
    """A running daemon, what is delivered to it, and what is seen of that."""

    def __init__(
        self, source: Path, category: Path, aside: Path, sources: Sequence[bytes], quiet: float
    ) -> None:
        self._source, self._category, self._aside = source, category, aside
        self._sources, self._quiet = sources, quiet
        self._lots = random.Random(0)
        self._sightings = Sightings()

    def look(self) -> None:
        """From now on; the category has to be there."""
        self._sightings.watch(self._source, CLOSE_WRITE | MOVED_TO)
        self._sightings.watch(self._category, CREATE | MOVED_TO)

    def deliver_all(self, count: int, archive: int) -> Iterator[Arrival]:
        """The writers in turn, `count` photos each; where there is an archive, while it lasts."""
        turns = islice(cycle(writers().items()), count * len(writers()))
        for number, (writer, write) in enumerate(turns):
            # Not in step with any timer of the daemon's.
            time.sleep(self._lots.uniform(0.05, 0.25))
            arrival = self._deliver(number, writer, write)
            if archive and self._sorted() >= archive:
                measuring.progress(f"the archive was sorted after {number} photos")
                return
            yield arrival

    def _sorted(self) -> int:
        return sum(name.startswith(photos.PREFIX) for name in os.listdir(self._category))

    def _deliver(self, number: int, writer: str, write: Writer) -> Arrival:
        chosen = number % len(self._sources)
        name = f"LIVE_{number:05d}.jpg"
        data = self._sources[chosen] + b"live%08d" % number
        write(data, self._aside / f"aside-{number}", self._source / name)
        filed = self._sightings.wait(self._category, name)
        done = self._sightings.last(self._source, name)
        ripe = done + (self._quiet if writer == CLOSES else 0.0)
        overtook = self._sightings.between(self._category, ripe, filed)
        return Arrival(writer, chosen, filed - done, overtook)
