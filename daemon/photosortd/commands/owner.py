"""Root's commands that write work as the owner of the state directory.

So nothing of root's gets in there that the daemon cannot change later. Whoever is not root stays
who he is; so does a daemon that systemd started with `User=`.
"""

import logging
import os
from contextlib import suppress

from photosortd import config, identity
from photosortd.config import Config
from photosortd.config.find import ETC, VAR
from photosortd.errors import WorldError
from photosortd.identity import User
from photosortd.records import printable
from photosortd.units.manager import Systemd

log = logging.getLogger(__name__)

SERVICE = "photosortd"
"""The unit, and the system user that it runs as unless a drop-in names another one."""


def load(path: str | None, *, make: bool = True) -> Config:
    """The configuration, for a command that writes: from here on we are the state's owner."""
    settings = config.load(path, os.environ)
    act_as_owner(settings, make=make)
    return settings


def act_as_owner(settings: Config, *, make: bool = True) -> None:
    """Become the owner of the state directory, if we are root and it is, or will be, another's.

    A directory that the service will use and that is not there yet is made for its user, unless
    `make` is False. Call it before anything is opened.
    """
    if os.geteuid() != 0:
        return
    owner = _owner(settings)
    if owner is None or owner.uid == 0:
        return
    if make and not os.path.isdir(settings.state):
        _make(settings.state, owner)
    identity.become(owner)
    log.info(
        "working as user %s, who owns %s", identity.user_name(owner.uid), printable(settings.state)
    )


def _owner(settings: Config) -> User | None:
    """Who owns the state directory; before there is one, who the service runs as."""
    unit = _unit(settings.file)
    asked = _asked(unit) if unit is not None else {}
    named = identity.user_id(asked.get("User") or "root") if asked else None
    try:
        there = os.stat(settings.state)
    except FileNotFoundError:
        if not _of_service(settings):
            return None
        uid = named if named is not None else identity.user_id(SERVICE)
        return None if uid is None else _user(uid, None, asked if uid == named else {})
    except OSError as error:
        raise WorldError(f"{printable(settings.state)}: {error.strerror}") from error
    return _user(there.st_uid, there.st_gid, asked if there.st_uid == named else {})


def _of_service(settings: Config) -> bool:
    """Whether it is the system's configuration, or a state directory that systemd makes."""
    file = settings.file or ""
    return file.startswith(ETC + "/") or f"{settings.state}/".startswith(VAR + "/")


def _user(uid: int, gid: int | None, asked: dict[str, str]) -> User:
    """`gid`: the state directory's, which is the unit's `Group=`, whatever the database says."""
    database = identity.main_group(uid)
    main = identity.group_ids([asked["Group"]]) if asked.get("Group") else frozenset()
    chosen = next(iter(main), database if database is not None else gid)
    return User(
        uid,
        chosen if chosen is not None else uid,
        identity.group_ids(asked.get("SupplementaryGroups", "").split()),
    )


def _make(state: str, owner: User) -> None:
    """As systemd makes a StateDirectory=: root makes those above it, too."""
    above = os.path.dirname(state.rstrip("/")) or "/"
    try:
        os.makedirs(above, mode=0o755, exist_ok=True)
        os.mkdir(state)
        # By its descriptor: the one above may be another's, who might put a link in its place.
        descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fchmod(descriptor, 0o755)  # status.json is for the whole household
            os.fchown(descriptor, owner.uid, owner.gid)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise WorldError(f"{printable(state)}: cannot be made: {error.strerror}") from error


# ---- what systemd knows


def _unit(file: str | None) -> str | None:
    """The unit that uses this configuration file; None if none of ours does."""
    if file is None or os.path.dirname(file) != ETC:
        return None
    stem = os.path.splitext(os.path.basename(file))[0]
    return f"{SERVICE}.service" if stem == "config" else f"{SERVICE}@{stem}.service"


def _asked(unit: str) -> dict[str, str]:
    """User and groups of the unit, with its drop-ins; empty without systemd, or without the unit.

    The groups are needed: SupplementaryGroups= may be the only way into the library.
    """
    with suppress(WorldError):
        found = Systemd().show(unit, ("LoadState", "User", "Group", "SupplementaryGroups"))
        if found.get("LoadState") == "loaded":
            return found
    return {}
