"""`photosort-train` and its subcommands: one module each, imported when it is called.

Exit codes: 0 done, 1 the photos, the weights or the disk are in the way, 2 usage, 130 stopped.
"""

import importlib
import sys

import click

from photosortd import __version__
from photosortd.errors import PhotosortdError

EXIT_FAILED, EXIT_STOPPED = 1, 130

_COMMANDS = {
    "init": "Make folders for your example photos.",
    "gather": "Fetch more example photos from the web, with their licences.",
    "check": "Look at the example photos: how many, which are unusable, which are the same.",
    "train": "Learn categories from folders of example photos, and write a bundle.",
    "distill": "Make a small, fast bundle that learns from a training's network.",
    "status": "What a training has done, and is doing.",
    "report": "Make the report of a training again.",
}


class _Lazy(click.Group):
    """Knows every command's name and line of help, imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"photosort_trainer.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="photosort-train")
def group() -> None:
    """Teach photosortd your own categories from example photos, on any machine, offline."""


def main() -> None:
    """The entry point: every error that is somebody's becomes a message and an exit code."""
    try:
        sys.exit(group(standalone_mode=False))  # what a command said to its context, else 0
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; the same command goes on where it was", err=True)
        sys.exit(EXIT_STOPPED)
    except PhotosortdError as error:
        for line in str(error).splitlines():
            click.echo(f"photosort-train: {line}", err=True)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"photosort-train: {where}{error.strerror or error}", err=True)
        sys.exit(EXIT_FAILED)
