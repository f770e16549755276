"""`photosort-train init`: folders for the examples."""

import click

from photosort_trainer import originals
from photosortd.records import printable


@click.command("init")
@click.argument("folder", type=click.Path())
@click.argument("categories", nargs=-1, required=True, metavar="CATEGORY...")
def command(folder: str, categories: tuple[str, ...]) -> None:
    """Make FOLDER/images/original/CATEGORY for each, for your example photos.

    A category is called as its directory in your library shall be called. What is there already
    is left alone.
    """
    for made in originals.make(folder, categories):
        click.echo(printable(str(made)))
    shown = printable(folder)
    click.echo(
        f"Put about 100 photos into each ({originals.NONE}/: photos of nothing above), "
        f"then: photosort-train check {shown}"
    )
