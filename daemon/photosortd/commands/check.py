"""`photosortd check`: everything that a run will need, looked at or tried out beforehand."""

import json
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum

import click
from rich.console import Console
from rich.markup import escape

from photosortd import build, config, files, lock
from photosortd.commands import EXIT_CONFIG, EXIT_FAILED
from photosortd.commands.ask import ask
from photosortd.commands.output import size
from photosortd.config import Config, Root
from photosortd.errors import PhotosortdError, WorldError
from photosortd.ledger import Ledger
from photosortd.models import Models
from photosortd.place.folder import Folder
from photosortd.place.probe import Abilities, probe
from photosortd.records import PlaceMode, printable
from photosortd.vision.bundle import read_bundle
from photosortd.vision.worker import selftest

MAX_WATCHES = "/proc/sys/fs/inotify/max_user_watches"

COUNTED_FOR = 5.0
"""Seconds after which directories are not counted on."""


class Mark(StrEnum):
    GOOD = "ok"
    WARN = "warning"
    BAD = "wrong"  # a run cannot work, or not now
    CONFIG = "configuration"  # the operator must change something: exit 78


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    mark: Mark
    text: str


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="The same for programs.")
@click.option("--accept-library", is_flag=True, help="The library there is the right one: use it.")
@click.pass_obj
def command(path: str | None, as_json: bool, accept_library: bool) -> None:
    """Look at configuration, watched folders, library, model, inotify limits and state."""
    settings = config.load(path, os.environ)
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
    yield from _state(settings, running)
    for root in settings.watch:
        yield from _root(root)
    yield from _library(settings, running)
    yield from _bundle(settings)
    yield from _watches(settings)


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


def _root(root: Root) -> Iterator[Finding]:
    shown = printable(root.path)
    try:
        mount = files.mount_of(root.path)
        with os.scandir(root.path) as entries:
            next(entries, None)
    except OSError as error:
        yield Finding("watch", Mark.BAD, f"{shown}: {error.strerror}")
        return
    way = "events" if mount.events_reliable and root.events is not False else "scans"
    yield Finding("watch", Mark.GOOD, f"{shown}: {mount.fstype}, watched by {way}")


def _library(settings: Config, running: int | None) -> Iterator[Finding]:
    shown = printable(settings.library)
    if not os.path.isdir(settings.library):
        above = os.path.dirname(settings.library.rstrip("/")) or "/"
        if os.path.isdir(above) and _expected(settings) is None:
            yield Finding("library", Mark.GOOD, f"{shown}: will be made")
        else:
            yield Finding("library", Mark.BAD, f"{shown}: not there; is its disk mounted?")
        return
    try:
        # Beside the daemon nothing is written into its library.
        able = _try_out(settings.library) if running is None else None
    except (OSError, WorldError) as error:
        yield Finding("library", Mark.BAD, f"{shown}: {error}")
        return
    space = os.statvfs(settings.library)
    free = space.f_bavail * space.f_frsize
    yield Finding(
        "library",
        Mark.GOOD if free > settings.place.keep_free else Mark.BAD,
        f"{shown}: {files.mount_of(settings.library).fstype}, {size(free)} free "
        f"(place.keep_free is {size(settings.place.keep_free)})",
    )
    yield from _marker(settings)
    yield from _modes(settings, able)


def _try_out(library: str) -> Abilities:
    """Try every way of placing in the library itself, with hidden files that go again."""
    root = files.open_directory(library)
    try:
        return probe(Folder(root, "", library, os.fstat(root).st_dev), lambda: secrets.token_hex(8))
    finally:
        os.close(root)


def _expected(settings: Config) -> str | None:
    """The marker that the ledger remembers for this library."""
    if not os.path.exists(build.ledger_path(settings)):
        return None
    ledger = Ledger.open_readonly(build.ledger_path(settings))
    try:
        return ledger.library(settings.library)
    finally:
        ledger.close()


def _marker(settings: Config) -> Iterator[Finding]:
    expected = _expected(settings)
    if expected is None:
        return
    found = ""
    marker = os.path.join(settings.library, ".photosortd-library")
    if os.path.exists(marker):
        with open(marker, encoding="utf-8", errors="replace") as stream:
            found = stream.read()
    if expected not in found:
        text = (
            f"{printable(settings.library)} is not the library that was filed into before; is its "
            "disk mounted? If it is the right one: photosortd check --accept-library"
        )
        yield Finding("library", Mark.BAD, text)


