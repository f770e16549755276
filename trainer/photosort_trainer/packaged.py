"""The network that comes with photosortd: a `small_resnet` that another network taught.

Owns its file. Every weight of it was learned from random ones (`distill.sight`,
docs/starter.md), so it goes with the package and needs no download. It knows no categories.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from photosort_trainer import scratch
from photosort_trainer.files import writing

Model = Any  # keras.Model, which has no types
Weights = list[NDArray[np.float32]]  # in Keras' own order

PATH = Path(__file__).parent / "assets" / "small_resnet.npz"
HEAD = 2  # arrays at the end of a whole network, with which it says categories


def read(path: Path) -> Weights:
    """Raises ValueError, KeyError, OSError for another file."""
    with np.load(path, allow_pickle=False) as kept:
        return [kept[name].astype(np.float32) for name in kept.files]


def write(path: Path, weights: Weights) -> None:
    """Of a whole network, without its head, in half precision."""
    halves = {f"{n:03}": each.astype(np.float16) for n, each in enumerate(weights[:-HEAD])}
    with writing(path) as stream:
        np.savez_compressed(stream, **halves)  # type: ignore[arg-type]


def network(size: int, weights: Path | None) -> Model:
    """Pixels 0…255 [n, size, size, 3] → pooled features [n, 256]; None: random weights."""
    import keras

    whole = scratch.residual_network(1, size, 0.0)
    if weights is not None:
        own = whole.get_weights()
        whole.set_weights([*read(weights)[: len(own) - HEAD], *own[-HEAD:]])
    pooled = whole.get_layer(scratch.DROPOUT).input
    return keras.Model(whole.input, pooled, name=whole.name)
