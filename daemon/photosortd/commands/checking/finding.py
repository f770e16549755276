"""One line of what `photosortd check` says, and words that several of them share."""

import os
import stat
from dataclasses import dataclass
from enum import StrEnum

from photosortd import identity, machine

INSTALL = "sudo photosortd service install"


class Mark(StrEnum):
    GOOD = "ok"
    WARN = "warning"
    BAD = "wrong"  # a run cannot work, or not now
    CONFIG = "configuration"  # the operator must change something: exit 78


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    mark: Mark
    text: str


def sandboxed() -> bool:
    """Whether we run in the sandbox of the service's unit, by the unit's own word."""
    return machine.is_sandboxed(os.environ)


def missing() -> str:
    """What to say of a directory that is not there."""
    if sandboxed():
        return f"not there inside the service's sandbox; if it is outside: {INSTALL}"
    return "not there; is its disk mounted?"


def ownership(facts: os.stat_result, *, group: bool = False) -> str:
    """Whose it is, and with which permissions; `group` where the group matters, too."""
    owner = identity.user_name(facts.st_uid)
    of_group = f" and group {identity.group_name(facts.st_gid)}" if group else ""
    return f"belongs to {owner}{of_group} with mode {stat.S_IMODE(facts.st_mode):04o}"
