"""What may happen to the roots and the library of a daemon that runs.

Each misfortune is a context manager: it happens, yields what `status` must come to say of it, and
is undone.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from auditing import Audit
from drawing import RED, draw_photo
from platters import Platter
from running import House, eventually, facts
from storming import Photos, finish, in_library
from witness import Status

MARKER = ".photosortd-library"

Says = Callable[[Status], bool]


class World:
    """A house with two roots and a library, each on a disk of its own if there are disks."""

    def __init__(self, base: Path) -> None:
        base.mkdir()
        self.house = House(base)
        self.card = base / "card"
        self.card.mkdir()
        self.aside = base / "aside"
        self.house.configure(
            watch=[{"path": str(self.house.dcim)}, {"path": str(self.card)}],
        )
        self.audit = Audit(self.house)
        self.photos = Photos(self.audit)
        self.disks: dict[Path, Platter] = {}
        self.spare: Platter | None = None

    def burst(self, *roots: Path) -> None:
        """Photos come, and the daemon is in the middle of them."""
        before = in_library(self.house)
        for _ in range(6):
            for root in roots:
                self.photos.put(root)
        eventually(lambda: in_library(self.house) > before)


def no_library(status: Status) -> bool:
    return status["state"] == "paused" and bool(status["trouble"])


def away(*roots: Path) -> Says:
    """The status says that these roots are away, and that nothing else is the matter."""
    gone = {str(root) for root in roots}

    def says(status: Status) -> bool:
        paused = {root["path"] for root in status["roots"] if root["watched"] == "paused"}
        return paused == gone and status["trouble"] is None

    return says


# ---- what may happen to disks


@contextmanager
def library_unmounted(world: World) -> Iterator[Says]:
    world.burst(world.card)
    disk = world.disks[world.house.library]
    disk.eject()
    yield no_library
    disk.insert()


@contextmanager
def library_is_another_disk(world: World) -> Iterator[Says]:
    disk, spare = world.disks[world.house.library], world.spare
    assert spare is not None
    disk.eject()
    spare.insert()
    before = facts(world.house.library)
    yield no_library
    assert facts(world.house.library) == before
    spare.eject()
    disk.insert()


@contextmanager
def library_is_another_library(world: World) -> Iterator[Says]:
    assert world.spare is not None
    world.spare.insert(world.aside)
    (world.aside / MARKER).write_text(f"{uuid.uuid4()}\n")
    world.spare.eject()
    with library_is_another_disk(world) as says:
        yield says


@contextmanager
def library_read_only(world: World) -> Iterator[Says]:
    """The kernel refuses that while anybody may write: the disk is taken out and put in again."""
    disk = world.disks[world.house.library]
    disk.eject()
    eventually(lambda: no_library(world.house.status()))
    disk.insert(options="ro")
    world.photos.put(world.card)
    yield no_library
    disk.eject()
    disk.insert()


@contextmanager
def mounted_over(place: Path, foreign: str) -> Iterator[None]:
    """Something hides a place; it gets nothing, and nothing is taken from it."""
    subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], check=True)
    try:
        (place / foreign).write_bytes(draw_photo(RED, size=(48, 32)))
        yield
        assert os.listdir(place) == [foreign]
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextmanager
def library_hidden(world: World) -> Iterator[Says]:
    world.burst(world.card)
    with mounted_over(world.house.library, ".foreign.jpg"):
        yield no_library


@contextmanager
def root_hidden(world: World) -> Iterator[Says]:
    world.burst(world.card, world.house.dcim)
    with mounted_over(world.house.dcim, "foreign.jpg"):
        yield away(world.house.dcim)


@contextmanager
def root_unmounted(world: World) -> Iterator[Says]:
    world.burst(world.house.dcim, world.card)
    disk = world.disks[world.house.dcim]
    disk.eject()
    yield away(world.house.dcim)
    disk.insert()


@contextmanager
def all_roots_unmounted(world: World) -> Iterator[Says]:
    with root_unmounted(world):
        disk = world.disks[world.card]
        disk.eject()
        yield away(world.house.dcim, world.card)
        disk.insert()


@contextmanager
def all_unmounted(world: World) -> Iterator[Says]:
    with all_roots_unmounted(world), library_only(world) as says:
        yield says


@contextmanager
def library_only(world: World) -> Iterator[Says]:
    disk = world.disks[world.house.library]
    disk.eject()
    yield no_library
    disk.insert()


@contextmanager
def root_is_a_link(world: World) -> Iterator[Says]:
    """The mount point itself is taken away with its disk."""
    root = world.house.dcim
    with root_unmounted(world) as says:
        root.rmdir()
        root.symlink_to(world.aside / "nowhere")
        yield says
        root.unlink()
        root.mkdir()


# ---- what may happen by hand


@contextmanager
def moved(place: Path, aside: Path) -> Iterator[None]:
    place.rename(aside)
    yield
    aside.rename(place)


@contextmanager
def library_renamed(world: World) -> Iterator[Says]:
    """Nothing waits for it: nobody but a look at it tells that it is gone."""
    with moved(world.house.library, world.aside / "library"):
        yield no_library


@contextmanager
def library_made_again(world: World) -> Iterator[Says]:
    with library_renamed(world):
        world.house.library.mkdir()
        yield no_library
        world.house.library.rmdir()  # which it can only be if it is empty


@contextmanager
def library_is_a_file(world: World) -> Iterator[Says]:
    world.burst(world.card)
    with library_renamed(world):
        world.house.library.write_text("no directory")
        yield no_library
        world.house.library.unlink()


@contextmanager
def root_renamed(world: World) -> Iterator[Says]:
    world.burst(world.house.dcim)
    with moved(world.house.dcim, world.aside / "DCIM"):
        yield away(world.house.dcim)


@contextmanager
def root_is_a_file(world: World) -> Iterator[Says]:
    with root_renamed(world) as says:
        world.house.dcim.write_text("no directory")
        yield says
        world.house.dcim.unlink()


@contextmanager
def root_removed(world: World) -> Iterator[Says]:
    """All in it was filed; another directory of that name takes its place."""
    finish(world.house, world.audit)
    shutil.rmtree(world.house.dcim)
    yield away(world.house.dcim)
    world.house.dcim.mkdir()


@contextmanager
def root_elsewhere(world: World) -> Iterator[Says]:
    """A link leads to where it went: that is the same root, and photos are found in it."""
    with moved(world.house.dcim, world.aside / "DCIM"):
        world.house.dcim.symlink_to(world.aside / "DCIM")
        world.photos.put(world.aside / "DCIM")
        yield away()
        world.house.dcim.unlink()


Misfortune = Callable[[World], AbstractContextManager[Says]]

OF_DISKS: list[Misfortune] = [
    library_unmounted,
    root_unmounted,
    library_is_another_disk,
    library_is_another_library,
    library_read_only,
    library_hidden,
    root_hidden,
    all_roots_unmounted,
    all_unmounted,
    root_is_a_link,
]
BY_HAND: list[Misfortune] = [
    library_renamed,
    root_elsewhere,
    root_is_a_file,
    library_made_again,
    library_is_a_file,
    root_renamed,
    root_removed,
]
