"""The watched roots: listed, read, watched how, and whether they are safe from us."""

import os
from collections.abc import Iterator, Mapping

from photosortd import files
from photosortd.commands.checking import readable
from photosortd.commands.checking.finding import (
    INSTALL,
    Finding,
    Mark,
    missing,
    ownership,
    sandboxed,
)
from photosortd.commands.checking.readable import Sample
from photosortd.config import Config, Root
from photosortd.records import printable


def samples(settings: Config) -> dict[str, Sample | OSError]:
    """What a sample of each root's files shows, by its path; the error where it cannot be read."""
    found: dict[str, Sample | OSError] = {}
    for root in settings.watch:
        try:
            found[root.path] = readable.take(settings, root)
        except OSError as error:
            found[root.path] = error
    return found


def findings(settings: Config, sampled: Mapping[str, Sample | OSError]) -> Iterator[Finding]:
    for root in settings.watch:
        sample = sampled[root.path]
        if isinstance(sample, OSError):
            yield Finding("watch", Mark.BAD, _unreadable(root, sample))
        else:
            yield from _root(root, sample)


def _root(root: Root, sample: Sample) -> Iterator[Finding]:
    shown = printable(root.path)
    mount = files.mount_of(root.path)
    way = "events" if mount.events_reliable and root.events is not False else "scans"
    text = f"{shown}: {mount.fstype}, watched by {way}, {_protection(root.path)}"
    yield Finding("watch", Mark.GOOD, text)
    for tried in (sample.directories, sample.files):
        if complaint := readable.complaint(root, tried):
            yield Finding("watch", Mark.BAD, complaint)
    # Only a mount protects what lies below: a directory there may have another mode.
    if sandboxed() and not _mounted_read_only(root.path):
        text = f"{shown}: is not mounted read-only: the sandbox does not protect it: {INSTALL}"
        yield Finding("watch", Mark.WARN, text)


def _protection(path: str) -> str:
    if _mounted_read_only(path) or not os.access(path, os.W_OK):
        return "read-only for this process"
    return "can be written by this process"


def _mounted_read_only(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _unreadable(root: Root, error: OSError) -> str:
    shown = printable(root.path)
    if isinstance(error, FileNotFoundError):
        return f"{shown}: {missing()}"
    if not isinstance(error, PermissionError):
        return f"{shown}: {error.strerror}"
    nearest, facts = _nearest(root.path)
    where = "it" if nearest == root.path else printable(nearest)
    return (
        f"{shown}: {error.strerror}: {where} {ownership(facts)}: "
        f"{readable.advice(nearest, '', facts)}"
    )


def _nearest(path: str) -> tuple[str, os.stat_result]:
    """The directory on the way that keeps us out: the deepest one that we can look at."""
    while True:
        try:
            return path, os.stat(path)
        except PermissionError:
            path = os.path.dirname(path)
