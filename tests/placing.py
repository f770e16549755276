"""Helpers for the tests of place: a source opened safely, a little ledger, a machine that dies."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from photosortd.place import (
    Library,
    OpenSource,
    Part,
    Wanted,
    kernel,
    recover_placement,
)
from photosortd.records import Method, Placement, PlaceMode, Stamp


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def opened(path: Path, sha256: str | None = None) -> Iterator[OpenSource]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        facts = os.fstat(descriptor)
        yield OpenSource(
            fd=descriptor,
            full=str(path),
            name=path.name,
            stamp=Stamp.of(facts),
            mode=stat.S_IMODE(facts.st_mode),
            sha256=sha256,
        )
    finally:
        os.close(descriptor)


def place(
    library: Library,
    path: Path,
    directory: str = "food",
    mode: PlaceMode = PlaceMode.AUTO,
    mode_add: int = 0,
) -> tuple[Part, str]:
    """File one photo the whole way; returns its part and the name that it got."""
    with opened(path, sha(path.read_bytes())) as source:
        part = library.make_part(source, directory, path.name, mode, mode_add)
    link = str(path) if mode is PlaceMode.SYMLINK else ""
    name = library.choose_names(directory, [Wanted(path.name, part.sha256, part.size, link)]).names[
        0
    ]
    library.publish(part, name)
    library.sync(directory)
    return part, name


def visible(directory: Path) -> dict[str, bytes]:
    """{path: bytes} of what a person sees below `directory`, links followed."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def litter(directory: Path) -> list[str]:
    return [str(path) for path in directory.rglob(".photosortd-*.part")]


# ---- a little ledger


@dataclass
class Memory:
    """What the ledger would hold. Each change is one instant, like a transaction."""

    tick: Callable[[str], None] = lambda what: None
    uuid: str | None = None
    intents: list[Placement] = field(default_factory=list)
    deeds: list[Placement] = field(default_factory=list)
    lost: list[Placement] = field(default_factory=list)

    def set(self, **changes: Any) -> None:
        self.tick("ledger")
        for key, value in changes.items():
            setattr(self, key, value)


def open_library(path: Path, memory: Memory) -> Library:
    library = Library.open(str(path), memory.uuid)
    if memory.uuid is None:
        try:
            memory.set(uuid=library.uuid)
        except BaseException:
            library.close()
            raise
    return library


def file_shot(
    library: Library, memory: Memory, shot: Sequence[Path], directory: str, mode: PlaceMode
) -> None:
    """Names, parts, intent, deed: the order that filing keeps."""
    filed = {(deed.directory, deed.sha256) for deed in memory.deeds}
    shot = [path for path in shot if (directory, sha(path.read_bytes())) not in filed]
    if not shot:
        return
    links = [str(path) if mode is PlaceMode.SYMLINK else "" for path in shot]
    wanted = [
        Wanted(path.name, sha(path.read_bytes()), path.stat().st_size, link)
        for path, link in zip(shot, links, strict=True)
    ]
    names = library.choose_names(directory, wanted)
    parts: list[Part | None] = []
    for path, each, there in zip(shot, wanted, names.there, strict=True):
        with opened(path, each.sha256) as source:
            made = None if there else library.make_part(source, directory, path.name, mode)
        parts.append(made)
    intents = [
        _intent(directory, name, each, part)
        for name, each, part in zip(names.names, wanted, parts, strict=True)
    ]
    library.sync(directory)
    memory.set(intents=intents)
    for part, intent in zip(parts, intents, strict=True):
        if part is not None:
            library.publish(part, intent.name)
    library.sync(directory)
    memory.set(intents=[], deeds=memory.deeds + intents)


def _intent(directory: str, name: str, wanted: Wanted, part: Part | None) -> Placement:
    return Placement(
        category=directory.partition("/")[0],
        directory=directory,
        name=name,
        sha256=wanted.sha256,
        size=wanted.size,
        method=part.method if part else Method.THERE,
        device=part.device if part else 0,
        inode=part.inode if part else 0,
        part=part.part if part else "",
    )


