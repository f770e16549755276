"""Which directory is the library, and who may write there."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from photosortd.errors import BusyError, WorldError
from photosortd.place import Library, marker
from placing import place, tree, visible


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "library")


@pytest.fixture
def identity(path: str) -> str:
    with Library.open(path, None) as library:
        return library.uuid


@pytest.fixture
def library(path: str) -> Iterator[Library]:
    with Library.open(path, None) as library:
        yield library


def test_a_path_never_seen_gets_its_directory_and_a_marker(path: str) -> None:
    with Library.open(path, None) as library:
        marked = Path(path, ".photosortd-library")
        assert uuid.UUID(marked.read_text().strip()) == uuid.UUID(library.uuid)
        library.check()


def test_the_directory_above_is_never_made(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="the directory above it is not there"):
        Library.open(str(tmp_path / "mnt/disk/library"), None)
    assert list(tmp_path.iterdir()) == []


def test_a_marker_that_is_there_is_adopted(path: str, identity: str) -> None:
    with Library.open(path, None) as library:
        assert library.uuid == identity
    with Library.open(path, identity) as library:
        assert library.uuid == identity


def test_a_known_library_that_is_missing_is_not_made_anew(path: str, identity: str) -> None:
    shutil.rmtree(path)
    with pytest.raises(WorldError, match="cannot open the library"):
        Library.open(path, identity)
    assert not Path(path).exists()


def test_a_known_library_without_its_marker_is_an_unmounted_one(path: str, identity: str) -> None:
    Path(path, marker.NAME).unlink()
    with pytest.raises(WorldError, match=r"is its disk mounted.*--accept-library"):
        Library.open(path, identity)
    assert os.listdir(path) == []


def test_another_library_at_the_same_path_is_refused_until_accepted(
    path: str, identity: str
) -> None:
    other = str(uuid.uuid4())
    Path(path, marker.NAME).write_text(other)
    with pytest.raises(WorldError, match=r"another library than before.*--accept-library"):
        Library.open(path, identity)
    with Library.open(path, identity, accept=True) as library:
        assert library.uuid == other


@pytest.mark.parametrize("torn", [b"", b"\0" * 37])
def test_a_marker_torn_by_a_power_cut_is_written_again(path: str, torn: bytes) -> None:
    tree({marker.NAME: torn}, Path(path))
    with Library.open(path, None) as library:
        assert marker.read(os.open(path, os.O_RDONLY)) == library.uuid


def test_a_torn_marker_of_a_known_library_is_refused(path: str, identity: str) -> None:
    Path(path, marker.NAME).write_bytes(b"")
    with pytest.raises(WorldError, match="--accept-library"):
        Library.open(path, identity)


def test_a_marker_that_is_something_else_is_refused(path: str) -> None:
    tree({marker.NAME: b"my shopping list"}, Path(path))
    with pytest.raises(WorldError, match="damaged"):
        Library.open(path, None)
    assert Path(path, marker.NAME).read_bytes() == b"my shopping list"


@pytest.mark.parametrize("kind", ["link", "directory", "fifo"])
def test_a_marker_that_is_no_file_is_refused(path: str, tmp_path: Path, kind: str) -> None:
    Path(path).mkdir()
    at = Path(path, marker.NAME)
    if kind == "link":
        at.symlink_to(tmp_path / "elsewhere")
    elif kind == "directory":
        at.mkdir()
    else:
        os.mkfifo(at)
    with pytest.raises(WorldError, match=r"marker|no regular file"):
        Library.open(path, None)
    assert not (tmp_path / "elsewhere").exists()


def test_a_library_may_be_reached_through_a_link_that_the_operator_set(
    path: str, tmp_path: Path
) -> None:
    Path(path).mkdir()
    (tmp_path / "link").symlink_to(path)
    with Library.open(str(tmp_path / "link"), None) as library:
        library.check()


def test_only_one_writer(library: Library, path: str) -> None:
    with pytest.raises(BusyError, match="another photosortd is writing to"):
        Library.open(path, library.uuid)


def test_another_process_is_kept_out_and_let_in_when_the_first_dies(
    path: str, identity: str
) -> None:
    code = (
        "import sys, time\n"
        "from photosortd.place import Library\n"
        "Library.open(sys.argv[1], None)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError):
            Library.open(path, identity)
        other.kill()
        other.wait()
    Library.open(path, identity).close()


def test_the_lock_is_not_inherited_by_children(path: str) -> None:
    """A vision worker that outlives us must not keep the next daemon out."""
    library = Library.open(path, None)
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        library.close()
        Library.open(path, None).close()
        child.kill()


def test_a_replaced_directory_is_noticed(library: Library, path: str) -> None:
    library.check()
    os.rename(path, path + ".old")
    with pytest.raises(WorldError, match="cannot reach the library"):
        library.check()
    shutil.copytree(path + ".old", path)
    with pytest.raises(WorldError, match="another directory than a moment ago"):
        library.check()


def test_a_marker_that_goes_is_noticed(library: Library, path: str) -> None:
    Path(path, marker.NAME).unlink()
    with pytest.raises(WorldError, match="marker"):
        library.check()


def test_an_open_that_fails_leaves_no_descriptor(path: str, identity: str) -> None:
    before = os.listdir("/proc/self/fd")
    Path(path, marker.NAME).unlink()
    with pytest.raises(WorldError):
        Library.open(path, identity)
    assert os.listdir("/proc/self/fd") == before


def test_placing_leaves_no_descriptor_and_no_scratch_file(library: Library, path: str) -> None:
    [photo] = tree({"a.jpg": b"1"}, Path(path).parent / "DCIM")
    before = os.listdir("/proc/self/fd")
    for directory in ("food", "food/2024", "pets"):
        place(library, photo, directory)
    assert os.listdir("/proc/self/fd") == before
    assert set(visible(Path(path))) == {"food/a.jpg", "food/2024/a.jpg", "pets/a.jpg"}
    hidden = [p.name for p in Path(path).rglob(".*")]
    assert hidden == [marker.NAME]


def test_the_reserve_of_free_space_is_kept(library: Library) -> None:
    facts = os.statvfs_result((4096, 4096, 1000, 100, 100, 0, 0, 0, 0, 255))
    with mock.patch.object(os, "fstatvfs", return_value=facts):
        library.room(need=0, keep_free=409_600)
        library.room(need=9_600, keep_free=400_000)
        with pytest.raises(WorldError, match=r"410 kB free, place.keep_free is 1 GB: free some"):
            library.room(need=0, keep_free=1_000_000_000)
        with pytest.raises(WorldError, match="keep_free"):
            library.room(need=9_601, keep_free=400_000)


def test_a_file_system_that_does_not_know_its_size_is_not_called_full(library: Library) -> None:
    facts = os.statvfs_result((4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255))
    with mock.patch.object(os, "fstatvfs", return_value=facts):
        library.room(need=1, keep_free=1)


def test_what_works_is_tried_out_once_for_a_file_system(library: Library, path: str) -> None:
    can = library.methods("food")
    assert can.link
    assert can.symlink
    with mock.patch.object(os, "link", side_effect=AssertionError("asked again")):
        assert library.methods("pets") is can
    assert list(Path(path, "food").iterdir()) == []


def test_a_library_that_we_may_not_write_says_what_to_do(tmp_path: Path, path: str) -> None:
    Path(path).mkdir()
    denied = PermissionError(13, "Permission denied")
    with (
        mock.patch.object(os, "open", side_effect=denied),
        pytest.raises(WorldError, match="Permission denied; let the user"),
    ):
        Library.open(path, None)
