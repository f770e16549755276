"""`photosortd status`: what the daemon is doing, and what needs attention."""

import json
import os
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from photosortd import config, lock, status
from photosortd.commands.output import clock, reading
from photosortd.errors import WorldError
from photosortd.records import Outcome, printable

SHOWN = 10


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@click.pass_obj
def command(path: str | None, as_json: bool) -> None:
    """What the daemon is doing: folders, queue, last photo, what was set aside, bundle."""
    settings = config.load(path, os.environ)
    state = status.read(settings.status_path)
    writer = _writer(settings.state, state)
    state["running"] = writer is not None
    state["outdated"] = _outdated(writer, state)
    state["attention"] = _attention(settings)
    if as_json:
        click.echo(json.dumps(state, indent=2))
    else:
        _show(Console(), state)
    if not state["running"]:
        click.get_current_context().exit(1)


def _writer(directory: str, state: dict[str, Any]) -> int | None:
    """The process id of the daemon that runs, or None."""
    pid: int = state["pid"]
    try:
        return lock.holder(directory)
    except WorldError:  # another user's lock: ask the kernel
        return pid if state["state"] != "stopped" and status.is_running(pid) else None


def _outdated(writer: int | None, state: dict[str, Any]) -> str:
    """Why not to believe what it says; '' if there is no reason."""
    if writer is None and state["state"] != "stopped":
        return "it did not stop by itself: `photosortd service status` and the journal say why"
    if writer not in (None, state["pid"]):
        return (
            f"pid {writer} runs and has not written its status yet: where that lasts, "
            "its disk is full; what another one knew last:"
        )
    return ""


def _attention(settings: config.Config) -> dict[str, list[dict[str, str]]]:
    """The newest files of each kind that nobody sorts by itself."""
    try:
        ledger = reading(settings)
    except WorldError:
        return {}
    try:
        kinds = (*_TROUBLED, Outcome.IGNORED)
        return {
            kind.value: [
                {"path": printable(each.source.full), "reason": printable(each.reason)}
                for each in ledger.with_outcome(kind, limit=SHOWN)
            ]
            for kind in kinds
        }
    finally:
        ledger.close()


_TROUBLED = (Outcome.SET_ASIDE, Outcome.LOST, Outcome.TRUNCATED, Outcome.UNREADABLE)


def _show(console: Console, state: dict[str, Any]) -> None:
    console.print(_headline(state), highlight=False)
    if state["outdated"]:
        console.print(f"[yellow]{escape(state['outdated'])}[/]", soft_wrap=True, highlight=False)
    if state["trouble"]:
        console.print(f"[yellow]waiting:[/] {escape(state['trouble'])}", soft_wrap=True)
    if state.get("warning"):
        console.print(f"[yellow]{escape(state['warning'])}[/]", soft_wrap=True)
    _show_roots(console, state)
    bundle = state["bundle"]
    console.print(
        f"bundle   {bundle['id'][:12]} ({escape(bundle['backbone'])}): "
        + escape(", ".join(bundle["categories"])),
        soft_wrap=True,
        highlight=False,
    )
    if bundle["warning"]:
        console.print(f"[yellow]bundle   {escape(bundle['warning'])}[/]", soft_wrap=True)
    queue = state["queue"]
    console.print(
        f"queue    {queue['live']} new, {queue['backlog']} from the scan, {queue['in_hand']} in "
        f"hand, {queue['settling']} settling; {state['per_minute']:.0f} in the last minute"
    )
    counts = ", ".join(f"{count} {name}" for name, count in sorted(state["counts"].items()))
    console.print(f"so far   {counts or 'nothing'}")
    for each in state["waiting"][:SHOWN]:
        text = f"  waiting: {escape(each['path'])}: {escape(each['for'])}"
        console.print(text, soft_wrap=True, highlight=False)
    _show_recent(console, state)
    for kind, entries in state["attention"].items():
        for entry in entries:
            text = f"  {kind}: {entry['path']}: {entry['reason']}"
            console.print(escape(text), soft_wrap=True)
    if state["attention"].get(Outcome.SET_ASIDE.value):
        console.print("`photosortd retry` tries what was set aside again")


def _headline(state: dict[str, Any]) -> str:
    if not state["running"]:
        return "photosortd is [bold]not running[/]; what it knew last:"
    if state["outdated"]:
        return f"photosortd {state['version']} is running"
    return f"photosortd {state['version']} is running (pid {state['pid']}): {state['state']}"


def _show_roots(console: Console, state: dict[str, Any]) -> None:
    for root in state["roots"]:
        details = [f"watched by {root['watched']}", root["filesystem"]]
        details.append(f"last scan {clock(root['last_scan'])}")
        if root["reason"]:
            details.append(root["reason"])
        text = f"folder   {escape(root['path'])}: {escape(', '.join(details))}"
        console.print(text, soft_wrap=True, highlight=False)
    console.print(f"library  {escape(state['library'])}", soft_wrap=True, highlight=False)


def _show_recent(console: Console, state: dict[str, Any]) -> None:
    if not state["recent"]:
        return
    table = Table("last photos", "outcome", "categories", "at", box=None, padding=(0, 2, 0, 0))
    for done in state["recent"][:5]:
        where = ", ".join(done["categories"]) or done["reason"]
        table.add_row(escape(done["path"]), done["outcome"], escape(where), clock(done["at"]))
    console.print(table)
