"""Making the parts of a shot: all bytes are in the library and durable, under no name yet."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from photosortd.errors import WorldError
from photosortd.filing.values import Errand, Opened, Piece, Style, Target
from photosortd.ledger import Ledger
from photosortd.place import Library, Names, Part, Wanted
from photosortd.records import Method, Placement


class Parts:
    """Makes them in one open library; the ledger knows before in which directories."""

    def __init__(self, library: Library, ledger: Ledger, style: Style) -> None:
        self._library = library
        self._ledger = ledger
        self._style = style
        self._adopted = ledger.adopted(library.path)
        self._written: set[str] = set(ledger.placements.written(library.path))

    def prepare(self, errands: Sequence[Errand]) -> list[Piece]:
        """Part files for every errand; all of them or none."""
        pieces: list[Piece] = []
        try:
            for errand in errands:
                self._add(errand.files, errand.target, pieces)
        except BaseException:
            discard(self._library, pieces)
            raise
        return pieces

    def _add(self, shot: Sequence[Opened], target: Target, pieces: list[Piece]) -> None:
        wanted = [each.wanted(self._style.mode) for each in shot]
        directory = target.directory
        if directory not in self._written:
            self._ledger.placements.writing(self._library.path, directory)
            self._written.add(directory)
        names = self._library.choose_names(directory, wanted, target.suffix, target.photo)
        if self._adopted and target.photo is None and not names.there[0]:
            names = self._elsewhere(directory, wanted[0], names)
        self._library.room(sum(each.size for each in wanted), self._style.keep_free)
        for each, name, there in zip(shot, names.names, names.there, strict=True):
            part = None if there else self._make_part(each, directory, name)
            placement = Placement(
                category=target.category,
                directory=directory,
                name=name,
                sha256=each.sha256,
                size=each.stamp.size,
                method=part.method if part else Method.THERE,
                device=part.device if part else 0,
                inode=part.inode if part else 0,
                part=part.part if part else "",
            )
            pieces.append(Piece(each, part, placement))

    def _elsewhere(self, directory: str, photo: Wanted, names: Names) -> Names:
        """A photo that an earlier ledger filed under another name is there already."""
        name = self._library.same_bytes(directory, photo.sha256, photo.size)
        if name is None:
            return names
        return replace(names, names=(name, *names.names[1:]), there=(True, *names.there[1:]))

    def _make_part(self, opened: Opened, directory: str, name: str) -> Part:
        style = self._style
        return self._library.make_part(
            opened.for_placing(), directory, name, style.mode, style.mode_add
        )


def discard(library: Library, pieces: Sequence[Piece]) -> None:
    """Remove their parts. What cannot be unlinked now is swept at the next start: its directory is
    noted."""
    for piece in pieces:
        if piece.part is not None:
            with suppress(OSError, WorldError):
                library.discard(piece.part)
