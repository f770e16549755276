"""`photosortd service check`."""

import json
import sys
from dataclasses import asdict

import click

from photosortd.commands.service.scope import Scope, chosen, options
from photosortd.commands.service.show import show_trial
from photosortd.commands.service.trial import trial
from photosortd.units.manager import Manager


@click.command("check")
@options
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@click.pass_context
def command(ctx: click.Context, user: bool, instance: str | None, as_json: bool) -> None:
    """`photosortd check` inside the service's own sandbox, with its exit codes."""
    ctx.exit(run(*chosen(user, instance, root=True), as_json=as_json))


def run(scope: Scope, manager: Manager, *, as_json: bool = False) -> int:
    """Returns the exit code of `photosortd check`."""
    unit = scope.sandbox(manager.cat(scope.unit))
    tried = trial(manager, unit)
    if as_json and tried.findings:
        click.echo(json.dumps([asdict(each) for each in tried.findings], indent=2))
        if tried.said:
            print(tried.said, file=sys.stderr)
    else:
        show_trial(tried, unit.user, own=scope.user)
    return tried.code
