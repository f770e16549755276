"""Taking copies back: exactly ours, and only while the original still stands.

A phone frees its space, so a filed copy can be the last one. Both sides are therefore read at the
moment of the deed: the copy must still be what we placed, and the source must still hold it.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from photosortd import files
from photosortd.errors import PhotoError, WorldError
from photosortd.ledger import Ledger, PlacementRow, Selection
from photosortd.place import Library
from photosortd.place.remove import CHANGED, GONE
from photosortd.records import Method, Placement, Source, printable

STOPPED = "photosortd was told to stop before it came to this one"


@dataclass(frozen=True, slots=True)
class Item:
    """What stands in one category because of one shot: undone together or not at all."""

    category: str
    rows: tuple[PlacementRow, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(row.placement.path for row in self.rows)


@dataclass(frozen=True, slots=True)
class Undone:
    removed: int  # files taken away
    gone: int  # files that somebody else had taken away before
    kept: int  # files that stood there before us and are not ours to remove
    refused: tuple[tuple[str, str], ...]  # (path in the library, reason)

    def as_json(self) -> dict[str, object]:
        refused = [{"path": printable(path), "reason": reason} for path, reason in self.refused]
        return {
            "removed": self.removed,
            "gone": self.gone,
            "kept": self.kept,
            "refused": refused,
        }


def plan(
    ledger: Ledger, selection: Selection, between: Callable[[], object] = lambda: None
) -> list[Item]:
    """What an undo would touch: for each selected photo its whole shot in that category.

    `between` is called for each: an archive takes a while.
    """
    selected = ledger.placements.select(selection)
    photos = ledger.leaders({row.version for row in selected})
    shots = dict.fromkeys((photos[row.version], row.placement.category) for row in selected)
    standing = ledger.placements.of_shots(list(dict.fromkeys(photo for photo, _ in shots)))
    items = []
    for photo, category in shots:
        between()
        rows = tuple(row for row in standing[photo] if row.placement.category == category)
        items.append(Item(category, rows))
    return items


def carry_out(
    ledger: Ledger,
    library: Library,
    items: Iterable[Item],
    now: float,
    go_on: Callable[[], bool] = lambda: True,
) -> Undone:
    """Undo each item or refuse it by name. `go_on` is asked before each; False refuses the rest."""
    removed = gone = kept = 0
    refused: list[tuple[str, str]] = []
    for item in items:
        reasons = (
            _refusals(ledger, library, item) if go_on() else dict.fromkeys(item.paths, STOPPED)
        )
        if reasons:
            refused += reasons.items()
            continue
        ours = [row for row in item.rows if row.placement.method is not Method.THERE]
        kept += len(item.rows) - len(ours)
        for row in ours:
            placement = row.placement
            reason = library.remove(
                placement.directory, placement.name, placement.sha256, placement.method
            )
            if reason is not None and reason != GONE:
                refused.append((placement.path, reason))
                continue
            gone += reason == GONE
            removed += reason is None
            ledger.placements.undone([row.id], now)
    return Undone(removed, gone, kept, tuple(refused))


def _refusals(ledger: Ledger, library: Library, item: Item) -> Mapping[str, str]:
    """Why this item must stay, by path; empty if it may go."""
    reasons: dict[str, str] = {}
    for row in item.rows:
        if row.library != library.path:
            reasons[row.placement.path] = f"it is in another library, {printable(row.library)}"
        elif row.placement.method is Method.THERE:
            continue
        elif not _is_ours(library, row.placement):
            reasons[row.placement.path] = CHANGED
        elif not _stands(ledger, row, library.between):
            reasons[row.placement.path] = (
                "its original is gone or changed: this copy may be the last"
            )
    return reasons


def _is_ours(library: Library, placement: Placement) -> bool:
    """Whether it is what was placed, or gone. `remove` looks once more, at its own moment."""
    follow = placement.method is Method.SYMLINK
    found = library.look(placement.directory, placement.name, follow)
    return found is None or found.sha256 == placement.sha256


def _stands(ledger: Ledger, row: PlacementRow, between: Callable[[], None]) -> bool:
    """Whether the content still stands at any path below the roots where we saw it, read now."""
    sources = [ledger.by_id(row.version).source, *ledger.standing(row.placement.sha256)]
    return any(_holds(source, row.placement.sha256, between) for source in dict.fromkeys(sources))


def _holds(source: Source, sha256: str, between: Callable[[], None]) -> bool:
    with suppress(OSError, PhotoError, WorldError):
        root = files.open_directory(source.root)
        try:
            descriptor = files.open_file_beneath(root, source.path)
        finally:
            files.close(root)
        try:
            return files.sha256_of(descriptor, between) == sha256
        finally:
            files.close(descriptor)
    return False
