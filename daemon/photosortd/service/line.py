"""The one line that `systemctl status` shows: what needs attention first. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

LONGEST = 200
"""Characters; systemctl cuts at the edge of the terminal."""

_FEW = 60  # characters that folders may take if each is named
_TROUBLE = 110
_PHOTO = 40


def one_line(state: Mapping[str, Any]) -> str:
    """From what status.json says."""
    bundle = state.get("bundle", {})
    warning = state["warning"] or bundle.get("warning")
    parts = [
        f"waiting: {_beginning(state['trouble'])}" if state["trouble"] else "",
        _beginning(warning) if warning else "",
        _work(state),
        f"last {_ending(state['recent'][0]['path'])}" if state["recent"] else "",
        f"bundle {bundle['id'][:12]}" if bundle else "",
        _folders(state["roots"]),
    ]
    line = "; ".join(filter(None, parts))
    if state["trouble"] or not warning:  # which begins with a path, or is looked for as it is
        line = line[:1].upper() + line[1:]
    return _beginning(line, LONGEST)


def _work(state: Mapping[str, Any]) -> str:
    queue = state["queue"]
    waiting = queue["live"] + queue["backlog"] + queue["in_hand"]
    mood = "" if state["trouble"] else f"{state['state']}, "
    return f"{mood}{waiting} queued"


def _folders(roots: list[Mapping[str, Any]]) -> str:
    """Each with how it is watched, or how many there are of a kind."""
    named = ", ".join(f"{root['path']} {_how(root['watched'])}" for root in roots)
    if len(named) <= _FEW:
        return named
    kinds = Counter(_how(root["watched"]) for root in roots)
    return ", ".join(
        f"{count} folder{'s' if count > 1 else ''} {kind}" for kind, count in kinds.items()
    )


def _how(watched: str) -> str:
    return watched if watched == "paused" else f"by {watched}"


def _beginning(text: str, most: int = _TROUBLE) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _ending(path: str) -> str:
    return path if len(path) <= _PHOTO else "…" + path[1 - _PHOTO :]
