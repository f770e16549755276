"""The values that travel: where a photo comes from, and who may use it how."""

from collections.abc import Mapping
from dataclasses import dataclass

LICENSES: Mapping[str, str] = {
    "cc0": "no rights reserved",
    "pdm": "public domain",
    "by": "attribution",
    "by-sa": "attribution, share alike",
    "by-nc": "attribution, not commercial",
    "by-nc-sa": "attribution, not commercial, share alike",
    "by-nd": "attribution, no derivatives",
    "by-nc-nd": "attribution, not commercial, no derivatives",
}
"""Creative Commons' own short names."""

FREE = ("cc0", "pdm", "by", "by-sa")
"""What may be used, changed and passed on, by anybody and for anything."""


@dataclass(frozen=True, slots=True)
class Found:
    """A photo that a search has found."""

    provider: str
    id: str  # among the provider's
    url: str  # of the picture's bytes
    page: str  # where a person finds it, and its terms
    author: str
    license: str  # a key of LICENSES
    license_url: str


@dataclass(frozen=True, slots=True)
class Source:
    """A line of SOURCES.csv: a photo that was fetched."""

    file: str
    sha256: str
    page: str
    author: str
    license: str
    license_url: str
    url: str
    provider: str
    query: str
    fetched: str  # ISO 8601, UTC
