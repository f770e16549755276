"""`photosort-train status`: what a run has done, and is doing."""

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import click

from photosort_trainer.errors import TrainerError
from photosort_trainer.stages import FILE
from photosortd.records import printable


@click.command("status")
@click.argument("run", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(run: str, as_json: bool) -> None:
    """What the training in RUN has done, and is doing."""
    path = Path(run, FILE)
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise TrainerError(f"{printable(run)}: no training has begun here") from error
    except ValueError as error:
        raise TrainerError(f"{printable(str(path))}: {error}") from error
    if said["state"] == "running" and not _is_alive(said["pid"]):
        said["state"] = "cut off"
    if as_json:
        click.echo(json.dumps(said))
        return
    for each in said["done"]:
        click.echo(f"done     {each['stage']:<24}{timedelta(seconds=round(each['seconds']))}")
    if said["state"] == "finished":
        click.echo(f"finished; look at {printable(str(Path(run, 'report.html')))}")
        return
    since = timedelta(seconds=max(0, round(time.time() - said["at"])))
    what = f"{said['state']:<9}{said['stage']}"
    click.echo(f"{what:<33}since {since}" if said["state"] == "running" else what)
    if said["why"]:
        click.echo(f"         {printable(said['why'])}")
    if said["state"] != "running":
        click.echo("the same command goes on where it was")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
