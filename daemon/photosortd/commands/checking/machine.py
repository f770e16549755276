"""The model and inotify: does what is installed work here, and is there enough of it?"""

import os
import time
from collections.abc import Iterator

from photosortd import build
from photosortd.commands.checking.finding import Finding, Mark
from photosortd.config import Config
from photosortd.errors import PhotosortdError
from photosortd.models import Models
from photosortd.vision.bundle import Bundle, read_bundle
from photosortd.vision.worker import selftest

MAX_WATCHES = "/proc/sys/fs/inotify/max_user_watches"

COUNTED_FOR = 5.0
"""Seconds after which directories are not counted on."""


def bundle(settings: Config) -> tuple[Bundle | None, list[Finding]]:
    """The bundle that a run would use, tried out; None if there is none that works."""

    def test(directory: str) -> None:
        build.fit(settings, read_bundle(directory, hashes=False))
        selftest(directory, settings.limits)

    started = time.monotonic()
    try:
        chosen = Models(settings.state).choose(settings.model, test, dry=True)
    except PhotosortdError as error:
        return None, [Finding("bundle", Mark.CONFIG, str(error))]
    used = chosen.bundle
    text = f"{used.id[:12]}: {', '.join(used.names)}; golden images right"
    findings = [Finding("bundle", Mark.GOOD, f"{text} ({time.monotonic() - started:.1f} s)")]
    if chosen.warning:
        findings.append(Finding("bundle", Mark.WARN, chosen.warning))
    return used, findings


def watches(settings: Config) -> Iterator[Finding]:
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
