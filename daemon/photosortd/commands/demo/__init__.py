"""`photosortd demo`: the main job, to be watched, in a directory of its own.

Starts the real daemon on a DCIM folder, brings photos into it as a phone does, shows what becomes
of each, and puts all of them on a contact sheet. With `--photos` it sorts the user's own, which
are only ever read.
"""

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from photosortd.commands.demo import ending, phone, photos, stage
from photosortd.commands.demo.board import Board
from photosortd.commands.demo.contact import write_sheet
from photosortd.commands.demo.follow import Following, follow, follow_own
from photosortd.commands.demo.stage import Stage, daemon

OWN_NAMES = 48  # columns for the names of the user's own photos, where there is room


@click.command("demo")
@click.option("--photos", "own", metavar="DIR", help="Sort these instead (they are only read).")
@click.option("--out", default="demo-output", show_default=True, help="Where to work.")
def command(own: str | None, out: str) -> None:
    """Watch photosortd sort sample photos, or your own with --photos.

    Everything happens in a directory of its own, which the next demo replaces: the photos as a
    phone would bring them, a library with the sorted copies, and a contact sheet of all of them.
    """
    console = Console(highlight=False)
    at = stage.set_up(Path(out), Path(own).expanduser() if own else None)
    console.print(stage.introduction(at))
    with daemon(at), Following(at) as following:
        _sort(console, at, following)
    with console.status("making the contact sheet"):
        sheet = write_sheet(at, following)
    stage.tidy(at)
    console.print(ending.farewell(at, following, sheet), soft_wrap=True)
    ending.offer(sheet)


def _sort(console: Console, at: Stage, following: Following) -> None:
    if at.own:
        console.print(f"The daemon reads {stage.shown(at.watched)}; Ctrl-C stops it.\n")
        try:
            waiting = follow_own(at, following, Board(console, names=OWN_NAMES, timed=False))
        except KeyboardInterrupt:
            waiting = ["stopped; what is filed stays filed"]
        for each in waiting:
            console.print(escape(each), soft_wrap=True)
        return
    samples = photos.samples(at.base / stage.DRAWN)
    console.print(photos.announced(samples))
    board = Board(console, names=max(len(each.name) for each in samples))
    follow(at, following, board, phone.bring(samples, at.watched), len(samples))
