"""`photosort-train check`: what the examples are like, before any time is spent on them."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from photosort_trainer.commands import EXIT_FAILED
from photosort_trainer.commands.progress import bars, each
from photosort_trainer.findings import UNEVEN, Count, Findings
from photosortd.records import printable

_SHOWN = 10  # of each kind of finding


@click.command("check")
@click.argument("folder", type=click.Path())
@click.option("--none", "none", type=click.Path(), help="More photos of no category.")
@click.option("--few", is_flag=True, help="Accept categories with 5 to 19 photos.")
@click.option(
    "--run", type=click.Path(), help="Also list labels that a training there found doubtful."
)
@click.option("--json", "as_json", is_flag=True, help="For programs: every finding, none cut.")
@click.pass_context
def command(
    ctx: click.Context, folder: str, none: str | None, few: bool, run: str | None, as_json: bool
) -> None:
    """Look at the example photos in FOLDER: how many, which are unusable, the same or nearly so.

    Reads only. Ends with 1 if a training would refuse them.
    """
    from photosort_trainer import dataset, findings, likeness, results

    # First: a directory without a finished run is an error before any photo is read.
    suspects = results.load(Path(run)).suspects if run is not None else ()

    with bars(Console(stderr=True)) as progress:
        data = dataset.survey(folder, none, lambda files: each(progress, "reading photos", files))
    found = findings.find(data, likeness.groups(data.looks), few)
    if as_json:
        said = found.as_json() if run is None else {**found.as_json(), "suspects": suspects}
        click.echo(json.dumps(said, ensure_ascii=True, indent=1))
    else:
        _show(Console(), found, folder, suspects)
    if found.problems:
        ctx.exit(EXIT_FAILED)


def _show(
    console: Console, found: Findings, folder: str, suspects: Sequence[Mapping[str, Any]]
) -> None:
    console.print(_table(found))
    _name(
        console, "Cannot be used", (f"{_short(e.path, folder)}: {e.reason}" for e in found.unusable)
    )
    _name(console, "Photos with several labels", _joined(found.across, folder))
    _name(console, "The same file twice (it counts once)", _joined(found.copies, folder))
    _name(
        console,
        "Nearly the same (they stay on one side of the split)",
        _joined(found.alike, folder),
    )
    if suspects:
        console.print(_doubtful(suspects, folder))
    for problem in found.problems:
        console.print(f"No training yet: {problem}", style="red", markup=False, highlight=False)
    if not found.problems:
        console.print(
            f"Ready: photosort-train train {printable(folder)} --out run",
            markup=False,
            highlight=False,
        )


def _table(found: Findings) -> Table:
    title = f"{found.photos} photos, {found.negatives} of them of no category"
    table = Table(title=title, title_justify="left")
    table.add_column("category")
    for name in ("photos", "other labels too", "nearly the same"):
        table.add_column(name, justify="right")
    table.add_column("what would help")
    for count in found.counts:
        numbers = (str(count.photos), str(count.shared), str(count.alike))
        table.add_row(printable(count.category), *numbers, _advice(count))
    return table


def _doubtful(suspects: Sequence[Mapping[str, Any]], folder: str) -> Table:
    """All of them: each is to be looked at. The most suspicious first."""
    title = f"Labels that may be wrong: {len(suspects)}"
    table = Table(title=title, title_justify="left")
    table.add_column("photo", overflow="fold")
    table.add_column("labelled")
    table.add_column("score there", justify="right")
    for doubt in suspects:
        name = printable(doubt["category"])
        labelled = name if doubt["labelled"] else f"not {name}"
        table.add_row(Text(_short(doubt["path"], folder)), Text(labelled), f"{doubt['score']:.2f}")
    return table


def _advice(count: Count) -> str:
    said = []
    if count.missing:
        said.append(f"{count.missing} more photos")
    if count.times > UNEVEN:
        said.append(f"the largest has {count.times:g} × as many")
    return "\n".join(said)


def _name(console: Console, title: str, lines: Iterable[str]) -> None:
    every = list(lines)
    if not every:
        return
    console.print(f"{title}: {len(every)}", markup=False, highlight=False)
    for line in every[:_SHOWN]:
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
    if len(every) > _SHOWN:
        console.print(f"  … {len(every) - _SHOWN} more: --json names all", highlight=False)


def _joined(groups: Iterable[tuple[str, ...]], folder: str) -> Iterable[str]:
    return (", ".join(_short(path, folder) for path in group) for group in groups)


def _short(path: str, folder: str) -> str:
    """As it is called below the folder that the user named."""
    below = os.path.relpath(path, folder)
    return printable(path if below.startswith("..") else below)
