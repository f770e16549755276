"""Paths as people write them → absolute paths. Asks the system for nothing but home directories."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bearings:
    """Where relative paths start, and where `~` leads."""

    base: str  # absolute
    home: str | None

    def absolute(self, path: str) -> str:
        """Without `~`, `.` and `..`. Raises ValueError."""
        if "\0" in path:
            raise ValueError("contains a null character")
        return os.path.normpath(os.path.join(self.base, _expanded(path, self.home)))


def home_of(environ: Mapping[str, str]) -> str | None:
    """The user's home directory; None for a user who has none, as some services' users."""
    if home := environ.get("HOME"):
        return home
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return None


def _expanded(path: str, home: str | None) -> str:
    if not path.startswith("~"):
        return path
    user, slash, rest = path[1:].partition("/")
    if user:
        try:
            home = pwd.getpwnam(user).pw_dir
        except KeyError:
            raise ValueError(f"there is no user {user}") from None
    if home is None:
        raise ValueError("~ means nothing here: this user has no home directory")
    return home + slash + rest
