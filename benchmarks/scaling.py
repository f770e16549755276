"""How the pace of a backfill and its memory grow with workers and with threads of the model.

A worker decodes the next photo while it infers one, so even one keeps more than one core busy.
"""

import argparse
import os
import shutil
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import bundles
import measuring
import photos
from bundles import KINDS, Made
from measuring import Check, Found, Row, Series
from sorting import Sorted, sort_once

_MEGA = 1_000_000
Crew = tuple[int, int]
"""Workers, and threads of each."""


def main(arguments: Sequence[str] | None = None) -> None:
    asked = measuring.parse(_options(), arguments, photos=24)
    with measuring.scratch(asked) as work:
        sources = photos.originals(asked.originals, asked.work / "drawn")
        photos.write(sources, asked.photos, work / "source")
        measuring.tell(measure(asked, work), asked)


def _options() -> argparse.ArgumentParser:
    parser = measuring.options(__doc__)
    bundles.add_options(parser, list(KINDS))
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--originals", type=Path, metavar="DIR", help="with JPEGs of a camera")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    return parser


def measure(asked: argparse.Namespace, work: Path) -> Found:
    rows: list[Row] = []
    checks: list[Check] = []
    for made in bundles.chosen(asked):
        runs = _run_all(made, asked, work)
        paces = {crew: _pace(of_crew) for crew, of_crew in runs.items()}
        alone = next(iter(paces.values()))
        rows += [_row(made, crew, of_crew, alone) for crew, of_crew in runs.items()]
        best = max(paces, key=lambda crew: paces[crew].median)
        times = paces[best].by(alone)
        checks.append(Check(f"{made.name}: fastest with {_shown(best)}, times the first", times))
    cores = len(os.sched_getaffinity(0))
    return Found(f"{asked.photos} photos on {cores} cores, copies", rows, checks)


def _run_all(made: Made, asked: argparse.Namespace, work: Path) -> dict[Crew, list[Sorted]]:
    """Each combination in turn, and then all of them again."""
    crews = list(product(asked.workers, asked.threads))
    runs: dict[Crew, list[Sorted]] = {crew: [] for crew in crews}
    for turn, crew in product(range(asked.repeats), crews):
        measuring.progress(f"{made.name}: {_shown(crew)}, turn {turn + 1} of {asked.repeats}")
        runs[crew].append(sort_once(work / "turn", work / "source", made.bundle, *crew))
        shutil.rmtree(work / "turn")
        os.sync()
    return runs


def _pace(runs: Sequence[Sorted]) -> Series:
    return Series.of([run.going_rate for run in runs], "/s")


def _row(made: Made, crew: Crew, runs: Sequence[Sorted], alone: Series) -> Row:
    pace, used = _pace(runs), [run.used for run in runs]
    figures = {
        "photos": pace,
        "times the first": pace.by(alone),
        "CPU a photo": Series.of(
            [1000 * (run.used.parent.cpu + run.used.children.cpu) / run.photos for run in runs],
            "ms",
        ),
        "memory": Series.of([each.memory / _MEGA for each in used], "MB"),
        "of the parent": Series.of([each.parent_memory / _MEGA for each in used], "MB"),
    }
    return Row(f"{made.name}: {_shown(crew)}", figures)


def _shown(crew: Crew) -> str:
    workers, threads = crew
    return f"workers {workers}, threads {threads}"


if __name__ == "__main__":
    main()
