"""`photosortd undo`: take filed copies back, exactly ours, while their originals stand."""

import json
import re
import sys
import time
from contextlib import suppress
from datetime import date, datetime
from datetime import time as clock_time

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from photosortd import undo
from photosortd.commands import EXIT_FAILED, owner
from photosortd.commands.ask import ask
from photosortd.commands.output import clock, reading
from photosortd.config import Config
from photosortd.ledger import Selection
from photosortd.records import printable

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

SHOWN = 20


@click.command("undo")
@click.option("--list", "listing", is_flag=True, help="Show the batches and stop.")
@click.option("--batch", type=int, metavar="N", help="One batch (see --list).")
@click.option("--last", is_flag=True, help="The newest batch.")
@click.option("--since", metavar="TIME", help="From 2026-05-01, '2026-05-01 18:00' or 2h ago on.")
@click.option("--until", metavar="TIME", help="Up to that time, or to the end of that day.")
@click.option("--category", metavar="NAME", help="Only this category.")
@click.option("--bundle", metavar="ID", help="Only what this bundle decided (start of its id).")
@click.option("-n", "--dry-run", is_flag=True, help="Show what it would do and stop.")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def command(
    path: str | None,
    listing: bool,
    batch: int | None,
    last: bool,
    since: str | None,
    until: str | None,
    category: str | None,
    bundle: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove copies that photosortd filed. A copy stays, and is named, if it was changed or if
    its original is gone: it may be the last."""
    settings = owner.load(path, make=False)
    if listing:
        _list(settings, as_json)
        return
    if last:
        batch = _newest(settings)
    selection = Selection(batch, _time(since), _time(until, end=True), category, bundle)
    if selection == Selection():
        raise click.UsageError("say what: --last, --batch, --since, --until, --category, --bundle")
    count = _show(settings, selection, quiet=as_json)
    if dry_run or not count:
        return
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("without a terminal it needs --yes")
        click.confirm(f"remove these {count} files from the library?", abort=True)
    wanted = {name: getattr(selection, name) for name in Selection.__dataclass_fields__}
    result = ask(settings, {"do": "undo", "selection": wanted})
    _say(result, as_json)
    if result["refused"]:
        click.get_current_context().exit(EXIT_FAILED)


def _list(settings: Config, as_json: bool) -> None:
    ledger = reading(settings)
    try:
        batches = ledger.placements.batches()
    finally:
        ledger.close()
    if as_json:
        fields = ("id", "kind", "started", "latest", "placed", "undone")
        rows = [{name: getattr(each, name) for name in fields} for each in batches]
        click.echo(json.dumps(rows))
        return
    table = Table("batch", "from", "to", "kind", "copies", "undone", box=None)
    for each in batches:
        table.add_row(
            str(each.id),
            clock(each.started),
            clock(each.latest),
            each.kind,
            str(each.placed),
            str(each.undone),
        )
    Console().print(table if batches else "nothing was filed yet")


def _newest(settings: Config) -> int:
    ledger = reading(settings)
    try:
        standing = [each.id for each in ledger.placements.batches() if each.placed]
    finally:
        ledger.close()
    if not standing:
        raise click.UsageError("there is no batch to undo")
    return standing[0]


def _show(settings: Config, selection: Selection, quiet: bool) -> int:
    """Print what would be touched. Returns how many files that is."""
    ledger = reading(settings)
    try:
        items = undo.plan(ledger, selection)
    finally:
        ledger.close()
    paths = [path for item in items for path in item.paths]
    if not quiet:
        console = Console()
        for name in paths[:SHOWN]:
            console.print(f"  {escape(printable(name))}", soft_wrap=True, highlight=False)
        if len(paths) > SHOWN:
            console.print(f"  … and {len(paths) - SHOWN} more")
        if not paths:
            console.print("nothing that photosortd filed matches")
    return len(paths)


def _say(result: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
        return
    refused = result["refused"]
    assert isinstance(refused, list)
    for each in refused:
        click.echo(f"refused: {each['path']}: {each['reason']}")
    parts = [f"{result['removed']} removed", f"{len(refused)} refused"]
    if result["gone"]:
        parts.append(f"{result['gone']} were gone already")
    if result["kept"]:
        parts.append(f"{result['kept']} stood there before photosortd and stay")
    click.echo(", ".join(parts))


def _time(text: str | None, end: bool = False) -> float | None:
    """Seconds since the epoch, from an ISO date or time, or from '2h' (ago).

    A bare date means its first moment, or with `end` its last.
    """
    if text is None:
        return None
    ago = re.fullmatch(r"(\d+)([smhd])(\s+ago)?", text.strip())
    if ago:
        return time.time() - int(ago[1]) * _UNITS[ago[2]]
    if end:
        with suppress(ValueError):
            return datetime.combine(date.fromisoformat(text), clock_time.max).timestamp()
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise click.UsageError(f"{text!r}: not a time; write 2026-05-01, or 2h for ago") from None
