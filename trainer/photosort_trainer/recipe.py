"""Every setting of a training in frozen values. The recipe of the winner travels in the bundle."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

SMALL_SCRATCH = "small_scratch"
"""Our small residual network, for the demo and for tests."""

SCRATCH = "scratch"
"""The network from random weights that pretrained ones are compared with."""

SMALL_RESNET = "small_resnet"
"""Our residual network under 3 MB: it learns from another network, and one that has comes with
us."""

TINY = "tiny"
"""Our small residual network, learning from another one."""

CLASSIC = 0.1
"""The one threshold for all of the first photosort."""


@dataclass(frozen=True, slots=True)
class Changes:
    """How far a random version of a photo may differ from it. 0: not at all."""

    turn: float = 20.0  # degrees, either way
    crop: float = 0.3  # of a side that may be cut off; with it come small stretches
    light: float = 0.3  # brightness and contrast, as logarithms, either way
    colour: float = 0.3  # saturation, as a logarithm, either way; a quarter of it as tint


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network learns. The defaults did best on photos of collections that were not
    learned from."""

    backbone: str = "mobilenet_v2"
    size: int = 256  # pixels, of both sides of the network's input
    seed: int = 0

    augment: int = 20  # random versions of each training photo, beside itself
    changes: Changes = Changes()
    epochs: int = 60  # at most; patience ends it sooner
    patience: int = 10  # epochs without a better validation loss
    batch: int = 256
    learning_rate: float = 1e-3
    decay: bool = False  # of the learning rate, along a cosine, over all epochs

    layers: int = 1  # hidden ones of the head
    hidden: int = 256  # nodes of each
    activation: str = "relu"
    dropout: float = 0.4
    penalty: float = 2e-3  # L2, on the weights
    smoothing: float = 0.2  # of the labels: targets stand at 0.1 and 0.9
    balance: float = 0.5  # a positive weighs (negatives / positives) ** balance

    unfreeze: int = 0  # epochs in which the last blocks learn too
    unfreeze_rate: float = 1e-5

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run tries, and how it judges."""

    candidates: tuple[Recipe, ...]
    seed: int = 0
    few: bool = False  # categories with too few photos are accepted
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)  # training, validation, test
    held_out: int = 4  # versions of each held-out photo: a new camera is no copy of the old one
    folds: int = 5  # of training and validation photos, for thresholds; 0: validation photos alone
    trial_epochs: int = 1  # for each combination of the refinement; 0: no refinement
    precision: float = 0.0  # promised for every category that `promises` does not name
    promises: Mapping[str, float] = field(default_factory=dict)  # precision, by category
    classic: bool = False  # ship the one threshold for all

    def promised(self, names: Iterable[str]) -> dict[str, float]:
        """What is asked of these categories."""
        every = dict.fromkeys(names, self.precision) if self.precision else {}
        return {**every, **self.promises}


def defaults(backbone: str) -> Recipe:
    """The settings of a network that the user did not name."""
    return Recipe(**{"backbone": backbone, **_OWN.get(backbone, {})})  # type: ignore[arg-type]


# From random weights every epoch sees new versions.
_OWN: Mapping[str, Mapping[str, object]] = {
    SMALL_RESNET: {"size": 128},  # what it was taught at
    SMALL_SCRATCH: {
        "size": 128,
        "epochs": 300,
        "patience": 1000,
        "batch": 32,
        "learning_rate": 2e-3,
        "decay": True,
        "dropout": 0.3,
        "penalty": 1e-4,
        "smoothing": 0.1,
    },
    SCRATCH: {
        "epochs": 40,
        "patience": 8,
        "batch": 32,
        "learning_rate": 3e-4,
        "hidden": 512,
        "penalty": 0.0,
        "smoothing": 0.0,
    },
}
