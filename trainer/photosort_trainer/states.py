"""Lists of arrays and a few words on disk: what a training goes on from.

NumPy's own format. HDF5, in which Keras would write, ends the process on a full disk.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer.files import writing

Arrays = Sequence[NDArray[Any]]
_SAID = "said"


def save(path: Path, lists: Mapping[str, Arrays], said: Mapping[str, Any]) -> None:
    """Whole or not at all; `said` as JSON takes it. Raises OSError."""
    named: dict[str, Any] = {
        f"{name}.{place}": each for name, row in lists.items() for place, each in enumerate(row)
    }
    with writing(path, sync=True) as stream:
        np.savez(stream, **{_SAID: np.array(json.dumps(said)), **named})


def load(path: Path) -> tuple[dict[str, list[NDArray[Any]]], dict[str, Any]] | None:
    """What was saved; None if there is nothing, or what a power failure left of it."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        said: dict[str, Any] = json.loads(str(arrays.pop(_SAID)))
    except (FileNotFoundError, zipfile.BadZipFile, KeyError, ValueError, EOFError):
        return None
    lists: dict[str, list[NDArray[Any]]] = {}
    for key in sorted(arrays, key=lambda key: int(key.rpartition(".")[2])):
        lists.setdefault(key.rpartition(".")[0], []).append(arrays[key])
    return lists, said
