"""`photosortd service install`."""

import os

import click

from photosortd.commands.service.installation import Installation
from photosortd.commands.service.scope import chosen, options
from photosortd.commands.service.wish import Wish


@click.command("install")
@options
@click.option("--source", "sources", multiple=True, metavar="DIR", help="Where photos arrive.")
@click.option("--library", metavar="DIR", help="Where they are filed.")
@click.option("--model", metavar="BUNDLE", help="Install this model bundle, too.")
@click.option("--user-of", metavar="DIR", help="Run the service as the owner of DIR.")
@click.option("--no-start", is_flag=True, help="Enable it, but do not start it now.")
@click.pass_context
def command(
    ctx: click.Context,
    user: bool,
    instance: str | None,
    sources: tuple[str, ...],
    library: str | None,
    model: str | None,
    user_of: str | None,
    no_start: bool,
) -> None:
    """Write configuration and drop-in, try them out in the sandbox, enable and start.

    Run it again after every change of paths in the configuration, then without --source and
    --library. A configuration that is there is never written over.
    """
    if user and user_of is not None:
        raise click.UsageError("--user-of goes without --user: your own service runs as you")
    for option, given in (("source", sources), ("library", (library,)), ("user-of", (user_of,))):
        if "" in given:
            raise click.UsageError(f"--{option} needs a directory")
    if model is not None and not os.path.isdir(model):
        raise click.UsageError(f"--model {model}: is no directory")
    if not user:
        os.umask(0o022)  # root's may be closer, and the service has to read what is written
    wish = Wish(sources, library, model, user_of, start=not no_start)
    ctx.exit(Installation(*chosen(user, instance, root=True), wish).run())
