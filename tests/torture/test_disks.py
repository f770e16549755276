"""Disks that go, come back, or are not the right ones, while the daemon runs.

Meanwhile photos arrive wherever they still can; afterwards all are filed, and nothing lies under
a mount.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from misfortunes import BY_HAND, OF_DISKS, Misfortune, World
from platters import Below, Platter
from running import eventually
from storming import finish, witnessed
from torture.conftest import Effort, Figures
from witness import Witness


def suffer(world: World, witness: Witness, misfortune: Misfortune) -> float:
    """One misfortune from its beginning to its good end; how many seconds `status` took."""
    with misfortune(world) as says, witness.saying(misfortune.__name__, says) as took:
        status = world.house.status()
        here = [root["path"] for root in status["roots"] if root["watched"] != "paused"]
        late = [world.photos.put(Path(root)) for root in here]
        if status["trouble"] is None:
            eventually(lambda: all(is_filed(world, photo.name) for photo in late))
        seen = witness.samples + 10
        eventually(lambda: witness.samples > seen)
        world.audit.whole()
    finish(world.house, world.audit)
    return took


def is_filed(world: World, name: str) -> bool:
    wanted = [path for path in world.audit.expected if path.endswith(f"/{name}")]
    return all((world.house.library / path).exists() for path in wanted)


def suffer_all(world: World, misfortunes: list[Misfortune], turns: int) -> str:
    """Each of them, in another order each turn; what was seen, in words."""
    dice = random.Random(7)
    took = []
    with witnessed(world.house) as witness:
        world.burst(world.house.dcim, world.card)
        finish(world.house, world.audit)
        for _ in range(turns):
            took += [suffer(world, witness, each) for each in misfortunes]
            dice.shuffle(misfortunes)
        cpu, _ = witness.at_rest(1.0)
        assert cpu < 0.1
    return f"status told the truth after {max(took):.0f} s at most"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "house")
    world.aside.mkdir()
    return world


@pytest.fixture
def disks(world: World, tmp_path: Path) -> Iterator[Below]:
    """The roots and the library are disks from now on."""
    world.house.library.mkdir()
    places = [world.house.library, world.house.dcim, world.card]
    made: list[Platter] = []
    try:
        below = Below(world.house.base, tmp_path / "below")
    except AssertionError as error:
        pytest.skip(f"needs the right to mount: {error}")
    try:
        for number, place in enumerate([*places, world.house.library]):
            made.append(Platter(tmp_path / f"{number}.img", place))
        for disk in made[:3]:
            disk.insert()
            world.disks[disk.place] = disk
        world.spare = made[3]
        yield below
    finally:
        for disk in made:
            disk.scrap()
        below.end()


@pytest.mark.root
def test_disks_that_come_and_go(
    world: World, disks: Below, effort: Effort, figures: Figures
) -> None:
    misfortunes, turns = (OF_DISKS, 4) if effort.long else (OF_DISKS[:2], 1)
    note = suffer_all(world, list(misfortunes), turns)
    for place in (world.house.library, world.house.dcim, world.card):
        assert disks.names(place) == [], "something lies under the mount point"
    fault = "disks of a root or the library unmounted with files open, mounted over, exchanged"
    figures.add("disks", fault, turns * len(misfortunes), world.photos.count, note)


def test_directories_that_are_taken_away(world: World, effort: Effort, figures: Figures) -> None:
    misfortunes, turns = (BY_HAND, 4) if effort.long else (BY_HAND[:1], 1)
    note = suffer_all(world, list(misfortunes), turns)
    fault = "a root or the library renamed, removed, replaced by a file, a link or an empty one"
    figures.add("disks", fault, turns * len(misfortunes), world.photos.count, note)
