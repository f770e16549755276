"""One `photosortd --once` over a directory of photos, from a cold ledger."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from following import Followed, follow
from house import House

from photosortd.vision.bundle import read_bundle


@dataclass(frozen=True, slots=True)
class Sorted:
    """What one run did. It is never one that left anything behind."""

    photos: int
    used: Followed  # its seconds are those of the whole command, its start and its end with it
    going: float  # seconds from the scan that found the first to the last one's name

    @property
    def whole_rate(self) -> float:
        return self.photos / self.used.seconds

    @property
    def going_rate(self) -> float:
        return self.photos / self.going


def sort_once(
    base: Path,
    source: Path,
    bundle: Path,
    workers: int,
    threads: int,
    by: Sequence[str] = (),
    **settings: Any,
) -> Sorted:
    """`by`: a command that runs it, as a profiler does."""
    count = sum(1 for _ in source.iterdir())
    house = household(base, source, bundle, workers, threads, **settings)
    started = time.monotonic()
    running = house.start("--once", "--json", by=by)
    try:
        used = follow(running.process, started)
    finally:
        running.kill()
    placed = house.outcomes()["placed"]
    if running.process.returncode != 0 or placed != count:
        raise SystemExit(f"{placed} of {count} photos were placed: {running.said()[-2000:]}")
    ((found,),) = house.query("SELECT min(seen_at) FROM version")
    # A rename is the last change of a file's inode: it tells when its name was there.
    named = max(path.stat().st_ctime for path in house.library.glob("*/*"))
    return Sorted(count, used, named - found)


def household(
    base: Path, source: Path, bundle: Path, workers: int, threads: int, **settings: Any
) -> House:
    """Copies, as on a NAS whose library is on another disk; all else by default.

    Every photo goes into the bundle's first category and into no other: one copy each, whatever
    the network sees.
    """
    base.mkdir(parents=True)
    first, *others = read_bundle(bundle).names
    return House(
        base,
        **{
            "watch": [{"path": str(source)}],
            "model": str(bundle),
            "workers": workers,
            "threads": threads,
            "thresholds": {first: 0.0, **dict.fromkeys(others)},
            "settle": None,
            "place": {"mode": "copy"},
            **settings,
        },
    )


def yardstick(script: str, *arguments: object) -> list[str]:
    """The command line of a script beside this one."""
    return [sys.executable, str(Path(__file__).with_name(script)), *map(str, arguments)]


def said(path: Path) -> dict[str, Any]:
    """The last line of what it said, which is JSON."""
    found: dict[str, Any] = json.loads(path.read_text().splitlines()[-1])
    return found
