"""`photosort-train train`: options, progress on a terminal, and the tables at the end."""

import dataclasses
import importlib.util
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from photosort_trainer import recipe as recipes
from photosort_trainer.backbones import REPORT, TABLE
from photosort_trainer.commands import progress
from photosort_trainer.errors import TrainerError
from photosortd.records import printable

if TYPE_CHECKING:
    from photosort_trainer.diary import Epoch
    from photosort_trainer.results import Results
    from photosort_trainer.training import Result

T = TypeVar("T")

NETWORKS = (*TABLE, recipes.SCRATCH, recipes.SMALL_SCRATCH)
USUAL = (recipes.Recipe().backbone, recipes.SCRATCH)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "all": (*TABLE, recipes.SCRATCH),
    "report": (*REPORT, recipes.SCRATCH),
}
_SHOWN = 10  # files left out that are named on the terminal


def _networks(_: click.Context, __: click.Parameter, said: tuple[str, ...]) -> tuple[str, ...]:
    """Each network once, in the order named."""
    named = [each for name in said for each in GROUPS.get(name, (name,))]
    return tuple(dict.fromkeys(named)) or USUAL


def _shares(
    _: click.Context, __: click.Parameter, said: str | None
) -> tuple[float, float, float] | None:
    """`60/20/20` → (0.6, 0.2, 0.2). Without test photos nobody would know how good it is."""
    if said is None:
        return None
    try:
        training, validation, test = (float(each) for each in said.split("/"))
    except ValueError:
        raise click.BadParameter("say three numbers, as in 60/20/20") from None
    whole = training + validation + test
    if not min(training, validation, test) > 0 or not math.isclose(whole, 100, abs_tol=0.01):
        raise click.BadParameter("each is to be above 0, and they are to add up to 100")
    return training / whole, validation / whole, test / whole


def _folds(_: click.Context, __: click.Parameter, said: int | None) -> int | None:
    if said == 1:
        raise click.BadParameter("with one part nothing is left to learn from; say 2 or more, or 0")
    return said


def _promises(
    _: click.Context, __: click.Parameter, said: tuple[str, ...]
) -> tuple[float, dict[str, float]]:
    """`0.9` for every category, `me=0.95` for one."""
    every, each = 0.0, {}
    for promise in said:
        found = re.fullmatch(r"(?:(.+)=)?(0?\.\d+)", promise)
        if found is None:
            raise click.BadParameter(f"'{promise}': say CATEGORY=0.95, or 0.95 for every category")
        if found[1] is None:
            every = float(found[2])
        else:
            each[found[1]] = float(found[2])
    return every, each


