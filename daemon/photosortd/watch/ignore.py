"""Which names are none of our business, and by which rule.

Built-in rules always hold. Patterns are gitignore's, from the configuration and from a
`.photosortdignore` in any directory; as in git, those of a deeper directory win.
"""

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from pathspec import GitIgnoreSpec

IGNORE_FILE = ".photosortdignore"
NO_MEDIA = ".nomedia"
"""A directory that holds this name is skipped with everything below, as Android does."""

_LONGEST = 64 * 1024  # bytes of an ignore file that are read

_PARTIAL = (
    *(".tmp", ".part", ".partial", ".filepart", ".download"),
    *(".crdownload", ".opdownload", ".!sync", ".!ut"),
)
_CONFLICT = re.compile(
    r"\.sync-conflict-|conflicted copy \d{4}-\d\d-\d\d|_conflict-\d{8}-\d{6}", re.IGNORECASE
)
_JUNK = frozenset(
    (
        *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
        *("lost+found", "$recycle.bin", "recycler", "system volume information", "__macosx"),
    )
)


def built_in(name: str, *, directory: bool) -> str | None:
    """The built-in rule that ignores a file or directory of this name, in words."""
    if name.startswith("."):
        return "its name is hidden"
    lower = name.lower()
    if directory:
        return "a junk directory of NAS and operating systems" if lower in _JUNK else None
    if lower.endswith(_PARTIAL) or lower.startswith("~syncthing~"):
        return "a name of unfinished transfers"
    if _CONFLICT.search(name):
        return "a conflict copy of a sync client"
    return None


@dataclass(frozen=True, slots=True)
class _Layer:
    directory: str  # below the root, where the patterns count from
    origin: str
    lines: tuple[str, ...]
    spec: GitIgnoreSpec

    def judge(self, path: str) -> tuple[bool, str] | None:
        """(ignored, rule) if a pattern speaks of `path`, else None."""
        below = path[len(self.directory) + 1 :] if self.directory else path
        found = self.spec.check_file(below)
        if found.include is None or found.index is None:
            return None
        return found.include, f"the pattern {self.lines[found.index]!r} of {self.origin}"


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules in force in one directory. Immutable: a scan shares them between siblings."""

    layers: tuple[_Layer, ...] = ()  # the outermost first

    def with_patterns(self, directory: str, origin: str, lines: Iterable[str]) -> "Rules":
        """These rules and further patterns that count from `directory`. Raises ValueError."""
        kept = tuple(lines)
        layer = _Layer(directory, origin, kept, GitIgnoreSpec.from_lines(kept))
        return Rules((*self.layers, layer))

    def ignored(self, path: str, *, directory: bool) -> str | None:
        """The rule that ignores `path` (below the root), or None. Looks at no parent of it."""
        rule = built_in(os.path.basename(path), directory=directory)
        if rule or not self.layers:
            return rule
        shown = f"{path}/" if directory else path
        for layer in reversed(self.layers):
            if verdict := layer.judge(shown):
                ignored, rule = verdict
                return rule if ignored else None
        return None


def check_patterns(patterns: Iterable[str]) -> list[str]:
    """What is wrong with each gitignore-style pattern; an empty list if all can be used."""
    problems = []
    for pattern in patterns:
        try:
            GitIgnoreSpec.from_lines([pattern])
        except ValueError as error:
            problems.append(str(error))
    return problems


def read_ignore_file(descriptor: int) -> tuple[list[str], list[str]]:
    """The usable patterns of the ignore file in an open directory, and what is wrong with others.

    Both empty without such a file. Raises OSError if it is there and cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        opened = os.open(IGNORE_FILE, flags, dir_fd=descriptor)
    except FileNotFoundError:
        return [], []
    with os.fdopen(opened, "rb") as stream:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return [], [f"{IGNORE_FILE} is no regular file"]
        text = os.fsdecode(stream.read(_LONGEST)).removeprefix("\ufeff")
    lines = text.splitlines()
    good = [line for line in lines if not check_patterns([line])]
    return good, check_patterns(lines)
