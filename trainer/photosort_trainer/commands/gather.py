"""`photosort-train gather`: more examples from the web, with their licences."""

from typing import TYPE_CHECKING

import click
from rich.console import Console

from photosort_trainer.commands.progress import bars
from photosort_trainer.findings import PLENTY
from photosort_trainer.gather.values import FREE, LICENSES
from photosortd.records import printable

if TYPE_CHECKING:
    from photosort_trainer.gather.gathering import Gathered, Wanted


@click.command("gather")
@click.argument("folder", type=click.Path())
@click.option("--category", required=True, help="For which of your categories.")
@click.option("--query", help='What to search for, in English: "home cooked meal".')
@click.option(
    "--until",
    type=click.IntRange(1, 10_000),
    default=PLENTY,
    show_default=True,
    help="Photos that the category shall have.",
)
@click.option(
    "--license",
    "licenses",
    multiple=True,
    type=click.Choice(list(LICENSES)),
    default=FREE,
    show_default=True,
    help="Under which Creative Commons licence; again for another.",
)
@click.option("--accept", is_flag=True, help="Take over those that you have left there.")
@click.option("--openverse", hidden=True, help="Another address of its API.")
@click.option("--commons", hidden=True, help="Another address of its API.")
def command(
    folder: str,
    category: str,
    query: str | None,
    until: int,
    licenses: tuple[str, ...],
    accept: bool,
    **addresses: str | None,
) -> None:
    """Fetch photos from Openverse and Wikimedia Commons until CATEGORY has enough.

    They wait in images/gathered/CATEGORY: look through sheet.html, delete what is not what you
    mean, and say --accept. Where each comes from, its author and its licence stand in SOURCES.csv
    beside the photos.
    """
    if accept:
        _accept(folder, category)
        return
    if not query:
        raise click.UsageError('say what to search for: --query "home cooked meal"')
    from photosort_trainer.gather import gathering
    from photosort_trainer.gather.fetching import Fetcher

    named = {name: address for name, address in addresses.items() if address}
    wanted = gathering.Wanted(folder, category, query, until, frozenset(licenses), **named)
    fetch = Fetcher()
    try:
        with bars(Console(stderr=True)) as shown:
            bar = shown.add_task(f"photos of {printable(category)}", total=until, note="")
            found = gathering.gather(
                wanted, fetch, lambda now, of: shown.update(bar, completed=min(now, of))
            )
    finally:
        fetch.close()
    _tell(found, wanted)


def _tell(found: "Gathered", wanted: "Wanted") -> None:
    """What came of it, and what to do next."""
    for reason, count in sorted(found.refused.items(), key=lambda each: -each[1]):
        click.echo(f"left alone: {count}: {printable(reason)}")
    if found.sheet is None:
        click.echo(f"{found.before} photos are there, and none was added")
        return
    click.echo(
        f"{found.waiting} wait to be looked through ({found.before} are there): "
        f"{printable(str(found.sheet))}\n"
        "Delete the files that are not what you mean, then: photosort-train gather "
        f"{printable(wanted.folder)} --category {printable(wanted.category)} --accept"
    )
    if found.before + found.waiting < wanted.until:
        click.echo("Nothing more was found for these words; try others: --query")


def _accept(folder: str, category: str) -> None:
    from photosort_trainer.gather.gathering import places
    from photosort_trainer.gather.pending import Pending

    waiting, into = places(folder, category)
    moved = Pending(waiting, into).accept()
    click.echo(f"{len(moved)} photos moved to {printable(str(into))}, with their SOURCES.csv")
