"""The same promises on real file systems: what each lacks, full disks, and power cuts."""

import errno
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from cutting import Disk, disk
from photosortd.errors import PhotoError, WorldError
from photosortd.place import Library, Wanted, kernel
from photosortd.records import Method, PlaceMode
from placing import (
    Machine,
    Memory,
    PowerLoss,
    file_shot,
    litter,
    open_library,
    opened,
    place,
    recover,
    sha,
    tree,
    visible,
)

pytestmark = [pytest.mark.root, pytest.mark.faults]

PHOTO, MOVIE = b"photo" * 40_000, b"movie" * 50_000
MTIME = 1_600_000_000_123_456_700


@dataclass(frozen=True)
class Kind:
    """A file system that can be mounted here, and the Debian package that it takes."""

    megabytes: int
    make: list[str]
    mount: list[str]
    package: str
    reflink: bool = False
    link: bool = True
    noreplace: bool = True
    fat: bool = False  # no case, no `:`, no permissions
    mtime_step: int = 1  # nanoseconds


KINDS = {
    "ext4": Kind(40, ["mkfs.ext4", "-qF"], ["mount", "-o", "loop"], "e2fsprogs"),
    "btrfs": Kind(120, ["mkfs.btrfs", "-q"], ["mount", "-o", "loop"], "btrfs-progs", reflink=True),
    "xfs": Kind(310, ["mkfs.xfs", "-q"], ["mount", "-o", "loop"], "xfsprogs", reflink=True),
    "exfat": Kind(
        20,
        ["mkfs.exfat"],
        ["mount.exfat-fuse"],
        "exfat-fuse exfatprogs",
        link=False,
        noreplace=False,
        fat=True,
        mtime_step=2_000_000_000,
    ),
    "ntfs": Kind(
        20, ["mkfs.ntfs", "-QqF"], ["ntfs-3g"], "ntfs-3g", noreplace=False, mtime_step=100
    ),
}


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"


def unmount(at: Path) -> None:
    """Unmount, even if something leaked a descriptor there; but then say so."""
    done = subprocess.run(["umount", str(at)], capture_output=True, text=True, check=False)
    if done.returncode:
        run("umount", "--lazy", str(at))
    assert done.returncode == 0, done.stderr


def can_mount(kind: Kind) -> str | None:
    for program in (kind.make[0], kind.mount[0]):
        if shutil.which(program) is None:
            return f"needs {program} (apt-get install {kind.package})"
    needed = "/dev/fuse" if kind.package.startswith(("exfat", "ntfs")) else "/dev/loop-control"
    return None if os.path.exists(needed) else f"needs {needed}"


@pytest.fixture
def mounts() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def mounted(tmp_path: Path, mounts: ExitStack) -> Callable[[str], Path]:
    """mounted('xfs') makes such a file system in a file, mounts it, and returns where."""

    def make(name: str) -> Path:
        kind = KINDS[name]
        if reason := can_mount(kind):
            pytest.skip(reason)
        image = tmp_path / f"{name}.img"
        with image.open("wb") as stream:
            stream.truncate(kind.megabytes << 20)
        run(*kind.make, str(image))
        return attach(kind, image, tmp_path / name)

    def attach(kind: Kind, image: Path, at: Path) -> Path:
        at.mkdir()
        device = str(image)
        if kind.mount[0] == "mount.exfat-fuse":  # it takes no plain file
            done = subprocess.run(
                ["losetup", "-f", "--show", device], capture_output=True, text=True, check=True
            )
            device = done.stdout.strip()
            mounts.callback(run, "losetup", "-d", device)
        run(*kind.mount, device, str(at))
        mounts.callback(unmount, at)
        return at

    return make


@pytest.fixture
def shot(tmp_path: Path) -> list[Path]:
    paths = tree({"IMG_1.HEIC": PHOTO, "IMG_1.MOV": MOVIE}, tmp_path / "DCIM")
    for path in paths:
        os.utime(path, ns=(MTIME, MTIME))
    return paths


@pytest.mark.parametrize("name", KINDS)
def test_what_each_can_do(mounted: Callable[[str], Path], name: str) -> None:
    kind, at = KINDS[name], mounted(name)
    with Library.open(str(at / "library"), None) as library:
        can = library.methods("food")
        assert (can.reflink, can.link, can.noreplace) == (kind.reflink, kind.link, kind.noreplace)
        assert can.inodes_stable == (name in ("ext4", "btrfs", "xfs"))
        assert can.rules.case_sensitive == (not kind.fat)
        assert can.rules.any_char == (not kind.fat)
        assert library.methods("pets") is can
        assert list((at / "library/food").iterdir()) == []


