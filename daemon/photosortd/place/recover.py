"""What became of one intent after a crash: rule 12 of the design, without the source.

Never destroys anything but an empty reserved name and a part whose bytes are safe under a name.
Every step may be cut short and repeated: the same question gets the same answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from photosortd.errors import WorldError
from photosortd.place.choose import Wanted
from photosortd.place.content import Found
from photosortd.place.library import Library
from photosortd.place.parts import Part
from photosortd.records import Method, Placement, printable

PUBLISH_TRIES = 20


@dataclass(frozen=True, slots=True)
class Recovered:
    """The fate of an intent.

    published: its part file got its name now. adopted: it had its name already. there: the same
    bytes stand there, but not provably ours, so undo must never remove them. redo: neither part
    nor target; place it anew from the source, or call it lost.
    """

    state: Literal["published", "adopted", "there", "redo"]
    placement: Placement  # what to note as the deed: name, method, device and inode as they are

    @property
    def name(self) -> str:
        return self.placement.name


def recover_placement(
    library: Library, placement: Placement, note: Callable[[Placement], None]
) -> Recovered:
    """Roll one intent forward as far as the library alone allows. Raises WorldError.

    If somebody took the intended name meanwhile, the part gets the next free one: `note` must
    first write that down durably as the intent.
    """
    _clear_reserved(library, placement)
    part = library.find_part(
        placement.directory,
        placement.part,
        placement.device,
        placement.inode,
        placement.size,
        placement.sha256,
    )
    if part is None:
        return _without_part(library, placement)
    return _with_part(library, placement, part, note)


def _with_part(
    library: Library, placement: Placement, part: Part, note: Callable[[Placement], None]
) -> Recovered:
    for _ in range(PUBLISH_TRIES):
        found = _look(library, placement)
        if found is None:
            try:
                library.publish(part, placement.name)
            except FileExistsError:
                continue
            _make_durable(library, placement)
            return Recovered("published", _as_it_is(library, placement))
        if found.sha256 == placement.sha256:
            _make_durable(library, placement)
            library.discard(part)
            # Linked, but the part not yet unlinked: seen at one moment, even a passing inode tells.
            linked = (found.device, found.inode) == (part.device, part.inode)
            if linked and placement.method is not Method.HARDLINK:
                return Recovered("published", _as_it_is(library, placement))
            return _there(placement)
        placement = _next_name(library, placement)
        note(placement)
    raise WorldError(
        f"{printable(placement.directory)}: another program keeps taking the names chosen here"
    )


def _without_part(library: Library, placement: Placement) -> Recovered:
    found = _look(library, placement)
    if found is None or found.sha256 != placement.sha256:
        return Recovered("redo", placement)
    _make_durable(library, placement)
    if found.inode == placement.inode and _inode_proves(library, placement):
        return Recovered("adopted", _as_it_is(library, placement))
    return _there(placement)


def _make_durable(library: Library, placement: Placement) -> None:
    """The crash may have come between its name and the sync of that, and the next one after the
    deed is noted."""
    library.sync(placement.directory)


def _inode_proves(library: Library, placement: Placement) -> bool:
    """A hard link shares its inode with the source, and some file systems renumber."""
    if placement.method is Method.HARDLINK:
        return False
    return library.methods(placement.directory).inodes_stable


def _clear_reserved(library: Library, placement: Placement) -> None:
    found = _look(library, placement)
    if found is None or found.size or not placement.size:
        return
    can = library.methods(placement.directory)
    if not (can.noreplace or can.link):  # elsewhere no name is ever reserved: the file is foreign
        library.remove_reserved(placement.directory, placement.name)


def _next_name(library: Library, placement: Placement) -> Placement:
    wanted = Wanted(placement.name, placement.sha256, placement.size)
    names = library.choose_names(placement.directory, [wanted])
    return replace(placement, name=names.names[0])


def _look(library: Library, placement: Placement) -> Found | None:
    follow = placement.method is Method.SYMLINK
    return library.look(placement.directory, placement.name, follow=follow)


def _as_it_is(library: Library, placement: Placement) -> Placement:
    found = _look(library, placement)
    if found is None:
        return placement  # taken away this very moment: that is the user's right
    return replace(placement, device=found.device, inode=found.inode)


def _there(placement: Placement) -> Recovered:
    return Recovered("there", replace(placement, method=Method.THERE, device=0, inode=0))
