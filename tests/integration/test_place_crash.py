"""Power is lost before the n-th call, for every n, and again during the recovery."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from unittest import mock

import pytest

from photosortd.place import Abilities, Library, recover_placement
from photosortd.place import library as library_module
from photosortd.place.names import Rules
from photosortd.records import Method, Placement, PlaceMode
from placing import (
    Machine,
    Memory,
    PowerLoss,
    file_shot,
    litter,
    open_library,
    recover,
    sha,
    tree,
    visible,
)

PHOTO, MOVIE, OLD = b"photo" * 50_000, b"movie" * 60_000, b"somebody else's"
TAKEN = {"food/2024/IMG_1.HEIC": OLD}
WANTED = TAKEN | {"food/2024/IMG_1-1.HEIC": PHOTO, "food/2024/IMG_1-1.MOV": MOVIE}

WAYS = {
    "noreplace": Abilities(False, True, True, True, True, Rules()),
    "link": Abilities(False, True, True, False, True, Rules()),
    "reserve": Abilities(False, False, False, False, False, Rules(case_sensitive=False)),
}
CASES = [
    ("noreplace", PlaceMode.AUTO),
    ("noreplace", PlaceMode.HARDLINK),
    ("noreplace", PlaceMode.SYMLINK),
    ("link", PlaceMode.COPY),
    ("link", PlaceMode.HARDLINK),
    ("reserve", PlaceMode.COPY),
]


@dataclass
class Scene:
    """One library with a neighbour in it, one shot, and what the ledger knows of them."""

    here: Path
    mode: PlaceMode
    memory: Memory = field(default_factory=Memory)
    shot: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shot = tree({"IMG_1.HEIC": PHOTO, "IMG_1.MOV": MOVIE}, self.here / "source")
        tree(TAKEN, self.here / "library")

    @property
    def library(self) -> Path:
        return self.here / "library"

    def file(self, machine: Machine) -> None:
        self._run(machine, file_shot)

    def recover(self, machine: Machine) -> None:
        self._run(machine, recover)

    def _run(self, machine: Machine, deed: Callable[..., None]) -> None:
        self.memory.tick = machine.tick
        with machine.running():
            library = open_library(self.library, self.memory)
            try:
                deed(library, self.memory, self.shot, "food/2024", self.mode)
            finally:
                library.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[PlaceMode], Scene]]:
    """Makes scene after scene, the one before removed; on memory where there is some."""
    base = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else tmp_path
    here = base / f"photosortd-test-{os.getpid()}"

    def make(mode: PlaceMode) -> Scene:
        shutil.rmtree(here, ignore_errors=True)
        return Scene(here, mode)

    yield make
    shutil.rmtree(here, ignore_errors=True)


def dies(act: Callable[[Machine], None], at: int) -> bool:
    """Run `act` on a machine that loses power before its call number `at`; False: it finished."""
    machine = Machine(dies_at=at)
    try:
        act(machine)
    except PowerLoss:
        return True
    finally:
        machine.close()
    assert not machine.off, "power was lost, and something went on regardless"
    return False


def crash_points(act: Callable[[Machine], None]) -> int:
    machine = Machine()
    act(machine)
    machine.close()
    return len(machine.calls)


def assert_sound(scene: Scene, after: str) -> None:
    """At any moment: what is visible is whole, and the neighbour is untouched."""
    for name, content in visible(scene.library).items():
        if scene.mode is PlaceMode.COPY and content == b"" and WANTED.get(name) != b"":
            assert any(each.path == name for each in scene.memory.intents), after
            continue  # the reserved name, where there are no links: an open intent knows it
        assert content in (OLD, PHOTO, MOVIE), f"{after}: {name} is not whole"
    assert visible(scene.library)["food/2024/IMG_1.HEIC"] == OLD


def assert_done(scene: Scene, after: str) -> None:
    assert visible(scene.library) == WANTED, after
    assert litter(scene.library) == [], after
    assert scene.memory.intents == []
    assert scene.memory.lost == []
    assert sorted(deed.path for deed in scene.memory.deeds) == sorted(set(WANTED) - set(TAKEN))
    assert [path.read_bytes() for path in scene.shot] == [PHOTO, MOVIE]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def mode(request: pytest.FixtureRequest) -> Iterator[PlaceMode]:
    way, mode = request.param
    # The probe has a test of its own; here its answer decides how names are given.
    with mock.patch.object(library_module, "probe", return_value=WAYS[way]):
        yield mode


@pytest.mark.faults
def test_every_single_power_loss_is_recovered_from(
    fresh: Callable[[PlaceMode], Scene], mode: PlaceMode
) -> None:
    points = crash_points(fresh(mode).file)
    assert points > 10
    for first in range(points):
        scene = fresh(mode)
        assert dies(scene.file, first)
        assert_sound(scene, f"lost power at {first}")
        assert not dies(scene.recover, 10_000)
        assert_done(scene, f"lost power at {first}")


@pytest.mark.faults
def test_every_power_loss_during_recovery_is_recovered_from(
    fresh: Callable[[PlaceMode], Scene], mode: PlaceMode
) -> None:
    for first in range(crash_points(fresh(mode).file)):
        second = 0
        while True:
            scene = fresh(mode)
            assert dies(scene.file, first)
            if not dies(scene.recover, second):
                break
            after = f"lost power at {first} and then at {second}"
            assert_sound(scene, after)
            assert not dies(scene.recover, 10_000)
            assert_done(scene, after)
            second += 1
        assert second > 0


@pytest.mark.faults
def test_what_was_intended_is_never_lost_with_its_source(
    fresh: Callable[[PlaceMode], Scene], mode: PlaceMode
) -> None:
    intended = 0
    for first in range(crash_points(fresh(mode).file)):
        scene = fresh(mode)
        assert dies(scene.file, first)
        was_intended = bool(scene.memory.intents or scene.memory.deeds)
        for path in scene.shot:
            path.unlink()
        assert not dies(scene.recover, 10_000)
        assert litter(scene.library) == []
        intended += was_intended
        if mode is PlaceMode.SYMLINK:  # a link holds no bytes of its own
            assert visible(scene.library) == TAKEN, first
            continue
        assert visible(scene.library) == (WANTED if was_intended else TAKEN), first
        assert scene.memory.lost == []
    assert intended > 0


@pytest.mark.faults
def test_after_any_crash_undo_removes_nothing_that_is_not_ours(
    fresh: Callable[[PlaceMode], Scene], mode: PlaceMode
) -> None:
    for first in range(crash_points(fresh(mode).file)):
        scene = fresh(mode)
        assert dies(scene.file, first)
        assert not dies(scene.recover, 10_000)
        with Library.open(str(scene.library), scene.memory.uuid) as library:
            refused = {
                deed.path: library.remove(deed.directory, deed.name, deed.sha256, deed.method)
                for deed in scene.memory.deeds
            }
        kept = {path for path, reason in refused.items() if reason}
        theirs = {deed.path for deed in scene.memory.deeds if deed.method is Method.THERE}
        assert kept == theirs
        assert set(visible(scene.library)) == set(TAKEN) | kept


@pytest.mark.faults
def test_a_crash_in_the_very_first_run_is_recovered_from(
    fresh: Callable[[PlaceMode], Scene],
) -> None:
    """No library yet: its directory, its marker, the probe and the category are made too."""

    def empty() -> Scene:
        scene = fresh(PlaceMode.AUTO)
        shutil.rmtree(scene.library)
        return scene

    machine = Machine()
    empty().file(machine)
    machine.close()
    after_mkdir = [after for call, after in pairwise(machine.calls) if call == "mkdir"]
    assert after_mkdir == ["fsync"] * 3  # the directory above, or the new one may not last
    for first in range(len(machine.calls)):
        scene = empty()
        assert dies(scene.file, first)
        assert not dies(scene.recover, 10_000)
        wanted = {"food/2024/IMG_1.HEIC": PHOTO, "food/2024/IMG_1.MOV": MOVIE}
        assert visible(scene.library) == wanted, first
        assert litter(scene.library) == [], first


@pytest.mark.parametrize("way", WAYS)
def test_a_name_taken_while_we_were_down_is_never_overwritten(tmp_path: Path, way: str) -> None:
    """Crash before the name is given; then somebody takes it; then two more crashes."""
    with mock.patch.object(library_module, "probe", return_value=WAYS[way]):
        points = 0
        while True:
            shutil.rmtree(tmp_path / "s", ignore_errors=True)
            scene = Scene(tmp_path / "s", PlaceMode.COPY)
            cut = Machine()
            with suppress(PowerLoss):
                self_cut_after_intent(scene, cut)
            cut.close()
            (scene.library / "food/2024/IMG_1-1.HEIC").write_bytes(b"snatched")
            for path in scene.shot:
                path.unlink()
            more = dies(scene.recover, points)
            if more:
                assert not dies(scene.recover, 10_000)
            assert visible(scene.library) == TAKEN | {
                "food/2024/IMG_1-1.HEIC": b"snatched",
                "food/2024/IMG_1-1-1.HEIC": PHOTO,
                "food/2024/IMG_1-1.MOV": MOVIE,
            }
            assert litter(scene.library) == []
            assert scene.memory.lost == []
            if not more:
                break
            points += 1
    assert points > 3


def self_cut_after_intent(scene: Scene, machine: Machine) -> None:
    """File the shot and lose power right after the intent was noted."""
    real = scene.memory.set

    def note(**changes: object) -> None:
        real(**changes)
        if "intents" in changes:
            machine.off = True
            raise PowerLoss

    with mock.patch.object(scene.memory, "set", note):
        scene.file(machine)


def test_the_order_is_content_then_name_then_directory(tmp_path: Path) -> None:
    """fsync(part, directory), the intent, the name, fsync(directory), the deed: in this order."""
    for way, naming in (
        ("noreplace", ["rename_noreplace"]),
        ("link", ["link", "fsync", "unlink"]),
        ("reserve", ["create", "rename"]),
    ):
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        scene = Scene(tmp_path / "s", PlaceMode.COPY)
        scene.shot = scene.shot[:1]
        machine = Machine()
        with mock.patch.object(library_module, "probe", return_value=WAYS[way]):
            scene.file(machine)
        machine.close()
        start = len(machine.calls) - machine.calls[::-1].index("fchmod") - 1
        rest = machine.calls[start:]
        assert rest == [
            "fchmod",
            "utime",
            "fsync",
            "fsync",
            "ledger",
            *naming,
            "fsync",
            "ledger",
        ], way


def test_the_bytes_behind_a_hard_link_are_durable_before_its_name(tmp_path: Path) -> None:
    scene = Scene(tmp_path, PlaceMode.HARDLINK)
    scene.shot = scene.shot[:1]
    machine = Machine()
    with mock.patch.object(library_module, "probe", return_value=WAYS["noreplace"]):
        scene.file(machine)
    machine.close()
    made = ["fsync", "link", "fsync", "ledger"]
    assert machine.calls[-7:] == [*made, "rename_noreplace", "fsync", "ledger"]


# ---- the same with a real process and a real SIGKILL

CHILD = """
import json, os, sys
from dataclasses import asdict
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import placing
from photosortd.records import PlaceMode