@pytest.mark.parametrize("name", KINDS)
def test_placed_whole_once_and_never_over_another(
    mounted: Callable[[str], Path], shot: list[Path], name: str
) -> None:
    kind, at = KINDS[name], mounted(name)
    food = at / "library/food/2024"
    tree({"IMG_1.HEIC": b"theirs"}, food)
    memory = Memory()
    with open_library(at / "library", memory) as library:
        file_shot(library, memory, shot, "food/2024", PlaceMode.AUTO)
        wanted = {"IMG_1.HEIC": b"theirs", "IMG_1-1.HEIC": PHOTO, "IMG_1-1.MOV": MOVIE}
        assert visible(food) == wanted
        assert litter(at) == []
        assert {deed.method for deed in memory.deeds} == {Method.COPY}  # from another disk
        file_shot(library, Memory(), shot, "food/2024", PlaceMode.AUTO)
        assert visible(food) == wanted
        placed = (food / "IMG_1-1.HEIC").stat()
        assert abs(placed.st_mtime_ns - MTIME) < max(kind.mtime_step, 2)
        with opened(shot[0], sha(PHOTO)) as source:
            part = library.make_part(source, "food/2024", "x", PlaceMode.AUTO)
        with pytest.raises(FileExistsError):
            library.publish(part, "IMG_1.HEIC")
        library.discard(part)
        for deed in memory.deeds:
            assert library.remove(deed.directory, deed.name, deed.sha256, deed.method) is None
        assert visible(food) == {"IMG_1.HEIC": b"theirs"}


@pytest.mark.parametrize("name", ["btrfs", "xfs"])
def test_a_source_on_the_same_disk_is_reflinked(mounted: Callable[[str], Path], name: str) -> None:
    at = mounted(name)
    [photo] = tree({"IMG_1.JPG": PHOTO}, at / "DCIM")
    with Library.open(str(at / "library"), None) as library:
        for mode in (PlaceMode.AUTO, PlaceMode.REFLINK):
            part, placed = place(library, photo, str(mode), mode, mode_add=0o040)
            assert part.method is Method.REFLINK
            assert (at / "library" / mode / placed).read_bytes() == PHOTO
        part, placed = place(library, photo, "copy", PlaceMode.COPY)
        assert part.method is Method.COPY
        with opened(photo) as companion:
            assert library.make_part(companion, "x", "x", PlaceMode.AUTO).sha256 == sha(PHOTO)


def test_a_hard_link_across_disks_is_refused_with_advice(
    mounted: Callable[[str], Path], shot: list[Path]
) -> None:
    at = mounted("ext4")
    with (
        Library.open(str(at / "library"), None) as library,
        pytest.raises(WorldError, match=r"place\.mode: hardlink does not work .*auto or copy"),
    ):
        place(library, shot[0], mode=PlaceMode.HARDLINK)
    assert litter(at) == []


def test_a_file_that_is_too_large_for_the_file_system_is_the_photos_fault(
    mounted: Callable[[str], Path], tmp_path: Path
) -> None:
    """With blocks of 1 kB, ext4 takes 4 TB; a FAT would take 4 GB."""
    at = mounted("ext4")
    movie = tmp_path / "long.mov"
    with movie.open("wb") as stream:
        try:
            stream.truncate(5 << 40)
        except OSError:
            pytest.skip("needs a file system that takes sparse files of 5 TB")
    with (
        Library.open(str(at / "library"), None) as library,
        opened(movie, sha(b"not computed")) as source,
        pytest.raises(
            PhotoError, match=r"long\.mov: .*larger than the library's file system takes"
        ),
    ):
        library.make_part(source, "food", "long.mov", PlaceMode.COPY)
    assert litter(at) == []


def test_names_that_fat_refuses_or_folds(mounted: Callable[[str], Path], tmp_path: Path) -> None:
    at = mounted("exfat")
    strange = tree(
        {"2024-01-01 12:30?.jpg": b"1", "bad\udcff.jpg": b"2", "a.JPG": b"3", "A.jpg": b"4"},
        tmp_path / "DCIM",
    )
    with Library.open(str(at / "library"), None) as library:
        names = [place(library, path)[1] for path in strange]
    assert names == ["2024-01-01 12_30_.jpg", "bad_.jpg", "a.JPG", "A-1.jpg"]
    food = at / "library/food"
    assert sorted(visible(food).values()) == [b"1", b"2", b"3", b"4"]


