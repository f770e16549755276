"""`photosortd check`: everything that a run will need, looked at or tried out beforehand."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.console import Console
from rich.markup import escape

from photosortd import config, identity, lock
from photosortd.commands import EXIT_CONFIG, EXIT_FAILED
from photosortd.commands.ask import ask
from photosortd.commands.checking import library, machine, roots
from photosortd.commands.checking.finding import Finding, Mark
from photosortd.commands.owner import act_as_owner
from photosortd.config import Config
from photosortd.errors import WorldError
from photosortd.records import printable


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@click.option("--accept-library", is_flag=True, help="The library there is the right one: use it.")
@click.pass_obj
def command(path: str | None, as_json: bool, accept_library: bool) -> None:
    """Look at configuration, watched folders, library, model, inotify limits and state."""
    settings = config.load(path, os.environ)
    act_as_owner(settings, make=accept_library)
    findings = [Finding("configuration", Mark.GOOD, settings.file or "from the environment")]
    if accept_library:
        findings.append(_accept(settings))
    findings += list(_findings(settings))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings], indent=2))
    else:
        _show(findings)
    marks = {each.mark for each in findings}
    if Mark.CONFIG in marks:
        click.get_current_context().exit(EXIT_CONFIG)
    if Mark.BAD in marks:
        click.get_current_context().exit(EXIT_FAILED)


def _accept(settings: Config) -> Finding:
    """Bind the ledger to the library that is there now, at the operator's word."""
    ask(settings, {"do": "accept"})
    return Finding("library", Mark.GOOD, f"{printable(settings.library)} is accepted")


def _findings(settings: Config) -> Iterator[Finding]:
    running = _writer(settings)
    yield _user()
    yield from _state(settings, running)
    sampled = roots.samples(settings)
    yield from roots.findings(settings, sampled)
    bundle, about_bundle = machine.bundle(settings)
    named = (
        *(bundle.names if bundle else ()),
        *((settings.unsorted,) if settings.unsorted else ()),
    )
    yield from library.findings(settings, running, named, sampled)
    yield from about_bundle
    yield from machine.watches(settings)


def _user() -> Finding:
    """Whose permissions all the rest is about."""
    groups = ", ".join(identity.group_name(each) for each in identity.my_groups())
    return Finding("user", Mark.GOOD, f"everything is tried as user {identity.myself()} ({groups})")


def _writer(settings: Config) -> int | None:
    try:
        return lock.holder(settings.state)
    except WorldError:
        return None


def _state(settings: Config, running: int | None) -> Iterator[Finding]:
    shown = printable(settings.state)
    if running is not None:
        yield Finding("state", Mark.GOOD, f"{shown}: in use by the daemon (pid {running})")
    elif os.path.isdir(settings.state):
        able = os.access(settings.state, os.W_OK | os.X_OK)
        text = shown if able else f"{shown}: cannot be written; {lock.run_as(settings.state)}"
        yield Finding("state", Mark.GOOD if able else Mark.BAD, text)
    else:
        yield Finding("state", Mark.GOOD, f"{shown}: will be made")


_COLOURS = {Mark.GOOD: "green", Mark.WARN: "yellow", Mark.BAD: "red", Mark.CONFIG: "red"}


def _show(findings: list[Finding]) -> None:
    console = Console()
    for each in findings:
        sign = "✓" if each.mark is Mark.GOOD else "!" if each.mark is Mark.WARN else "✗"
        colour = _COLOURS[each.mark]
        text = f"[{colour}]{sign}[/] {each.about:<14} {escape(each.text)}"
        console.print(text, soft_wrap=True, highlight=False)
