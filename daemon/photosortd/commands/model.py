"""`photosortd model`: show, list, install, roll back."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from photosortd import config, files, identity, lock
from photosortd.commands import owner
from photosortd.commands.ask import ask
from photosortd.commands.output import clock
from photosortd.config import Config
from photosortd.errors import BundleError
from photosortd.models import Models, incoming_directory
from photosortd.records import printable
from photosortd.vision.bundle import Bundle, quality, read_bundle
from photosortd.vision.decide import thresholds


@click.group("model")
def command() -> None:
    """Show, list, install or roll back the model bundle."""


@command.command("show")
@click.argument("directory", required=False)
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def show(path: str | None, directory: str | None, as_json: bool) -> None:
    """The bundle in use, or the one in DIRECTORY: categories, thresholds, quality."""
    if directory is not None:
        bundle = read_bundle(directory)
        wanted = thresholds(bundle.thresholds, {})
    else:
        settings = config.load(path, os.environ)
        bundle = _in_use(settings)
        wanted = thresholds(bundle.thresholds, settings.thresholds)
    if as_json:
        click.echo(json.dumps(_as_json(bundle, wanted), indent=2))
    else:
        _print(Console(), bundle, wanted)


def _in_use(settings: Config) -> Bundle:
    """The bundle that the daemon would use, without installing or testing anything."""
    return Models(settings.state).choose(settings.model, lambda _: None, dry=True).bundle


def _as_json(bundle: Bundle, wanted: dict[str, float | None]) -> dict[str, object]:
    return {
        "id": bundle.id,
        "path": str(bundle.path),
        "created": bundle.created,
        "backbone": bundle.backbone,
        "size": [bundle.height, bundle.width],
        "thresholds": wanted,
        "metrics": dict(bundle.metrics),
    }


def _print(console: Console, bundle: Bundle, wanted: dict[str, float | None]) -> None:
    console.print(f"[bold]{bundle.id[:12]}[/]  {escape(bundle.backbone)}, {bundle.created}")
    console.print(f"{escape(str(bundle.path))}", soft_wrap=True, highlight=False)
    table = Table("category", "filed from a score of", box=None, padding=(0, 2, 0, 0))
    for name, threshold in wanted.items():
        text = "never by itself" if threshold is None else f"{threshold:.2f}"
        table.add_row(escape(name), text)
    console.print(table)
    if (said := quality(bundle)) is not None:
        console.print(said, highlight=False)


@command.command("list")
@click.pass_obj
def list_(path: str | None) -> None:
    """Every installed bundle."""
    models = Models(config.load(path, os.environ).state)
    current = models.current()
    table = Table("", "id", "installed", "categories", box=None, padding=(0, 2, 0, 0))
    for bundle, installed_at in models.installed():
        mark = "→" if current is not None and bundle.id == current.id else ""
        table.add_row(mark, bundle.id[:12], clock(installed_at), escape(", ".join(bundle.names)))
    Console().print(table)


@command.command("install")
@click.argument("directory")
@click.pass_obj
def install(path: str | None, directory: str) -> None:
    """Check the bundle in DIRECTORY, copy it and use it from now on."""
    directory = os.path.abspath(directory)
    settings = owner.load(path)
    _check_readable(directory)
    with _within_reach(settings, directory) as there:
        try:
            _say(ask(settings, {"do": "model", "action": "install", "directory": there}))
        except BundleError as error:
            raise BundleError(str(error).replace(there, directory)) from None


def _check_readable(directory: str) -> None:
    """Root may have named a directory of his own, and is the state's owner by now."""
    try:
        read_bundle(directory, hashes=False)
    except BundleError as error:
        if _denied(error):
            raise BundleError(
                f"{error}: user {identity.myself()} has to read it: copy the bundle to where "
                "everybody may (such as /var/tmp), and install it from there"
            ) from error


def _denied(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, PermissionError):
        error = error.__cause__
    return error is not None


@contextmanager
def _within_reach(settings: Config, directory: str) -> Iterator[str]:
    """Where the writer finds the bundle: a daemon in a sandbox sees no home and no /tmp."""
    if lock.holder(settings.state) is None or settings.model is not None:
        yield directory
        return
    with ExitStack() as stack:
        with files.world_errors(f"{printable(settings.state)}: {lock.run_as(settings.state)}"):
            beside = stack.enter_context(incoming_directory(settings.state))
        # The daemon tests it, by its own configuration.
        yield str(Models(beside).install(directory, lambda _: None).path)


@command.command("rollback")
@click.pass_obj
def rollback(path: str | None) -> None:
    """Return to the bundle that was used before."""
    _say(ask(owner.load(path), {"do": "model", "action": "rollback"}))


def _say(result: dict[str, object]) -> None:
    categories = result["categories"]
    assert isinstance(categories, list)
    click.echo(f"using bundle {str(result['bundle'])[:12]}: {', '.join(categories)}")
    click.echo("It decides about new photos; `photosortd --once --again` about the old ones too.")
