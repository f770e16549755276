"""`photosort-train train`: options, progress on a terminal, and the tables at the end."""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import click
from rich.console import Console

from photosort_trainer import quiet
from photosort_trainer import recipe as recipes
from photosort_trainer.backbones import REPORT, TABLE
from photosort_trainer.commands import outcome, progress

NETWORKS = (*TABLE, recipes.SCRATCH, recipes.SMALL_SCRATCH)
USUAL = (recipes.Recipe().backbone, recipes.SCRATCH)
GROUPS: Mapping[str, tuple[str, ...]] = {
    "all": (*TABLE, recipes.SCRATCH),
    "report": (*REPORT, recipes.SCRATCH),
}


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
        "--size",
        type=click.IntRange(32, 1024),
        help="Pixels of a side; 256, small ones 128.",
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
    quiet.need_tensorflow()
    from photosort_trainer import training

    console = Console()
    with progress.bars(console) as shown:
        request = training.Request(originals, out, _plan(said), weights_dir, none)
        result = training.run(request, progress.Tell(shown))
    outcome.show(console, result)


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
