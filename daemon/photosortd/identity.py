"""As whom we work: users and groups by their names, and how root becomes one of them for good.

Owns every change of this process's user. Decides nothing: who it shall be is an argument.
"""

import grp
import os
import pwd
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from photosortd.errors import WorldError


@dataclass(frozen=True, slots=True)
class User:
    """Whom a process can become. `groups`: besides the main one and those of the user database."""

    uid: int
    gid: int
    groups: frozenset[int] = field(default_factory=frozenset)


def user_name(uid: int) -> str:
    """The name, or the number where it has none: a container's users are not ours."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The name, or the number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def myself() -> str:
    """The user that we act as."""
    return user_name(os.geteuid())


def my_groups() -> list[int]:
    """Every group that we act with, the main one first."""
    return list(dict.fromkeys((os.getegid(), *os.getgroups())))


def user_id(name: str) -> int | None:
    """The number of a user who is given by name or by number; None if there is none."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return int(name) if name.isascii() and name.isdecimal() else None


def main_group(uid: int) -> int | None:
    """The main group of a user; None for one whom the user database does not know."""
    try:
        return pwd.getpwuid(uid).pw_gid
    except KeyError:
        return None


def group_ids(names: Iterable[str]) -> frozenset[int]:
    """The numbers of the groups that exist, of those that are given by name or by number."""
    found = set()
    for name in names:
        try:
            found.add(grp.getgrnam(name).gr_gid)
        except KeyError:
            if name.isascii() and name.isdecimal():
                found.add(int(name))
    return frozenset(found)


def become(user: User) -> None:
    """Be that user from here on, to do our work, without a way back. Only root can.

    HOME stays what it was, so that the same configuration is found when it is read again. Raises
    WorldError if that user may not run this very program.
    """
    # Without HOME the home directory is looked up by user id, which changes now.
    with suppress(KeyError):
        os.environ.setdefault("HOME", pwd.getpwuid(os.getuid()).pw_dir)
    change_to(user)
    _may_run()


def change_to(user: User) -> None:
    """Have that user's rights and no others: its groups, too. Only root can."""
    os.setgroups(sorted({*all_groups(user.uid, user.gid), *user.groups}))
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)


def all_groups(uid: int, gid: int) -> frozenset[int]:
    """Every group that the user database gives a user, `gid` as the main one."""
    try:
        return frozenset(os.getgrouplist(pwd.getpwuid(uid).pw_name, gid))
    except KeyError:
        return frozenset({gid})


def _may_run() -> None:
    """What is imported and started later lies where we may not look any more, or does it?"""
    for path, right in ((sys.executable, os.X_OK), (os.__file__, os.R_OK), (__file__, os.R_OK)):
        if not os.access(path, right):
            raise WorldError(
                f"{path}: user {myself()}, who owns the state directory, may not use it: install "
                "photosortd where everybody may (sudo make install), or own that directory yourself"
            )
