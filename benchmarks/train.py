"""How much time and memory training takes, beside a plain Keras script and the bare network.

Every way runs in a process of its own, one after the other, on the same photos. Without --photos
the photos are drawn, and without --weights-dir the network's weights are random: times are then as
real as ever, and macro-F1 says little.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

COLOURS = {"brick": (200, 50, 40), "meadow": (50, 190, 60), "sea": (40, 60, 200)}
FASTER = 20.0  # times less time than the plain script
OVERHEAD = 1.2  # times the bare forward passes
_WAYS = Path(__file__).with_name("ways.py")
Found = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    asked = _options().parse_args(arguments)
    if asked.short:
        asked.network, asked.size, asked.epochs, asked.combinations = "mobilenet_0.25", 64, 2, 2
        asked.versions, asked.count, asked.repeats, asked.growth = 1, 45, 1, [45, 90]
    with tempfile.TemporaryDirectory(prefix="photosort-bench-") as work:
        found = measure(asked, Path(work))
    print(table(found))
    if asked.json:
        Path(asked.json).write_text(json.dumps(found, indent=1))


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--photos", help="a folder with a folder for each category")
    options.add_argument("--weights-dir", default="", help="where the network's weights are")
    options.add_argument("--network", default="mobilenet_v2")
    options.add_argument("--size", type=int, default=128, help="pixels of a side")
    options.add_argument("--count", type=int, default=240, help="photos, of all categories alike")
    options.add_argument("--versions", type=int, default=5, help="of each photo, beside itself")
    options.add_argument("--epochs", type=int, default=5)
    options.add_argument("--combinations", type=int, default=8, help="of the refinement, up to 72")
    options.add_argument("--repeats", type=int, default=3, help="of trainer and forward passes")
    options.add_argument("--growth", type=int, nargs="*", default=[200, 2000], metavar="PHOTOS")
    options.add_argument("--short", action="store_true", help="a look whether it works: a minute")
    options.add_argument("--json", help="write what was found to this file")
    return options


def measure(asked: argparse.Namespace, work: Path) -> Found:
    photos = work / "photos"
    if asked.photos:
        gather(Path(asked.photos), asked.count, photos)
    else:
        draw(asked.count, photos)
    job = {
        "photos": str(photos),
        "network": asked.network,
        "weights": asked.weights_dir,
        "size": asked.size,
        "epochs": asked.epochs,
        "versions": asked.versions,
        "combinations": asked.combinations,
        "repeats": asked.repeats,
    }
    trained = [run("trainer", job, work) for _ in range(asked.repeats)]
    forward, plain = run("forward", job, work), run("plain", job, work)
    seconds = [each["seconds"] for each in trained]
    middle, bare = statistics.median(seconds), statistics.median(forward["seconds"])
    return {
        "job": {
            **job,
            "photos": sum(1 for _ in photos.glob("*/*")),
            "weights": bool(job["weights"]),
        },
        "trainer": {**trained[0], "seconds": seconds},
        "plain": plain,
        "forward": forward,
        "unfreezing": run("unfreezing", job, work),
        "times_less": plain["seconds"] / middle,
        "times_forward": middle / bare,
        "times_tensorflow": middle / statistics.median(forward["tensorflow_s"]),
        "growth": list(growth(asked.growth, job, work)),
    }


def growth(counts: Sequence[int], job: Found, work: Path) -> Iterator[Found]:
    """The trainer alone, with more and more drawn photos and a small network."""
    small = {"network": "mobilenet_0.25", "weights": "", "size": 64, "versions": 20}
    for count in counts:
        photos = work / f"drawn-{count}"
        draw(count, photos)
        asked = {**job, **small, "photos": str(photos), "epochs": 2, "combinations": 1}
        yield {"photos": count, **run("trainer", asked, work)}


def run(way: str, job: Found, work: Path) -> Found:
    """In a fresh process with an empty cache: this one stays small, or its memory would count."""
    with tempfile.TemporaryDirectory(dir=work) as empty:
        said = json.dumps({**job, "work": empty})
        done = subprocess.run(
            [sys.executable, str(_WAYS), way, said], stdout=subprocess.PIPE, check=True
        )
    found: Found = json.loads(done.stdout.splitlines()[-1])
    print(f"{way}: {found}", file=sys.stderr, flush=True)  # what a run that is cut off leaves
    return found


def gather(source: Path, count: int, into: Path) -> None:
    """So many files, taken from every category in turn until it has no more."""
    lots = random.Random(0)
    folders = sorted(path for path in source.iterdir() if path.is_dir() and path.name != "none")
    files = [sorted(path for path in folder.iterdir() if path.is_file()) for folder in folders]
    for each in files:
        lots.shuffle(each)
    turns = [path for path in chain.from_iterable(zip_longest(*files)) if path is not None]
    for path in turns[:count]:
        (into / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, into / path.parent.name / path.name)


def draw(count: int, into: Path) -> None:
    """Shapes on a ground of the category's colour."""
    lots = random.Random(0)
    for number in range(count):
        name = list(COLOURS)[number % len(COLOURS)]
        ground = tuple(band + lots.randint(-30, 30) for band in COLOURS[name])
        image = Image.new("RGB", (320, 240), ground)
        for _ in range(12):
            x, y = lots.randrange(320), lots.randrange(240)
            shade = tuple(lots.randrange(256) for _ in range(3))
            ImageDraw.Draw(image).ellipse((x, y, x + 40, y + 30), fill=shade)
        (into / name).mkdir(parents=True, exist_ok=True)
        image.save(into / name / f"{number}.jpg", quality=85)


