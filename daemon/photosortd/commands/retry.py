"""`photosortd retry`: try again what was set aside."""

import click

from photosortd.commands import owner
from photosortd.commands.ask import ask
from photosortd.commands.output import source_of
from photosortd.errors import WorldError
from photosortd.records import printable


@click.command("retry")
@click.argument("files", nargs=-1, metavar="[FILE…]")
@click.option("--failed", is_flag=True, help="Also what was truncated, unreadable or lost.")
@click.pass_obj
def command(path: str | None, files: tuple[str, ...], failed: bool) -> None:
    """Try again what was set aside (all of it, or FILE…)."""
    settings = owner.load(path)
    sources = []
    for file in files:
        source = source_of(settings, file)
        if source is None:
            raise WorldError(f"{printable(file)}: it is in none of the watched folders")
        sources.append((source.root, source.path))
    result = ask(settings, {"do": "retry", "sources": sources, "all": failed})
    for name in result["retried"]:
        click.echo(name)
    for name in result["unwatched"]:
        click.echo(f"{name}: not watched any more")
    click.echo(f"{len(result['retried'])} files will be tried again")
