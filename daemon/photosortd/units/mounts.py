"""Which mounts does a path stand on, also while its disk is away?"""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from photosortd import files

_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class MountPoint:
    path: str
    by_hand: bool = False  # 'noauto': somebody mounts it; to start after it is all that is wanted


def now() -> list[MountPoint]:
    """Everything that is mounted."""
    return [MountPoint(mount.point) for mount in files.mounts()]


def fstab(path: str = "/etc/fstab") -> list[MountPoint]:
    """Everything that /etc/fstab would mount."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return parse(stream.read())
    except FileNotFoundError:
        return []


def parse(text: str) -> list[MountPoint]:
    """The mount points of a text in the form of fstab(5)."""
    found = []
    for line in text.split("\n"):
        fields = [field for field in re.split("[ \t]", line) if field]
        if len(fields) < 2 or fields[0].startswith("#") or not fields[1].startswith("/"):
            continue
        options = fields[3].split(",") if len(fields) > 3 else []
        by_hand = "noauto" in options and "x-systemd.automount" not in options
        found.append(MountPoint(os.path.normpath(_unescaped(fields[1])), by_hand))
    return found


def _unescaped(text: str) -> str:
    """As bytes: an escape may be one of several that make a character."""
    data = text.encode("utf-8", "surrogateescape")
    data = _ESCAPE.sub(lambda found: bytes((int(found[1], 8) & 0xFF,)), data)
    return data.decode("utf-8", "surrogateescape")


def on_the_way(paths: Iterable[str], points: Iterable[MountPoint]) -> list[MountPoint]:
    """The mount points at or above each path, without `/`, from the top down, each once."""
    wanted = list(paths)
    found: dict[str, MountPoint] = {}
    for point in points:
        above = point.path.rstrip("/") + "/"
        if above != "/" and any((path.rstrip("/") + "/").startswith(above) for path in wanted):
            # What is mounted now stands in the table a second time; fstab knows how it gets there.
            by_hand = point.by_hand or found.get(point.path, point).by_hand
            found[point.path] = MountPoint(point.path, by_hand)
    return sorted(found.values(), key=lambda point: point.path)
