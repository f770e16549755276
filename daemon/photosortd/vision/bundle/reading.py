"""Reads a bundle's directory: no link is followed, no name leads out, every byte is checked."""

import errno
import hashlib
import os
from pathlib import Path

from photosortd.errors import BundleError, PhotoError
from photosortd.files import CHUNK, open_directory, open_file_beneath
from photosortd.records import printable
from photosortd.vision import DECODE_VERSION
from photosortd.vision.bundle import manifest
from photosortd.vision.bundle.values import MANIFEST, Bundle


def read_bundle(directory: str | Path, *, hashes: bool = True) -> Bundle:
    """The bundle in `directory` (which may itself be a link, such as `current`).

    With `hashes` the size and sha256 of every listed file are compared; without, only that
    regular files of the right size are there. Files that the manifest does not list are ignored.
    Raises BundleError, which names the directory, the file or key, and what is wrong.
    """
    path = Path(directory)
    try:
        root = open_directory(str(path))
    except OSError as error:
        raise BundleError(f"{printable(str(path))}: no bundle: {_words(error)}") from error
    try:
        return _read(root, path, hashes)
    except BundleError as error:
        raise BundleError(f"{printable(str(path))}: {error}") from error
    finally:
        os.close(root)


def _read(root: int, path: Path, hashes: bool) -> Bundle:
    document = manifest.parse(_bytes(root, MANIFEST, manifest.MAX_BYTES))
    manifest.check_format(document)
    files = manifest.files_of(document)
    bundle = _values(document, files, path)
    for file in files:
        _check(root, file, hashes)
    if bundle.id != manifest.identity(document, files):
        raise BundleError(f"{MANIFEST}: id does not match the content: it was changed afterwards")
    return bundle


def _values(document: dict[str, object], files: tuple[manifest.File, ...], path: Path) -> Bundle:
    height, width = manifest.input_of(document)
    categories = manifest.categories_of(document)
    return Bundle(
        path=path,
        id=manifest.text(document.get("id"), "id"),
        categories=categories,
        height=height,
        width=width,
        decode_version=DECODE_VERSION,
        backbone=manifest.text(document.get("backbone"), "backbone"),
        created=manifest.text(document.get("created"), "created"),
        golden=manifest.golden_of(document, (file.name for file in files), len(categories)),
        metrics=manifest.mapping(document.get("metrics"), "metrics"),
        recipe=manifest.mapping(document.get("recipe"), "recipe"),
    )


def _open(root: int, name: str) -> int:
    try:
        return open_file_beneath(root, name)
    except PhotoError as error:
        raise BundleError(f"{name}: {error}") from error
    except OSError as error:
        raise BundleError(f"{name}: {_words(error)}") from error


def _bytes(root: int, name: str, most: int) -> bytes:
    with os.fdopen(_open(root, name), "rb") as stream:
        data = stream.read(most + 1)
    if len(data) > most:
        raise BundleError(f"{name}: larger than {most >> 20} MB")
    return data


def _check(root: int, file: manifest.File, hashes: bool) -> None:
    descriptor = _open(root, file.name)
    try:
        size = os.fstat(descriptor).st_size
        if size != file.size:
            raise BundleError(f"{file.name}: has {size} bytes, {MANIFEST} says {file.size}")
        if hashes and _hash(descriptor, size) != file.sha256:
            raise BundleError(f"{file.name}: damaged: its sha256 is not the one in {MANIFEST}")
    finally:
        os.close(descriptor)


def _hash(descriptor: int, size: int) -> str:
    digest = hashlib.sha256()
    offset = 0
    while offset < size and (chunk := os.pread(descriptor, CHUNK, offset)):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()


def _words(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "a link, or not what it should be: a bundle holds plain files and directories"
    return error.strerror or str(error)
