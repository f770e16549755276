"""`photosortd service`: the systemd service of this household, put there and looked at."""

import click

from photosortd.commands.lazy import Lazy

_COMMANDS = {
    "install": "Write the configuration and the drop-in, try them out, enable and start.",
    "check": "`photosortd check` inside the service's own sandbox.",
    "status": "Is it running, as whom, since when, and does it see what it needs?",
    "uninstall": "Stop and disable it; configuration, memory and library stay.",
}


@click.group("service", cls=Lazy, package=__name__, lines=_COMMANDS)
@click.pass_obj
def command(path: str | None) -> None:
    """Install, check and look at the systemd service.

    Its configuration is /etc/photosortd/config.yaml, with --instance NAME
    /etc/photosortd/NAME.yaml, with --user ~/.config/photosortd/config.yaml.
    """
    if path is not None:
        raise click.UsageError("-c goes without `service`, which has a configuration of its own")
