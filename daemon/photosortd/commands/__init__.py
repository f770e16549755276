"""`photosortd` and its subcommands: one module each, imported when it is called.

Exit codes: 0 done, 1 some photos failed or the world is in the way, 2 usage or another writer is
running, 75 (EX_TEMPFAIL of sysexits.h) it has to be started again, 78 (EX_CONFIG) configuration
or bundle.
"""

import gc
import sys
from typing import Any

import click

from photosortd import __version__
from photosortd.commands.lazy import Lazy
from photosortd.errors import BundleError, BusyError, ConfigError, PhotosortdError

EXIT_FAILED, EXIT_USAGE, EXIT_AGAIN, EXIT_CONFIG = 1, 2, 75, 78

_COMMANDS = {
    "check": "Look at configuration, folders, model and limits, and say what is wrong.",
    "status": "What the daemon is doing.",
    "why": "The whole story of a photo.",
    "classify": "Score photos without filing them.",
    "retry": "Try again what was set aside.",
    "undo": "Take filed copies back.",
    "model": "Show, install or roll back the model bundle.",
    "service": "Install, check and look at the systemd service.",
    "schema": "Print the JSON schema of the configuration, for editors.",
    "demo": "Watch it sort sample photos in a directory of its own.",
}


@click.group(cls=Lazy, package=__name__, lines=_COMMANDS, invoke_without_command=True)
@click.option("-c", "--config", metavar="FILE", help="Configuration file.")
@click.option("--once", "--oneshot", is_flag=True, help="Sort what is there, then stop.")
@click.option("--again", is_flag=True, help="With --once: decide anew what another bundle decided.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="With --once: a line of JSON for each file.")
@click.option("-v", "--verbose", count=True, help="Say more.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what needs attention.")
@click.version_option(__version__, prog_name="photosortd")
@click.pass_context
def cli(ctx: click.Context, /, config: str | None, **options: Any) -> None:
    """File each new photo of the watched folders into your own categories.

    Without a command: run as a daemon until SIGTERM. SIGHUP loads the configuration again.
    """
    ctx.obj = config
    if ctx.invoked_subcommand is not None:
        given = [name for name in ("once", "again", "dry_run") if options[name]]
        if given:
            raise click.UsageError(f"--{given[0].replace('_', '-')} goes without a command")
        return
    if (options["again"] or options["as_json"]) and not options["once"]:
        raise click.UsageError("--again and --json go with --once")
    ctx.exit(_run(config, **options))


def _run(config: str | None, **options: Any) -> int:
    """The daemon, or `--once`: what takes long to import, a worker does beside us."""
    from photosortd import journal
    from photosortd.vision.worker.process import Process

    journal.occupy_standard_descriptors()
    Process.prepare()
    try:
        gc.disable()  # nothing is thrown away here, and to look for it takes a tenth of the time
        from photosortd.commands import run

        gc.enable()
        gc.freeze()
        return run.run(config, **options)
    finally:
        Process.discard()


def main() -> None:
    """The entry point: every error that is somebody else's becomes one message and a code."""
    try:
        sys.exit(cli(standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except PhotosortdError as error:
        print(f"photosortd: {error}", file=sys.stderr)
        sys.exit(_exit_code(error))
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has heard enough
        sys.exit(EXIT_FAILED)


def _exit_code(error: PhotosortdError) -> int:
    if isinstance(error, ConfigError | BundleError):
        return EXIT_CONFIG
    return EXIT_USAGE if isinstance(error, BusyError) else EXIT_FAILED