def test_two_files_of_a_shot_that_differ_in_case_only(
    mounted: Callable[[str], Path], tmp_path: Path
) -> None:
    at = mounted("exfat")
    shot = tree({"a.JPG": b"1", "a.MOV": b"2", "a.mov": b"3"}, tmp_path / "DCIM")
    memory = Memory()
    with open_library(at / "library", memory) as library:
        file_shot(library, memory, shot, "food", PlaceMode.AUTO)
        file_shot(library, Memory(), shot, "food", PlaceMode.AUTO)
    assert visible(at / "library/food") == {"a.JPG": b"1", "a.MOV": b"2", "a~2.mov": b"3"}


@pytest.mark.parametrize("name", KINDS)
def test_power_lost_at_any_call_on_each(
    mounted: Callable[[str], Path], shot: list[Path], name: str
) -> None:
    """The process dies before every call, the disk lives on: also where names are reserved."""
    at = mounted(name)
    number = 0
    while True:
        library_path = at / f"library{number}"
        tree({"IMG_1.HEIC": b"theirs"}, library_path / "food")
        memory, machine = Memory(), Machine(dies_at=number)
        memory.tick = machine.tick
        with suppress(PowerLoss), machine.running(), open_library(library_path, memory) as library:
            file_shot(library, memory, shot, "food", PlaceMode.AUTO)
        machine.close()
        memory.tick = lambda what: None
        with open_library(library_path, memory) as library:
            recover(library, memory, shot, "food", PlaceMode.AUTO)
        wanted = {"IMG_1.HEIC": b"theirs", "IMG_1-1.HEIC": PHOTO, "IMG_1-1.MOV": MOVIE}
        assert visible(library_path / "food") == wanted, number
        assert litter(library_path) == []
        shutil.rmtree(library_path)
        if not machine.off:
            break
        number += 1
    assert number > 20


# ---- the library that goes away


def test_an_unmounted_library_is_not_an_empty_one(
    mounted: Callable[[str], Path], mounts: ExitStack, tmp_path: Path
) -> None:
    at = mounted("ext4")
    with Library.open(str(at), None) as library:
        identity = library.uuid
        run("umount", "--lazy", str(at))
        with pytest.raises(WorldError, match="another directory than a moment ago"):
            library.check()
    with pytest.raises(WorldError, match="is its disk mounted"):
        Library.open(str(at), identity)
    assert os.listdir(at) == []
    run("mount", "-o", "loop", str(tmp_path / "ext4.img"), str(at))
    Library.open(str(at), identity).close()


def test_a_library_mounted_over_is_noticed(tmp_path: Path, mounts: ExitStack) -> None:
    path = tmp_path / "library"
    with Library.open(str(path), None) as library:
        run("mount", "-t", "tmpfs", "-o", "size=1m", "none", str(path))
        try:
            with pytest.raises(WorldError, match="another directory than a moment ago"):
                library.check()
        finally:
            unmount(path)
        library.check()
        run("mount", "--bind", str(path), str(path))
        try:
            with pytest.raises(WorldError, match="another directory than a moment ago"):
                library.check()
        finally:
            unmount(path)


