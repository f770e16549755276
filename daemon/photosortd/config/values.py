"""The configuration as the rest of the program sees it: complete, absolute, unchanging."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from photosortd.config.schema import Document, Place, Root, Settle
from photosortd.records import Limits


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting. Paths are absolute, durations seconds, sizes bytes; None means automatic."""

    file: str | None  # None: everything came from the environment
    watch: tuple[Root, ...]
    library: str
    state: str
    model: str | None
    thresholds: Mapping[str, float | None]
    unsure_margin: float
    unsorted: str | None
    ignore: tuple[str, ...]
    scan_interval: float | None
    settle: Settle
    place: Place
    workers: int | None
    threads: int
    limits: Limits

    @property
    def ledger_path(self) -> str:
        """Of the memory."""
        return os.path.join(self.state, "ledger.db")

    @property
    def status_path(self) -> str:
        """Of what the daemon tells about itself."""
        return os.path.join(self.state, "status.json")

    @staticmethod
    def of(document: Document, file: str | None, state: str) -> "Config":
        """What a checked document says; `state` is the default of that key."""
        return Config(
            file=file,
            watch=document.watch,
            library=document.library,
            state=document.state or state,
            model=document.model,
            thresholds=document.thresholds,
            unsure_margin=document.unsure_margin,
            unsorted=document.unsorted,
            ignore=document.ignore,
            scan_interval=document.scan_interval,
            settle=document.settle,
            place=document.place,
            workers=document.workers,
            threads=document.threads,
            limits=document.limits.as_limits(),
        )

    @staticmethod
    def default_limits() -> Limits:
        """For commands that need no configuration."""
        return Limits()

    @staticmethod
    def default_margin() -> float:
        """The default of `unsure_margin`."""
        default: float = Document.model_fields["unsure_margin"].default
        return default
