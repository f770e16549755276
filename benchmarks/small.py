"""A backfill on a small machine, beside the same without its limits.

A real systemd is booted, photosortd installed on it as users do, and the service sorts the same
photos with CPUQuota=50% and MemoryMax=256M and without, turn by turn, each time from nothing. It
has to work, only slower. Needs root, and a package index for `make install`.
"""

import argparse
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bundles
import measuring
import photos
import processes
from house import LIBRARY, STATE, TINY, UNIT, Household, booted, eventually, install
from measuring import Check, Found, Row, Series
from processes import Usage

SMALL, FREE = "a small machine", "without limits"
LIMITS: Mapping[str, Sequence[str]] = {SMALL: ("CPUQuota=50%", "MemoryMax=256M"), FREE: ()}
BUNDLE = "/srv/bench-bundle"
PATIENCE = 7200.0  # seconds


@dataclass(frozen=True, slots=True)
class Sorted:
    """One backfill, from the start of the service on."""

    ready: float  # seconds
    seconds: float  # until all were sorted
    cpu: float  # seconds
    memory: int  # the most bytes (PSS) of all its processes together
    filed: Mapping[str, int]  # sizes, by path in the library
    restarts: int


def main(arguments: Sequence[str] | None = None) -> None:
    options = measuring.options(__doc__)
    options.add_argument("--photos", type=int, default=200)
    bundles.add_options(options, ["mobilenet_v2"])
    options.add_argument("--originals", type=Path, metavar="DIR", help="with JPEGs of a camera")
    asked = measuring.parse(options, arguments, photos=20, bundle=TINY)
    if reason := booted.missing():
        raise SystemExit(f"small.py {reason}")
    with measuring.scratch(asked) as work:
        found = measure(asked, work)
    measuring.tell(found, asked)


def measure(asked: argparse.Namespace, work: Path) -> Found:
    bundle = next(bundles.chosen(asked)).bundle
    originals = photos.originals(asked.originals, asked.work / "drawn")
    disk = work / "disk"
    measuring.progress("installing photosortd on a machine")
    install(disk)
    machine = booted.Machine(disk).boot()
    try:
        service = Service(Household(machine), bundle, originals, asked.photos)
        turns = [
            {name: service.sort(limits) for name, limits in LIMITS.items()}
            for _ in range(asked.repeats)
        ]
    finally:
        machine.unplug()
    small, free = ([turn[name] for turn in turns] for name in (SMALL, FREE))
    return Found(
        f"A backfill of {asked.photos} photos with {' and '.join(LIMITS[SMALL])}",
        [_row(SMALL, small, asked.photos), _row(FREE, free, asked.photos)],
        _checks(small, free),
    )


class Service:
    """photosortd on the machine, which begins from nothing as often as one likes."""

    def __init__(
        self, household: Household, bundle: Path, originals: Sequence[bytes], count: int
    ) -> None:
        self._household, self._machine = household, household.machine
        self._count = count
        shutil.copytree(bundle, self._machine.path(BUNDLE))
        photos.write(originals, count, household.dcim)
        household.settle_in(model=BUNDLE, unsorted="unsorted", workers=None)

    def sort(self, limits: Sequence[str]) -> Sorted:
        self._forget()
        self._household.unit("CPUAccounting=yes", *limits)
        began = time.monotonic()
        self._machine.run("systemctl", "start", UNIT, seconds=300)
        ready = time.monotonic() - began
        used = [self._used()]

        def is_done() -> bool:
            used.append(self._used())
            return self._sorted() == self._count

        eventually(is_done, PATIENCE, "all photos are sorted", pause=0.2)
        seconds = time.monotonic() - began
        most = max(each.pss for each in used)
        return Sorted(ready, seconds, used[-1].cpu, most, self._filed(), self._household.restarts())

    def _forget(self) -> None:
        """All that a backfill left, but not the photos."""
        self._machine.run("systemctl", "stop", UNIT)
        self._machine.run("systemctl", "reset-failed", UNIT, check=False)
        self._machine.run("find", LIBRARY, STATE, "-mindepth", "1", "-delete")

    def _sorted(self) -> int:
        try:
            counts: dict[str, int] = self._household.status()["counts"]
        except FileNotFoundError:
            return 0
        return sum(counts.values()) - counts.get("pending", 0)

    def _used(self) -> Usage:
        """By the daemon and its workers, seen from outside."""
        ours = [pid for pid in processes.below(self._machine.init) if _is_ours(pid)]
        used = {pid: each for pid in ours if (each := processes.usage(pid)) is not None}
        return processes.together(used)

    def _filed(self) -> dict[str, int]:
        library = self._household.library
        paths = [Path(where) / name for where, _, names in os.walk(library) for name in names]
        seen = (path for path in paths if not path.name.startswith("."))
        return {str(path.relative_to(library)): path.stat().st_size for path in seen}


def _is_ours(pid: int) -> bool:
    try:
        return b"photosortd" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it has just ended
        return False


def _row(name: str, turns: Sequence[Sorted], count: int) -> Row:
    figures = {
        "photos": Series.of([count / each.seconds for each in turns], "/s"),
        "cores busy": Series.of([each.cpu / each.seconds for each in turns]),
        "READY=1": Series.of([each.ready for each in turns], "s"),
        "CPU a photo": Series.of([1e3 * each.cpu / count for each in turns], "ms"),
        "most memory": Series.of([each.memory / 1e6 for each in turns], "MB"),
    }
    return Row(name, figures)


def _checks(small: Sequence[Sorted], free: Sequence[Sorted]) -> list[Check]:
    slower = Series.of([each.seconds for each in small]).by(
        Series.of([each.seconds for each in free])
    )
    alike = [mine.filed == other.filed for mine, other in zip(small, free, strict=True)]
    busy = [each.cpu / each.seconds for each in small]
    restarts = [each.restarts for each in small]
    return [
        Check("times the time that it takes without limits", slower),
        Check("share of turns that filed the very same", Series.of(alike), at_least=1.0),
        Check("cores busy with limits", Series.of(busy), at_most=0.55),
        Check("restarts with limits", Series.of(restarts), at_most=0.0),
    ]


if __name__ == "__main__":
    main()
