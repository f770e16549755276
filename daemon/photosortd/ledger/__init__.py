"""What was done with which version of which shot: the daemon's only memory.

One SQLite file in WAL mode with synchronous=FULL: what a transaction here returned from survives
a power cut. Only the process that holds the lock writes, except for rows of requests.
"""

from photosortd.ledger.marks import Mark, Marks
from photosortd.ledger.placements import Placements
from photosortd.ledger.requests import Progress, Request, Requests
from photosortd.ledger.rows import (
    Batch,
    Entry,
    Filed,
    Known,
    Note,
    PlacementRow,
    Selection,
    Version,
    thresholds_text,
)
from photosortd.ledger.store import Ledger

__all__ = [
    "Batch",
    "Entry",
    "Filed",
    "Known",
    "Ledger",
    "Mark",
    "Marks",
    "Note",
    "PlacementRow",
    "Placements",
    "Progress",
    "Request",
    "Requests",
    "Selection",
    "Version",
    "thresholds_text",
]
