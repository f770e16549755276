"""Copies of bundles, each whole or not there at all: written beside, synced, checked, renamed."""

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from photosortd import files
from photosortd.errors import BundleError, PhotoError
from photosortd.vision.bundle import Bundle, read_bundle
from photosortd.vision.bundle.manifest import files_of, parse
from photosortd.vision.bundle.values import MANIFEST

Check = Callable[[str], None]
"""Tries the bundle in a directory; raises BundleError if it does not do what it did before."""

_NEW, _OLD = ".new-", ".old-"


def install(source: Bundle, models: Path, check: Check) -> Bundle:
    """The tested copy `models/<id>` of a bundle that was just read with its hashes.

    A copy that is there and whole is taken as it is, a damaged one made anew. What fails `check`
    leaves nothing behind. Raises BundleError; WorldError where we cannot write.
    """
    target = models / source.id
    if _is_whole(target):
        check(str(target))
        return read_bundle(target, hashes=False)
    with files.world_errors(f"{models}: cannot be written"):
        models.mkdir(parents=True, exist_ok=True)
        sweep(models)
        beside = models / f"{_NEW}{secrets.token_hex(4)}"
        try:
            _copy(source, beside)
            _checked(beside, source, check)
            _exchange(beside, target)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return read_bundle(target)


def sweep(models: Path) -> None:
    """Remove what a crash left of copies that never got their name."""
    for leftover in (*models.glob(f"{_NEW}*"), *models.glob(f"{_OLD}*")):
        shutil.rmtree(leftover, ignore_errors=True)


def _is_whole(target: Path) -> bool:
    if not os.path.lexists(target):
        return False
    try:
        return read_bundle(target).id == target.name
    except BundleError:
        return False


def _copy(source: Bundle, beside: Path) -> None:
    """The files that the manifest lists, and no other."""
    beside.mkdir()
    root = files.open_directory(str(source.path))
    try:
        manifest = _copy_file(root, MANIFEST, beside)
        names = [file.name for file in files_of(parse(manifest.read_bytes()))]
        for name in names:
            _copy_file(root, name, beside)
    finally:
        os.close(root)
    for directory in {beside, *((beside / name).parent for name in names)}:
        _sync(directory)


def _copy_file(root: int, name: str, beside: Path) -> Path:
    try:
        descriptor = files.open_file_beneath(root, name)
    except (OSError, PhotoError) as error:
        raise BundleError(f"{name}: was changed while it was copied: {error}") from error
    target = beside / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(descriptor, "rb") as read, target.open("xb") as write:
        shutil.copyfileobj(read, write, files.CHUNK)
        write.flush()
        os.fsync(write.fileno())
    return target


def _checked(beside: Path, source: Bundle, check: Check) -> None:
    """What was copied must be what was read before, and must work; messages name the source."""
    try:
        if read_bundle(beside).id != source.id:
            raise BundleError(f"{beside}: was changed while it was copied")
        check(str(beside))
    except BundleError as error:
        raise BundleError(str(error).replace(str(beside), str(source.path))) from error


def _exchange(beside: Path, target: Path) -> None:
    """Give the copy its name. A damaged one steps aside: workers may still have it mapped."""
    if os.path.lexists(target):
        aside = target.with_name(f"{_OLD}{secrets.token_hex(4)}")
        target.rename(aside)
        beside.rename(target)
        sweep(target.parent)
    else:
        beside.rename(target)
    _sync(target.parent)


def _sync(directory: Path) -> None:
    descriptor = files.open_directory(str(directory))
    try:
        files.sync_directory(descriptor)
    finally:
        os.close(descriptor)
