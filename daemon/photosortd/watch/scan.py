"""Read one directory under a root's descriptor, following no link, by the rules in force there."""

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from photosortd import files
from photosortd.records import printable
from photosortd.watch.glance import Glance
from photosortd.watch.ignore import IGNORE_FILE, NO_MEDIA, Rules, read_ignore_file
from photosortd.watch.kin import kin

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})  # or a link by now
FEW = 100  # keys that are tried one by one on each name of a directory
STRIDE = 200  # files between two calls of `between`: a second or two on the slowest share
T = TypeVar("T")


class Unread(Exception):
    """The disk or share did not show all that there is. Says what, and why."""


class Ignored(Exception):
    """The directory is not to be looked into; says by which rule."""


def nothing() -> None:
    """What is called between many files unless somebody wants to be."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The names in one directory that are not ignored."""

    files: list[str]  # regular ones, as far as the directory tells
    directories: list[str]
    rules: Rules  # in force inside it
    problems: list[str]


def read_directory(
    descriptor: int,
    directory: str,
    rules: Rules,
    only: Collection[str] | None = None,
    between: Callable[[], None] = nothing,
) -> Contents:
    """Read an open directory; `directory` is its path below the root, `rules` its parent's.

    With `only`, no more than the files that may belong to one shot with these names.
    Raises Ignored for one with `.nomedia`, OSError if it cannot be read.
    """
    wanted = {kin(name) for name in only or ()}
    # A key is the beginning of its names: most are told apart without computing theirs, unless
    # there are so many keys that to try each of them takes longer.
    few = only is not None and len(wanted) <= FEW
    beginnings = (NO_MEDIA, IGNORE_FILE, *wanted)
    with os.scandir(descriptor) as listed:
        entries = [each for each in listed if not few or each.name.startswith(beginnings)]
    names = {entry.name for entry in entries}
    if NO_MEDIA in names:
        raise Ignored(f"{NO_MEDIA} is there")
    problems: list[str] = []
    if IGNORE_FILE in names:
        rules = _with_ignore_file(descriptor, directory, rules, problems)
    contents = Contents([], [], rules, problems)
    if only is not None:
        entries = [entry for entry in entries if kin(entry.name) in wanted]
    selective = rules.may_ignore(names)
    for some in _strides(entries, between):
        _add(some, directory, contents, selective)
    contents.directories.sort()
    return contents


def _strides(items: Sequence[T], between: Callable[[], None]) -> Iterator[Sequence[T]]:
    """A few hundred at a time, and `between` after each of these."""
    for start in range(0, len(items), STRIDE):
        some = items[start : start + STRIDE]
        yield some
        if len(some) == STRIDE:
            between()


def _add(
    entries: Sequence[os.DirEntry[str]], directory: str, contents: Contents, selective: bool
) -> None:
    """Note the entries that are not ignored, nor links or special.

    `selective`: whether the rules in force may ignore one of the files at all. One loop without a
    call of ours for each: a scan goes through every file that there is.
    """
    found, rules = contents.files, contents.rules
    for entry in entries:
        name = entry.name
        try:
            if entry.is_file(follow_symlinks=False):
                if not selective or not rules.ignore(directory, name, is_directory=False):
                    found.append(name)
            elif entry.is_dir(follow_symlinks=False) and not rules.ignore(
                directory, name, is_directory=True
            ):
                contents.directories.append(name)
        except OSError as error:
            if error.errno not in GONE:
                contents.problems.append(problem(os.path.join(directory, name), error))


def look(
    descriptor: int,
    directory: str,
    names: Sequence[str],
    problems: list[str],
    between: Callable[[], None] = nothing,
) -> dict[str, os.stat_result]:
    """How these files of an open directory look now, without those that are none any more."""
    found = {}
    ask, regular = os.stat, stat.S_ISREG
    for some in _strides(names, between):
        for name in some:
            try:
                facts = ask(name, dir_fd=descriptor, follow_symlinks=False)
            except OSError as error:
                if error.errno not in GONE:
                    problems.append(problem(os.path.join(directory, name), error))
                continue
            if regular(facts.st_mode):
                found[name] = facts
    return found


def _with_ignore_file(descriptor: int, directory: str, rules: Rules, problems: list[str]) -> Rules:
    path = os.path.join(directory, IGNORE_FILE)
    try:
        lines, wrong = read_ignore_file(descriptor)
    except OSError as error:
        problems.append(problem(path, error))
        return rules
    problems += [f"{printable(path)}: {complaint}" for complaint in wrong]
    return rules.with_patterns(directory, printable(path), lines) if lines else rules


def rules_above(root: int, directory: str, rules: Rules) -> Rules:
    """The rules that reach `directory` from above, itself not read yet.

    `rules` are those of the root. Raises Ignored if it, or a directory above it, is ignored,
    OSError if one cannot be opened.
    """
    path = ""
    for component in directory.split("/") if directory else ():
        rules = _inside(root, path, rules)
        path = os.path.join(path, component)
        if rule := rules.ignored(path, directory=True):
            raise Ignored(f"{printable(path)}/: {rule}")
    return rules


def _inside(root: int, directory: str, rules: Rules) -> Rules:
    descriptor = files.open_directory_beneath(root, directory)
    try:
        with suppress(FileNotFoundError):
            os.stat(NO_MEDIA, dir_fd=descriptor, follow_symlinks=False)
            raise Ignored(f"{printable(os.path.join(directory, NO_MEDIA))} is there")
        return _with_ignore_file(descriptor, directory, rules, [])
    finally:
        files.close(descriptor)


def list_directory(
    root: int, directory: str, rules: Rules, only: Collection[str] | None
) -> Glance | None:
    """The files of one directory now, or of it what may be one shot with the names `only`.

    None if it is ignored or gone. Raises Unread if it, or a file in it, cannot be read.
    """
    problems: list[str] = []
    try:
        above = rules_above(root, directory, rules)
        with opened(root, directory) as descriptor:
            contents = read_directory(descriptor, directory, above, only)
            found = look(descriptor, directory, contents.files, problems)
    except Ignored:
        return None
    except OSError as error:
        if error.errno in GONE:
            return None
        raise Unread(problem(directory, error)) from error
    if problems:
        raise Unread(problems[0])
    return Glance(found)


@contextmanager
def opened(root: int, directory: str) -> Iterator[int]:
    """The directory below the descriptor `root`, open for the moment. Raises OSError."""
    descriptor = files.open_directory_beneath(root, directory)
    try:
        yield descriptor
    finally:
        files.close(descriptor)


def stat_beneath(root: int, path: str) -> os.stat_result:
    """lstat of `path` below the descriptor `root`, following no link on the way."""
    directory, name = os.path.split(path)
    parent = files.open_directory_beneath(root, directory)
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    finally:
        files.close(parent)


def ignored_by(root: int, path: str, rules: Rules) -> str | None:
    """The rule that keeps the file `path` from being seen, or None. Raises OSError."""
    try:
        directory = os.path.dirname(path)
        inside = _inside(root, directory, rules_above(root, directory, rules))
    except Ignored as reason:
        return str(reason)
    return inside.ignored(path, directory=False)


def problem(path: str, error: OSError) -> str:
    return f"{printable(path) or '.'}: {error.strerror or error}"
