"""Who may read a directory, and who may write it? Tried out as that user, in a process of its own.

Permission bits alone do not tell: there are ACLs, and file systems with rules of their own.
"""

import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from photosortd import identity
from photosortd.errors import WorldError
from photosortd.identity import User
from photosortd.records import printable

LOOKED_AT = 500
"""Entries of a directory tree that are enough to know how its files are written."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the service runs as."""

    name: str  # or the number, where the user database has no name
    uid: int
    gid: int
    groups: frozenset[int]  # every group that the user has, the main one too


@dataclass(frozen=True, slots=True)
class Lock:
    """Something that the user could not open, and what its group could do there."""

    path: str
    gid: int
    group_may: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """What a user found when looking at a directory."""

    able: bool  # to list it, and to write there if that was asked
    readable: int  # files
    locked: tuple[Lock, ...]


def account(name: str, group: str | None = None) -> Account:
    """The account of a name or number. Raises WorldError if there is none.

    `group`: the main one of a user whom the user database does not know.
    """
    uid = identity.user_id(name)
    main = identity.main_group(uid) if uid is not None else None
    gid = next(iter(identity.group_ids([group] if group else [])), None) if main is None else main
    if uid is None or gid is None:
        raise WorldError(
            f"there is no user {name}: `sudo make install` makes the service's own, or name "
            "another one by --user-of DIR"
        )
    return _account(uid, gid)


def owner(directory: str) -> Account:
    """Who owns a directory; in its group if the user database does not know the owner."""
    about = os.stat(directory)
    main = identity.main_group(about.st_uid)
    return _account(about.st_uid, about.st_gid if main is None else main)


def _account(uid: int, gid: int) -> Account:
    return Account(identity.user_name(uid), uid, gid, identity.all_groups(uid, gid))


def survey(
    directory: str, user: Account, extra: Iterable[int], *, write: bool, whole_way: bool
) -> Survey:
    """Look at a directory as `user`, with some more groups.

    `whole_way`: the way there must be open, too; it need not be for what is bound into the
    sandbox. Raises OSError if nobody can look at it, WorldError if the user could not be tried.
    """
    above = list(_above(directory)) if whole_way else []
    here = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.fchdir(here)
            # Who is not root can only try as themselves.
            if os.geteuid() == 0:
                identity.change_to(User(user.uid, user.gid, user.groups | frozenset(extra)))
            os.write(writing, json.dumps(_look(above, os.fstat(here), write)).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(here)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        said = answer.read()
    if os.waitpid(child, 0)[1] != 0:
        raise WorldError(f"{printable(directory)}: could not be tried out as user {user.name}")
    able, readable, locked = json.loads(said)
    return Survey(able, readable, tuple(Lock(*each) for each in locked))


def _above(directory: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every directory on the way, from the top; looked at while we may."""
    path = "/"
    for part in directory.strip("/").split("/"):
        yield path, os.stat(path)
        path = os.path.join(path, part)


Answer = tuple[bool, int, list[tuple[str, int, bool]]]


def _look(above: list[tuple[str, os.stat_result]], here: os.stat_result, write: bool) -> Answer:
    for path, about in above:
        if not os.access(path, os.X_OK):
            return False, 0, [(path, about.st_gid, bool(about.st_mode & stat.S_IXGRP))]
    need = os.R_OK | os.X_OK | (os.W_OK if write else 0)
    if not os.access(".", need):
        return False, 0, [(".", here.st_gid, (here.st_mode >> 3 & need) == need)]
    return True, *_look_at_files()


def _look_at_files() -> tuple[int, list[tuple[str, int, bool]]]:
    """A sample of what lies below: how are its files written?"""
    readable, looked, locked = 0, 0, []
    for where, directories, names in os.walk("."):
        directories[:] = [name for name in directories if not name.startswith(".")]
        for name in (*directories, *names):
            looked += 1
            path = os.path.join(where, name)
            folder = name in directories
            if name.startswith(".") or os.path.islink(path):
                continue
            need = os.R_OK | (os.X_OK if folder else 0)
            if os.access(path, need):
                readable += not folder
            else:
                about = os.lstat(path)
                locked.append((path, about.st_gid, (about.st_mode >> 3 & need) == need))
            if looked >= LOOKED_AT:
                return readable, locked[:20]
    return readable, locked[:20]


@dataclass(frozen=True, slots=True)
class Access:
    """Whether a user gets at a directory, and by which groups besides the user's own."""

    groups: frozenset[int]
    able: bool
    readable: int
    locked: tuple[Lock, ...]

    @property
    def blind(self) -> bool:
        """Files there, and not one that the user can read."""
        return bool(self.locked) and not self.readable


def access(directory: str, user: Account, *, write: bool, whole_way: bool) -> Access:
    """With as few more groups as it takes, and never root's."""
    groups: frozenset[int] = frozenset()
    while True:
        found = survey(directory, user, groups, write=write, whole_way=whole_way)
        more = {lock.gid for lock in found.locked if lock.group_may} - {0} - user.groups - groups
        if not more:
            return Access(groups, found.able, found.readable, found.locked)
        groups |= more


def shared_group(directories: Iterable[str]) -> int | None:
    """The group that a household shares these directories by, if it does; never root's."""
    for directory in directories:
        about = os.stat(directory)
        if about.st_gid != 0 and about.st_mode & (stat.S_ISGID | stat.S_IWGRP):
            return about.st_gid
    return None
