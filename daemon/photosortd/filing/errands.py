"""Which files of a shot are to be brought where: into every category that lacks them."""

from collections.abc import Sequence
from datetime import datetime

from photosortd.filing.values import Errand, Opened, Target
from photosortd.layout import Layout
from photosortd.ledger import Ledger, Note, PlacementRow, Version
from photosortd.place import suffix_of
from photosortd.records import Decided, Placement, PlacementState, Stamp


class Errands:
    """Asks the ledger what stands already in one library. Writes nothing."""

    def __init__(self, ledger: Ledger, library: str, layout: Layout) -> None:
        self._ledger = ledger
        self._library = library
        self._layout = layout

    def of_shot(
        self, shot: Sequence[tuple[Opened, Note]], decided: Decided, categories: Sequence[str]
    ) -> list[Errand]:
        """Which files of a shot are to be brought where."""
        photo, note = shot[0]
        before = self._ledger.version(photo.source)
        known = before if before is not None and before.sha256 == note.sha256 else None
        standing = {row.placement.category: row for row in self.standing(known)} if known else {}
        taken = decided.seen.taken or _written_at(photo.stamp)
        errands = []
        # A crash may have finished it in one category and left the others to whoever comes next.
        elsewhere = self._elsewhere(photo, known)
        for category in categories:
            if category in elsewhere and category not in standing:
                continue
            lacking = self.lacking(shot, category, decided.bundle_id)
            if known is not None and category in standing:
                target = beside(known, standing[category].placement)
            elif photo in lacking:
                target = Target(category, self._layout.directory(category, taken))
            else:
                continue  # its photo was taken back from there, and stays away
            if lacking:
                errands.append(Errand(target, lacking))
        return errands

    def standing(self, photo: Version) -> list[PlacementRow]:
        return [
            row
            for row in self._ledger.placements.of(photo.id)
            if row.state is PlacementState.PLACED and row.library == self._library
        ]

    def _elsewhere(self, photo: Opened, known: Version | None) -> set[str]:
        """The categories in which the same bytes stand already, filed by another version."""
        return {
            row.placement.category
            for row in self._ledger.placements.holding(photo.sha256)
            if row.library == self._library and (known is None or row.version != known.id)
        }

    def lacking(
        self, shot: Sequence[tuple[Opened, Note]], category: str, bundle_id: str
    ) -> list[Opened]:
        """The files that never stood in a category; what was undone returns by a new bundle."""
        return [each for each, note in shot if not self._stood(note, category, bundle_id)]

    def _stood(self, note: Note, category: str, bundle_id: str) -> bool:
        version = self._ledger.version(note.source)
        if version is None or version.sha256 != note.sha256:
            return False
        return any(
            row.state is PlacementState.PLACED
            or (row.state is PlacementState.UNDONE and row.bundle == bundle_id)
            for row in self._ledger.placements.of(version.id)
            if row.placement.category == category
        )


def _written_at(stamp: Stamp) -> datetime:
    """In local time, as EXIF has it. File systems take times that no calendar has."""
    try:
        return datetime.fromtimestamp(stamp.mtime_ns / 1e9)  # noqa: DTZ006
    except (ValueError, OverflowError, OSError):
        return datetime(1970, 1, 1)  # noqa: DTZ001


def beside(leader: Version, placement: Placement) -> Target:
    name = leader.source.name
    suffix = suffix_of(name, placement.name)
    return Target(placement.category, placement.directory, suffix, name)
