"""`python -m photosort_trainer.starter`: what was learned becomes what comes with us.

For who maintains photosortd. `network` (`make network`): the `small_resnet` of the package learns
to see, from photos without labels. `bundle` (`make starter`): a student with it becomes the
starter. It is calibrated, and has its thresholds, by collections that students of the same recipe
had not seen (`unseen`), and its card and its metrics say how well they do there; one that does
badly serves the demo alone.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from photosort_trainer import golden, packaged, quiet, seeing, unseen
from photosort_trainer.commands import progress
from photosort_trainer.distill.settings import Settings
from photosort_trainer.errors import TrainerError
from photosortd.records import printable
from photosortd.vision.bundle import Bundle, read_bundle, write_bundle
from photosortd.vision.bundle.values import CARD

MOST = 3_000_000  # bytes, of all of its files
LEAST = 0.55  # macro-F1: under it a starter would sort more wrongly than is worth it
SIGHT = Settings(dropout=0.0, looks=8, growing=((0.7, 0.64), (0.9, 0.76), (1.0, 0.88)))
"""No label is there to be learned by heart; small pictures are learned from faster."""
STARTER, DEMO = "starter", "demo-bundle"


@click.group()
def command() -> None:
    """What comes with photosortd, from what was learned."""


@command.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False))
@click.option("--weights-dir", type=click.Path(), help="Where ImageNet's weights are.")
@click.option("--work", required=True, type=click.Path(), help="For what is half done.")
@click.option("--epochs", default=200, show_default=True, help="Rounds.")
@click.option("--to", "target", default=str(packaged.PATH), help="Where; the package's own.")
def network(
    photos: tuple[str, ...], weights_dir: str | None, work: str, epochs: int, target: str
) -> None:
    """Teach our network to see, by the photos in PHOTOS, which need no labels."""
    quiet.need_tensorflow()
    from photosort_trainer.distill import sight

    settings = replace(SIGHT, epochs=epochs)
    quiet.load_tensorflow(settings.seed)
    with progress.bars(Console()) as shown:
        learned = sight.learn(photos, weights_dir, settings, Path(work), progress.Tell(shown))
    packaged.write(Path(target), learned)
    click.echo(f"{target}: {Path(target).stat().st_size} bytes")


@command.command("bundle")
@click.argument("bundle", type=click.Path())
@click.option("--apart", required=True, type=click.Path(), help="What apart.py --json wrote.")
@click.option("--about", required=True, type=click.Path(), help="For the card: its photos.")
@click.option("--assets", required=True, type=click.Path(), help="Where it is put.")
def starter(bundle: str, apart: str, about: str, assets: str) -> None:
    """Put BUNDLE among the package's assets, with what was measured of it."""
    made = read_bundle(bundle)
    measured = unseen.measure(made.names, _shots(apart))
    published = publish(made, measured, Path(about).read_text(), assets)
    click.echo(f"{published.path}: {_bytes(published)} bytes")


def publish(bundle: Bundle, measured: Mapping[str, Any], about: str, assets: str) -> Bundle:
    """Raises TrainerError for one that is too large, BundleError, OSError."""
    target = Path(assets, STARTER if measured["macro_f1"] >= LEAST else DEMO)
    with tempfile.TemporaryDirectory(prefix="photosort-starter-") as beside:
        made = _with_more(bundle, measured, about, Path(beside, target.name))
        if (size := _bytes(made)) > MOST:
            raise TrainerError(f"{printable(str(bundle.path))}: has {size} bytes, {MOST} at most")
        for name in {target.name, STARTER}:  # a starter that is no good goes
            shutil.rmtree(Path(assets, name), ignore_errors=True)
        shutil.copytree(made.path, target)
    return read_bundle(target)


def _with_more(bundle: Bundle, measured: Mapping[str, Any], about: str, target: Path) -> Bundle:
    """With these thresholds, what was measured of them, and whose its photos are.

    Golden images are chosen anew: a verdict must not hang on a rounding error by the new
    thresholds, either.
    """
    wanted, model = measured["categories"], bundle.model.read_bytes()
    categories = [unseen.category(each, wanted[each.name]) for each in bundle.categories]
    look = seeing.Eyes(model, bundle.names, bundle.height).look
    card = (bundle.path / CARD).read_text(encoding="utf-8")
    return write_bundle(
        target,
        model=model,
        categories=categories,
        height=bundle.height,
        width=bundle.width,
        backbone=bundle.backbone,
        recipe=bundle.recipe,
        metrics={**bundle.metrics, "apart": dict(measured)},
        golden=golden.choose(golden.drawings(), categories, look),
        model_card="\n".join((card, *_apart(measured), "", about)),
    )


def _shots(path: str) -> Sequence[Mapping[str, Any]]:
    """Of the one seed of such a file. Raises TrainerError."""
    try:
        (found,) = json.loads(Path(path).read_bytes())
        shots: Sequence[Mapping[str, Any]] = found["shots"]
    except (ValueError, KeyError) as error:
        raise TrainerError(
            f"{printable(path)}: is not what apart.py --json --seeds 1 writes"
        ) from error
    return shots


def _apart(measured: Mapping[str, Any]) -> list[str]:
    """The card's part about collections that were held out."""
    rows = [
        f"| {name} | {said['photos']} | {_number(said['threshold'])} | {said['precision']:.3f} "
        f"| {said['recall']:.3f} | {said['f1']:.3f} |"
        for name, said in measured["categories"].items()
    ]
    return [
        "## On collections that it had not seen",
        "",
        f"Students of the same recipe say this of {measured['photos']} photos, whose collections "
        "neither they nor their teachers had seen. By these photos the bundle's scores are "
        "calibrated, and it has the best thresholds that kept a precision of "
        f"{unseen.KEPT:.0%} there, instead of those above; the ones behind these figures were "
        "chosen without the tenth of the photos that they are judged on:",
        "",
        "| category | photos | threshold | precision | recall | F1 |",
        "|---|--:|--:|--:|--:|--:|",
        *rows,
        "",
        f"Macro-F1: {measured['macro_f1']:.3f} (with other photos of the same kind between "
        f"{measured['low']:.3f} and {measured['high']:.3f}, 95 times out of 100).",
    ]


def _number(threshold: float | None) -> str:
    return "none" if threshold is None else f"{threshold:.3f}"


def _bytes(bundle: Bundle) -> int:
    return sum(path.stat().st_size for path in bundle.path.rglob("*") if path.is_file())


if __name__ == "__main__":
    command()
