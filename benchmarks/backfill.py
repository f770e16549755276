"""How fast an archive is sorted, beside what these cores can do at most and the plain way.

The limit: as many workers that only decode at the reduced scale, infer once with the same bundle
and write the bytes. The plain way: a Keras model, `load_img` and `predict` one photo at a time, and
`shutil.copy`. photosortd does it all: it hashes, syncs, reads back, and keeps its ledger.
"""

import argparse
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import bundles
import measuring
import photos
import promises
from bundles import KINDS, Made
from following import Followed, follow
from measuring import Check, Found, Row, Series
from sorting import Sorted, said, sort_once, yardstick

OF_THE_LIMIT = 0.90
TIMES_PLAIN = {"resnet50": 10.0}
_MEGA = 1_000_000


@dataclass(slots=True)
class Turns:
    """What was measured with one bundle, turn by turn."""

    limits: list[Sorted] = field(default_factory=list)
    ours: list[Sorted] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)  # photos a second


def main(arguments: Sequence[str] | None = None) -> None:
    asked = measuring.parse(_options(), arguments, photos=24, plain=4)
    with measuring.scratch(asked) as work:
        sources = photos.originals(asked.originals, asked.work / "drawn")
        photos.write(sources, asked.photos, work / "source")
        measuring.tell(measure(asked, work), asked)


def _options() -> argparse.ArgumentParser:
    parser = measuring.options(__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--plain", type=int, default=60, help="photos that the plain way sorts")
    bundles.add_options(parser, list(KINDS))
    parser.add_argument("--originals", type=Path, metavar="DIR", help="with JPEGs of a camera")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="print the parent's functions, too")
    return parser


def measure(asked: argparse.Namespace, work: Path) -> Found:
    rows: list[Row] = []
    checks: list[Check] = []
    notes: list[str] = []
    for made in bundles.chosen(asked):
        turns = Turns()
        for turn in range(asked.repeats):
            measuring.progress(f"{made.name}: turn {turn + 1} of {asked.repeats}")
            _take_turns(turns, made, asked, work)
        rows += _rows(made.name, turns)
        checks += _checks(made.name, turns)
        spent, profile = _profiled(made, asked, work)
        rows += [Row(f"{made.name}: of the parent's time, profiled", {}), *spent]
        notes += [profile] if asked.profile else []
    title = f"{asked.photos} photos, {asked.workers} workers of {asked.threads} threads, copies"
    return Found(title, rows, checks, notes)


def _take_turns(turns: Turns, made: Made, asked: argparse.Namespace, work: Path) -> None:
    """One of each, so that whatever else the machine does meets all of them."""
    source, crew = work / "source", (asked.workers, asked.threads)
    turns.limits.append(_limit(made, source, work / "turn", *crew))
    _clean(work / "turn")
    turns.ours.append(sort_once(work / "turn", source, made.bundle, *crew))
    _clean(work / "turn")
    if made.keras is not None:
        turns.plain.append(_plain(made.keras, source, work / "turn", asked.plain))
        _clean(work / "turn")


def _clean(directory: Path) -> None:
    """What one way left in memory to be written is not the next one's to wait for."""
    shutil.rmtree(directory)
    os.sync()


def _limit(made: Made, source: Path, base: Path, workers: int, threads: int) -> Sorted:
    command = yardstick("limit.py", made.bundle, source, base / "library", workers, threads)
    used, found = _run(command, base)
    return Sorted(int(found["photos"]), used, found["seconds"])


def _plain(model: Path, source: Path, base: Path, count: int) -> float:
    _, found = _run(yardstick("plain.py", model, source, base / "library", count), base)
    return found["photos"] / found["seconds"]


def _run(command: list[str], base: Path) -> tuple[Followed, dict[str, float]]:
    base.mkdir()
    log = base / "log.txt"
    with log.open("wb") as stream:
        started = time.monotonic()
        used = follow(subprocess.Popen(command, stdout=stream), started)
    return used, said(log)


def _profiled(made: Made, asked: argparse.Namespace, work: Path) -> tuple[list[Row], str]:
    base = work / "turn"
    found = promises.measure(base, work / "source", made.bundle, asked.workers, asked.threads)
    _clean(base)
    return found


# ---- what is told


def _rows(kind: str, turns: Turns) -> list[Row]:
    rows = [
        Row(f"{kind}: the limit", _figures(turns.limits)),
        Row(f"{kind}: photosortd --once", _figures(turns.ours)),
    ]
    if turns.plain:
        rows.append(Row(f"{kind}: the plain way", {"photos": Series.of(turns.plain, "/s")}))
    return rows


def _figures(runs: Sequence[Sorted]) -> dict[str, Series]:
    def a_photo(seconds: Sequence[float]) -> Series:
        pairs = zip(seconds, runs, strict=True)
        return Series.of([1000 * each / run.photos for each, run in pairs], "ms")

    return {
        "photos": Series.of([run.going_rate for run in runs], "/s"),
        "with start and end": Series.of([run.whole_rate for run in runs], "/s"),
        "CPU a photo, parent": a_photo([run.used.parent.cpu for run in runs]),
        "workers": a_photo([run.used.children.cpu for run in runs]),
        "memory": Series.of([run.used.memory / _MEGA for run in runs], "MB"),
    }


def _cpu(runs: Sequence[Sorted]) -> Series:
    return Series.of([run.used.parent.cpu + run.used.children.cpu for run in runs])


def _checks(kind: str, turns: Turns) -> list[Check]:
    ours, limit = _figures(turns.ours), _figures(turns.limits)
    going = ours["photos"]
    lost = [
        1000 * (1 / mine.going_rate - 1 / best.going_rate)
        for mine, best in zip(turns.ours, turns.limits, strict=True)
    ]
    whole = ours["with start and end"].by(limit["with start and end"])
    checks = [
        Check(f"{kind}: of the limit", going.by(limit["photos"]), at_least=OF_THE_LIMIT),
        Check(f"{kind}: of the limit, both with start and end", whole, at_least=OF_THE_LIMIT),
        Check(f"{kind}: slower than the limit, a photo", Series.of(lost, "ms")),
        Check(f"{kind}: times the limit's CPU", _cpu(turns.ours).by(_cpu(turns.limits))),
    ]
    if turns.plain:
        times = going.by(Series.of(turns.plain))
        aim = TIMES_PLAIN.get(kind)
        checks.append(Check(f"{kind}: times the plain way", times, at_least=aim))
    return checks


if __name__ == "__main__":
    main()
