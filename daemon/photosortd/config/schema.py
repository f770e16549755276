"""Every key of the configuration: its type, range, default and a line for editors.

Judges what is written, key by key, and looks at nothing outside. Relative paths are completed by
the `Bearings` that are given as context.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from photosortd.config.kinds import (
    Count,
    DirectoryName,
    Duration,
    Interval,
    Layout,
    Path,
    Pattern,
    Permissions,
    Processes,
    Share,
    Size,
    Switch,
    Threads,
    Threshold,
    at_least,
)
from photosortd.layout import DEFAULT as DEFAULT_LAYOUT
from photosortd.records import Limits, PlaceMode

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Section(BaseModel):
    """A mapping that knows all of its keys and never changes."""

    # Built once, for the whole document, when the first is judged.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, given: Any) -> Any:
        """A key without a value, such as a section whose lines are all commented out."""
        if isinstance(given, dict):
            return {key: value for key, value in given.items() if value is not None}
        return given


class Root(Section):
    """One watched directory."""

    path: Path = Field(description="The directory; everything below it is watched.")
    ignore: tuple[Pattern, ...] = Field(
        default=(), description="Gitignore-style patterns, below this directory only."
    )
    scan_interval: Interval = Field(
        default=None, description="Time between full scans of this directory; see the key above."
    )
    events: Switch | None = Field(
        default=None, description="false: only scan; true: trust inotify; null: find out."
    )


class Settle(Section):
    """When a file counts as complete."""

    quiet: Duration = Field(default=2.0, description="How long a file must not have changed.")
    group_wait: Duration = Field(
        default=600.0, description="How long a movie or sidecar waits for its photo."
    )
    give_up: Duration = Field(
        default=86400.0, description="How long an incomplete file is waited for."
    )

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.give_up < self.quiet:
            raise ValueError("give_up must not be shorter than quiet")
        return self


class Place(Section):
    """How a photo gets into the library."""

    mode: PlaceMode = Field(
        default=PlaceMode.AUTO, description="auto: reflink where possible, else copy."
    )
    layout: Layout = Field(
        default=DEFAULT_LAYOUT, description="Where in the library; {taken:%Y/%m} is the date."
    )
    companions: Literal["all", "none"] = Field(
        default="all", description="Whether Live Photo movies, sidecars and RAW files go along."
    )
    mode_add: Permissions = Field(
        default=0o640,
        description="Permissions that a filed copy has at least, in octal.",
        json_schema_extra={"default": "0640"},
    )
    keep_free: Size = Field(
        default=1 << 30, description="Filing pauses before less than this is free."
    )


class PhotoLimits(Section):
    """What one photo may cost."""

    time: Annotated[Duration, at_least(1.0, "1s")] = Field(
        default=Limits().seconds, description="Time until a worker is ended."
    )
    memory: Annotated[Size, at_least(256 << 20, "256M")] = Field(
        default=Limits().memory, description="Address space of a worker."
    )
    pixels: Annotated[Count, at_least(10_000, "10K")] = Field(
        default=Limits().pixels, description="Pixels decoded at once."
    )
    file_size: Annotated[Size, at_least(1 << 10, "1K")] = Field(
        default=Limits().file_size, description="A larger file is not decoded."
    )

    def as_limits(self) -> Limits:
        return Limits(self.time, self.memory, self.pixels, self.file_size)


class Document(Section):
    """The whole file."""

    watch: tuple[Root, ...] = Field(min_length=1, description="The directories to watch.")
    library: Path = Field(description="The directory that holds a directory for each category.")
    state: Path | None = Field(
        default=None,
        description="The daemon's memory: ledger, status and installed models.",
    )
    model: Path | None = Field(default=None, description="The directory of a model bundle.")
    thresholds: dict[str, Threshold] = Field(
        default_factory=dict, description="Score from which a photo is filed, by category."
    )
    unsure_margin: Share = Field(
        default=0.1, description="A miss of a threshold by no more than this counts as unsure."
    )
    unsorted: DirectoryName | None = Field(
        default=None, description="Directory in the library for photos of no category."
    )
    ignore: tuple[Pattern, ...] = Field(
        default=(), description="Gitignore-style patterns, below every watched directory."
    )
    scan_interval: Interval = Field(
        default=None, description="Time between full scans; auto: 1h, or 5m without events."
    )
    settle: Settle = Field(default_factory=Settle, description="When a file counts as complete.")
    place: Place = Field(default_factory=Place, description="How a photo gets into the library.")
    workers: Processes = Field(
        default=None, description="Processes that look at photos; auto: one a core."
    )
    threads: Threads = Field(default=1, description="Threads of the model in each process.")
    limits: PhotoLimits = Field(default_factory=PhotoLimits, description="What one photo may cost.")


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of the configuration file, for editors."""
    schema = Document.model_json_schema()
    for name, found in schema["properties"].items():
        if "$ref" in found:  # a section whose lines are all commented out
            section = {"$ref": found.pop("$ref")}
            schema["properties"][name] = {**found, "anyOf": [section, {"type": "null"}]}
    return {"$schema": DIALECT, **schema, "title": "photosortd"}
