"""`photosort-train report`: the page of a run, made again."""

from pathlib import Path

import click

from photosortd.records import printable


@click.command("report")
@click.argument("run", type=click.Path())
def command(run: str) -> None:
    """Make RUN/report.html again from what the run has found out."""
    from photosort_trainer import report, results

    path = report.write(results.load(Path(run)), Path(run))
    click.echo(printable(str(path)))
