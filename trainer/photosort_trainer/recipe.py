"""Every setting of a training in one frozen value. It travels in the bundle."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

SCRATCH = "small_scratch"


@dataclass(frozen=True, slots=True)
class Recipe:
    """The defaults did best on photos of collections that were not learned from."""

    backbone: str = "mobilenet_v2"
    size: int = 256  # pixels, of both sides of the network's input
    seed: int = 0
    few: bool = False  # categories with too few photos are accepted
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)  # training, validation, test

    augment: int = 6  # random versions of each training photo, beside itself
    held_out: int = 4  # versions of each validation photo: a new camera is no copy of the old one
    epochs: int = 60  # at most; patience ends it sooner
    patience: int = 10  # epochs without a better validation loss
    batch: int = 256
    learning_rate: float = 1e-3
    decay: bool = False  # of the learning rate, along a cosine, over all epochs

    hidden: int = 256  # nodes of the head
    dropout: float = 0.4
    penalty: float = 2e-3  # L2, on the weights
    smoothing: float = 0.2  # of the labels: targets stand at 0.1 and 0.9
    balance: float = 0.5  # a positive weighs (negatives / positives) ** balance

    precision: float = 0.0  # that a threshold has to keep on held-out photos

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def defaults(backbone: str) -> Recipe:
    """The settings of a backbone that the user did not name."""
    return Recipe(**{"backbone": backbone, **_OWN.get(backbone, {})})  # type: ignore[arg-type]


# From random weights every epoch sees new versions, and the result is only to be shown: better
# to leave a photo alone than to file it wrongly.
_OWN: Mapping[str, Mapping[str, object]] = {
    SCRATCH: {
        "size": 128,
        "epochs": 300,
        "patience": 1000,
        "batch": 32,
        "learning_rate": 2e-3,
        "decay": True,
        "dropout": 0.3,
        "penalty": 1e-4,
        "smoothing": 0.1,
        "precision": 0.75,
    }
}
