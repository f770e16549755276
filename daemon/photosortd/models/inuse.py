"""Which bundle is in use, and which ones were before: the link `current` and the file `history`.

Both are replaced atomically. The link alone decides what is in use; a history that a crash left
one step ahead or behind is read in its light.
"""

import os
from contextlib import suppress
from pathlib import Path

from photosortd import files
from photosortd.errors import BundleError

_LINK, _NEXT, _HISTORY = "current", ".current-next", "history"
_REMEMBERED = 50


def current(models: Path) -> str | None:
    """The id in use; None if nothing was installed. Raises BundleError for what is no link."""
    link = models / _LINK
    try:
        name = os.readlink(link)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BundleError(f"{link}: {error.strerror}: it should be a link to a bundle") from error
    if "/" in name or name.startswith("."):
        raise BundleError(f"{link}: leads to {name}, not to a bundle beside it")
    return name


def switch(models: Path, name: str) -> None:
    """Use another bundle from now on, and remember this one. WorldError if we cannot write."""
    now = current(models)
    if name == now:
        return
    before = earlier(models) + ([now] if now is not None else [])
    with files.world_errors(f"{models}: cannot be written"):
        _write_history(models, [*before, name])
        _point_at(models, name)


def go_back(models: Path, name: str) -> None:
    """Use the bundle `name` out of `earlier`, and forget what came after it."""
    before = earlier(models)
    kept = before[: len(before) - before[::-1].index(name)]
    with files.world_errors(f"{models}: cannot be written"):
        _point_at(models, name)
        _write_history(models, kept)


def sweep(models: Path) -> None:
    """Remove what a crash left beside the link and the history."""
    for leftover in (str(models / _NEXT), *files.halves(str(models / _HISTORY))):
        with suppress(OSError):
            os.unlink(leftover)


def earlier(models: Path) -> list[str]:
    """The ids that were in use before the current one, the latest last."""
    now = current(models)
    try:
        lines = (models / _HISTORY).read_text(encoding="ascii", errors="replace").split()
    except FileNotFoundError:
        return []
    if now not in lines:
        return lines
    return lines[: len(lines) - 1 - lines[::-1].index(now)]


def _write_history(models: Path, names: list[str]) -> None:
    text = "".join(f"{name}\n" for name in names[-_REMEMBERED:])
    files.write_atomically(str(models / _HISTORY), text.encode("ascii"))


def _point_at(models: Path, name: str) -> None:
    following = models / _NEXT
    following.unlink(missing_ok=True)
    following.symlink_to(name)
    following.rename(models / _LINK)
    descriptor = files.open_directory(str(models))
    try:
        files.sync_directory(descriptor)
    finally:
        os.close(descriptor)
