"""Opening the library, and putting right what a crash left between intent and deed.

Every step may be repeated: a crash during recovery is recovered from like any other.
"""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from itertools import groupby

from photosortd.errors import PhotoError
from photosortd.ledger import Ledger, PlacementRow, Version
from photosortd.place import Blocked, Library, recover_placement
from photosortd.place.marker import is_marked
from photosortd.records import Outcome, Placement, Source

Stands = Callable[[Source], bool | None]
"""Whether a source is still there; None while its root is away and nobody can tell."""


def open_library(path: str, ledger: Ledger) -> Library:
    """Open the library and hold it to the marker that the ledger remembers.

    Raises WorldError (not mounted, another library), BusyError.
    """
    known = ledger.library(path)
    if known is None and is_marked(path):
        ledger.adopt_library(path)
    library = Library.open(path, known)
    try:
        if known is None:
            ledger.bind_library(path, library.uuid)
    except BaseException:
        library.close()  # or its lock stays with us, and the next try is refused for ever
        raise
    return library


def accept_library(path: str, ledger: Ledger) -> None:
    """Take the directory that is there now for the library, at the operator's word.

    Raises WorldError, BusyError.
    """
    if is_marked(path):
        ledger.adopt_library(path)
    with Library.open(path, None, accept=True) as library:
        ledger.bind_library(path, library.uuid)


def recover(ledger: Ledger, library: Library, stands: Stands, now: float) -> list[Version]:
    """Finish every intent that can be finished, release the others, sweep part files.

    Returns the versions that were lost: part file and source both gone. An intent whose source
    or directory cannot be looked at now stays open.
    """
    lost: list[Version] = []
    rows = sorted(ledger.placements.intended(), key=lambda row: row.version)
    for version, group in groupby(rows, key=lambda row: row.version):
        if not _finish(ledger, library, list(group), stands, now):
            lost.append(ledger.by_id(version))
    opened = {(row.placement.directory, row.placement.part) for row in ledger.placements.intended()}
    _release_claims(ledger)
    # The library itself, too: there `photosortd check` tries what its file system can do.
    swept = _sweep(library, ["", *ledger.placements.written(library.path)], opened)
    if swept and not opened:
        ledger.placements.swept(library.path)
    return lost


def _sweep(library: Library, directories: Iterable[str], keep: Collection[tuple[str, str]]) -> bool:
    """Whether all were swept: one that is a link by now has to wait until it is one again."""
    swept = True
    for directory in directories:
        try:
            library.sweep([directory], keep)
        except Blocked:
            swept = False
    return swept


def _finish(
    ledger: Ledger, library: Library, rows: list[PlacementRow], stands: Stands, now: float
) -> bool:
    """Roll one version's intents forward. False: something of it is lost."""
    version = ledger.by_id(rows[0].version)
    redo = []
    deeds: dict[int, Placement] = {}
    for row in rows:
        if row.library != library.path:
            continue  # of a library that is not configured now: it waits for its return
        try:
            found = recover_placement(library, row.placement, partial(_renamed, ledger, row))
        except Blocked:
            return True  # it waits, alone, until its directory is one again
        except PhotoError as error:  # a name that this file system will not take
            ledger.settle(deeds, now)
            ledger.release(version.id, Outcome.SET_ASIDE, str(error))
            ledger.placements.drop(row.id)
            return True
        if found.state == "redo":
            redo.append(row)
        else:
            deeds[row.id] = found.placement
    whole = not redo and all(row.library == library.path for row in rows)
    # At once: with all of its deeds noted and no outcome, nobody would come back to a companion.
    ledger.settle(deeds, now, version.id if whole else None)
    if not redo:
        return True
    standing = stands(version.source)
    if standing is None:
        return True
    reason = "a crash came while it was being filed, and its original was gone afterwards"
    if standing:
        ledger.release(version.id, None)
    else:
        ledger.release(version.id, Outcome.LOST, reason)
    # Last: a crash before it leaves the intent, by which the next start comes here again.
    for row in redo:
        ledger.placements.drop(row.id)
    return standing


def _renamed(ledger: Ledger, row: PlacementRow, placement: Placement) -> None:
    """Write down the other name of a part whose intended one was taken, before it is used."""
    ledger.placements.renamed(row.id, placement.name, placement.method)


def _release_claims(ledger: Ledger) -> None:
    """Free content that was claimed by a journey that nobody is on any more."""
    waiting = {row.version for row in ledger.placements.intended()}
    for version in ledger.unfinished():
        if version.id not in waiting:
            ledger.release(version.id, None)
