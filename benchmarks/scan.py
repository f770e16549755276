"""A scan of a large archive that is known, beside `find`, which asks each file for the same facts.

Each turn runs `find`, then `--once` over the archive and `--once` over an empty folder, with the
same ledger and one new photo each: the difference of both is the scan. The archive's new photo
stands in the first directory, and is filed long before the scan is over. Then: what the daemon
needs with few and with many files, how fast the ledger answers and commits, and how soon commands
answer while the daemon is at rest.
"""

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import ledgers
import measuring
import photos
import processes
import timing
from appearing import Lookout
from house import RED, House, draw_photo
from known import CATEGORY, Archive
from measuring import Check, Found, Row, Series
from notices import Notices
from timing import SCRIPT, Command, Took

PATIENCE = 7200.0  # seconds; far more than a scan takes
EVERYTHING = ("--category", CATEGORY)
AT_REST = 0.5  # seconds: longer than the household's `settle.quiet`
FEW = 10  # times fewer files in the smaller archive, whose directories are as many


def main(arguments: Sequence[str] | None = None) -> None:
    options = measuring.options(__doc__)
    options.add_argument("--files", type=int, default=1_000_000)
    options.add_argument("--directories", type=int, default=10_000)
    options.add_argument(
        "--cold", action="store_true",
        help="with an empty cache, too: drops the caches of the whole machine (root)",
    )  # fmt: skip
    asked = measuring.parse(options, arguments, files=20_000, directories=200)
    with measuring.scratch(asked) as work:
        found = measure(asked, work)
    measuring.tell(found, asked)


