"""The drop-in that `photosortd service install` writes: paths, user and mounts of one household.

Pure: facts in, text out, and what a text lets through.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from photosortd.errors import ConfigError
from photosortd.units.mounts import MountPoint
from photosortd.units.syntax import assignments, check, mount_unit, quoted, resolved, words

NAME = "10-photosortd.conf"

_HEAD = """\
# Written by `{command}`, which replaces it.
# Settings of your own belong into another file: `{edit}`.
"""

_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")
"""What the sandbox covers with something empty: what is needed from there is bound into it."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A path as the configuration has it, and where it leads."""

    path: str
    real: str


@dataclass(frozen=True, slots=True)
class Facts:
    reads: tuple[Directory, ...] = ()
    writes: tuple[Directory, ...] = ()
    mounts: tuple[MountPoint, ...] = ()
    user: str | None = None  # None: the unit's own
    group: str | None = None
    groups: tuple[str, ...] = ()  # besides those that the user has anyway
    program: str | None = None  # None: the unit's own
    variables: tuple[tuple[str, str], ...] = ()


def text(facts: Facts, command: str, edit: str) -> str:
    """The whole file. Raises ConfigError for a path that no unit file can hold."""
    unit, service = list(_unit(facts)), list(_service(facts))
    parts = [_HEAD.format(command=command, edit=edit)]
    parts += ["\n".join(["[Unit]", *unit, ""])] if unit else []
    parts += ["\n".join(["[Service]", *service, ""])] if service else []
    return "\n".join(parts)


def is_hidden(path: str) -> bool:
    """Whether the sandbox shows nothing there unless it is bound."""
    return any(path == above or path.startswith(above + "/") for above in _HIDDEN)


def _unit(facts: Facts) -> Iterator[str]:
    for point in facts.mounts:
        name = mount_unit(point.path)
        if name is not None:
            yield f"After={name}"
            if not point.by_hand:
                yield f"Wants={name}"


def _service(facts: Facts) -> Iterator[str]:
    if facts.program is not None:
        yield "ExecStart="
        yield f"ExecStart=:{quoted(_runnable(facts.program))}"
    for name, value in facts.variables:
        yield f"Environment={quoted(f'{name}={value}')}"
    if facts.user is not None:
        yield f"User={facts.user}"
    if facts.group is not None:
        yield f"Group={facts.group}"
    if facts.groups:
        yield f"SupplementaryGroups={' '.join(facts.groups)}"
    yield from _paths(facts.reads, "ReadOnlyPaths", "BindReadOnlyPaths")
    yield from _paths(facts.writes, "ReadWritePaths", "BindPaths")


def _paths(directories: Iterable[Directory], plain: str, bind: str) -> Iterator[str]:
    """The `-` lets the service start while a disk is away."""
    seen = set()
    for directory in directories:
        for path in dict.fromkeys((directory.real, directory.path)):
            # A link outside leads to the bound directory by itself.
            bound = is_hidden(path)
            if path not in seen and (bound or path == directory.real):
                seen.add(path)
                yield f"{bind if bound else plain}={quoted('-' + path)}"


def _runnable(program: str) -> str:
    if any(char in check(program) for char in "\"'\\"):
        raise ConfigError(
            f"{program}: systemd runs no program with a quote or a backslash in its path: "
            "install photosortd elsewhere"
        )
    return program


def granted(unit: str) -> tuple[set[str], set[str]]:
    """The paths that the text of a unit or drop-in lets through, to read and to write."""
    reads, writes = set(), set()
    for key, value in assignments(unit):
        if key in ("ReadOnlyPaths", "BindReadOnlyPaths"):
            reads |= _unquoted(value)
        elif key in ("ReadWritePaths", "BindPaths"):
            writes |= _unquoted(value)
    return reads, writes


def _unquoted(value: str) -> set[str]:
    return {resolved(word, {"%": "%"}).lstrip("-+") for word in words(value)}


def missing(text: str, reads: Iterable[Directory], writes: Iterable[Directory]) -> list[str]:
    """The directories that a drop-in does not let through yet."""
    may_read, may_write = granted(text)
    return [each.path for each in reads if each.real not in may_read] + [
        each.path for each in writes if each.real not in may_write
    ]
