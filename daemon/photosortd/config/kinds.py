"""The kinds of values in the configuration: what each accepts, and what it says when it does not.

Every kind is one pydantic validator (no unions, whose complaints name their branches), with the
JSON schema that an editor is given for it.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)

from photosortd import layout
from photosortd.config import units
from photosortd.config.paths import Bearings
from photosortd.errors import BundleError
from photosortd.records import printable
from photosortd.vision.bundle import check_category

_DURATION = {"type": ["number", "string"], "pattern": r"^\d+(\.\d+)?\s*[smhd]?$", "minimum": 0}
_SIZE = {"type": ["number", "string"], "pattern": r"^\d+(\.\d+)?\s*[KMGTkmgt]?$", "minimum": 0}
_SHARE = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_OCTAL = {"type": ["string", "integer"], "pattern": "^(0o)?[0-7]{1,4}$"}

_AUTOMATIC = {"enum": ["auto", None]}

MOST_PROCESSES = 64


def _or_automatic(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: None if value in (None, "auto") else parse(value)


def at_least(least: float, shown: str) -> AfterValidator:
    """Refuse smaller amounts; `shown` is the least as people write it."""

    def check(value: float | None) -> float | None:
        if value is not None and value < least:
            raise ValueError(f"must be at least {shown}")
        return value

    return AfterValidator(check)


def _share(value: object) -> float | None:
    """A threshold; None means never."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("must be a number from 0 to 1, or null for never")
    return float(value)


def _processes(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_PROCESSES:
        raise ValueError(f"must be a whole number from 1 to {MOST_PROCESSES}, or auto")
    return value


def _path(value: str, info: ValidationInfo) -> str:
    return _bearings(info).absolute(value)


def _bearings(info: ValidationInfo) -> Bearings:
    assert isinstance(info.context, Bearings)
    return info.context


def _pattern(value: str) -> str:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([value])
    except (ValueError, re.error) as error:  # the latter of a range such as [z-a]
        raise ValueError(f"is no gitignore pattern: {error}") from None
    return value


def _layout(value: str) -> str:
    layout.parse(value)
    return value


def _directory_name(value: str) -> str:
    try:
        check_category(value)
    except BundleError as error:
        problem = str(error).removeprefix(f"category '{printable(value)}': ")
        raise ValueError(f"'{printable(value)}' is no name for a directory: it {problem}") from None
    return value


Duration = Annotated[float, PlainValidator(units.duration), WithJsonSchema(_DURATION)]
Size = Annotated[int, PlainValidator(units.size), WithJsonSchema(_SIZE)]
Count = Annotated[int, PlainValidator(units.count), WithJsonSchema(_SIZE)]
Path = Annotated[str, StringConstraints(min_length=1), AfterValidator(_path)]
Pattern = Annotated[str, AfterValidator(_pattern)]
Threshold = Annotated[float | None, PlainValidator(_share), WithJsonSchema(_SHARE)]
Interval = Annotated[
    float | None,
    PlainValidator(_or_automatic(units.duration)),
    at_least(1.0, "1s"),
    WithJsonSchema({"anyOf": [_DURATION, _AUTOMATIC]}),
]
Processes = Annotated[
    int | None,
    PlainValidator(_or_automatic(_processes)),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_PROCESSES}, _AUTOMATIC]}
    ),
]
Threads = Annotated[int, Field(strict=True, ge=1, le=MOST_PROCESSES)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Permissions = Annotated[int, PlainValidator(units.permissions), WithJsonSchema(_OCTAL)]
Layout = Annotated[str, AfterValidator(_layout)]
DirectoryName = Annotated[str, AfterValidator(_directory_name)]
Switch = Annotated[bool, Field(strict=True)]
