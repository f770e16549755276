"""Placing files into the library: whole, once, never over another file; and taking them back.

Owns every write below the library. Knows nothing of categories, scores or the ledger: it is told
a directory, a name and an open source.
"""

from photosortd.place.choose import Names, Wanted
from photosortd.place.content import Found
from photosortd.place.folder import Blocked
from photosortd.place.library import Library
from photosortd.place.names import suffix_of
from photosortd.place.parts import OpenSource, Part, SourceChanged
from photosortd.place.probe import Abilities
from photosortd.place.recover import Recovered, recover_placement

__all__ = [
    "Abilities",
    "Blocked",
    "Found",
    "Library",
    "Names",
    "OpenSource",
    "Part",
    "Recovered",
    "SourceChanged",
    "Wanted",
    "recover_placement",
    "suffix_of",
]
