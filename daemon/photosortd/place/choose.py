"""Which free names a shot gets in one directory: the same suffix for all of its files.

A name that is taken by the same bytes counts as ours already; by anything else, as taken. A photo
that is there already draws its companions to it, so that a shot whose sidecar was edited since is
not filed twice. What is taken, the file system itself says: one that folds case is asked in its
own terms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice

from photosortd.errors import WorldError
from photosortd.place.content import holds
from photosortd.place.folder import Folder, world_errors
from photosortd.place.names import Rules, names_for, suffixes

MOST = 100_000
"""How many suffixes are tried: one lstat each, so that even this takes only a second."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file of a shot that is to get a name."""

    name: str  # its name in the source
    sha256: str
    size: int  # bytes
    link: str = ""  # in mode symlink, what the link leads to


@dataclass(frozen=True, slots=True)
class Names:
    """The chosen names, in the order of what was wanted."""

    suffix: str
    names: tuple[str, ...]
    there: tuple[bool, ...]  # the same bytes already have that name


class _Stands(Enum):
    """What stands under a name."""

    NOTHING = "nothing"
    SAME = "the wanted bytes"
    OTHER = "something else"


def choose(
    folder: Folder, wanted: Sequence[Wanted], photo: str, first: str | None, rules: Rules
) -> Names:
    """The first suffix under which every file's name is free or has the same bytes.

    Or under which the photo, if it is the first of the wanted, has the same bytes: companions
    whose names are taken then get a number of their own. `first`: the suffix to try before any
    other. Raises WorldError if the disk fails.
    """
    shot = _Shot(folder, wanted, photo, rules)
    for suffix in islice(suffixes(first), MOST):
        with world_errors("cannot look into", folder.shown):
            names = shot.under(suffix)
        if names is not None:
            return names
    raise WorldError(f"{folder.shown_name(photo)}: {MOST} names like this are taken: clear some")


class _Shot:
    """The files that want names, and what was seen of the directory: no file is hashed twice."""

    def __init__(self, folder: Folder, wanted: Sequence[Wanted], photo: str, rules: Rules) -> None:
        self._folder = folder
        self._wanted = wanted
        self._names = [each.name for each in wanted]
        self._photo = photo
        self._rules = rules
        self._seen: dict[tuple[int, str], _Stands] = {}

    def under(self, suffix: str) -> Names | None:
        """The names with this suffix; None if one is taken and the photo is not there."""
        names = names_for(self._names, self._photo, suffix, self._rules)
        leads = self._names[0] == self._photo
        if leads and self._stands(0, names[0]) is _Stands.SAME:
            names = names_for(self._names, self._photo, suffix, self._rules, self._is_other)
        elif any(self._is_other(index, name) for index, name in enumerate(names)):
            return None
        there = [self._stands(index, name) is _Stands.SAME for index, name in enumerate(names)]
        return Names(suffix, names, tuple(there))

    def _is_other(self, index: int, name: str) -> bool:
        return self._stands(index, name) is _Stands.OTHER

    def _stands(self, index: int, name: str) -> _Stands:
        seen = self._seen.get((index, name))
        if seen is None:
            seen = self._seen[index, name] = _stands(self._folder, self._wanted[index], name)
        return seen


def _stands(folder: Folder, wanted: Wanted, name: str) -> _Stands:
    if folder.stat(name) is None:
        return _Stands.NOTHING
    same = holds(folder, name, wanted.sha256, wanted.size, wanted.link)
    return _Stands.SAME if same else _Stands.OTHER
