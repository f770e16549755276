"""How good a training is on photos of collections that it has not seen.

Photos of one camera, place or collection look alike, so a random split flatters. Here whole
collections are held out in turn, and what the shipped files say of them is counted together. A
photo's collection is what its name says before `__`. With `--distill` the files of students are
judged, which learned from those trainings.
"""

import argparse
import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from photosort_trainer import metrics

BETWEEN = "__"
STUDENT = "student"


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one photo of a collection that was held out."""

    labels: frozenset[str]
    filed: frozenset[str]
    scores: dict[str, float]  # calibrated


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _options().parse_args(arguments)
    if asked.work is not None:
        Path(asked.work).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="photosort-apart-") as passing:
        work = Path(asked.work or passing)
        found = [measure(asked, seed, work / str(seed)) for seed in range(asked.seeds)]
    print(table(found))
    if asked.json:
        Path(asked.json).write_text(json.dumps(found, indent=1))


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("photos", help="a folder with a folder for each category")
    options.add_argument(
        "--hold", action="append", required=True, metavar="A,B", help="collections held out at once"
    )
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--train", default="", help="more options of photosort-train train")
    options.add_argument("--distill", help="judge students: options of photosort-train distill")
    options.add_argument("--work", help="where runs stay, to go on with; not kept by default")
    options.add_argument("--json", help="write what was found to this file")
    return options


def measure(asked: argparse.Namespace, seed: int, work: Path) -> dict[str, Any]:
    """One seed: every group of collections held out once."""
    said: list[Verdict] = []
    distill = None if asked.distill is None else shlex.split(asked.distill)
    for group in asked.hold:
        held_out = set(group.split(","))
        said += _said(_made(asked, seed, work / group, held_out, distill), held_out)
        print(f"seed {seed}, without {group}: {len(said)} photos judged", file=sys.stderr)
    found = {"seed": seed, **judge(said)}
    print(found, file=sys.stderr, flush=True)  # what a run that is cut off leaves
    shots = [
        {"labels": sorted(each.labels), "filed": sorted(each.filed), "scores": each.scores}
        for each in said
    ]
    return {**found, "shots": shots}


def _made(
    asked: argparse.Namespace, seed: int, work: Path, held_out: set[str], distill: list[str] | None
) -> Path:
    """The directory of a training without these collections, or of the student that it taught."""
    photos, run = work / "photos", work / "run"
    if not photos.exists():
        shutil.copytree(asked.photos, photos)
        _hold_out(photos, held_out)
    more = shlex.split(asked.train)
    usual = ["--backbone", "mobilenet_v2"] if "--backbone" not in more else []
    if not (run / "bundle").exists():
        _call("train", photos, "--out", run, "--seed", seed, *usual, *more)
    if distill is None:
        return run
    if not (work / STUDENT / "bundle").exists():
        _call("distill", run, "--out", work / STUDENT, "--seed", seed, *distill)
    return work / STUDENT


def _hold_out(photos: Path, collections: set[str]) -> None:
    files = sorted(path for path in photos.glob("*/*") if path.is_file())
    with (photos / "labels.csv").open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("file", "labels", "part"))
        for path in files:
            if _collection(path) in collections:
                rows.writerow((path.relative_to(photos), "", "test"))


def _collection(path: Path) -> str:
    return path.name.split(BETWEEN)[0]


def _call(*command: object) -> None:
    """As everybody does."""
    subprocess.run(
        [sys.executable, "-m", "photosort_trainer", *map(str, command)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def _said(run: Path, held_out: set[str]) -> Iterator[Verdict]:
    for shot in json.loads((run / "results.json").read_bytes())["shots"]:
        if _collection(Path(shot["path"])) in held_out:  # the split may add others
            labels, filed = frozenset(shot["labels"]), frozenset(shot["filed"])
            yield Verdict(labels, filed, shot["scores"])


def judge(said: Sequence[Verdict]) -> dict[str, Any]:
    names = sorted({label for each in said for label in each.labels})
    truth = np.array([[name in each.labels for name in names] for each in said])
    verdicts = np.array([[name in each.filed for name in names] for each in said])
    estimate = metrics.estimate(truth, verdicts)
    by_name = metrics.qualities(names, truth, verdicts)
    return {
        "photos": len(said),
        "macro_f1": estimate.macro_f1,
        "low": estimate.low,
        "high": estimate.high,
        "categories": {name: asdict(quality) for name, quality in by_name.items()},
    }


def table(found: Sequence[dict[str, Any]]) -> str:
    names = list(found[0]["categories"])
    rows = [f"{'seed':>4} {'photos':>6} {'macro-F1':>22}" + "".join(f"{n:>12}" for n in names)]
    for each in found:
        interval = f"{each['macro_f1']:.3f} ({each['low']:.3f}–{each['high']:.3f})"
        scores = "".join(f"{_f1(each, name):12.3f}" for name in names)
        rows.append(f"{each['seed']:>4} {each['photos']:>6} {interval:>22}{scores}")
    middle = [mean(_f1(each, name) for each in found) for name in names]
    overall = f"{mean(each['macro_f1'] for each in found):.3f}"
    rows.append(f"{'mean':>11} {overall:>22}" + "".join(f"{each:12.3f}" for each in middle))
    return "\n".join(rows)


def _f1(found: dict[str, Any], name: str) -> float:
    return float(found["categories"][name]["f1"])


if __name__ == "__main__":
    main()
