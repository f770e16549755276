"""How long one new photo takes, from its writer's rename or close to its name in the category.

At rest, and while an archive is sorted; beside what its work takes alone in the same run: decode,
inference, and placing with all checks. The kernel tells when the names appear.
"""

import argparse
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import backing
import bundles
import measuring
import photos
from bundles import Made
from delivering import CLOSES, Arrival, Scene
from house import House, eventually
from measuring import Check, Found, Row, Series
from sorting import household
from work import Work, measure_work

from photosortd.vision.bundle import read_bundle

BEYOND_THE_WORK = 15.0  # milliseconds
TIMES_THE_WORK = 2.0  # of 99 in 100 photos


def main(arguments: Sequence[str] | None = None) -> None:
    asked = measuring.parse(_options(), arguments, photos=3, archive=80, quiet=0.5)
    with measuring.scratch(asked) as work:
        measuring.tell(measure(asked, work), asked)


def _options() -> argparse.ArgumentParser:
    parser = measuring.options(__doc__)
    bundles.add_options(parser, ["mobilenet_v2"])
    parser.add_argument("--photos", type=int, default=50, help="by each writer, each way")
    parser.add_argument("--archive", type=int, default=1500, help="photos to sort meanwhile")
    parser.add_argument("--quiet", type=float, default=2.0, help="settle.quiet, in seconds")
    parser.add_argument("--originals", type=Path, metavar="DIR", help="with JPEGs of a camera")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--threads", type=int, default=1)
    return parser


def measure(asked: argparse.Namespace, work: Path) -> Found:
    sources = photos.originals(asked.originals, asked.work / "drawn")
    if not asked.short:
        backing.fill(work)
    rows: list[Row] = []
    checks: list[Check] = []
    for made in bundles.chosen(asked):
        alone = measure_work(sources, made.bundle, asked.threads, asked.repeats, work / "alone")
        rows += [Row(f"{made.name}: {name} alone", {"ms": s}) for name, s in alone.rows()]
        for busy in (False, True):
            measuring.progress(f"{made.name}: {'during a backfill' if busy else 'at rest'}")
            base = work / f"{made.name}-{'busy' if busy else 'rest'}"
            with _scene(asked, made, sources, base, busy) as scene:
                arrived = list(scene.deliver_all(asked.photos, asked.archive if busy else 0))
            if not arrived:
                raise SystemExit(
                    "the archive was sorted before anything came: ask for a larger one"
                )
            rows += _rows(made, arrived, busy)
            checks += _checks(made, arrived, busy, alone, asked)
    title = f"one new photo, {asked.workers} workers, settle.quiet {asked.quiet:g} s"
    return Found(title, rows, checks)


# ---- one scene


@contextmanager
def _scene(
    asked: argparse.Namespace, made: Made, sources: Sequence[bytes], base: Path, busy: bool
) -> Iterator[Scene]:
    source = base / "DCIM"
    house = household(
        base,
        source,
        made.bundle,
        asked.workers,
        asked.threads,
        settle={"quiet": f"{asked.quiet:g}s"},
    )
    photos.write(sources, asked.archive if busy else 1, source)
    category = house.library / read_bundle(made.bundle).names[0]
    if not asked.short:
        backing.fill(base)
    with _daemon(house):
        eventually(category.is_dir, what="the first photo is sorted")
        if not busy:
            eventually(house.is_idle, what="the daemon is at rest")
        aside = base / "aside"
        aside.mkdir()
        scene = Scene(source, category, aside, sources, asked.quiet)
        scene.look()
        yield scene
    shutil.rmtree(base)
    os.sync()


@contextmanager
def _daemon(house: House) -> Iterator[None]:
    running = house.start()
    try:
        eventually(lambda: house.is_up(running), what="the daemon is up")
        yield
        running.stop()
    finally:
        running.kill()


# ---- what is told


def _by_writer(arrived: Sequence[Arrival]) -> dict[str, list[Arrival]]:
    found: dict[str, list[Arrival]] = {}
    for each in arrived:
        found.setdefault(each.writer, []).append(each)
    return found


def _rows(made: Made, arrived: Sequence[Arrival], busy: bool) -> list[Row]:
    when = "during a backfill" if busy else "at rest"
    rows = []
    for writer, ways in _by_writer(arrived).items():
        taken = Series.of([1000 * each.seconds for each in ways], "ms")
        figures = {"ms": taken, "99th percentile": Series((taken.percentile(0.99),), "ms")}
        if busy:
            figures["archive photos filed meanwhile"] = Series.of([w.overtook for w in ways])
        rows.append(Row(f"{made.name}: {writer} {when}", figures))
    return rows


def _checks(
    made: Made, arrived: Sequence[Arrival], busy: bool, alone: Work, asked: argparse.Namespace
) -> Iterator[Check]:
    when = "during a backfill" if busy else "at rest"
    for writer, ways in _by_writer(arrived).items():
        quiet = 1000 * asked.quiet if writer == CLOSES else 0.0
        taken = [(1000 * each.seconds - quiet, alone.of(each.source)) for each in ways]
        beyond = Series.of([mine - work for mine, work in taken], "ms")
        times = Series.of([mine / work for mine, work in taken]).percentile(0.99)
        name = f"{made.name}: {writer} {when}{', less settle.quiet' if quiet else ''}"
        yield Check(f"{name}: beyond the work", beyond, at_most=BEYOND_THE_WORK)
        yield Check(f"{name}: 99th, times the work", Series((times,)), at_most=TIMES_THE_WORK)
    if busy:
        # Two are with each worker already, and the turn of the loop that is under way may hand out
        # as many again.
        most = Series.of([float(max(each.overtook for each in arrived))])
        name = f"{made.name}: archive photos filed while a live one waited, at most"
        yield Check(name, most, at_most=4 * asked.workers)


if __name__ == "__main__":
    main()
