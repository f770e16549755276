"""Writes a bundle's directory, whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from photosortd.errors import BundleError
from photosortd.records import printable
from photosortd.vision import DECODE_VERSION
from photosortd.vision.bundle import manifest
from photosortd.vision.bundle.reading import read_bundle
from photosortd.vision.bundle.values import CARD, MANIFEST, MODEL, Bundle, Category


def write_bundle(
    directory: str | Path,
    *,
    model: bytes,
    categories: Sequence[Category],
    height: int,
    width: int,
    backbone: str,
    recipe: Mapping[str, object],
    metrics: Mapping[str, object],
    golden: Mapping[str, tuple[bytes, Sequence[float]]],
    model_card: str,
    created: datetime | None = None,
) -> Bundle:
    """Write a bundle and read it back with every check that the daemon makes.

    `golden` maps plain file names to the image's bytes and its calibrated scores. An older
    bundle in `directory` is replaced; anything else there is refused. `created` is now unless
    given. Raises BundleError for what no daemon would accept, OSError from the file system.
    """
    images = {f"golden/{name}": item for name, item in golden.items()}
    contents = {MODEL: model, CARD: model_card.encode("utf-8")}
    contents |= {name: data for name, (data, _) in images.items()}
    document: dict[str, object] = {
        "format": manifest.FORMAT,
        "categories": [manifest.category_entry(category) for category in categories],
        "input": {"height": height, "width": width, "resize": "stretch"},
        "decode_version": DECODE_VERSION,
        "backbone": backbone,
        "golden": manifest.golden_entries({name: scores for name, (_, scores) in images.items()}),
        "recipe": dict(recipe),
        "metrics": dict(metrics),
    }
    return _write(Path(directory), _complete(document, contents, created), contents)


def _complete(
    document: dict[str, object], contents: Mapping[str, bytes], created: datetime | None
) -> dict[str, object]:
    """Add the files, the time and the id."""
    files = [
        manifest.File(name, len(data), hashlib.sha256(data).hexdigest())
        for name, data in sorted(contents.items())
    ]
    document["files"] = [
        {"name": file.name, "size": file.size, "sha256": file.sha256} for file in files
    ]
    moment = (created or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    try:
        # Through JSON once: tuples become lists now, as the reader will see them.
        document = manifest.parse(manifest.canonical(document))
    except (TypeError, ValueError) as error:
        raise BundleError(f"{MANIFEST}: recipe, metrics or scores are no JSON: {error}") from error
    return {
        **document,
        "created": moment.isoformat(),
        "id": manifest.identity(document, files),
    }


def _write(target: Path, document: dict[str, object], contents: Mapping[str, bytes]) -> Bundle:
    _check_target(target)
    manifest.files_of(document)  # names are checked before any of them is opened
    beside = target.with_name(f".{target.name}.{os.getpid()}.new")
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        for name, data in {**contents, MANIFEST: text.encode("utf-8")}.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        read_bundle(beside)
        if target.exists():
            shutil.rmtree(target)
        beside.rename(target)
    except BundleError as error:
        shown = str(error).replace(printable(str(beside)), printable(str(target)))
        raise BundleError(shown) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return read_bundle(target)


def _check_target(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise BundleError(f"{printable(str(target))}: not a directory of its own")
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        shown = printable(str(target))
        raise BundleError(f"{shown}: holds something else than a bundle; nothing was written")