def measure(asked: argparse.Namespace, work: Path) -> Found:
    few = Household(work / "few", asked.files // FEW, asked.directories)
    many = Household(work / "many", asked.files, asked.directories)
    measuring.progress("the archives are there")
    many.turn()  # the bundle is tested, the cache is filled
    warm = [many.turn() for _ in range(asked.repeats)]
    cold = [many.turn(cold=True) for _ in range(asked.repeats)] if asked.cold else []
    measuring.progress("scanned")
    rows = [*_scan_rows("warm", warm), *_scan_rows("cold", cold)]
    with few.at_rest() as (small, _):
        rows.append(small.row("the daemon with few files"))
    with many.at_rest() as (large, commands):
        rows.append(large.row("the daemon with many files"))
        answers = timing.in_turns(commands, asked.repeats)
        everything = {"undo --dry-run of everything": many.command("undo", "-n", *EVERYTHING)}
        rows += [
            Row(name, {"time": timing.wall(took), "CPU": timing.cpu(took)})
            for name, took in {**answers, **timing.in_turns(everything, 1)}.items()
        ]
    rows += ledgers.rows(many.house.state, many.archive, asked.repeats)
    return Found(
        f"Scan of {asked.files:,} known files in {asked.directories:,} directories",
        rows,
        [*_checks(warm, cold, small, large), *_answer_checks(answers)],
        [] if can_tell(warm) else ["too few files to tell the scan from the rest of a run"],
    )


@dataclass(frozen=True, slots=True)
class Once:
    """One `--once` that found a new photo."""

    took: Took
    filed: float  # seconds from exec until the photo was in the library


@dataclass(frozen=True, slots=True)
class Turn:
    find: Took
    archive: Once
    nothing: Once

    @property
    def scan(self) -> Took:
        """What the archive's files alone cost."""
        much, little = self.archive.took, self.nothing.took
        return Took(much.wall - little.wall, much.cpu - little.cpu)

    @property
    def still_to_come(self) -> float:
        """The share of the scan that was to come when the new photo had been filed."""
        much, little = (each.took.wall - each.filed for each in (self.archive, self.nothing))
        return (much - little) / self.scan.wall


@dataclass(frozen=True, slots=True)
class Resting:
    """A daemon that has scanned: seconds since exec, bytes."""

    ready: float
    scanned: float  # to within a second: so often it says how it is
    peak: int

    def row(self, name: str) -> Row:
        figures = {
            "READY=1": Series.of([self.ready], "s"),
            "first scan over": Series.of([self.scanned], "s"),
            "most memory": self.most,
        }
        return Row(name, figures)

    @property
    def most(self) -> Series:
        return Series.of([self.peak / 1e6], "MB")


class Household:
    """An archive that is known, and an empty folder beside it."""

    def __init__(self, base: Path, files: int, directories: int) -> None:
        self.house = House(base, unsorted="unsorted")
        self.archive = Archive(self.house.dcim, files, directories)
        self.archive.fill(self.house.state, self.house.library)
        self._lookout = Lookout(self.house.library)
        self._empty = base / "empty"
        self._empty.mkdir()
        self._photos = enumerate(photos.distinct([draw_photo(RED)]))

    def turn(self, cold: bool = False) -> Turn:
        find = self._find(cold)
        archive = self._once(self.house.dcim, self.archive.directory(0), cold)
        return Turn(find, archive, self._once(self._empty, "", cold))

    def _find(self, cold: bool) -> Took:
        _prepare_cache(cold)
        return timing.run(["find", self.house.dcim, "-printf", r"%s %T@ %i\n"])

    def _once(self, root: Path, directory: str, cold: bool) -> Once:
        number, data = next(self._photos)
        photo = root / directory / f"NEW_{number:04}.jpg"
        photo.write_bytes(data)
        self.house.configure(watch=[{"path": str(root)}])
        time.sleep(AT_REST)
        _prepare_cache(cold)
        began = time.monotonic()
        running = self.house.start("--once")
        filed = self._lookout.until(photo.name, PATIENCE) - began
        return Once(timing.ended(running.process, began), filed)

    @contextmanager
    def at_rest(self) -> Iterator[tuple[Resting, dict[str, Command]]]:
        """A daemon that has scanned the archive, and commands that have to answer soon."""
        self.house.configure(watch=[{"path": str(self.house.dcim)}])
        with Notices(self.house.base / "notices") as notices:
            began = time.monotonic()
            running = self.house.start(env=notices.env)
            try:
                ready = notices.until("READY=1", running) - began
                scanned = notices.until("STATUS=Idle", running) - began
                yield Resting(ready, scanned, processes.peak(running.pid)), self._commands()
                if running.stop(seconds=PATIENCE):
                    raise RuntimeError(running.said())
            finally:
                running.kill()

    def _commands(self) -> dict[str, Command]:
        middle = self.archive.source(self.archive.files // 2).full
        return {
            "status": self.command("status"),
            "why": self.command("why", middle),
            "undo --list": self.command("undo", "--list"),
            "undo --dry-run of a batch": self.command("undo", "-n", "--batch", "1"),
        }

    def command(self, *arguments: str) -> Command:
        return [SCRIPT, "-c", self.house.config, *arguments]


def _prepare_cache(cold: bool) -> None:
    """Forget what the whole machine knows of its disks, or nothing."""
    if cold:
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3")


def _scan_rows(cache: str, turns: Sequence[Turn]) -> Iterator[Row]:
    if not turns:
        return
    find = [turn.find for turn in turns]
    scan = [turn.scan for turn in turns]
    took = {
        "find": find,
        "--once over the archive": [turn.archive.took for turn in turns],
        "--once over an empty folder": [turn.nothing.took for turn in turns],
        "the scan: their difference": scan,
    }
    for name, each in took.items():
        times = timing.wall(each).by(timing.wall(find))
        figures = {"time": timing.wall(each), "CPU": timing.cpu(each), "times find": times}
        yield Row(f"{cache}: {name}", figures)


def _checks(
    warm: Sequence[Turn], cold: Sequence[Turn], small: Resting, large: Resting
) -> Iterator[Check]:
    for cache, turns in (("warm", warm), ("cold", cold)):
        if turns and can_tell(turns):
            scan = timing.wall([turn.scan for turn in turns])
            find = timing.wall([turn.find for turn in turns])
            yield Check(f"a scan, times find, {cache} cache", scan.by(find), at_most=2.0)
            left = Series.of([turn.still_to_come for turn in turns])
            what = f"share of the scan to come when the first new photo is filed, {cache} cache"
            yield Check(what, left, at_least=0.5)
    more = large.most.by(small.most)
    yield Check(f"memory with {FEW} times the files, times that with few", more, at_most=1.1)


def can_tell(turns: Sequence[Turn]) -> bool:
    """Whether the scan is more than the noise between two runs."""
    most = timing.wall([turn.nothing.took for turn in turns])
    return timing.wall([turn.scan for turn in turns]).least > most.most - most.least


def _answer_checks(answers: Mapping[str, Sequence[Took]]) -> Iterator[Check]:
    for name, took in answers.items():
        yield Check(name, timing.wall(took), at_most=1.0)


if __name__ == "__main__":
    main()
