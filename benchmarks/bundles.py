"""Bundles to measure with, made by the trainer's own code from networks that learned nothing.

`python benchmarks/bundles.py KIND DIR` makes one in a process of its own, because TensorFlow would
otherwise stay in the one that measures.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

CATEGORIES = ("animal", "city", "food", "group", "me", "place")

MODEL = "model.keras"


@dataclass(frozen=True, slots=True)
class Kind:
    """A network, its input and the form in which it is shipped."""

    backbone: str
    size: int
    form: str


KINDS = {
    "mobilenet_v2": Kind("mobilenet_v2", 224, "int8"),
    "resnet50": Kind("resnet50", 224, "int8 weights"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """The bundle, and the Keras model that it was made of."""

    name: str
    bundle: Path
    keras: Path | None  # None: somebody else's bundle


def make_bundle(kind: str, directory: Path, weights_dir: str = "") -> Made:
    """Below `directory`, where it is kept: made only if it is not there yet."""
    home = directory / "bundles" / f"{kind}{'-weights' if weights_dir else ''}"
    made = Made(kind, home / "bundle", home / MODEL)
    if not (made.bundle.is_dir() and (home / MODEL).is_file()):
        home.mkdir(parents=True, exist_ok=True)
        asked = [kind, str(home), "--weights-dir", weights_dir]
        subprocess.run([sys.executable, __file__, *asked], check=True, stdout=subprocess.DEVNULL)
    return made


def add_options(parser: argparse.ArgumentParser, kinds: Sequence[str]) -> None:
    parser.add_argument("--kinds", nargs="+", default=list(kinds), choices=KINDS)
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="one of yours instead")
    parser.add_argument("--weights-dir", default="", help="of mobilenet_v2; without: random ones")


def chosen(asked: argparse.Namespace) -> Iterator[Made]:
    """What `add_options` lets one choose."""
    if asked.bundle:
        yield Made("your bundle", asked.bundle.resolve(), None)
        return
    for kind in asked.kinds:
        weights = asked.weights_dir if kind == "mobilenet_v2" else ""
        yield make_bundle(kind, asked.work, weights)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kind", choices=KINDS)
    options.add_argument("directory", type=Path)
    options.add_argument("--weights-dir", default="", help="without: random weights")
    asked = options.parse_args()
    _make(KINDS[asked.kind], asked.directory, asked.weights_dir)


def _make(kind: Kind, home: Path, weights_dir: str) -> None:
    from photosort_trainer import backbones, quiet

    quiet.load_tensorflow(seed=0)
    import keras

    backbone = backbones.TABLE[kind.backbone]
    weights = backbones.find_weights(backbone, weights_dir, {}) if weights_dir else ""
    network = backbones.build(backbone, kind.size, weights)
    said = keras.layers.Dense(len(CATEGORIES), activation="sigmoid")(network.output)
    model = keras.Model(network.input, said)
    _bundle(kind, model, home / "bundle")
    model.save(home / MODEL)


def _bundle(kind: Kind, model: object, directory: Path) -> None:
    import numpy as np

    from photosort_trainer import export, golden, seeing
    from photosortd.vision.bundle import Category, write_bundle
    from photosortd.vision.decode import decode

    categories = [Category(name, 0.5) for name in CATEGORIES]
    drawings = golden.drawings()

    def pictures() -> "list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]":
        return [decode(data, kind.size, kind.size).pixels for data in drawings.values()]

    _, data = next(iter(export.forms(model, kind.size, lambda: iter(pictures()), [kind.form])))
    eyes = seeing.Eyes(data, CATEGORIES, kind.size)
    write_bundle(
        directory,
        model=data,
        categories=categories,
        height=kind.size,
        width=kind.size,
        backbone=kind.backbone,
        recipe={},
        metrics={},
        golden=golden.choose(drawings, categories, eyes.look),
        model_card=f"# {kind.backbone}, to measure with\n\nIt knows nothing.\n",
    )


if __name__ == "__main__":
    main()