def recover(
    library: Library, memory: Memory, shot: Sequence[Path], directory: str, mode: PlaceMode
) -> None:
    """What the next start does: intents first, then the sweep, then the shot from its source."""
    for intent in list(memory.intents):
        rest = [each for each in memory.intents if each is not intent]

        def note(renamed: Placement, rest: list[Placement] = rest) -> None:
            memory.set(intents=[*rest, renamed])

        # A restart may have renumbered the devices.
        found = recover_placement(library, replace(intent, device=intent.device + 7), note)
        if found.state != "redo":
            memory.set(intents=rest, deeds=[*memory.deeds, found.placement])
        elif any(sha(path.read_bytes()) == intent.sha256 for path in shot if path.exists()):
            memory.set(intents=rest)
        else:
            memory.set(intents=rest, lost=[*memory.lost, intent])
    library.sweep([directory], ())
    standing = [path for path in shot if path.exists()]
    if standing:
        file_shot(library, memory, standing, directory, mode)


# ---- a machine that dies


class PowerLoss(BaseException):
    """The machine is off. Not an Exception: nothing may catch it and go on."""


class Machine:
    """Counts every call that changes the disk, and loses power before the one numbered `dies_at`.

    With it goes whatever was written and not yet fsynced. Once it is off, every further call
    that would change something fails as well, so that no clean-up happens after death.
    """

    CALLS = ("fsync", "link", "unlink", "rename", "symlink", "mkdir", "fchmod", "utime", "rmdir")

    def __init__(self, dies_at: int | None = None, cut: Callable[[], None] | None = None) -> None:
        self.calls: list[str] = []
        self.dies_at = dies_at
        self.off = False
        self._cut = cut
        self._volatile: set[int] = set()  # written, not yet fsynced
        self._held: list[int] = []  # our own descriptors of such files, closed by their writer
        self._truncate = os.ftruncate

    def tick(self, what: str) -> None:
        self.calls.append(what)
        if self.off or len(self.calls) - 1 == self.dies_at:
            self._die()

    def _die(self) -> None:
        if not self.off:
            self.off = True
            for descriptor in self._volatile:
                self._truncate(descriptor, 0)
            self._volatile.clear()
            if self._cut:
                self._cut()
        raise PowerLoss

    @contextmanager
    def running(self) -> Iterator["Machine"]:
        """Within: the calls of os, and place's own, go through this machine."""
        with ExitStack() as stack:
            for name in self.CALLS:
                self._patch(stack, os, name)
            self._patch(stack, kernel, "rename_noreplace")
            self._patch(stack, kernel, "clone")
            stack.enter_context(mock.patch.object(os, "open", self._open(os.open)))
            stack.enter_context(mock.patch.object(os, "close", self._close(os.close)))
            stack.enter_context(mock.patch.object(os, "write", self._write(os.write)))
            stack.enter_context(mock.patch.object(os, "pwrite", self._write(os.pwrite)))
            stack.enter_context(mock.patch.object(os, "sendfile", self._write(os.sendfile)))
            yield self

    def _patch(self, stack: ExitStack, module: object, name: str) -> None:
        real = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.tick(name)
            result = real(*args, **kwargs)
            if name == "fsync":
                self._volatile.discard(args[0])
            return result

        stack.enter_context(mock.patch.object(module, name, call))

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(path: str, flags: int, *args: Any, **kwargs: Any) -> int:
            if flags & os.O_CREAT:
                self.tick("create")
            return real(path, flags, *args, **kwargs)

        return call

    def _close(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def call(descriptor: int) -> None:
            if descriptor in self._volatile:
                self._volatile.discard(descriptor)
                self._held.append(os.dup(descriptor))
                self._volatile.add(self._held[-1])  # closing does not make it durable
            real(descriptor)

        return call

    def _write(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(descriptor: int, data: bytes | int, *args: Any) -> int:
            self._volatile.add(descriptor)
            self.tick("write")
            return real(descriptor, data, *args)

        return call

    def close(self) -> None:
        for descriptor in self._held:
            os.close(descriptor)


def tree(files: Mapping[str, bytes], below: Path) -> list[Path]:
    below.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in files.items():
        path = below / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        paths.append(path)
    return paths
