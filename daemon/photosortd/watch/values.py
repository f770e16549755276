"""What the watching part tells the others: frozen values only."""

from dataclasses import dataclass
from typing import Literal

from photosortd.errors import WorldError
from photosortd.records import Source
from photosortd.watch.glance import Glance

Watched = Literal["events", "scans", "paused"]


class Away(WorldError):
    """A root is paused or not watched. When it comes back, a scan finds all of its files."""


@dataclass(frozen=True, slots=True)
class RootSpec:
    """One directory to watch, as configured."""

    path: str  # absolute; may be a link, because the operator named it
    ignore: tuple[str, ...] = ()  # gitignore-style patterns, relative to the root
    scan_interval: float | None = None  # seconds; None: 1 h with events, 5 min without
    events: bool | None = None  # whether to trust inotify; None: judged by the file system


@dataclass(frozen=True, slots=True)
class Hint:
    """An event named this file. It may be gone already, and it may be far from complete."""

    source: Source
    arrived: bool  # renamed into place, and nothing was heard of it since


@dataclass(frozen=True, slots=True)
class Listing:
    """The regular files in one directory that are not ignored, by name.

    Of a directory with very many a scan hands out several, each with whole shots.
    """

    root: str
    directory: str  # below the root; '' for the root itself
    files: Glance
    hinted: bool = False  # an event named a directory above it: no sign of a deaf watch


@dataclass(frozen=True, slots=True)
class RootState:
    """How one root is watched, for people and programs."""

    path: str
    watched: Watched
    reason: str  # why not by events, and what could not be read; '' if all is well
    filesystem: str  # e.g. 'ext4 on /dev/sda1'; '' if the root was never there
    directories: int  # that the last full scan visited
    files: int
    scan_interval: float  # seconds
    last_scan: float | None  # seconds since the epoch, when it was finished
    next_scan: float | None  # likewise, about; None while one runs or the root is paused
    scanning: bool
    broken: bool = False  # the disk or share failed in the last full scan