# ---- what is printed


def table(found: Found) -> str:
    job, trained, plain, bare = (found[k] for k in ("job", "trainer", "plain", "forward"))
    lines = [
        f"{job['network']} at {job['size']} pixels, {job['photos']} photos "
        f"({'+'.join(map(str, bare['learned_from']))} learned from), {job['versions']} versions of "
        f"each, {job['epochs']} epochs, {job['combinations']} combinations",
        f"{'':26}{'seconds':>20}{'photos/s':>10}{'peak MB':>9}{'macro-F1':>10}",
        _row("the trainer", trained),
        _row("a plain Keras script", plain),
        _row("bare forward passes", bare),
        _row("  by TensorFlow itself", {"seconds": bare["tensorflow_s"]}),
        _row("unfreezing, one epoch", found["unfreezing"]),
        f"times less than the plain script: {found['times_less']:.1f} (aim: {FASTER:g})",
        f"times the bare forward passes: by TensorFlow {found['times_tensorflow']:.2f}, by the "
        f"trainer's own engine {found['times_forward']:.2f} (aim: at most {OVERHEAD:g}); features "
        f"alone took {trained['features_s']:.1f} s",
    ]
    lines += [
        f"{each['photos']} drawn photos: {each['seconds']:.1f} s, peak {each['peak_mb']:.0f} MB, "
        f"of its own {each['own_mb']:.0f} MB"
        for each in found["growth"]
    ]
    return "\n".join(lines)


def _row(name: str, found: Found) -> str:
    return (
        f"{name:26}{_spread(found['seconds']):>20}{_shown(found, 'photos_per_s', '.0f'):>10}"
        f"{_shown(found, 'peak_mb', '.0f'):>9}{_shown(found, 'macro_f1', '.3f'):>10}"
    )


def _spread(seconds: float | list[float]) -> str:
    """The median, and from where to where."""
    if isinstance(seconds, float):
        return f"{seconds:.1f}"
    middle = statistics.median(seconds)
    return f"{middle:.1f} ({min(seconds):.1f}–{max(seconds):.1f})"


def _shown(found: Found, name: str, form: str) -> str:
    return format(found[name], form) if name in found else ""


if __name__ == "__main__":
    main()
