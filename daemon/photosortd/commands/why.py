"""`photosortd why FILE`: the whole story of one file."""

import json
import os
import time
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from photosortd import config, status
from photosortd.commands.output import clock, reading, source_of
from photosortd.config import Config
from photosortd.errors import WorldError
from photosortd.ledger import Ledger, PlacementRow, Version
from photosortd.records import Kind, Source, printable
from photosortd.shots import kind
from photosortd.watch import RootSpec, Watcher


@click.command("why")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@click.pass_obj
def command(path: str | None, files: tuple[str, ...], as_json: bool) -> None:
    """Why FILE was filed where it was, or was not: waits, scores, thresholds, placements."""
    settings = config.load(path, os.environ)
    ledger = reading(settings)
    try:
        stories = [_story(settings, ledger, file) for file in files]
    finally:
        ledger.close()
    if as_json:
        click.echo(json.dumps(stories, indent=2))
        return
    console = Console()
    for story in stories:
        _tell(console, story)


def _story(settings: Config, ledger: Ledger, file: str) -> dict[str, Any]:
    source = source_of(settings, file)
    story: dict[str, Any] = {"file": printable(os.path.abspath(file))}
    if source is None:
        return {**story, "note": "it is in none of the watched folders"}
    versions = [_version(ledger, each) for each in ledger.history(source)]
    return {**story, "versions": versions, "note": _note(settings, source, bool(versions))}


def _note(settings: Config, source: Source, known: bool) -> str:
    """What is to be said of the file as it is now."""
    if not os.path.lexists(source.full):
        return "it is not there any more" if known else "there is no such file"
    rule = _ignored_by(settings, source)
    if rule is not None:
        return f"it is ignored: {rule}"
    lack = _waiting(settings).get(printable(source.full))
    if lack is not None:
        return f"it is waiting for {lack}"
    if known:
        return ""
    if kind(source.name) is Kind.OTHER:
        return "it is no photo and no companion of one, by its name"
    return "it was not looked at yet: it waits for its turn, or no daemon runs (photosortd status)"


def _ignored_by(settings: Config, source: Source) -> str | None:
    root = next(each for each in settings.watch if each.path == source.root)
    spec = RootSpec(root.path, (*settings.ignore, *root.ignore), events=False)
    watcher = Watcher([spec], lambda: None)
    try:
        watcher.start(time.monotonic())
        return watcher.ignored_by(source)
    except (OSError, WorldError):
        return None
    finally:
        watcher.stop()


def _waiting(settings: Config) -> Mapping[str, str]:
    try:
        state = status.read(settings.status_path)
    except WorldError:
        return {}
    return {each["path"]: each["for"] for each in state["waiting"]}


def _version(ledger: Ledger, version: Version) -> dict[str, Any]:
    leader = ledger.by_id(version.leader).source.full if version.leader is not None else None
    return {
        "outcome": version.outcome.value if version.outcome else "pending",
        "reason": printable(version.reason),
        "current": version.current,
        "sha256": version.sha256,
        "size": version.size,
        "format": version.format,
        "taken": version.taken,
        "companion_of": printable(leader) if leader else None,
        "companions": [printable(c.source.full) for c in ledger.companions(version.id)],
        "bundle": version.bundle,
        "scores": dict(version.scores),
        "thresholds": dict(version.thresholds),
        "attempts": version.attempts,
        "noticed": version.seen_at,
        "decided": version.done_at,
        "placements": [_placement(row) for row in ledger.placements.of(version.id)],
    }


def _placement(row: PlacementRow) -> dict[str, Any]:
    return {
        "path": printable(os.path.join(row.library, row.placement.path)),
        "category": row.placement.category,
        "method": row.placement.method.value,
        "state": row.state.value,
        "batch": row.batch,
        "at": row.at,
    }


def _tell(console: Console, story: dict[str, Any]) -> None:
    console.print(f"[bold]{escape(story['file'])}[/]", soft_wrap=True, highlight=False)
    if story["note"]:
        console.print(f"  {escape(story['note'])}", soft_wrap=True)
    for version in story.get("versions", ()):
        _tell_version(console, version)


def _tell_version(console: Console, version: dict[str, Any]) -> None:
    age = "" if version["current"] else " (an earlier content of this path)"
    reason = f": {escape(version['reason'])}" if version["reason"] else ""
    console.print(f"  {version['outcome']}{reason}{age}", soft_wrap=True)
    console.print(f"    noticed {clock(version['noticed'])}, decided {clock(version['decided'])}")
    if version["taken"]:
        console.print(f"    taken   {version['taken']} ({version['format']})")
    if version["companion_of"]:
        console.print(f"    companion of {escape(version['companion_of'])}", soft_wrap=True)
    for companion in version["companions"]:
        console.print(f"    with {escape(companion)}", soft_wrap=True)
    for name, score in sorted(version["scores"].items(), key=lambda item: -item[1]):
        threshold = version["thresholds"].get(name)
        needs = "never by itself" if threshold is None else f"from {threshold:.3f}"
        hit = "→" if threshold is not None and score >= threshold else " "
        console.print(f"    {hit} {escape(name):<20} {score:.3f}  ({needs})", highlight=False)
    for placement in version["placements"]:
        console.print(
            f"    {placement['state']} {escape(placement['path'])} "
            f"({placement['method']}, batch {placement['batch']}, {clock(placement['at'])})",
            soft_wrap=True,
        )
