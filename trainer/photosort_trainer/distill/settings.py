"""Every setting of a distillation in frozen values; they travel in the bundle."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from photosort_trainer.recipe import SMALL_RESNET, TINY, Changes, Recipe

MOBILENET = "mobilenet_v2"
STUDENTS = (SMALL_RESNET, TINY, MOBILENET)

_WIDER = 1.28  # times the input: what a crop is cut from still has as many pixels as it needs
_LEAST, _STEP = 32, 8  # pixels
_GROWING = ((0.6, 0.72), (1.0, 0.86))
"""Until which share of the epochs pictures have which share of the input's sides."""

_LOOKS = Changes(turn=0.0, crop=0.5, light=0.0, colour=0.0)
_CHANGES = Changes(turn=0.0, crop=0.3, light=0.4, colour=0.4)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a student learns."""

    student: str = SMALL_RESNET
    size: int = 128  # pixels, of both sides of the input
    seed: int = 0
    epochs: int = 60
    batch: int = 64
    learning_rate: float = 2e-3  # at the end of the warm-up; from there along a cosine
    warm_up: float = 0.05  # of all steps
    decay: float = 0.02  # of the weights: Loshchilov and Hutter (2019)
    dropout: float = 0.2
    looks: int = (
        4  # at each photo, of which the first is the whole: the teacher is asked about each
    )
    look: Changes = _LOOKS  # of which parts the others may be
    changes: Changes = _CHANGES  # of a look, whenever it is shown
    features: float = 10.0  # what the teacher's features count beside its scores
    growing: tuple[tuple[float, float], ...] = _GROWING
    mixup: float = 0.2  # both parameters of the Beta that shares are drawn from; 0: no mixing
    truth: float = 0.5  # how much of a labelled photo's target is its labels; the rest, the teacher
    labelled: float = 0.4  # of the pictures of an epoch, where there are others, too
    average: float = 0.998  # what the averaged weights keep in a step
    frozen: bool = False  # the network that it begins with stays as it is; a head alone learns

    def stretch(self, epoch: int) -> tuple[int, int]:
        """Pixels of both sides of the pictures of this epoch, from 0, and the epoch from which they
        have others. Small ones come first, which are learned from faster; none is as large as the
        input, because what is cut from a photo and stretched shows everything larger than a whole
        photo will (Touvron and others, "Fixing the train-test resolution discrepancy", 2019)."""
        ends = [(round(until * self.epochs), share) for until, share in self.growing]
        until, share = next(each for each in ends if epoch < each[0])
        return max(_LEAST, _STEP * round(share * self.size / _STEP)), until

    @property
    def side(self) -> int:
        """Pixels of both sides of the pictures that are kept."""
        return round(self.size * _WIDER)

    def recipe(self) -> Recipe:
        """As the parts of a training that this one shares want to have it."""
        return Recipe(
            backbone=self.student,
            size=self.size,
            seed=self.seed,
            augment=0,
            changes=self.changes,
            epochs=self.epochs,
            patience=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            decay=True,
            layers=0,
            hidden=0,
            dropout=self.dropout,
            penalty=0.0,
            smoothing=0.0,
            balance=0.0,
        )

    def as_json(self) -> dict[str, object]:
        """With the names that every recipe has."""
        said = asdict(self)
        return {"backbone": said.pop("student"), **said}


def defaults(student: str) -> Settings:
    """The settings of a student that the user did not name."""
    return Settings(**{"student": student, **_OWN.get(student, {})})  # type: ignore[arg-type]


_OWN: Mapping[str, Mapping[str, object]] = {
    TINY: {"size": 96, "batch": 32},
    # What ImageNet taught it is worth keeping: small steps, and fewer of them.
    # Its input has one size.
    MOBILENET: {
        "size": 128,
        "epochs": 20,
        "batch": 32,
        "learning_rate": 3e-4,
        "growing": ((1.0, 1.0),),
    },
}