def options(*chosen: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        for each in reversed(chosen):
            function = each(function)
        return function

    return decorate


_WHAT = options(
    click.option("--out", required=True, type=click.Path(), help="Directory of this run."),
    click.option(
        "--backbone",
        "backbones",
        multiple=True,
        type=click.Choice((*NETWORKS, *GROUPS)),
        callback=_networks,
        help="A network to try; again for another. report: the three of the description; all: "
        f"every one. [default: {', '.join(USUAL)}]",
    ),
    click.option("--weights-dir", type=click.Path(), help="Where the networks' weights are."),
    click.option("--none", "none", type=click.Path(), help="More photos of no category."),
)
_HOW = options(
    click.option("--few", is_flag=True, help="Accept categories with 5 to 19 photos."),
    click.option("--split", callback=_shares, help="Percent for each part; 60/20/20."),
    click.option("--epochs", type=click.IntRange(1, 100_000), help="At most so many."),
    click.option(
        "--size", type=click.IntRange(32, 1024), help="Pixels of a side; 256, small_scratch 128."
    ),
    click.option("--seed", type=click.IntRange(0), help="Of every random choice; 0."),
    click.option(
        "--augment", type=click.IntRange(0, 1000), help="Random versions of each photo; 20."
    ),
    click.option(
        "--turn", type=click.FloatRange(0, 180), help="Degrees a version is turned by at most; 20."
    ),
    click.option("--crop", type=click.FloatRange(0, 0.9), help="Share of a side it may lose; 0.3."),
    click.option(
        "--light", type=click.FloatRange(0, 2), help="Change of its light, as a logarithm; 0.3."
    ),
    click.option(
        "--colour", type=click.FloatRange(0, 2), help="Change of its colours, likewise; 0.3."
    ),
    click.option(
        "--trial-epochs",
        type=click.IntRange(0),
        help="For each combination of the refinement; 1. 0: no refinement.",
    ),
    click.option(
        "--folds",
        type=click.IntRange(0, 100),
        callback=_folds,
        help="Parts by which thresholds are chosen; 5. 0: by the validation photos alone.",
    ),
)
_WHEN = options(
    click.option(
        "--precision",
        "promises",
        multiple=True,
        callback=_promises,
        metavar="CATEGORY=SHARE",
        help="Of what is filed there so many are to be right; a category that cannot keep it "
        "is never filed into. A number alone: for every category that is not named.",
    ),
    click.option(
        "--thresholds",
        type=click.Choice(("chosen", "classic")),
        default="chosen",
        show_default=True,
        help="classic: 0.1 for every category.",
    ),
)


@click.command("train")
@click.argument("originals", type=click.Path())
@_WHAT
@_HOW
@_WHEN
def command(
    originals: str, out: str, weights_dir: str | None, none: str | None, **said: Any
) -> None:
    """Learn from ORIGINALS/<category>/… and write a bundle to RUN/bundle.

    The same photo in two folders has two labels; ORIGINALS/labels.csv may name others.
    ORIGINALS/none holds photos of no category. Of several networks the best is taken, by the
    F1 of photos that it has not learned from; RUN/report.html shows why.
    """
    _need_tensorflow()
    from photosort_trainer import training

    console = Console()
    with progress.bars(console) as shown:
        request = training.Request(originals, out, _plan(said), weights_dir, none)
        result = training.run(request, _Tell(shown))
    _report(console, result)


def _plan(said: dict[str, Any]) -> recipes.Plan:
    given = {name: value for name, value in said.items() if value is not None}
    of_all: dict[str, Any] = {
        name: given[name] if name == "seed" else given.pop(name)
        for name in ("epochs", "size", "augment", "seed")
        if name in given
    }
    of_all["changes"] = recipes.Changes(
        **{name: given.pop(name) for name in ("turn", "crop", "light", "colour") if name in given}
    )
    networks = [
        dataclasses.replace(recipes.defaults(name), **of_all) for name in given.pop("backbones")
    ]
    every, each = given.pop("promises")
    classic = given.pop("thresholds") == "classic"
    return recipes.Plan(tuple(networks), precision=every, promises=each, classic=classic, **given)


def _need_tensorflow() -> None:
    if importlib.util.find_spec("tensorflow") is None:
        raise TrainerError(
            "TensorFlow is not installed, and training needs it: pip install 'photosortd[trainer]'"
        )


class _Tell:
    """Progress bars; what is said in between appears above them."""

    def __init__(self, shown: Progress) -> None:
        self._progress = shown
        self._learning: dict[str, TaskID] = {}

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False)

    def each(self, title: str, items: Sequence[T]) -> Iterable[T]:
        return progress.each(self._progress, title, items)

    def epoch(self, epoch: "Epoch", of: int, what: str) -> None:
        note = f"loss {epoch.loss:.2f}"
        if epoch.validation_loss is not None:
            note += f", held out {epoch.validation_loss:.2f}"
        self._progress.update(self._bar(of, what), completed=epoch.number, note=note)

    def far(self, epochs: float, of: int, what: str) -> None:
        self._progress.update(self._bar(of, what), completed=epochs)

    def _bar(self, of: int, what: str) -> TaskID:
        if what not in self._learning:
            self._learning[what] = self._progress.add_task(what, total=of, note="")
        return self._learning[what]


# ---- the end


def _report(console: Console, result: "Result") -> None:
    found = result.results
    for path, reason in found.left_out[:_SHOWN]:
        console.print(f"left out: {path}: {reason}", markup=False, highlight=False)
    if (more := len(found.left_out) - _SHOWN) > 0:
        console.print(f"left out: {more} more files")
    if len(found.candidates) > 1:
        console.print(_candidates(found))
    console.print(_table(found))
    for line in _promised(found):
        console.print(line, markup=False, highlight=False)
    path = printable(str(result.bundle.path))
    for line in (
        f"Look at it: {printable(str(result.report))}",
        f"The bundle is in {path}",
        f"Use it: photosortd model install {path}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _candidates(found: "Results") -> Table:
    table = Table(title="Networks, by macro-F1", title_justify="left")
    table.add_column("network")
    table.add_column("validation photos (chosen by)", justify="right")
    table.add_column("test photos", justify="right")
    for each in found.candidates:
        chosen = " ◀" if each.name == found.winner else ""
        table.add_row(each.name + chosen, _interval(each.validation), _interval(each.test))
    return table


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{estimate['macro_f1']:.3f} ({estimate['low']:.3f}–{estimate['high']:.3f})"


def _table(found: "Results") -> Table:
    table = Table(title="On test photos, which were not learned from", title_justify="left")
    table.add_column("category")
    for title in ("photos", "tested on", "threshold", "precision", "recall", "F1"):
        table.add_column(title, justify="right")
    for counts in found.photos:
        if (quality := found.shipped.get(counts.category)) is None:
            continue  # photos of no category
        threshold = "none" if quality["threshold"] is None else f"{quality['threshold']:.2f}"
        shown = (f"{quality[name]:.2f}" for name in ("precision", "recall", "f1"))
        photos = counts.training + counts.validation + counts.test
        table.add_row(counts.category, str(photos), str(quality["photos"]), threshold, *shown)
    table.add_section()
    table.add_row("macro", *[""] * 5, f"{found.shipped_macro['macro_f1']:.2f}")
    return table


def _promised(found: "Results") -> Iterator[str]:
    for each in found.promises:
        if each["kept"]:
            continue
        asked = f"{each['category']}: a precision of {each['precision']:g} cannot be kept"
        what = (
            f"about {each['more']} more photos of it would"
            if each["more"]
            else "more photos alone would not: look at what it is confused with"
        )
        yield f"{asked}, so nothing is filed there by itself; {what}"
