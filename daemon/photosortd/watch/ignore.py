"""Which names are none of our business, and by which rule.

Built-in rules always hold. Patterns are gitignore's, from the configuration and from a
`.photosortdignore` in any directory; as in git, those of a deeper directory win.
"""

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from photosortd import files

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".photosortdignore"
NO_MEDIA = ".nomedia"
"""A directory that holds this name is skipped with everything below, as Android does."""

_LONGEST = 64 * 1024  # bytes of an ignore file that are read
_MOST = 1000  # patterns of an ignore file that are used: each is asked about each name

# What pathspec makes of `*`, and of the plain characters and sets between two of them.
_STAR = r"\[\^/\]\*"
_PLAIN = r"(?:\\.|\[\^?+\]?+(?:\\.|[^\]\\])*+\](?![*+])|[^\\\[\]().+*?{}|^$/])"
_STARS = re.compile(f"(?:{_STAR})+")
_BETWEEN = re.compile(f"{_STAR}({_PLAIN}++)(?={_STAR})", re.DOTALL)
_DEPTHS = re.compile(r"\^\(\?:\.\+/\)\?|\(\?:/\.\+\)\?")  # `**/` and `/**/`

_PARTIAL = (
    *(".tmp", ".part", ".partial", ".filepart", ".download"),
    *(".crdownload", ".opdownload", ".!sync", ".!ut"),
)
_CONFLICT = re.compile(
    r"\.sync-conflict-|conflicted copy \d{4}-\d\d-\d\d|_conflict-\d{8}-\d{6}",
    re.IGNORECASE | re.ASCII,
)
_MARKS = (
    *("\n.", "\n~syncthing~", *(f"{ending}\n" for ending in _PARTIAL)),
    "conflict",
)
"""One of them is in every name that a built-in rule ignores a file for, between two newlines."""

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


def suspicious(names: Iterable[str]) -> bool:
    """Whether `built_in` may ignore a file with one of these names; asked for all at one go."""
    listed = "\n".join(("", *names, "")).lower()
    return any(mark in listed for mark in _MARKS)


@dataclass(frozen=True, slots=True)
class _Layer:
    directory: str  # below the root, where the patterns count from
    origin: str
    lines: tuple[str, ...]
    spec: "GitIgnoreSpec"

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
        if not kept:
            return self
        spec = _compiled(kept)
        if not any(pattern.include is not None for pattern in spec.patterns):
            return self  # nothing but comments: asked of nobody
        return Rules((*self.layers, _Layer(directory, origin, kept, spec)))

    def may_ignore(self, names: Iterable[str]) -> bool:
        """Whether a file with one of these names may be ignored: False is quickly told for all."""
        return bool(self.layers) or suspicious(names)

    def ignored(self, path: str, *, directory: bool) -> str | None:
        """The rule that ignores `path` (below the root), or None. Looks at no parent of it."""
        return self.ignore(*os.path.split(path), is_directory=directory)

    def ignore(self, directory: str, name: str, *, is_directory: bool) -> str | None:
        """The same of a `name` in a `directory`: what a scan asks of every name that there is."""
        rule = built_in(name, directory=is_directory)
        if rule or not self.layers:
            return rule
        path = os.path.join(directory, name)
        shown = f"{path}/" if is_directory else path
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
            _compiled([pattern])
        except ValueError as error:
            problems.append(str(error))
    return problems


def _compiled(lines: Iterable[str]) -> "GitIgnoreSpec":
    """The patterns, none of which takes long on any name. Raises ValueError."""
    from pathspec import GitIgnoreSpec  # not for who has no pattern: it takes its time at a start

    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except re.error as error:
        raise ValueError(f"Invalid git pattern: {error.msg}") from error
    for pattern in spec.patterns:
        if pattern.regex is not None:
            pattern.regex = _swift(pattern.regex)
    return spec


def _swift(regex: re.Pattern[str]) -> re.Pattern[str]:
    """The same without its many ways to fail: whoever wrote the pattern must not keep us busy.

    What stands between two `*` may as well be taken where it is first found, for good. Several
    `**` could not be told apart so simply; nobody needs three.
    """
    if len(_DEPTHS.findall(regex.pattern)) > 2:
        raise ValueError("Invalid git pattern: it has more than two '**'")
    single = _STARS.sub("[^/]*", regex.pattern)
    return re.compile(_BETWEEN.sub(r"(?>[^/]*?\1)", single))


def read_ignore_file(descriptor: int) -> tuple[list[str], list[str]]:
    """The usable patterns of the ignore file in an open directory, and what is wrong with others.

    Both empty without such a file. Raises OSError if it is there and cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        opened = os.open(IGNORE_FILE, flags, dir_fd=descriptor)
    except FileNotFoundError:
        return [], []
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return [], [f"{IGNORE_FILE} is no regular file"]
        data = os.pread(opened, _LONGEST + 1, 0)
    finally:
        files.close(opened)
    lines = os.fsdecode(data[:_LONGEST]).removeprefix("\ufeff").splitlines()
    problems = []
    if len(data) > _LONGEST or len(lines) > _MOST:
        problems.append(f"is longer than 64 KB or {_MOST} lines: the rest of it is not used")
        # Its last line may be cut, and then mean something else.
        lines = lines[:-1][:_MOST]
    good = []
    for line in lines:
        wrong = check_patterns([line])
        problems += [complaint[:200] for complaint in wrong]
        good += [] if wrong else [line]
    return good, problems