def test_another_disk_at_the_same_place_is_refused(
    mounted: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "library"
    with Library.open(str(path), None) as library:
        identity = library.uuid
    run("mount", "-t", "tmpfs", "-o", "size=1m", "none", str(path))
    try:
        Path(path, ".photosortd-library").write_text(f"{uuid.uuid4()}\n")
        with pytest.raises(WorldError, match="another library than before"):
            Library.open(str(path), identity)
    finally:
        unmount(path)


# ---- full, read-only, dying


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    at = tmp_path / "small"
    at.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=256k", "none", str(at))
    yield at
    unmount(at)


def test_a_full_disk_pauses_and_leaves_nothing(small: Path, shot: list[Path]) -> None:
    with Library.open(str(small), None) as library:
        place(library, shot[0])
        before = visible(small)
        with pytest.raises(WorldError, match=r"small/food: No space left.*free some space"):
            place(library, shot[1])
        assert visible(small) == before == {"food/IMG_1.HEIC": PHOTO}
        assert litter(small) == []
        with pytest.raises(WorldError, match="keep_free"):
            library.room(0, 1 << 20)


def test_a_disk_that_is_full_only_at_fsync(
    tmp_path: Path, small: Path, shot: list[Path], mounts: ExitStack
) -> None:
    """A file system in a sparse file on a full disk: write() succeeds, fsync() does not."""
    if reason := can_mount(KINDS["ext4"]):
        pytest.skip(reason)
    run("mount", "-o", "remount,size=16m", str(small))
    image, at = small / "x.img", tmp_path / "inner"
    with image.open("wb") as stream:
        stream.truncate(40 << 20)
    run("mkfs.ext4", "-qF", "-O", "^has_journal", str(image))
    at.mkdir()
    run("mount", "-o", "loop", str(image), str(at))
    mounts.callback(unmount, at)
    with Library.open(str(at / "library"), None) as library:
        library.methods("food")
        os.sync()
        with open(small / "filler", "wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))
        with pytest.raises(WorldError, match="library/food: "):
            place(library, shot[0])
        assert visible(at / "library") == {}


def test_a_read_only_library_says_so(mounted: Callable[[str], Path], shot: list[Path]) -> None:
    at = mounted("ext4")
    with Library.open(str(at / "library"), None) as library:
        library.methods("food")
    run("mount", "-o", "remount,ro", str(at))
    with pytest.raises(WorldError, match="Read-only file system; it is mounted read-only"):
        Library.open(str(at / "library"), None)


@pytest.fixture
def platter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """Of the kind that the test's parameter names."""
    with disk(tmp_path, request.param) as platter:
        yield platter


@pytest.mark.timeout(300)
@pytest.mark.parametrize("platter", ["ext4", "xfs"], indirect=True)
@pytest.mark.parametrize("mode", [PlaceMode.COPY, PlaceMode.HARDLINK])
def test_a_real_power_cut_at_every_call(platter: Disk, mode: PlaceMode) -> None:
    """The cache is lost before the n-th call. What was intended survives even its source."""
    at = platter.point
    number = intended = 0
    while True:
        source, library_path = at / f"DCIM{number}", at / f"library{number}"
        shot = tree({"IMG_1.HEIC": PHOTO, "IMG_1.MOV": MOVIE}, source)
        tree({"IMG_1.HEIC": b"theirs"}, library_path / "food")
        platter.sync()
        memory = Memory()
        machine = Machine(dies_at=number, cut=platter.cut)
        memory.tick = machine.tick
        with suppress(PowerLoss), machine.running(), open_library(library_path, memory) as library:
            file_shot(library, memory, shot, "food", mode)
        machine.close()
        if not machine.off:
            break
        platter.power()
        memory.tick = lambda what: None
        survives = bool(memory.intents or memory.deeds)
        if survives:
            shutil.rmtree(source)
        with open_library(library_path, memory) as library:
            recover(library, memory, shot, "food", mode)
        wanted = {"IMG_1.HEIC": b"theirs", "IMG_1-1.HEIC": PHOTO, "IMG_1-1.MOV": MOVIE}
        assert visible(library_path / "food") == wanted, f"cut before call {number}"
        assert litter(library_path) == []
        assert memory.lost == []
        shutil.rmtree(library_path)
        shutil.rmtree(source, ignore_errors=True)
        intended += survives
        number += 1
    assert number > 20
    assert intended >= 4


@pytest.mark.parametrize("platter", ["xfs"], indirect=True)
def test_a_disk_that_dies_is_the_worlds_fault(platter: Disk, shot: list[Path]) -> None:
    at = platter.point
    with Library.open(str(at / "library"), None) as library:
        place(library, shot[0])
        platter.cut()
        with pytest.raises(WorldError, match="Input/output error; the disk fails"):
            place(library, shot[1])
        with pytest.raises(WorldError):
            library.choose_names("food", [Wanted("IMG_1.HEIC", sha(b"x"), len(PHOTO))])


def test_the_rename_that_never_replaces(tmp_path: Path) -> None:
    tree({"a": b"1", "b": b"2"}, tmp_path)
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            kernel.rename_noreplace(directory, "a", "b")
        with pytest.raises(FileNotFoundError):
            kernel.rename_noreplace(directory, "none", "c")
        kernel.rename_noreplace(directory, "a", "c\udcff")
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            kernel.rename_noreplace(-1, "b", "d")
        assert caught.value.errno == errno.EBADF
    finally:
        os.close(directory)
    assert visible(tmp_path) == {"b": b"2", "c\udcff": b"1"}
