"""What a distillation was begun with, in its directory: another one must not go on there."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from photosort_trainer.errors import TrainerError
from photosort_trainer.files import write_whole
from photosortd.records import printable

FILE = "begun.json"
_OTHERS = {
    "teacher": "with another teacher",
    "photos": "with other photos",
    "begin_with": "from other weights",
}


def check(out: Path, asked: Mapping[str, Any]) -> None:
    """Raises TrainerError, which names what differs. More epochs are another training, too: the
    learning rate has fallen along a cosine of so many."""
    known, asked = _known(out), _plain(asked)
    differing = [name for name in asked if known.get(name, asked[name]) != asked[name]]
    if not differing:
        return
    said = "; ".join(_words(name, known[name], asked[name]) for name in differing)
    where = printable(str(out))
    raise TrainerError(
        f"{where}: another distillation stands here ({said}). Say the same settings again to go on "
        f"with it, another --out for a new one, or remove {where}"
    )


def note(out: Path, asked: Mapping[str, Any]) -> None:
    write_whole(out / FILE, json.dumps(_plain(asked), indent=1).encode())


def _known(out: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((out / FILE).read_bytes())
    except (FileNotFoundError, ValueError):  # the last: cut by a power failure
        return {}
    return found


def _plain(asked: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from the file."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(asked)))
    return plain


def _words(name: str, before: Any, now: Any) -> str:
    if name in _OTHERS:
        return _OTHERS[name]
    name = {"backbone": "student"}.get(name, name)
    return f"{name.replace('_', ' ')} {before}, now {now}"
