"""What a contact sheet shows, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from photosortd.records import Outcome, Verdict
from photosortd.vision.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Frame:
    """One photo. Without a verdict it was not sorted, and `reason` says why."""

    name: str  # as a person knows it; any bytes, as file names are
    verdict: Verdict | None = None
    scores: Mapping[str, float] = field(default_factory=dict)  # by category, each 0…1
    reason: str = ""
    picture: bytes | None = None  # a small JPEG
    about: str = ""  # what the file says of itself: 'JPEG, 640 × 480'


@dataclass(frozen=True, slots=True)
class Sheet:
    """All photos, and what they were judged by."""

    bundle: Bundle
    thresholds: Mapping[str, float | None]  # by category, the configuration's already applied
    margin: float  # how far below a threshold is still 'unsure'
    frames: tuple[Frame, ...]
    made: datetime  # local time
    filed: bool = False  # whether copies were filed, or only would be
    folder: str = ""  # that the names are below, if there is one
    note: str = ""  # what must be known about the model

    def under(self, category: str) -> list[Frame]:
        return [
            each for each in self.frames if each.verdict and category in each.verdict.categories
        ]

    def left(self, outcome: Outcome | None) -> list[Frame]:
        """Those of no category: `unsure`, `none`, or without a verdict at all (None)."""
        return [
            each
            for each in self.frames
            if (each.verdict.outcome if each.verdict else None) is outcome
        ]
