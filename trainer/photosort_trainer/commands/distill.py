"""`photosort-train distill`: options, progress on a terminal, and the tables at the end."""

import dataclasses
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from photosort_trainer import quiet
from photosort_trainer.commands import outcome, progress
from photosort_trainer.commands.train import options
from photosort_trainer.distill.settings import STUDENTS, Settings, defaults

_WHAT = options(
    click.option(
        "--student",
        type=click.Choice(STUDENTS),
        default=STUDENTS[0],
        show_default=True,
        help="The network that learns; mobilenet_v2 begins with ImageNet's weights, the others "
        "with random ones.",
    ),
    click.option(
        "--unlabelled",
        multiple=True,
        type=click.Path(),
        help="A folder of more photos, of anything, to ask the teacher about; again for another.",
    ),
    click.option(
        "--out", type=click.Path(), help="The student's directory; RUN/distilled-STUDENT."
    ),
    click.option(
        "--begin-with",
        type=click.Path(),
        help="The directory of another student, whose weights this one begins with; packaged: "
        "a small_resnet that comes with photosortd.",
    ),
    click.option(
        "--frozen",
        is_flag=True,
        default=None,
        help="What it begins with stays as it is, and a head alone learns: minutes, not hours.",
    ),
    click.option("--weights-dir", type=click.Path(), help="Where ImageNet's weights are."),
    click.option("--originals", type=click.Path(), help="Where the run's photos are now."),
    click.option("--none", "none", type=click.Path(), help="Where its photos of none are now."),
)
_HOW = options(
    click.option("--epochs", type=click.IntRange(1, 100_000), help="Rounds; 60, mobilenet_v2 20."),
    click.option(
        "--size",
        type=click.IntRange(32, 512),
        help="Pixels of a side; tiny 96, others 128.",
    ),
    click.option("--seed", type=click.IntRange(0), help="Of every random choice; 0."),
    click.option(
        "--looks",
        type=click.IntRange(1, 100),
        help="At each photo: the whole, and parts of it; 4.",
    ),
    click.option(
        "--features",
        type=click.FloatRange(0, 1000),
        help="What the teacher's features count beside its scores; 10.",
    ),
    click.option("--batch", type=click.IntRange(2, 4096), help="Pictures in a step; 64 or 32."),
    click.option(
        "--learning-rate", type=click.FloatRange(0, 1, min_open=True), help="At its highest."
    ),
    click.option(
        "--truth",
        type=click.FloatRange(0, 1),
        help="What a photo's labels count beside the teacher's scores; 0.5.",
    ),
    click.option(
        "--labelled",
        type=click.FloatRange(0, 0.95),
        help="Share of labelled photos in what is shown; 0.4.",
    ),
    click.option(
        "--mixup", type=click.FloatRange(0, 10), help="How much two pictures mix; 0.2. 0: never."
    ),
)


@click.command("distill")
@click.argument("run", type=click.Path())
@_WHAT
@_HOW
def command(
    run: str,
    student: str,
    unlabelled: tuple[str, ...],
    out: str | None,
    weights_dir: str | None,
    originals: str | None,
    none: str | None,
    begin_with: str | None,
    **said: Any,
) -> None:
    """Teach a small network what the network of RUN says, and write a bundle to RUN/distilled-…

    RUN is a directory that `photosort-train train` made. The student learns from the photos that
    RUN learned from and from every photo below each --unlabelled; the test photos of RUN judge
    both. Stop it whenever you like: the same command goes on where it was.
    """
    quiet.need_tensorflow()
    from photosort_trainer.distill import distilling

    console = Console()
    with progress.bars(console) as shown:
        request = distilling.Request(
            run=run,
            out=out or str(Path(run, f"distilled-{student}")),
            settings=_settings(student, said),
            unlabelled=unlabelled,
            weights_dir=weights_dir,
            originals=originals,
            none=none,
            begin_with=begin_with,
        )
        result = distilling.run(request, progress.Tell(shown))
    outcome.show(console, result)


def _settings(student: str, said: dict[str, Any]) -> Settings:
    given = {name: value for name, value in said.items() if value is not None}
    return dataclasses.replace(defaults(student), **given)
