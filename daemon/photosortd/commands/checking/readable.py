"""Whether the photos of a root can be read: a sample of them is opened, and nothing is read.

As the daemon would: below the root's descriptor, following no link, without what is ignored.
"""

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from photosortd import files, identity
from photosortd.commands.checking.finding import INSTALL, ownership
from photosortd.config import Config, Root
from photosortd.records import printable
from photosortd.watch.ignore import Rules
from photosortd.watch.scan import Ignored, read_directory

MOST_FILES = 500
A_DIRECTORY = 100  # files of one directory, spread over its names
SECONDS = 2.0

_DENIED = frozenset({errno.EACCES, errno.EPERM})
_OPENING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(slots=True)
class Tried:
    """How many things of one kind were opened, and which of them could not be."""

    kind: str  # in the plural
    count: int = 0
    denied: list[tuple[str, os.stat_result]] = field(default_factory=list)


@dataclass(slots=True)
class Sample:
    """What was opened below one root."""

    files: Tried = field(default_factory=lambda: Tried("files"))
    directories: Tried = field(default_factory=lambda: Tried("directories"))
    # A file of another user that we may not write: the kernel may refuse to link it.
    foreign: tuple[str, os.stat_result] | None = None


def take(settings: Config, root: Root, clock: Callable[[], float] = time.monotonic) -> Sample:
    """Open what can be opened in `SECONDS`. Raises OSError if the root itself cannot be."""
    rules = Rules().with_patterns("", "the configuration", (*settings.ignore, *root.ignore))
    sample = Sample()
    deadline = clock() + SECONDS
    descriptor = files.open_directory(root.path)
    try:
        pending = [("", rules)]
        while pending and sample.files.count < MOST_FILES and clock() < deadline:
            directory, rules = pending.pop()
            below, inside = _directory(descriptor, directory, rules, sample, deadline, clock)
            pending += [(os.path.join(directory, name), inside) for name in below]
    finally:
        os.close(descriptor)
    return sample


def _directory(
    root: int,
    path: str,
    rules: Rules,
    sample: Sample,
    deadline: float,
    clock: Callable[[], float],
) -> tuple[list[str], Rules]:
    """Try the files of one directory. Returns the directories in it, and the rules in force."""
    sample.directories.count += 1
    try:
        opened = files.open_directory_beneath(root, path)
    except OSError as error:
        if error.errno in _DENIED:
            sample.directories.denied.append((path, _stat_beneath(root, path)))
        return [], rules
    try:
        if not os.access(".", os.X_OK, dir_fd=opened):  # names may be read, but no more
            sample.directories.denied.append((path, os.fstat(opened)))
            return [], rules
        contents = read_directory(opened, path, rules)
        step = -(-len(contents.files) // A_DIRECTORY) or 1
        for name in contents.files[::step]:
            if clock() > deadline:
                break
            with suppress(OSError):  # gone by now, or no file any more
                _file(opened, os.path.join(path, name), sample)
    except (Ignored, OSError):  # what cannot be listed for another reason is a scan's to tell
        return [], rules
    finally:
        os.close(opened)
    return contents.directories, contents.rules


def _file(directory: int, path: str, sample: Sample) -> None:
    name = os.path.basename(path)
    facts = os.lstat(name, dir_fd=directory)
    try:
        os.close(os.open(name, _OPENING, dir_fd=directory))
    except OSError as error:
        if error.errno not in _DENIED:
            raise
        sample.files.denied.append((path, facts))
    sample.files.count += 1
    ours = facts.st_uid == os.geteuid()
    if sample.foreign is None and not ours and not os.access(name, os.W_OK, dir_fd=directory):
        sample.foreign = (path, facts)


def _stat_beneath(root: int, path: str) -> os.stat_result:
    parent = files.open_directory_beneath(root, os.path.dirname(path))
    try:
        return os.lstat(os.path.basename(path), dir_fd=parent)
    finally:
        os.close(parent)


def complaint(root: Root, tried: Tried) -> str | None:
    """What cannot be read, whose it is, and what to do; None if everything can be."""
    if not tried.denied:
        return None
    path, facts = tried.denied[0]
    return (
        f"{printable(root.path)}: {len(tried.denied)} of {tried.count} {tried.kind} cannot be read "
        f"as user {identity.myself()}: e.g. {printable(path) or '.'} {ownership(facts)}: "
        f"{advice(root.path, path, facts)}"
    )


def advice(root: str, path: str, facts: os.stat_result) -> str:
    """What to do about a file or directory that only others may read."""
    for directory in (root, os.path.dirname(os.path.join(root, path))):
        if facts.st_uid != 0 and os.stat(directory).st_uid == facts.st_uid:
            return f"{INSTALL} --user-of {printable(directory)}"
    if facts.st_mode & stat.S_IRGRP and facts.st_gid not in identity.my_groups():
        return f"{INSTALL} (it lets the service into group {identity.group_name(facts.st_gid)})"
    return f"let user {identity.myself()} read it (its group and mode, or setfacl)"
