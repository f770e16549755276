"""`photosortd service status`."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import click

from photosortd.commands.output import size
from photosortd.commands.service.plan import directories
from photosortd.commands.service.scope import Scope, chosen, options
from photosortd.commands.service.wish import Wish, paths
from photosortd.errors import ConfigError, PhotosortdError
from photosortd.identity import myself
from photosortd.records import printable
from photosortd.units import dropin
from photosortd.units.manager import Manager
from photosortd.units.unit import State

EXIT_INACTIVE = 3
"""As `systemctl status` says it."""

WARNINGS = 5

_PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "StateChangeTimestamp"),
    *("User", "MainPID", "StatusText", "NRestarts", "MemoryCurrent", "CPUUsageNSec"),
    *("ExecMainStatus", "NeedDaemonReload", "InvocationID"),
)


@dataclass(frozen=True, slots=True)
class Status:
    unit: str
    active: str  # systemd's ActiveState
    detail: str  # its SubState, or why it failed
    since: str
    enabled: str
    user: str
    pid: int | None
    status: str  # in the daemon's own words
    restarts: int
    memory: int | None  # bytes
    cpu: float | None  # seconds
    configuration: str
    notes: tuple[str, ...]  # what needs attention
    warnings: tuple[str, ...]  # of the journal, since the start


@click.command("status")
@options
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@click.pass_context
def command(ctx: click.Context, user: bool, instance: str | None, as_json: bool) -> None:
    """Is the service running, as whom, since when, and does it see what it needs?"""
    ctx.exit(run(*chosen(user, instance), as_json=as_json))


def run(scope: Scope, manager: Manager, *, as_json: bool = False) -> int:
    """0 if the service is active, else 3."""
    found = look(scope, manager)
    if as_json:
        click.echo(json.dumps(asdict(found), indent=2))
    else:
        _show(found)
    return 0 if found.active in ("active", "reloading") else EXIT_INACTIVE


def look(scope: Scope, manager: Manager) -> Status:
    """What systemd, the drop-in and the journal say. Raises WorldError."""
    told = manager.show(scope.unit, _PROPERTIES)
    failed = told.get("Result", "success") != "success"
    reason = f"{told.get('Result')}, exit status {told.get('ExecMainStatus')}"
    invocation = told.get("InvocationID")
    return Status(
        unit=scope.unit,
        active=told.get("ActiveState", "unknown"),
        detail=reason if failed else told.get("SubState", ""),
        since=told.get("StateChangeTimestamp", ""),
        enabled=told.get("UnitFileState", "") or "not installed",
        user=told.get("User", "") or (myself() if scope.user else "root"),
        pid=_number(told, "MainPID") or None,
        status=told.get("StatusText", ""),
        restarts=_number(told, "NRestarts") or 0,
        memory=_number(told, "MemoryCurrent"),
        cpu=None if (used := _number(told, "CPUUsageNSec")) is None else used / 1e9,
        configuration=scope.config,
        notes=tuple(_notes(scope, manager, told)),
        warnings=tuple(manager.warnings(invocation, WARNINGS)) if invocation else (),
    )


def _number(told: Mapping[str, str], name: str) -> int | None:
    text = told.get(name, "")
    # "[not set]", and in older versions the largest number there is.
    return int(text) if text.isdecimal() and int(text) < 1 << 63 else None


def _notes(scope: Scope, manager: Manager, told: Mapping[str, str]) -> list[str]:
    if told.get("LoadState") == "not-found":
        first = "" if scope.user else "sudo make install, then "
        return [f"there is no such unit: {first}{scope.command('install')}"]
    notes = []
    if told.get("ActiveState") == "failed":
        notes.append(
            "systemd has given up, and nothing is sorted: mend what the journal names "
            f"(`photosortd check` looks at everything), then {scope.systemctl('start')}"
        )
    if told.get("NeedDaemonReload") == "yes":
        notes.append("unit files changed since systemd read them: sudo systemctl daemon-reload")
    try:
        return notes + _edited(scope) + _drift(scope, manager)
    except PhotosortdError as error:
        return [*notes, str(error)]


def _edited(scope: Scope) -> list[str]:
    if scope.unit_file.state() is not State.EDITED:
        return []
    own = os.path.join(scope.places.own, scope.unit_file.name)
    return [f"{own} was edited by hand: {scope.systemctl('revert')} takes that back"]


def _drift(scope: Scope, manager: Manager) -> list[str]:
    """Paths of the configuration that the sandbox knows nothing of."""
    if not os.path.exists(scope.config):
        return [f"there is no {printable(scope.config)}: {scope.command('install')} writes it"]
    if scope.user:
        return []
    text = manager.cat(scope.unit)
    unit = scope.sandbox(text)
    try:
        wanted = paths(scope, Wish(), unit.environment, unit.user or "root")
    except ConfigError as error:
        return list(error.problems)
    return [
        f"the configuration names {printable(path)}, which the sandbox does not let through: "
        f"{scope.command('install')}"
        for path in dropin.missing(text, *directories(wanted))
    ]


def _show(found: Status) -> None:
    since = f" since {found.since}" if found.since else ""
    click.echo(f"{found.unit} is {found.active} ({found.detail}){since}, {found.enabled}")
    running = f", pid {found.pid}" if found.pid else ""
    click.echo(f"user     {found.user}{running}")
    if found.status:
        click.echo(f"status   {found.status}")
    used = [f"{found.restarts} restarts"]
    used += [f"{size(found.memory)} of memory"] if found.memory is not None else []
    used += [f"{found.cpu:.0f} s of CPU time"] if found.cpu is not None else []
    click.echo(f"so far   {', '.join(used)}")
    click.echo(f"settings {printable(found.configuration)}")
    for note in found.notes:
        click.echo(f"note     {note}")
    if found.warnings:
        click.echo("journal  since the start, the last that needed attention:")
    for warning in found.warnings:
        click.echo(f"         {warning}")
