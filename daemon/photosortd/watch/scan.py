"""Read a tree one directory at a time, under a root's descriptor, following no link.

A walk holds the names of the directories still to visit and those in the present one, never the
tree. What cannot be read is noted and does not end the walk.
"""

import errno
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from photosortd import files
from photosortd.records import Stamp, printable
from photosortd.watch.ignore import IGNORE_FILE, NO_MEDIA, Rules, read_ignore_file
from photosortd.watch.kin import kin, slices

GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})  # or a link by now
SLICE = 5000  # files of one directory that are looked at in one step
_NOTED = 20  # problems kept in words
_RECENT = 10.0  # seconds before a walk that count as "just now"


class Ignored(Exception):
    """The directory is not to be looked into; says by which rule."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The names in one directory that are not ignored."""

    files: list[str]  # regular ones, as far as the directory tells
    directories: list[str]
    rules: Rules  # in force inside it
    problems: list[str]


def read_directory(
    descriptor: int, directory: str, rules: Rules, only: Collection[str] | None = None
) -> Contents:
    """Read an open directory; `directory` is its path below the root, `rules` its parent's.

    With `only`, no more than the files that may belong to one shot with these names.
    Raises Ignored for one with `.nomedia`, OSError if it cannot be read.
    """
    wanted = {kin(name) for name in only or ()}
    # A key is the beginning of its names: most are told apart without computing theirs.
    beginnings = ("",) if only is None else (NO_MEDIA, IGNORE_FILE, *wanted)
    with os.scandir(descriptor) as listed:
        entries = [entry for entry in listed if entry.name.startswith(beginnings)]
    names = {entry.name for entry in entries}
    if NO_MEDIA in names:
        raise Ignored(f"{NO_MEDIA} is there")
    problems: list[str] = []
    if IGNORE_FILE in names:
        rules = _with_ignore_file(descriptor, directory, rules, problems)
    contents = Contents([], [], rules, problems)
    for entry in entries:
        if only is None or kin(entry.name) in wanted:
            _add(entry, directory, contents)
    contents.directories.sort()
    return contents


def _add(entry: os.DirEntry[str], directory: str, contents: Contents) -> None:
    """Note one entry unless it is ignored, a link, or special."""
    path = os.path.join(directory, entry.name)
    try:
        if entry.is_dir(follow_symlinks=False):
            if not contents.rules.ignored(path, directory=True):
                contents.directories.append(entry.name)
        elif not entry.is_file(follow_symlinks=False):
            return
        elif not contents.rules.ignored(path, directory=False):
            contents.files.append(entry.name)
    except OSError as error:
        if error.errno not in GONE:
            contents.problems.append(_problem(path, error))


def stamps(
    descriptor: int, directory: str, names: Iterable[str], problems: list[str]
) -> dict[str, Stamp]:
    """How these files of an open directory look now, without those that are none any more."""
    found = {}
    for name in names:
        try:
            facts = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        except OSError as error:
            if error.errno not in GONE:
                problems.append(_problem(os.path.join(directory, name), error))
            continue
        if stat.S_ISREG(facts.st_mode):
            found[name] = Stamp.of(facts)
    return found


def _with_ignore_file(descriptor: int, directory: str, rules: Rules, problems: list[str]) -> Rules:
    path = os.path.join(directory, IGNORE_FILE)
    try:
        lines, wrong = read_ignore_file(descriptor)
    except OSError as error:
        problems.append(_problem(path, error))
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
        os.close(descriptor)


def list_directory(
    root: int, directory: str, rules: Rules, only: Collection[str] | None
) -> dict[str, Stamp] | None:
    """The files of one directory now, or of it what may be one shot with the names `only`.

    None if it is ignored, gone, or cannot be read.
    """
    try:
        above = rules_above(root, directory, rules)
        descriptor = files.open_directory_beneath(root, directory)
    except (Ignored, OSError):
        return None
    try:
        contents = read_directory(descriptor, directory, above, only)
        return stamps(descriptor, directory, contents.files, contents.problems)
    except (Ignored, OSError):
        return None
    finally:
        os.close(descriptor)