class OnDisk(placing.Memory):
    def set(self, **changes):
        super().set(**changes)
        state = {"uuid": self.uuid, "intents": [asdict(i) for i in self.intents],
                 "deeds": [asdict(d) for d in self.deeds]}
        (here / "new.json").write_text(json.dumps(state))
        os.replace(here / "new.json", here / "memory.json")

here = Path(sys.argv[1])
memory = OnDisk()
library = placing.open_library(here / "library", memory)
shot = [here / "source/IMG_1.HEIC", here / "source/IMG_1.MOV"]
placing.file_shot(library, memory, shot, "food/2024", PlaceMode(sys.argv[3]))
"""

SYSCALLS = (
    "mkdirat",
    "pwrite64",
    "fchmod",
    "utimensat",
    "fsync",
    "renameat2",
    "linkat",
    "unlinkat",
)


@pytest.mark.faults
@pytest.mark.timeout(240)
@pytest.mark.parametrize("mode", [PlaceMode.COPY, PlaceMode.HARDLINK])
def test_killed_at_every_system_call(fresh: Callable[[PlaceMode], Scene], mode: PlaceMode) -> None:
    if shutil.which("strace") is None:
        pytest.skip("needs strace (apt-get install strace)")
    killed = set()
    for call in SYSCALLS:
        for when in range(1, 100):
            scene = fresh(mode)
            if not _killed(scene, call, when):
                break
            killed.add(call)
            scene.memory = _remembered(scene.here / "memory.json")
            assert not dies(scene.recover, 10_000)
            assert_done(scene, f"killed at {call} number {when}")
    assert killed >= {"pwrite64", "fsync", "renameat2", "linkat"}


def _killed(scene: Scene, call: str, when: int) -> bool:
    """Whether the child got as far as that system call, and so was killed before it."""
    inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}"]
    child = [sys.executable, "-c", CHILD, str(scene.here), str(Path(__file__).parents[1])]
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", *inject, *child, scene.mode],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode in (0, 137, -9), done.stderr
    return done.returncode != 0


def _remembered(file: Path) -> Memory:
    memory = Memory()
    if file.exists():
        state = json.loads(file.read_text())
        memory.uuid = state["uuid"]
        for key in ("intents", "deeds"):
            noted = [Placement(**each) for each in state[key]]
            setattr(memory, key, [replace(n, method=Method(n.method)) for n in noted])
    return memory


# ---- each answer of recover_placement


@pytest.fixture
def interrupted(tmp_path: Path) -> Iterator[tuple[Library, Placement, Path]]:
    """A library with one part made and its intent noted, as a crash would leave them."""
    [photo] = tree({"IMG_1.JPG": PHOTO}, tmp_path / "source")
    memory = Memory()
    with ExitStack() as stack:
        library = stack.enter_context(Library.open(str(tmp_path / "library"), None))
        publish = stack.enter_context(mock.patch.object(library, "publish", side_effect=PowerLoss))
        with pytest.raises(PowerLoss):
            file_shot(library, memory, [photo], "food", PlaceMode.COPY)
        publish.side_effect = None
        stack.enter_context(mock.patch.object(library, "publish", Library.publish.__get__(library)))
        yield library, memory.intents[0], tmp_path / "library/food"


def unneeded(renamed: Placement) -> None:
    pytest.fail(f"{renamed.name}: no other name was needed")


Interrupted = tuple[Library, Placement, Path]


def test_a_part_with_its_bytes_gets_its_name(interrupted: Interrupted) -> None:
    library, intent, food = interrupted
    found = recover_placement(library, intent, unneeded)
    assert (found.state, found.name) == ("published", "IMG_1.JPG")
    assert found.placement.inode == (food / "IMG_1.JPG").stat().st_ino
    assert recover_placement(library, intent, unneeded).state == "adopted"
    assert visible(food) == {"IMG_1.JPG": PHOTO}


def test_the_same_bytes_in_another_file_are_there(interrupted: Interrupted) -> None:
    library, intent, food = interrupted
    (food / "IMG_1.JPG").write_bytes(PHOTO)
    found = recover_placement(library, intent, unneeded)
    assert found.state == "there"
    assert found.placement.method is Method.THERE
    assert litter(food) == []


def test_a_name_linked_while_the_part_remains_is_ours(interrupted: Interrupted) -> None:
    """Where names are given by link and unlink, the crash may come between the two."""
    library, intent, food = interrupted
    os.link(food / intent.part, food / intent.name)
    found = recover_placement(library, intent, unneeded)
    assert found.state == "published"
    assert found.placement.method is Method.COPY
    assert litter(food) == []


def test_the_same_bytes_without_our_inode_are_not_adopted(interrupted: Interrupted) -> None:
    library, intent, food = interrupted
    (food / intent.name).write_bytes(PHOTO)
    (food / intent.part).unlink()
    found = recover_placement(library, intent, unneeded)
    assert found.state == "there"
    assert found.placement.method is Method.THERE


def test_an_inode_proves_nothing_where_it_is_not_kept(interrupted: Interrupted) -> None:
    library, intent, _ = interrupted
    assert recover_placement(library, intent, unneeded).state == "published"
    unstable = replace(library.methods("food"), inodes_stable=False)
    with mock.patch.object(library, "methods", return_value=unstable):
        assert recover_placement(library, intent, unneeded).state == "there"
    assert recover_placement(library, intent, unneeded).state == "adopted"


def test_a_damaged_part_is_not_published(interrupted: Interrupted) -> None:
    library, intent, food = interrupted
    (food / intent.part).write_bytes(b"torn")
    assert recover_placement(library, intent, unneeded).state == "redo"
    assert visible(food) == {}
    assert library.sweep(["food"], ()) == 1


def test_an_intent_names_only_part_files(interrupted: Interrupted) -> None:
    """A ledger from somewhere else must not make us rename a visible file."""
    library, intent, food = interrupted
    (food / "mine.jpg").write_bytes(PHOTO)
    strange = replace(intent, part="mine.jpg")
    assert recover_placement(library, strange, unneeded).state == "redo"
    assert visible(food) == {"mine.jpg": PHOTO}


def test_other_bytes_and_no_part_mean_redo(interrupted: Interrupted) -> None:
    library, intent, food = interrupted
    (food / intent.part).unlink()
    (food / "IMG_1.JPG").write_bytes(OLD)
    assert recover_placement(library, intent, unneeded).state == "redo"
    assert visible(food) == {"IMG_1.JPG": OLD}


def test_a_removed_directory_means_redo(interrupted: Interrupted) -> None:
    library, intent, food = interrupted
    shutil.rmtree(food)
    assert recover_placement(library, intent, unneeded).state == "redo"


def test_an_empty_file_of_somebody_else_is_left_alone(interrupted: Interrupted) -> None:
    """Where names are never reserved, an empty target is no trace of ours."""
    library, intent, food = interrupted
    (food / "IMG_1.JPG").touch()
    noted: list[Placement] = []
    found = recover_placement(library, intent, noted.append)
    assert (found.state, found.name) == ("published", "IMG_1-1.JPG")
    assert noted == [replace(intent, name="IMG_1-1.JPG")]
    assert visible(food) == {"IMG_1.JPG": b"", "IMG_1-1.JPG": PHOTO}


def test_a_hard_link_is_never_called_ours_by_its_inode(tmp_path: Path) -> None:
    [photo] = tree({"IMG_1.JPG": PHOTO}, tmp_path / "source")
    with Library.open(str(tmp_path / "library"), None) as library:
        memory = Memory()
        file_shot(library, memory, [photo], "food", PlaceMode.HARDLINK)
        assert recover_placement(library, memory.deeds[0], unneeded).state == "there"
    assert sha(photo.read_bytes()) == sha(PHOTO)
