"""What is said at the end: where everything is, and what to try next."""

import os
import shutil
import sys
import webbrowser
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
from rich.markup import escape

from photosortd.commands.demo.follow import Following
from photosortd.commands.demo.stage import Stage, shown
from photosortd.records import Outcome


def farewell(at: Stage, following: Following, sheet: Path) -> str:
    outcomes = Counter(following.outcomes)
    filed = outcomes.pop(Outcome.PLACED, 0)
    others = "".join(f", {count} {name}" for name, count in outcomes.most_common())
    counts = sorted(following.categories.items())
    categories = escape(", ".join(f"{name} {count}" for name, count in counts))
    lines = [
        "",
        f"{following.outcomes.total()} files: {filed} filed{others}.",
        "",
        f"Sorted copies   [bold]{shown(at.library)}[/]",
        f"                {categories or 'none'}",
        f"Contact sheet   [bold]{shown(sheet)}[/]",
        "                every photo with its scores and thresholds, for a browser",
        "",
        "Try next:",
    ]
    for what, command in _next(at, following):
        lines += [f"  [dim]# {what}[/]", f"  {command}"]
    return "\n".join(lines)


def _next(at: Stage, following: Following) -> Iterator[tuple[str, str]]:
    program, config = _program("photosortd"), shown(at.config)
    last = list(following.last)
    filed = [each for each in last if each.outcome == Outcome.PLACED] or last
    photo = shown(at.watched / filed[0].path) if filed else "FILE"
    yield "the whole story of one photo", f"{program} -c {config} why {photo}"
    yield "take the copies back (it asks first)", f"{program} -c {config} undo --last"
    if at.own:
        train = _program("photosort-train")
        yield (
            "make folders for examples of your own categories",
            f"{train} init examples animal food me",
        )
    else:
        yield "the same with photos of yours, only read", f"{program} demo --photos ~/Pictures"


def _program(name: str) -> str:
    """As it is to be typed here: an environment that is not active is not on the PATH."""
    if shutil.which(name):
        return name
    return shown(Path(sys.executable).parent / name)


def offer(sheet: Path) -> None:
    """Ask whether to open the sheet, where there is somebody to ask and something to open it."""
    somebody = sys.stdin.isatty() and sys.stdout.isatty()
    desktop = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
    if somebody and desktop and click.confirm("\nOpen the contact sheet?", default=False):
        webbrowser.open(sheet.as_uri())
