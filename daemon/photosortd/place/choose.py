"""Which free names a shot gets in one directory: the same suffix for all of its files.

A name that is taken by the same bytes counts as ours already; by anything else, as taken. What
is taken, the file system itself says, so that one that folds case is asked in its own terms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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


def choose(
    folder: Folder, wanted: Sequence[Wanted], photo: str, first: str | None, rules: Rules
) -> Names:
    """The first suffix under which every file's name is free or has the same bytes.

    `first`: the suffix to try before any other. Raises WorldError if the disk fails.
    """
    for suffix in islice(suffixes(first), MOST):
        names = names_for([each.name for each in wanted], photo, suffix, rules)
        with world_errors("cannot look into", folder.shown):
            there = _there(folder, wanted, names)
        if there is not None:
            return Names(suffix, names, there)
    raise WorldError(f"{folder.shown_name(photo)}: {MOST} names like this are taken: clear some")


def _there(
    folder: Folder, wanted: Sequence[Wanted], names: Sequence[str]
) -> tuple[bool, ...] | None:
    """For each name whether its bytes are there already; None if one has other bytes."""
    there = []
    for each, name in zip(wanted, names, strict=True):
        taken = folder.stat(name) is not None
        if taken and not holds(folder, name, each.sha256, each.size, each.link):
            return None
        there.append(taken)
    return tuple(there)