def _modes(settings: Config, able: Abilities | None) -> Iterator[Finding]:
    """The place modes that work from every root, or as far as the mounts tell."""
    working = _working(settings, able)
    names = ", ".join(mode.value for mode in working)
    wanted = settings.place.mode
    if wanted is not PlaceMode.AUTO and wanted not in working:
        text = f"place.mode is {wanted.value}, which does not work here; {names} do"
        yield Finding("place", Mark.CONFIG, text)
        return
    if able is None:
        text = f"{wanted.value} (not tried out beside the daemon; the mounts allow: {names})"
        yield Finding("place", Mark.GOOD, text)
        return
    used = PlaceMode.REFLINK if PlaceMode.REFLINK in working else PlaceMode.COPY
    chosen = f"auto: {used.value}" if wanted is PlaceMode.AUTO else wanted.value
    yield Finding("place", Mark.GOOD, f"{chosen} (these work here: {names})")


def _working(settings: Config, able: Abilities | None) -> list[PlaceMode]:
    """No link crosses a mount, not even a bind mount; `able` None: what was not tried may work."""
    here = files.mount_of(settings.library)
    working = [PlaceMode.COPY]
    mounts = [files.mount_of(root.path) for root in settings.watch if os.path.isdir(root.path)]
    if (able is None or able.reflink) and all(mount.source == here.source for mount in mounts):
        working.append(PlaceMode.REFLINK)
    if (able is None or able.link) and all(mount.id == here.id for mount in mounts):
        working.append(PlaceMode.HARDLINK)
    if able is None or able.symlink:
        working.append(PlaceMode.SYMLINK)
    return working


def _bundle(settings: Config) -> Iterator[Finding]:
    def test(directory: str) -> None:
        build.fit(settings, read_bundle(directory, hashes=False))
        selftest(directory, settings.limits)

    started = time.monotonic()
    try:
        chosen = Models(settings.state).choose(settings.model, test, dry=True)
    except PhotosortdError as error:
        yield Finding("bundle", Mark.CONFIG, str(error))
        return
    bundle = chosen.bundle
    text = f"{bundle.id[:12]}: {', '.join(bundle.names)}; golden images right"
    yield Finding("bundle", Mark.GOOD, f"{text} ({time.monotonic() - started:.1f} s)")
    if chosen.warning:
        yield Finding("bundle", Mark.WARN, chosen.warning)


def _watches(settings: Config) -> Iterator[Finding]:
    """Whether inotify's limit covers every directory; where it does not, scans do the work."""
    roots = [root.path for root in settings.watch if root.events is not False]
    count, whole = _directories(roots)
    try:
        with open(MAX_WATCHES, encoding="ascii") as stream:
            limit = int(stream.read())
    except (OSError, ValueError):
        yield Finding("inotify", Mark.WARN, "no inotify here: folders are watched by scans")
        return
    shown = f"{count}{'' if whole else ' or more'} directories, {limit} watches allowed"
    if count < 0.9 * limit:
        yield Finding("inotify", Mark.GOOD, shown)
        return
    more = max(524288, 2 * limit)
    text = f"{shown}: raise it: echo fs.inotify.max_user_watches={more} | sudo tee " + (
        "/etc/sysctl.d/60-photosortd.conf && sudo sysctl --system"
    )
    yield Finding("inotify", Mark.WARN, text)


def _directories(roots: list[str]) -> tuple[int, bool]:
    """How many directories there are; False if counting took too long."""
    count, deadline = 0, time.monotonic() + COUNTED_FOR
    for root in roots:
        for _ in os.walk(root):
            count += 1
            if time.monotonic() > deadline:
                return count, False
    return count, True


_COLOURS = {Mark.GOOD: "green", Mark.WARN: "yellow", Mark.BAD: "red", Mark.CONFIG: "red"}


def _show(findings: list[Finding]) -> None:
    console = Console()
    for each in findings:
        sign = "✓" if each.mark is Mark.GOOD else "!" if each.mark is Mark.WARN else "✗"
        colour = _COLOURS[each.mark]
        text = f"[{colour}]{sign}[/] {each.about:<14} {escape(each.text)}"
        console.print(text, soft_wrap=True, highlight=False)
