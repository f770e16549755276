"""Which place modes work from every root into the library.

What can be tried inside the library was tried there. Whether a root's files can be linked is
inferred: doing it would change a source's link count and ctime for a moment, and the source is
only ever read.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from photosortd import files
from photosortd.commands.checking.finding import Finding, Mark, ownership
from photosortd.commands.checking.readable import Sample
from photosortd.config import Config
from photosortd.files import Mount
from photosortd.place import Abilities
from photosortd.records import PlaceMode, printable

PROTECTED = "/proc/sys/fs/protected_hardlinks"

CLONES_ACROSS = (5, 18)
"""The Linux that began to clone between two mounts of one file system."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a directory stands."""

    mount: Mount
    device: int  # st_dev: on btrfs each subvolume has its own

    @classmethod
    def of(cls, path: str) -> "Ground":
        return cls(files.mount_of(path), os.stat(path).st_dev)


def findings(
    settings: Config, able: Abilities | None, sampled: Mapping[str, Sample | OSError]
) -> Iterator[Finding]:
    """The place modes that work, or as far as the mounts tell where nothing was tried out."""
    obstacles = _obstacles(settings, able, sampled)
    working = [each for each in PlaceMode if each not in (PlaceMode.AUTO, *obstacles)]
    names = ", ".join(each.value for each in working)
    wanted = settings.place.mode
    if wanted in obstacles:
        reason = f"place.mode is {wanted.value}, which does not work here: {obstacles[wanted]}"
        yield Finding("place", Mark.CONFIG, f"{reason}; set place.mode to auto or one of: {names}")
        return
    if able is None:
        text = f"{wanted.value} (not tried out beside the daemon; the mounts allow: {names})"
        yield Finding("place", Mark.GOOD, text)
        return
    used = PlaceMode.REFLINK if PlaceMode.REFLINK in working else PlaceMode.COPY
    chosen = f"auto: {used.value}" if wanted is PlaceMode.AUTO else wanted.value
    yield Finding("place", Mark.GOOD, f"{chosen} (these work here: {names})")


def _obstacles(
    settings: Config, able: Abilities | None, sampled: Mapping[str, Sample | OSError]
) -> dict[PlaceMode, str]:
    """Each mode that cannot work, and why; `able` None: what was not tried may work."""
    found: dict[PlaceMode, str] = {}
    if able is not None:
        refusal = "the library's file system cannot"
        modes = (PlaceMode.REFLINK, PlaceMode.HARDLINK, PlaceMode.SYMLINK)
        found = {mode: refusal for mode in modes if not able.works(mode)}
    library = Ground.of(settings.library)
    for root in settings.watch:
        sample = sampled[root.path]
        if isinstance(sample, OSError):
            continue
        source = Ground.of(root.path)
        between = f"{printable(root.path)} and library"
        if reason := uncloneable(source, library, os.uname().release):
            found.setdefault(PlaceMode.REFLINK, f"{between} {reason}")
        if reason := unlinkable(source, library):
            found.setdefault(PlaceMode.HARDLINK, f"{between} {reason}")
        elif reason := _protected(sample):
            found.setdefault(PlaceMode.HARDLINK, reason)
    return found


def unlinkable(source: Ground, library: Ground) -> str | None:
    """Why no hard link leads from one to the other; None if one may.

    The kernel compares mounts, not file systems: two bind mounts of one are two, EXDEV.
    """
    if source.mount.id != library.mount.id:
        same = source.mount.device == library.mount.device
        even = ", even if they are one file system" if same else ""
        return f"are two mounts here{even}: a link cannot cross them"
    if source.device != library.device:
        return "are two subvolumes or file systems: a link cannot cross them"
    return None


def uncloneable(source: Ground, library: Ground, release: str) -> str | None:
    """Why no reflink leads from one to the other; None if one may."""
    if source.mount.device != library.mount.device:
        return "are two file systems: they can share no blocks"
    numbers = re.match(r"(\d+)\.(\d+)", release)
    old = numbers is not None and (int(numbers[1]), int(numbers[2])) < CLONES_ACROSS
    if source.mount.id != library.mount.id and old:
        return f"are two mounts here, which Linux {release} does not clone between"
    return None


def _protected(sample: Sample) -> str | None:
    """fs.protected_hardlinks: none but the owner links a file that he may not write."""
    if sample.foreign is None or os.geteuid() == 0:
        return None
    try:
        with open(PROTECTED, encoding="ascii") as stream:
            if stream.read().strip() == "0":
                return None
    except OSError:  # no /proc/sys here: the kernel's default is that it protects nothing
        return None
    path, facts = sample.foreign
    return (
        f"{printable(path)} {ownership(facts)}, and fs.protected_hardlinks lets only the owner "
        "of a file link it, or who may write it"
    )
