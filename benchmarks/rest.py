"""What photosortd costs while there is nothing to do, with many known photos, and what it holds.

A root with events is compared with one that is polled. What a scan costs is measured apart, from
the end of one to the end of the next, and counted as often as it comes in an hour. Yardstick: a
Python that does nothing but wake up as often as photosortd looks for requests.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bundles
import held
import measuring
import photos
import processes
from house import TINY, House, Running, eventually
from known import Archive
from measuring import Check, Found, Row, Series
from notices import Notices
from processes import Usage

HOUR = 3600.0
SETTLED = 10.0  # seconds after a scan: what there is to tell of it has been told
BETWEEN = 10.0  # seconds between the scans of which one is measured
PATIENCE = 3600.0

SLEEPER = "import time\nwhile True: time.sleep(5)"
EVENTS, POLLED = "with events", "polled"
ROOTS: Mapping[str, Mapping[str, Any]] = {EVENTS: {}, POLLED: {"events": False}}
SCANS = {EVENTS: 1, POLLED: 12}
"""In an hour, where the configuration does not say otherwise."""


@dataclass(frozen=True, slots=True)
class Share:
    """What was used in a while, by a daemon and its worker together."""

    seconds: float
    used: Usage

    def scan(self, quiet: "Share") -> Usage:
        """Of a while with one scan: what is more than in a quiet one."""
        part = self.seconds / quiet.seconds
        return Usage(
            cpu=max(0.0, self.used.cpu - part * quiet.used.cpu),
            read=max(0, round(self.used.read - part * quiet.used.read)),
            written=max(0, round(self.used.written - part * quiet.used.written)),
            waits=max(0, round(self.used.waits - part * quiet.used.waits)),
        )


@dataclass(frozen=True, slots=True)
class Observed:
    """One root: quiet whiles, and single scans."""

    quiet: Sequence[Share]
    scans: Sequence[Usage]


def main(arguments: Sequence[str] | None = None) -> None:
    options = measuring.options(__doc__)
    options.add_argument("--files", type=int, default=100_000, help="that are known")
    options.add_argument("--directories", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=60.0, help="of each observation")
    options.add_argument("--photos", type=int, default=10_000, help="sorted before memory counts")
    bundles.add_options(options, ["mobilenet_v2"])
    options.add_argument("--originals", type=Path, metavar="DIR", help="with JPEGs of a camera")
    short = {"files": 2000, "directories": 100, "seconds": 10.0, "photos": 100, "bundle": TINY}
    asked = measuring.parse(options, arguments, **short)
    with measuring.scratch(asked) as work:
        found = measure(asked, work)
    measuring.tell(found, asked)


def measure(asked: argparse.Namespace, work: Path) -> Found:
    bundle = next(bundles.chosen(asked)).bundle
    home = Home(work / "resting", asked.files, asked.directories, bundle)
    sleeper = [_sleeper(asked.seconds) for _ in range(asked.repeats)]
    observed = {}
    for name, root in ROOTS.items():
        measuring.progress(f"at rest {name}")
        quiet = home.quiet(root, asked.seconds, asked.repeats)
        observed[name] = Observed(quiet, home.scans(root, quiet, asked.repeats))
    originals = photos.originals(asked.originals, asked.work / "drawn")
    memory = held.measure(work / "sorting", bundle, asked.photos, asked.repeats, originals)
    return Found(
        f"At rest with {asked.files:,} known files in {asked.directories:,} directories",
        [
            _row("a Python that sleeps", sleeper),
            *(row for name, each in observed.items() for row in _rows(name, each)),
            *held.rows(memory),
        ],
        [*_checks(observed), *held.checks(memory)],
    )


class Home:
    """Everything in it is known, and nothing happens."""

    def __init__(self, base: Path, files: int, directories: int, bundle: Path) -> None:
        self._house = House(base, model=str(bundle))
        Archive(self._house.dcim, files, directories).fill(self._house.state, self._house.library)

    def quiet(self, root: Mapping[str, Any], seconds: float, repeats: int) -> list[Share]:
        """With no scan meanwhile."""
        with self._running(root) as running:
            return [_observe(running.pid, lambda: time.sleep(seconds)) for _ in range(repeats)]

    def scans(self, root: Mapping[str, Any], quiet: Sequence[Share], repeats: int) -> list[Usage]:
        """What single scans cost."""
        with self._running({**root, "scan_interval": f"{BETWEEN:g}s"}) as running:
            self._next_scan()
            whiles = [_observe(running.pid, self._next_scan) for _ in range(repeats)]
        middle = sorted(quiet, key=lambda each: each.used.cpu)[len(quiet) // 2]
        return [each.scan(middle) for each in whiles]

    def _next_scan(self) -> None:
        before = self._last_scan()
        eventually(lambda: self._last_scan() != before, PATIENCE, "a scan", pause=0.1)

    def _last_scan(self) -> object:
        return self._house.status()["roots"][0]["last_scan"]

    @contextmanager
    def _running(self, root: Mapping[str, Any]) -> Iterator[Running]:
        """Up, and after its first scan at rest."""
        self._house.configure(watch=[{"path": str(self._house.dcim), **root}])
        with Notices(self._house.base / "notices") as notices:
            running = self._house.start(env=notices.env)
            try:
                notices.until("STATUS=Idle", running)
                time.sleep(SETTLED)
                yield running
                if running.stop():
                    raise RuntimeError(running.said())
            finally:
                running.kill()


def _sleeper(seconds: float) -> Share:
    process = subprocess.Popen([sys.executable, "-c", SLEEPER])
    try:
        time.sleep(1)  # it has started
        return _observe(process.pid, lambda: time.sleep(seconds))
    finally:
        process.kill()
        process.wait()


def _observe(pid: int, meanwhile: Callable[[], object]) -> Share:
    """The process and all below it."""
    began, before = time.monotonic(), _used(pid)
    meanwhile()
    return Share(time.monotonic() - began, _used(pid).since(before))


def _used(pid: int) -> Usage:
    used = processes.tree(pid, pss=False)
    exact = sum(processes.running_time(each) for each in used)
    return replace(processes.together(used), cpu=exact)


def _rows(name: str, observed: Observed) -> Iterator[Row]:
    yield _row(f"{name}, between scans", observed.quiet)
    scans = [Share(HOUR, each) for each in observed.scans]  # as if there were one in an hour
    yield _row(f"{name}, one scan", scans)
    yield _row(f"{name}, an hour with its {SCANS[name]} of them", _hours(name, observed))


def _hours(name: str, observed: Observed) -> list[Share]:
    """Whole hours: quiet ones, and the scans that come in them."""
    return [
        Share(HOUR, _times(quiet.used, HOUR / quiet.seconds) + _times(scan, SCANS[name]))
        for quiet, scan in zip(observed.quiet, observed.scans, strict=True)
    ]


def _times(used: Usage, factor: float) -> Usage:
    return Usage(
        cpu=used.cpu * factor,
        read=round(used.read * factor),
        written=round(used.written * factor),
        waits=round(used.waits * factor),
    )


def _row(name: str, shares: Sequence[Share]) -> Row:
    hours = [_times(each.used, HOUR / each.seconds) for each in shares]
    figures = {
        "CPU an hour": Series.of([each.cpu for each in hours], "s"),
        "of a core": Series.of([100 * each.cpu / HOUR for each in hours], "%"),
        "wake-ups": Series.of([each.waits / HOUR for each in hours], "/s"),
        "read an hour": Series.of([each.read / 1e3 for each in hours], "kB"),
        "written an hour": Series.of([each.written / 1e3 for each in hours], "kB"),
    }
    return Row(name, figures)


def _checks(observed: Mapping[str, Observed]) -> list[Check]:
    hour = _row("", _hours(EVENTS, observed[EVENTS])).figures
    quiet = _row("", observed[EVENTS].quiet).figures
    return [
        Check("of a core, with events", hour["of a core"], at_most=0.1),
        Check("wake-ups, with events", quiet["wake-ups"], at_most=1.0),
        Check("written an hour between scans, with events", quiet["written an hour"], at_most=0.0),
    ]


if __name__ == "__main__":
    main()
