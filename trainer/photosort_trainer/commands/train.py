"""`photosort-train train`: options, progress on a terminal, and the table at the end."""

import dataclasses
import importlib.util
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from photosort_trainer import recipe as recipes
from photosort_trainer.commands import progress
from photosort_trainer.errors import TrainerError
from photosortd.records import printable

if TYPE_CHECKING:
    from photosort_trainer.diary import Epoch
    from photosort_trainer.training import Result

T = TypeVar("T")

BACKBONES = ("mobilenet_v2", "mobilenet", "mobilenet_0.25", recipes.SCRATCH)
_SHOWN = 10  # files left out that are named on the terminal


@click.command("train")
@click.argument("originals", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Directory of this run.")
@click.option(
    "--backbone",
    type=click.Choice(BACKBONES),
    default=recipes.Recipe().backbone,
    show_default=True,
    help="The network; small_scratch learns from random weights.",
)
@click.option("--weights-dir", type=click.Path(), help="Where the network's weights are.")
@click.option("--none", "none", type=click.Path(), help="More photos of no category.")
@click.option("--epochs", type=click.IntRange(1, 100_000), help="At most so many.")
@click.option(
    "--size", type=click.IntRange(32, 1024), help="Pixels of a side; 256, small_scratch 128."
)
@click.option("--seed", type=click.IntRange(0), help="Of every random choice; 0.")
@click.option("--few", is_flag=True, help="Accept categories with 5 to 19 photos.")
@click.option(
    "--split",
    callback=lambda ctx, param, value: _shares(value),
    help="Percent for training, validation, test; 60/20/20.",
)
@click.option("--augment", type=click.IntRange(0, 1000), help="Random versions of each photo; 6.")
def command(
    originals: str,
    out: str,
    backbone: str,
    weights_dir: str | None,
    none: str | None,
    few: bool,
    **given: Any,
) -> None:
    """Learn from ORIGINALS/<category>/… and write a bundle to RUN/bundle.

    The same photo in two folders has two labels; ORIGINALS/labels.csv may name others.
    ORIGINALS/none holds photos of no category.
    """
    _need_tensorflow()
    from photosort_trainer import training

    named = {name: value for name, value in given.items() if value is not None}
    recipe = dataclasses.replace(recipes.defaults(backbone), few=few, **named)
    console = Console()
    with progress.bars(console) as shown:
        request = training.Request(originals, out, recipe, weights_dir, none)
        result = training.run(request, _Tell(shown))
    _report(console, result)


def _shares(said: str | None) -> tuple[float, float, float] | None:
    """`60/20/20` → (0.6, 0.2, 0.2). Without test photos nobody would know how good it is."""
    if said is None:
        return None
    try:
        training, validation, test = (float(each) for each in said.split("/"))
    except ValueError:
        raise click.BadParameter("say three numbers, as in 60/20/20") from None
    whole = training + validation + test
    if min(training, validation, test) <= 0 or abs(whole - 100) > 0.01:
        raise click.BadParameter("each is to be above 0, and they are to add up to 100")
    return training / whole, validation / whole, test / whole


def _need_tensorflow() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        raise TrainerError(
            "TensorFlow is not installed, and training needs it: pip install 'photosortd[trainer]'"
        )


class _Tell:
    """Progress bars; what is said in between appears above them."""

    def __init__(self, shown: Progress) -> None:
        self._progress = shown
        self._epochs: TaskID | None = None

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def each(self, title: str, items: Sequence[T]) -> Iterator[T]:
        return progress.each(self._progress, title, items)

    def epoch(self, epoch: "Epoch", of: int) -> None:
        if self._epochs is None:
            self._epochs = self._progress.add_task("learning", total=of, note="")
        note = f"loss {epoch.loss:.2f}, held out {epoch.validation_loss:.2f}"
        self._progress.update(self._epochs, completed=epoch.number, note=note)


def _report(console: Console, result: "Result") -> None:
    for left in result.data.left_out[:_SHOWN]:
        console.print(f"left out: {printable(left.path)}: {left.reason}", markup=False)
    if (more := len(result.data.left_out) - _SHOWN) > 0:
        console.print(f"left out: {more} more files")
    console.print(_table(result))
    path = printable(str(result.bundle.path))
    console.print(f"The bundle is in {path}\nUse it: photosortd model install {path}", markup=False)


def _table(result: "Result") -> Table:
    from photosort_trainer.metrics import macro_f1

    table = Table(title="On test photos, which were not learned from", title_justify="left")
    table.add_column("category")
    for title in ("photos", "tested on", "threshold", "precision", "recall", "F1"):
        table.add_column(title, justify="right")
    for category in result.bundle.categories:
        quality = result.found[category.name]
        threshold = "none" if category.threshold is None else f"{category.threshold:.2f}"
        shown = (f"{v:.2f}" for v in (quality.precision, quality.recall, quality.f1))
        count = result.data.count(category.name)
        table.add_row(category.name, str(count), str(quality.photos), threshold, *shown)
    table.add_section()
    table.add_row("macro", str(len(result.data.photos)), *[""] * 4, f"{macro_f1(result.found):.2f}")
    return table
