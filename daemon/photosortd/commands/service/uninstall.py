"""`photosortd service uninstall`."""

import os
from contextlib import suppress

import click

from photosortd import files
from photosortd.commands.service.scope import Scope, chosen, options
from photosortd.errors import ConfigError
from photosortd.records import printable
from photosortd.units.manager import Manager


@click.command("uninstall")
@options
@click.pass_context
def command(ctx: click.Context, user: bool, instance: str | None) -> None:
    """Stop and disable the service. Configuration, memory and library stay."""
    ctx.exit(run(*chosen(user, instance, root=True)))


def run(scope: Scope, manager: Manager) -> int:
    """Again and again with the same result."""
    if manager.show(scope.unit, ["LoadState"]).get("LoadState") not in ("not-found", "masked"):
        manager.disable(scope.unit)
        click.echo(f"stopped and disabled {scope.unit}")
    _remove(scope.dropin)
    own = os.path.join(scope.places.own, scope.unit_file.name)
    if scope.user and os.path.isfile(own) and _is_ours(scope, own):
        _remove(own)
    manager.reload()
    click.echo(f"what stays: {_what_stays(scope)}")
    return 0


def _is_ours(scope: Scope, path: str) -> bool:
    with open(path, "rb") as stream:
        return stream.read() == scope.unit_file.content()


def _remove(path: str) -> None:
    with files.world_errors(f"{printable(path)}: cannot be removed"):
        if os.path.lexists(path):
            os.unlink(path)
            click.echo(f"removed {printable(path)}")
    with suppress(OSError):  # drop-ins of somebody else's are in it, or it is not there
        os.rmdir(os.path.dirname(path))


def _what_stays(scope: Scope) -> str:
    if not os.path.exists(scope.config):
        return "the library and the memory of what was filed"
    try:
        settings = scope.load({}, "root")
    except ConfigError:
        return f"the configuration {printable(scope.config)}, the memory and the library"
    named = (settings.file or scope.config, settings.state, settings.library)
    return "{} (configuration), {} (memory), {} (library)".format(*map(printable, named))
