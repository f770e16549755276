"""The library: there, ours, writable, with room, and with directories that can be filed into."""

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from photosortd import files, identity, layout
from photosortd.commands.checking import modes
from photosortd.commands.checking.finding import (
    INSTALL,
    Finding,
    Mark,
    missing,
    ownership,
    sandboxed,
)
from photosortd.commands.checking.readable import Sample
from photosortd.commands.output import size
from photosortd.config import Config
from photosortd.errors import WorldError
from photosortd.ledger import Ledger
from photosortd.place import Abilities
from photosortd.place.folder import Folder
from photosortd.place.probe import probe
from photosortd.records import printable

_IN_SANDBOX = f"not writable inside the service's sandbox: {INSTALL}"


def findings(
    settings: Config,
    running: int | None,
    categories: Iterable[str],
    sampled: Mapping[str, Sample | OSError],
) -> Iterator[Finding]:
    """`running`: the daemon's process, beside which nothing is written into its library."""
    if not os.path.isdir(settings.library):
        yield _missing(settings)
        return
    try:
        able = _try_out(settings.library) if running is None else None
    except (OSError, WorldError) as error:
        yield Finding("library", Mark.BAD, _unwritable(settings.library, error))
        return
    if able is None and sandboxed() and _read_only(settings.library):
        yield Finding("library", Mark.BAD, f"{printable(settings.library)}: {_IN_SANDBOX}")
    yield _room(settings)
    yield from _marker(settings)
    yield from _directories(settings, categories)
    yield from modes.findings(settings, able, sampled)


def _missing(settings: Config) -> Finding:
    shown = printable(settings.library)
    above = os.path.dirname(settings.library.rstrip("/")) or "/"
    if not os.path.isdir(above) or _expected(settings) is not None:
        return Finding("library", Mark.BAD, f"{shown}: {missing()}")
    if os.access(above, os.W_OK | os.X_OK):
        return Finding("library", Mark.GOOD, f"{shown}: will be made")
    if sandboxed() and _read_only(above):
        return Finding("library", Mark.BAD, f"{shown}: not there, and {_IN_SANDBOX}")
    text = (
        f"{shown}: not there, and user {identity.myself()} cannot make it: {printable(above)} "
        f"{ownership(os.stat(above), group=True)}: make it: "
        f"sudo install -d -o {identity.myself()} {shown}"
    )
    return Finding("library", Mark.BAD, text)


def _try_out(library: str) -> Abilities:
    """Try every way of placing in the library itself, with hidden files that go again."""
    root = files.open_directory(library)
    try:
        return probe(Folder(root, "", library, os.fstat(root).st_dev), lambda: secrets.token_hex(8))
    finally:
        os.close(root)


def _unwritable(library: str, error: OSError | WorldError) -> str:
    shown = printable(library)
    cause = error.__cause__ if isinstance(error, WorldError) else error
    number = cause.errno if isinstance(cause, OSError) else None
    if number == errno.EROFS and sandboxed():
        return f"{shown}: {_IN_SANDBOX}"
    if number == errno.EACCES:
        return f"{shown} {_keeps_out(library)}"
    return f"{shown}: {error}"


def _read_only(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _room(settings: Config) -> Finding:
    space = os.statvfs(settings.library)
    free = space.f_bavail * space.f_frsize
    return Finding(
        "library",
        Mark.GOOD if free > settings.place.keep_free else Mark.BAD,
        f"{printable(settings.library)}: {files.mount_of(settings.library).fstype}, "
        f"{size(free)} free (place.keep_free is {size(settings.place.keep_free)})",
    )


# ---- is it the library?


def _expected(settings: Config) -> str | None:
    """The marker that the ledger remembers for this library."""
    if not os.path.exists(settings.ledger_path):
        return None
    ledger = Ledger.open_readonly(settings.ledger_path)
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


# ---- the directories of the categories


def _directories(settings: Config, categories: Iterable[str]) -> Iterator[Finding]:
    """What stands where a photo of today would go, and would keep it out."""
    template = layout.parse(settings.place.layout)
    now = datetime.now()  # noqa: DTZ005 - EXIF times have no zone
    seen: set[str] = set()
    for category in categories:
        path = settings.library
        for component in template.directory(category, now).split("/"):
            path = os.path.join(path, component)
            if path in seen:
                continue
            seen.add(path)
            if problem := _directory(path):
                yield Finding("library", Mark.BAD, f"{printable(path)} {problem}")
                break


def _directory(path: str) -> str | None:
    """Why nothing can be filed below `path`; None if it can, or if it is not there yet."""
    try:
        facts = os.lstat(path)
    except OSError:  # not there yet, or the one above it was complained about
        return None
    if stat.S_ISLNK(facts.st_mode):
        return (
            "is a link: photosortd does not follow links in the library; make it a directory or "
            "change the layout"
        )
    if not stat.S_ISDIR(facts.st_mode):
        return "is no directory: move it away, or change the layout"
    return None if os.access(path, os.W_OK | os.X_OK) else _keeps_out(path)


def _keeps_out(path: str) -> str:
    """That we may not write into a directory, whose it is, and what to do."""
    facts = os.stat(path)
    shown = printable(path)
    said = f"{ownership(facts, group=True)} and cannot be written as user {identity.myself()}"
    if _read_only(path):
        return f"{said}: {_IN_SANDBOX if sandboxed() else 'it is mounted read-only'}"
    if facts.st_uid == os.geteuid():
        return f"{said}: chmod u+rwx {shown}"
    mine = identity.my_groups()
    if facts.st_gid in mine:
        return f"{said}: let its group write: sudo chmod 2775 {shown}"
    group = identity.group_name(mine[0])
    return f"{said}: let its group write: sudo chgrp {group} {shown} && sudo chmod 2775 {shown}"
