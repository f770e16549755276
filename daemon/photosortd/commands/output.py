"""What several commands need to read their arguments and to print."""

import os
from datetime import datetime

from photosortd import lock
from photosortd.config import Config
from photosortd.errors import WorldError
from photosortd.ledger import Ledger
from photosortd.records import Source


def reading(settings: Config) -> Ledger:
    """The ledger, to look at. Raises WorldError if nothing was ever sorted here."""
    path = settings.ledger_path
    if not os.path.exists(path):
        raise WorldError(f"{path}: nothing was sorted with this state directory yet")
    # Root only looks at what is another's: it writes as the owner or not at all.
    mine = os.geteuid() != 0 or os.stat(settings.state).st_uid == 0
    if mine and lock.holder(settings.state) is None and os.access(settings.state, os.W_OK):
        return Ledger.open(path)  # also brings a ledger of an older version up to date
    return Ledger.open_readonly(path)


def source_of(settings: Config, path: str) -> Source | None:
    """The watched file that `path` names, through any links on the way; None if it is none."""
    absolute = os.path.abspath(path)
    parent = os.path.realpath(os.path.dirname(absolute))
    candidates = (absolute, os.path.join(parent, os.path.basename(absolute)))
    for root in settings.watch:
        for below in dict.fromkeys((root.path, os.path.realpath(root.path))):
            for candidate in candidates:
                if candidate.startswith(below.rstrip("/") + "/"):
                    return Source(root.path, os.path.relpath(candidate, below))
    return None


def clock(seconds: float | None) -> str:
    """A time since the epoch as people here write it."""
    if seconds is None:
        return "never"
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M:%S")  # noqa: DTZ006


def size(count: float) -> str:
    """Bytes as people write them."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TB"
