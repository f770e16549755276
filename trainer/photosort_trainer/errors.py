"""What can be wrong with a training, beyond the daemon's own errors: whose fault is it?"""

from photosortd.errors import PhotosortdError


class TrainerError(PhotosortdError):
    """The user can mend it. `problems` holds every complaint, one line each."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class DatasetError(TrainerError):
    """The example photos cannot be learned from as they are."""


class WeightsError(TrainerError):
    """A pretrained network's weights are missing or of another network."""


class ExportError(TrainerError):
    """No exported form gives what the trained network gives."""
