"""What the parts of the pipeline hand to one another and to those who listen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from photosortd.filing import Style
from photosortd.ledger import thresholds_text
from photosortd.records import Outcome, Source, Stamp, printable

MAX_ATTEMPTS = 3
"""After so many failed attempts a photo is set aside until somebody says `retry`."""

ATTEMPT_DELAYS = (10.0, 60.0)
"""Seconds before the second and the third attempt: memory may be free again by then."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How this pipeline decides and files; exchanged as a whole on reload."""

    bundle_id: str
    names: tuple[str, ...]  # categories in the bundle's order
    thresholds: Mapping[str, float | None]  # the configuration's already applied
    margin: float
    unsorted: str | None
    companions: bool  # whether companions travel with their photo
    style: Style
    quiet: float  # seconds that a file must be unchanged
    group_wait: float  # seconds a companion alone waits for its photo
    give_up: float  # seconds after which an incomplete file is judged as it is
    again: bool = False  # decide anew what another bundle or other thresholds decided
    once: bool = False  # a run that ends: nothing waits for tomorrow
    dry: bool = False  # nothing is filed

    def differ(self, bundle: str | None, thresholds: str | None) -> bool:
        """Whether a photo that was decided so (as the ledger keeps it) would be decided anew."""
        if bundle is None:
            return False  # no decision of a bundle: a companion
        return bundle != self.bundle_id or thresholds != thresholds_text(self.thresholds)


@dataclass(frozen=True, slots=True)
class Trip:
    """A photo (or, with `leader`, companions that came late) on its way to a worker."""

    source: Source
    stamp: Stamp
    seen_at: float  # when it was first noticed, seconds since the epoch
    live: bool
    last: bool = False  # settle.give_up is over: judge it as it is
    companions: tuple[str, ...] = ()
    late: bool = False  # `source` is itself a companion whose photo is known


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one file, for the journal, the progress bar and the terminal."""

    source: Source
    outcome: Outcome
    at: float  # seconds since the epoch
    seconds: float  # since it was first noticed
    live: bool
    categories: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    targets: tuple[str, ...] = ()  # paths below the library
    reason: str = ""
    bundle: str | None = None  # that decided it
    batch: int | None = None  # in which it was filed

    def as_json(self) -> dict[str, object]:
        return {
            "root": printable(self.source.root),
            "path": printable(self.source.path),
            "outcome": self.outcome.value,
            "categories": list(self.categories),
            "scores": {name: round(score, 4) for name, score in self.scores.items()},
            "targets": [printable(target) for target in self.targets],
            "reason": self.reason,
            "seconds": round(self.seconds, 3),
            "at": round(self.at, 3),
        }