def stat_beneath(root: int, path: str) -> os.stat_result:
    """lstat of `path` below the descriptor `root`, following no link on the way."""
    directory, name = os.path.split(path)
    parent = files.open_directory_beneath(root, directory)
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    finally:
        os.close(parent)


def ignored_by(root: int, path: str, rules: Rules) -> str | None:
    """The rule that keeps the file `path` from being seen, or None. Raises OSError."""
    try:
        directory = os.path.dirname(path)
        inside = _inside(root, directory, rules_above(root, directory, rules))
    except Ignored as reason:
        return str(reason)
    return inside.ignored(path, directory=False)


class Walk:
    """One pass over a root, or over the part of it below `top`."""

    def __init__(
        self, rules: Rules, top: str = "", watched: Collection[int] | None = None, wall: float = 0.0
    ) -> None:
        """`watched`: the inodes of directories that inotify watches; None: not of interest."""
        self._rules = rules
        self._top = top
        self._pending: list[tuple[str, Rules | None]] = [(top, None)]
        self._directory = ""  # the one that is being read
        self._slices: list[list[str]] = []  # names in it still to be looked at, the next one last
        self._watched = watched
        self._device: int | None = None
        self._since_ns = int((wall - _RECENT) * 1e9)
        self.directories = 0
        self.files = 0
        self.recent = 0  # files whose ctime is after the walk began, or just before
        self.unwatched: set[int] = set()  # inodes of directories that no watch was seen for
        self.problems: list[str] = []
        self.failures = 0  # how many there were, of which `problems` names the first ones

    @property
    def done(self) -> bool:
        return not (self._pending or self._slices)

    def step(self, root: int) -> tuple[str, dict[str, Stamp]] | None:
        """Read the next directory below the descriptor `root`: (path, files).

        One with more than 5,000 files comes in slices, one with each step, what may be one shot
        in one of them. None if it is ignored, gone or cannot be read, or nothing is left.
        """
        try:
            if not self._slices and not self._enter(root):
                return None
            return self._directory, self._look(root, self._slices.pop())
        except Ignored as reason:
            if not self._directory:
                self._note(f"all of it is ignored: {reason}")
        except OSError as error:
            self._slices.clear()
            if error.errno not in GONE:
                self._note(_problem(self._directory, error))
        return None

    def _enter(self, root: int) -> bool:
        """Take the names in the next directory; False if there is none."""
        if not self._pending:
            return False
        self._directory, rules = self._pending.pop()
        if rules is None:
            rules = rules_above(root, self._directory, self._rules)
        with _opened(root, self._directory) as descriptor:
            self._check_watched(os.fstat(descriptor), os.fstat(root).st_dev)
            contents = read_directory(descriptor, self._directory, rules)
        self.directories += 1
        self._note(*contents.problems)
        self._pending += [
            (os.path.join(self._directory, name), contents.rules)
            for name in reversed(contents.directories)
        ]
        self._slices = list(slices(contents.files, SLICE))[::-1]
        return True

    def _look(self, root: int, names: list[str]) -> dict[str, Stamp]:
        problems: list[str] = []
        with _opened(root, self._directory) as descriptor:
            found = stamps(descriptor, self._directory, names, problems)
        self._note(*problems)
        self.files += len(found)
        self.recent += sum(stamp.ctime_ns >= self._since_ns for stamp in found.values())
        return found

    def _check_watched(self, facts: os.stat_result, device: int) -> None:
        # Other file systems mounted below have inode numbers of their own.
        if self._watched is None or facts.st_dev != device:
            return
        if facts.st_ino not in self._watched:
            self.unwatched.add(facts.st_ino)

    def _note(self, *problems: str) -> None:
        self.failures += len(problems)
        self.problems += problems[: _NOTED - len(self.problems)]


@contextmanager
def _opened(root: int, directory: str) -> Iterator[int]:
    descriptor = files.open_directory_beneath(root, directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _problem(path: str, error: OSError) -> str:
    return f"{printable(path) or '.'}: {error.strerror or error}"
