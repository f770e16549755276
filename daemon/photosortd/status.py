"""What the daemon is doing, for people and programs: one small JSON file, readable by all.

Written when something changes and at most once a second; a daemon at rest writes nothing.
"""

import json
import os
from collections.abc import Mapping
from typing import Any

from photosortd import files
from photosortd.errors import WorldError

INTERVAL = 1.0  # seconds between two writes

FORMAT = 1

_ALWAYS = {"version", "pid", "state", "trouble", "library", "bundle", "roots", "queue", "counts"}


class StatusFile:
    """Owns `status.json`. Times are monotonic seconds."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._written: bytes | None = None
        self._at = float("-inf")
        self._pending = False

    def update(self, state: Mapping[str, Any], now: float) -> None:
        """Write the state if it changed, unless the last write is too recent."""
        data = _lines({"format": FORMAT, **state}).encode()
        self._pending = data != self._written
        if self._pending and now - self._at >= INTERVAL:
            self._at = now  # also of a write that fails: the next try is not at once
            # Not durable on purpose: an SD card wears, and after a power cut it is stale anyway.
            with files.world_errors(self._path):
                if self._written is None:
                    for half in files.halves(self._path):
                        os.unlink(half)  # of a writer that was killed
                files.write_atomically(self._path, data, durable=False)
            self._written, self._pending = data, False

    def next_due(self) -> float | None:
        """When to call `update` again because a change was held back."""
        return self._at + INTERVAL if self._pending else None


def _lines(state: Mapping[str, Any]) -> str:
    """JSON with a line for each key: indented in depth, it would take twenty times as long."""
    pairs = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in state.items())
    return "{" + ",\n ".join(pairs) + "}\n"


def read(path: str) -> dict[str, Any]:
    """The last state that a daemon wrote. Raises WorldError if there is none or it is not ours."""
    try:
        with open(path, "rb") as stream:
            state = json.load(stream)
    except FileNotFoundError:
        raise WorldError(f"{path}: no daemon has run with this state directory yet") from None
    except (OSError, ValueError, RecursionError) as error:
        raise WorldError(f"{path}: {error}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise WorldError(f"{path}: written by another version of photosortd")
    if missing := _ALWAYS - state.keys():
        raise WorldError(f"{path}: damaged: says nothing of {', '.join(sorted(missing))}")
    return state


def is_running(pid: int) -> bool:
    """Whether a process with that id exists (it may belong to another user)."""
    return os.path.exists(f"/proc/{pid}")
