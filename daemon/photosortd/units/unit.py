"""Where unit files are shipped and installed, and what stands in the place of one."""

import os
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from photosortd.errors import WorldError

_PACKAGE = Path(__file__).parents[1]
SHIPPED = (_PACKAGE / "assets" / "systemd", _PACKAGE.parents[1] / "systemd")
"""In a wheel, and in a checkout."""


class State(Enum):
    MISSING = auto()
    SHIPPED = auto()  # as this version brings it
    OTHER = auto()  # another version's, or changed in place
    EDITED = auto()  # a whole unit of the operator's own stands before it
    MASKED = auto()


@dataclass(frozen=True, slots=True)
class UnitFile:
    """One unit file and the two directories that count: the installed and the operator's."""

    name: str
    installed: str
    own: str
    shipped: str  # relative to the shipped directory

    def state(self) -> State:
        own, installed = os.path.join(self.own, self.name), os.path.join(self.installed, self.name)
        if os.path.islink(own) and os.path.realpath(own) == os.devnull:
            return State.MASKED
        ours = self.content()
        if os.path.exists(own) and _read(own) != ours:
            return State.EDITED
        if os.path.exists(own):
            return State.SHIPPED
        if not os.path.exists(installed):
            return State.MISSING
        return State.SHIPPED if _read(installed) == ours else State.OTHER

    def content(self) -> bytes:
        """The unit file as this version ships it. Raises WorldError."""
        for directory in SHIPPED:
            if (path := directory / self.shipped).is_file():
                return path.read_bytes()
        raise WorldError(f"{self.shipped}: this installation of photosortd came without unit files")


def _read(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read()
