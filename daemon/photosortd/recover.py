"""Opening the library, and putting right what a crash left between intent and deed.

Every step may be repeated: a crash during recovery is recovered from like any other.
"""

from collections.abc import Callable
from functools import partial
from itertools import groupby

from photosortd.errors import PhotoError
from photosortd.ledger import Ledger, PlacementRow, Version
from photosortd.place import Library, recover_placement
from photosortd.records import Outcome, Placement, Source

Stands = Callable[[Source], bool | None]
"""Whether a source is still there; None while its root is away and nobody can tell."""


def open_library(path: str, ledger: Ledger) -> Library:
    """Open the library and hold it to the marker that the ledger remembers.

    Raises WorldError (not mounted, another library), BusyError.
    """
    known = ledger.library(path)
    library = Library.open(path, known)
    if known is None:
        ledger.bind_library(path, library.uuid)
    return library


def accept_library(path: str, ledger: Ledger) -> None:
    """Take the directory that is there now for the library, at the operator's word.

    Raises WorldError, BusyError.
    """
    with Library.open(path, None, accept=True) as library:
        ledger.bind_library(path, library.uuid)


def recover(ledger: Ledger, library: Library, stands: Stands, now: float) -> list[Version]:
    """Finish every intent that can be finished, release the others, sweep part files.

    Returns the versions that were lost: part file and source both gone. An intent whose source
    cannot be looked at now stays open.
    """
    lost: list[Version] = []
    rows = sorted(ledger.placements.intended(), key=lambda row: row.version)
    for version, group in groupby(rows, key=lambda row: row.version):
        if not _finish(ledger, library, list(group), stands, now):
            lost.append(ledger.by_id(version))
    opened = {(row.placement.directory, row.placement.part) for row in ledger.placements.intended()}
    _release_claims(ledger)
    library.sweep(ledger.placements.written(library.path), opened)
    if not opened:
        ledger.placements.swept(library.path)
    return lost


def _finish(
    ledger: Ledger, library: Library, rows: list[PlacementRow], stands: Stands, now: float
) -> bool:
    """Roll one version's intents forward. False: something of it is lost."""
    version = ledger.by_id(rows[0].version)
    redo = []
    for row in rows:
        if row.library != library.path:
            continue  # of a library that is not configured now: it waits for its return
        try:
            found = recover_placement(library, row.placement, partial(_renamed, ledger, row))
        except PhotoError as error:  # a name that this file system will not take
            ledger.placements.drop(row.id)
            ledger.release(version.id, Outcome.SET_ASIDE, str(error))
            return True
        if found.state == "redo":
            redo.append(row)
        else:
            ledger.placements.settle(row.id, found.placement, now)
    if not redo:
        if not any(row.library != library.path for row in rows):
            ledger.complete([version.id], now)
        return True
    standing = stands(version.source)
    if standing is None:
        return True
    for row in redo:
        ledger.placements.drop(row.id)
    if standing:
        ledger.release(version.id, None)
        return True
    reason = "a crash came while it was being filed, and its original was gone afterwards"
    ledger.release(version.id, Outcome.LOST, reason)
    return False


def _renamed(ledger: Ledger, row: PlacementRow, placement: Placement) -> None:
    """Write down the other name of a part whose intended one was taken, before it is used."""
    ledger.placements.renamed(row.id, placement.name, placement.method)


def _release_claims(ledger: Ledger) -> None:
    """Free content that was claimed by a journey that nobody is on any more."""
    waiting = {row.version for row in ledger.placements.intended()}
    for version in ledger.unfinished():
        if version.id not in waiting:
            ledger.release(version.id, None)
