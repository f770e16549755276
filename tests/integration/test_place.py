"""One file on its way into the library: whole, once, and never over another file."""

import errno
import hashlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photosortd import files
from photosortd.errors import PhotoError, WorldError
from photosortd.place import Library, SourceChanged, Wanted, copying, kernel, parts
from photosortd.place import library as library_module
from photosortd.records import Method, PlaceMode
from placing import litter, opened, place, sha, tree, visible

BYTES = bytes(range(256)) * 10_000
MTIME = 1_600_000_000_123_456_789


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(str(tmp_path / "library"), None) as library:
        yield library


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    [path] = tree({"IMG_1.JPG": BYTES}, tmp_path / "DCIM")
    path.chmod(0o600)
    os.utime(path, ns=(MTIME, MTIME))
    return path


@pytest.fixture
def food(tmp_path: Path) -> Path:
    return tmp_path / "library/food"


# ---- what a placed file is


@pytest.mark.parametrize("mode", [PlaceMode.AUTO, PlaceMode.COPY])
def test_a_copy_keeps_bytes_and_mtime_and_gains_the_added_mode(
    library: Library, photo: Path, food: Path, mode: PlaceMode
) -> None:
    part, name = place(library, photo, mode=mode, mode_add=0o040)
    placed = food / name
    assert placed.read_bytes() == BYTES
    assert placed.stat().st_mtime_ns == MTIME
    assert stat.S_IMODE(placed.stat().st_mode) == 0o640
    assert (part.size, part.sha256) == (len(BYTES), sha(BYTES))
    assert part.inode == placed.stat().st_ino != photo.stat().st_ino
    assert litter(food) == []


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o2775])
def test_a_category_is_as_open_to_others_as_the_library(
    library: Library, photo: Path, food: Path, mode: int
) -> None:
    food.parent.chmod(mode)
    umask = os.umask(0o002)  # as the unit sets it
    try:
        place(library, photo, "food/2026")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(food.stat().st_mode) == mode
    assert stat.S_IMODE((food / "2026").stat().st_mode) == mode


def test_special_permission_bits_do_not_travel(library: Library, photo: Path, food: Path) -> None:
    photo.chmod(0o4711)
    place(library, photo, mode_add=0o1040)
    assert stat.S_IMODE((food / "IMG_1.JPG").stat().st_mode) == 0o751


def test_a_hard_link_is_the_source_and_changes_nothing_of_it(
    library: Library, photo: Path, food: Path
) -> None:
    part, name = place(library, photo, mode=PlaceMode.HARDLINK, mode_add=0o044)
    assert part.method is Method.HARDLINK
    assert (food / name).stat().st_ino == photo.stat().st_ino
    assert stat.S_IMODE(photo.stat().st_mode) == 0o600
    assert photo.stat().st_mtime_ns == MTIME


def test_a_hard_link_is_of_the_open_file_not_of_its_name(
    library: Library, photo: Path, food: Path
) -> None:
    with opened(photo, sha(BYTES)) as source:
        photo.rename(photo.with_name("moved.JPG"))
        photo.write_bytes(b"another")
        part = library.make_part(source, "food", "IMG_1.JPG", PlaceMode.HARDLINK)
    library.publish(part, "IMG_1.JPG")
    assert (food / "IMG_1.JPG").read_bytes() == BYTES


def test_a_symbolic_link_leads_to_the_source(library: Library, photo: Path, food: Path) -> None:
    part, name = place(library, photo, mode=PlaceMode.SYMLINK)
    assert part.method is Method.SYMLINK
    assert (food / name).readlink() == photo


def test_a_companion_is_hashed_while_it_is_copied(library: Library, photo: Path) -> None:
    for mode in (PlaceMode.COPY, PlaceMode.HARDLINK, PlaceMode.SYMLINK):
        with opened(photo, sha256=None) as source:
            assert library.make_part(source, "food", "x", mode).sha256 == sha(BYTES)


@pytest.fixture
def buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system between which and another the kernel sends nothing by itself."""
    nowhere = OSError(errno.EINVAL, "Invalid argument")
    monkeypatch.setattr(os, "sendfile", mock.Mock(side_effect=nowhere))


def test_what_the_kernel_cannot_send_goes_through_a_buffer(
    library: Library, photo: Path, food: Path, buffered: None
) -> None:
    place(library, photo)
    assert visible(food) == {"IMG_1.JPG": BYTES}


def test_where_the_kernel_stops_sending_the_buffer_goes_on(
    library: Library, photo: Path, food: Path
) -> None:
    real, sent = os.sendfile, []

    def sendfile(target: int, source: int, offset: int, count: int) -> int:
        if sent:
            raise OSError(errno.EIO, "Input/output error")
        sent.append(real(target, source, offset, 70_001))
        return sent[0]

    with mock.patch.object(os, "sendfile", sendfile):
        place(library, photo)
    assert sent == [70_001]
    assert visible(food) == {"IMG_1.JPG": BYTES}


def test_an_empty_companion_is_placed_too(library: Library, photo: Path, food: Path) -> None:
    photo.write_bytes(b"")
    place(library, photo)
    assert visible(food) == {"IMG_1.JPG": b""}


def test_reflink_is_refused_with_advice_where_it_cannot_be(
    library: Library, photo: Path, food: Path
) -> None:
    nowhere = OSError(errno.EOPNOTSUPP, "Operation not supported")
    with (
        mock.patch.object(kernel, "clone", side_effect=nowhere),
        opened(photo, sha(BYTES)) as source,
        pytest.raises(WorldError, match=r"place.mode: reflink does not work .* use auto or copy"),
    ):
        library.make_part(source, "food", "IMG_1.JPG", PlaceMode.REFLINK)
    assert litter(food) == []


def test_auto_tries_a_reflink_first_and_copies_where_it_fails(
    library: Library, photo: Path, food: Path
) -> None:
    def clone(source: int, target: int) -> None:
        os.pwrite(target, os.pread(source, 1 << 30, 0), 0)

    with mock.patch.object(kernel, "clone", side_effect=clone):
        assert place(library, photo)[0].method is Method.REFLINK
    with mock.patch.object(kernel, "clone", side_effect=OSError(errno.EXDEV, "cross-device")):
        assert place(library, photo.rename(photo.with_name("b.JPG")))[0].method is Method.COPY
    assert visible(food) == {"IMG_1.JPG": BYTES, "b.JPG": BYTES}


# ---- a source that changes


def test_a_source_that_grows_while_it_is_copied(library: Library, photo: Path, food: Path) -> None:
    with opened(photo, sha(BYTES)) as source:
        with photo.open("ab") as writer:
            writer.write(b"more")
        with pytest.raises(SourceChanged, match="grew"):
            library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    assert litter(food) == []


@pytest.mark.parametrize("mode", [PlaceMode.COPY, PlaceMode.HARDLINK])
def test_a_source_rewritten_in_place(
    library: Library, photo: Path, food: Path, mode: PlaceMode
) -> None:
    with opened(photo, sha(BYTES)) as source:
        photo.write_bytes(BYTES[::-1])
        with pytest.raises(SourceChanged):
            library.make_part(source, "food", "IMG_1.JPG", mode)
    assert litter(food) == []


def test_other_bytes_under_an_unchanged_stamp(library: Library, photo: Path, food: Path) -> None:
    """A writer through a memory map, or a hash of what was there before."""
    with (
        opened(photo, sha(b"what was classified")) as source,
        pytest.raises(SourceChanged, match="content changed"),
    ):
        library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    assert litter(food) == []


def test_a_touch_during_the_copy_is_a_change(library: Library, photo: Path) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        os.utime(photo)
        real(descriptor)

    with (
        opened(photo, sha(BYTES)) as source,
        mock.patch.object(os, "fsync", fsync),
        pytest.raises(SourceChanged, match="changed while it was placed"),
    ):
        library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)


def test_a_deleted_source_cannot_be_linked(library: Library, photo: Path, food: Path) -> None:
    with opened(photo, sha(BYTES)) as source:
        photo.unlink()
        for mode in (PlaceMode.HARDLINK, PlaceMode.SYMLINK):
            with pytest.raises(SourceChanged):
                library.make_part(source, "food", "IMG_1.JPG", mode)
    assert litter(food) == []


def test_a_name_that_leads_elsewhere_is_not_linked_to(library: Library, photo: Path) -> None:
    with opened(photo, sha(BYTES)) as source:
        photo.rename(photo.with_name("moved.JPG"))
        photo.write_bytes(BYTES)
        with pytest.raises(SourceChanged, match="another file"):
            library.make_part(source, "food", "IMG_1.JPG", PlaceMode.SYMLINK)


def test_a_source_that_cannot_be_read_any_more(
    library: Library, photo: Path, food: Path, buffered: None
) -> None:
    with (
        opened(photo, sha(BYTES)) as source,
        mock.patch.object(os, "preadv", side_effect=OSError(errno.ESTALE, "Stale file handle")),
        pytest.raises(SourceChanged, match="cannot be read any more: Stale"),
    ):
        library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    assert litter(food) == []


# ---- a caller who cannot wait


class Stopped(BaseException):
    """The caller was told to stop."""


class Between:
    """Counts the calls; the one numbered `ends` raises."""

    def __init__(self, ends: int | None = None) -> None:
        self.calls = 0
        self.ends = ends

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == self.ends:
            raise Stopped


@pytest.fixture
def small_strides(monkeypatch: pytest.MonkeyPatch) -> int:
    """Calls in one pass over BYTES, which has 39 chunks and a bit."""
    monkeypatch.setattr(files, "CHUNK", 1 << 16)
    monkeypatch.setattr(files, "STRIDE", 1 << 18)
    return len(BYTES) >> 18


def test_hashing_calls_about_every_eight_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "long"
    with path.open("wb") as stream:
        stream.truncate(20 << 20)
    between = Between()
    with path.open("rb") as stream:
        told = files.sha256_of(stream.fileno(), between)
        assert told == files.sha256_of(stream.fileno()) == sha(bytes(20 << 20))
        assert between.calls == 2
        with pytest.raises(Stopped):
            files.sha256_of(stream.fileno(), Between(ends=2))


@pytest.mark.parametrize(
    ("mode", "passes"), [(PlaceMode.COPY, 2), (PlaceMode.HARDLINK, 1), (PlaceMode.SYMLINK, 1)]
)
def test_every_pass_over_a_long_file_calls(
    library: Library, photo: Path, small_strides: int, mode: PlaceMode, passes: int
) -> None:
    library.between = between = Between()
    with opened(photo, sha256=None) as source:
        part = library.make_part(source, "food", "IMG_1.JPG", mode)
    assert part.sha256 == sha(BYTES)
    assert between.calls == passes * small_strides


@pytest.mark.usefixtures("small_strides")
def test_what_the_callback_raises_passes_and_leaves_no_part(
    library: Library, photo: Path, food: Path
) -> None:
    every = Between()
    library.between = every
    place(library, photo)
    (food / "IMG_1.JPG").unlink()
    for ends in range(1, every.calls + 1):
        library.between = Between(ends)
        with pytest.raises(Stopped), opened(photo, sha256=None) as source:
            library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
        assert os.listdir(food) == []
    library.between = Between()
    assert place(library, photo)[1] == "IMG_1.JPG"


def test_a_sweep_of_many_directories_calls_for_each(library: Library) -> None:
    library.between = between = Between()
    library.sweep([f"food/{number}" for number in range(100)], ())
    assert between.calls == 100


def test_looking_and_removing_call_too(
    library: Library, photo: Path, food: Path, small_strides: int
) -> None:
    place(library, photo)
    library.between = between = Between()
    library.look("food", "IMG_1.JPG")
    assert between.calls == small_strides
    library.choose_names("food", [Wanted("IMG_1.JPG", sha(BYTES), len(BYTES))])
    assert between.calls == 2 * small_strides
    library.between = Between(ends=2)
    with pytest.raises(Stopped):
        library.remove("food", "IMG_1.JPG", sha(BYTES))
    assert (food / "IMG_1.JPG").read_bytes() == BYTES


def test_a_long_part_is_synced_in_pieces(
    library: Library, photo: Path, food: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK", 1 << 16)
    monkeypatch.setattr(files, "STRIDE", 1 << 18)
    monkeypatch.setattr(copying, "_SYNC_EVERY", 1 << 20)
    library.methods("food")
    real, sizes = os.fsync, []

    def fsync(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        real(descriptor)

    with mock.patch.object(os, "fsync", fsync), opened(photo, sha(BYTES)) as source:
        library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    assert sizes[:3] == [1 << 20, 2 << 20, len(BYTES)]


# ---- a disk that fails


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "disk fails"),
        (errno.EROFS, "read-only"),
    ],
)
@pytest.mark.parametrize("call", ["write", "fsync"])
@pytest.mark.usefixtures("buffered")
def test_a_failing_disk_is_the_worlds_fault_and_leaves_no_part(
    library: Library, photo: Path, food: Path, call: str, number: int, advice: str
) -> None:
    library.methods("food")
    error = OSError(number, os.strerror(number))
    with (
        opened(photo, sha(BYTES)) as source,
        mock.patch.object(os, call, side_effect=error),
        pytest.raises(WorldError, match=f"library/food: .*{advice}"),
    ):
        library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    assert litter(food) == []


@pytest.mark.parametrize(
    ("module", "call", "number", "mode", "reason"),
    [
        (os, "write", errno.EFBIG, PlaceMode.COPY, "larger than the library's file system takes"),
        (os, "lseek", errno.EINVAL, PlaceMode.COPY, "larger than the library's file system takes"),
        (kernel, "link_open_file", errno.EMLINK, PlaceMode.HARDLINK, "as many hard links as"),
        (os, "symlink", errno.ENAMETOOLONG, PlaceMode.SYMLINK, "name or path is longer than"),
        (os, "stat", errno.ENAMETOOLONG, PlaceMode.SYMLINK, "name or path is longer than"),
    ],
)
@pytest.mark.usefixtures("buffered")
def test_what_this_file_system_takes_of_no_disk_is_the_photos_fault(
    library: Library,
    photo: Path,
    food: Path,
    module: object,
    call: str,
    number: int,
    mode: PlaceMode,
    reason: str,
) -> None:
    library.methods("food")
    error = OSError(number, os.strerror(number))
    with (
        opened(photo, sha(BYTES)) as source,
        mock.patch.object(module, call, side_effect=error),
        pytest.raises(PhotoError, match=f"IMG_1.JPG: it.* {reason}"),
    ):
        library.make_part(source, "food", "IMG_1.JPG", mode)
    assert os.listdir(food) == []


def test_one_link_too_many_when_it_is_named_is_the_photos_fault(
    library: Library, photo: Path, food: Path
) -> None:
    limited = replace(library.methods("food"), noreplace=False)
    full = OSError(errno.EMLINK, "Too many links")
    with (
        mock.patch.object(library_module, "probe", return_value=limited),
        Library.open(str(food.parent / "inner"), None) as inner,
        opened(photo, sha(BYTES)) as source,
    ):
        part = inner.make_part(source, "food", "IMG_1.JPG", PlaceMode.HARDLINK)
        with (
            mock.patch.object(os, "link", side_effect=full),
            pytest.raises(PhotoError, match="as many hard links"),
        ):
            inner.publish(part, "IMG_1.JPG")


def test_a_disk_that_returns_other_bytes_is_told_from_a_changed_source(
    library: Library, photo: Path, food: Path
) -> None:
    def sendfile(target: int, source: int, offset: int, count: int) -> int:
        return os.write(target, bytes(min(count, len(BYTES) - offset)))

    with (
        opened(photo, sha(BYTES)) as source,
        mock.patch.object(os, "sendfile", sendfile),
        pytest.raises(WorldError, match="reads back with other bytes"),
    ):
        library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    assert litter(food) == []


def test_short_writes_are_continued(
    library: Library, photo: Path, food: Path, buffered: None
) -> None:
    real = os.write
    with mock.patch.object(os, "write", lambda fd, data: real(fd, data[:65_537])):
        place(library, photo)
    assert visible(food) == {"IMG_1.JPG": BYTES}


def test_our_own_mistake_is_not_blamed_on_the_world(
    library: Library, photo: Path, buffered: None
) -> None:
    library.methods("food")
    with (
        opened(photo, sha(BYTES)) as source,
        mock.patch.object(os, "write", side_effect=OSError(errno.EBADF, "Bad file descriptor")),
        pytest.raises(OSError, match="Bad file descriptor"),
    ):
        library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)


# ---- names


def test_a_name_taken_by_other_bytes_is_left_alone(
    library: Library, photo: Path, food: Path
) -> None:
    tree({"IMG_1.JPG": b"theirs", "IMG_1-1.JPG/inside": b"a directory"}, food)
    (food / "IMG_1-2.JPG").symlink_to("nowhere")
    os.mkfifo(food / "IMG_1-3.JPG")
    assert place(library, photo)[1] == "IMG_1-4.JPG"
    assert (food / "IMG_1.JPG").read_bytes() == b"theirs"


def test_a_name_taken_by_the_same_bytes_is_ours_already(library: Library, food: Path) -> None:
    tree({"IMG_1.HEIC": b"photo"}, food)
    wanted = [Wanted("IMG_1.HEIC", sha(b"photo"), 5), Wanted("IMG_1.MOV", sha(b"movie"), 5)]
    names = library.choose_names("food", wanted)
    assert names.names == ("IMG_1.HEIC", "IMG_1.MOV")
    assert names.there == (True, False)


def test_one_suffix_for_the_whole_shot(library: Library, food: Path) -> None:
    tree({"IMG_1.HEIC": b"a", "IMG_1-1.jpg.xmp": b"b", "IMG_1-2_HEVC.MOV": b"c"}, food)
    names = ["IMG_1.HEIC", "IMG_1_HEVC.MOV", "IMG_1.jpg.xmp", "IMG_1.AAE"]
    chosen = library.choose_names("food", [Wanted(name, sha(b"x"), 1) for name in names])
    assert chosen.suffix == "-3"
    assert chosen.names == ("IMG_1-3.HEIC", "IMG_1-3_HEVC.MOV", "IMG_1-3.jpg.xmp", "IMG_1-3.AAE")


def test_a_photo_that_is_there_keeps_its_name_and_an_edited_sidecar_gets_its_own(
    library: Library, food: Path
) -> None:
    tree({"i.HEIC": b"theirs", "i-1.HEIC": b"photo", "i-1.MOV": b"movie"}, food)
    tree({"i-1.xmp": b"before", "i-1~2.xmp": b"theirs"}, food)
    wanted = [
        Wanted("i.HEIC", sha(b"photo"), 5),
        Wanted("i.xmp", sha(b"edited"), 6),
        Wanted("i.MOV", sha(b"movie"), 5),
    ]
    chosen = library.choose_names("food", wanted)
    assert chosen.suffix == "-1"
    assert chosen.names == ("i-1.HEIC", "i-1~3.xmp", "i-1.MOV")
    assert chosen.there == (True, False, True)
    tree({"i-1~3.xmp": b"edited"}, food)
    assert library.choose_names("food", wanted).there == (True, True, True)


def test_a_photo_that_is_not_there_moves_on_with_its_whole_shot(
    library: Library, food: Path
) -> None:
    tree({"i.xmp": b"theirs"}, food)
    wanted = [Wanted("i.HEIC", sha(b"photo"), 5), Wanted("i.xmp", sha(b"ours"), 4)]
    assert library.choose_names("food", wanted).names == ("i-1.HEIC", "i-1.xmp")


def test_no_file_is_hashed_twice_to_choose_names(library: Library, food: Path) -> None:
    tree({"i.HEIC": b"photo", "i.MOV": b"other", "i.xmp": b"same"}, food)
    wanted = [
        Wanted("i.HEIC", sha(b"photo"), 5),
        Wanted("i.MOV", sha(b"movie"), 5),
        Wanted("i.xmp", sha(b"same"), 4),
    ]
    with mock.patch.object(files, "sha256_of", side_effect=files.sha256_of) as hashing:
        assert library.choose_names("food", wanted).names == ("i.HEIC", "i~2.MOV", "i.xmp")
    assert hashing.call_count == 3


def test_a_late_companion_takes_its_photos_suffix(library: Library, food: Path) -> None:
    tree({"IMG_1-2.HEIC": b"photo"}, food)
    late = [Wanted("IMG_1_HEVC.MOV", sha(b"movie"), 5)]
    chosen = library.choose_names("food", late, "-2", photo="IMG_1.HEIC")
    assert chosen.names == ("IMG_1-2_HEVC.MOV",)
    tree({"IMG_1-2_HEVC.MOV": b"other"}, food)
    chosen = library.choose_names("food", late, "-2", photo="IMG_1.HEIC")
    assert chosen.names == ("IMG_1-3_HEVC.MOV",)


def test_the_same_symbolic_link_is_ours_already(library: Library, photo: Path) -> None:
    place(library, photo, mode=PlaceMode.SYMLINK)
    same = Wanted("IMG_1.JPG", sha(BYTES), len(BYTES), link=str(photo))
    assert library.choose_names("food", [same]).there == (True,)
    other = Wanted("IMG_1.JPG", sha(BYTES), len(BYTES), link="/elsewhere")
    assert library.choose_names("food", [other]).names == ("IMG_1-1.JPG",)
    copy = Wanted("IMG_1.JPG", sha(BYTES), len(BYTES))
    assert library.choose_names("food", [copy]).names == ("IMG_1-1.JPG",)


stems = st.sampled_from(["IMG_1", "IMG_1-1", "IMG_2"])
endings = st.sampled_from([".HEIC", ".MOV", "_HEVC.MOV", ".jpg.xmp", ".AAE"])
shots = st.builds(
    lambda stem, ends: {stem + end: f"{stem}{end}".encode() for end in [".HEIC", *ends]},
    stems,
    st.lists(endings, max_size=4, unique=True),
)
existing = st.dictionaries(
    st.builds(
        lambda stem, number, ending: stem + number + ending,
        stems,
        st.sampled_from(["", "-1", "-2", "-3"]),
        endings,
    ),
    st.sampled_from([b"theirs", b"IMG_1.HEIC", b"IMG_1.MOV", b"IMG_2.HEIC"]),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(shot=shots, before=existing)
def test_a_shot_never_replaces_and_is_never_doubled(
    shot: dict[str, bytes], before: dict[str, bytes]
) -> None:
    """All that is there stays; the shot stands whole under one suffix; twice is once.

    The photo is never doubled, and only beside one that was there do companions get a number.
    """
    with tempfile.TemporaryDirectory() as here:
        paths = tree(shot, Path(here, "DCIM"))
        food = Path(here, "library/food")
        tree(before, food)
        with Library.open(f"{here}/library", None) as library:
            after = _file(library, paths)
            assert before.items() <= visible(food).items()
            assert [visible(food)[name] for name in after] == [path.read_bytes() for path in paths]
            photo_was_there = before.get(after[0]) == paths[0].read_bytes()
            assert _one_suffix(after, [path.name for path in paths], numbered=photo_was_there)
            full = visible(food)
            assert _file(library, paths) == after
            assert visible(food) == full
            assert len(full) <= len(before) + len(shot)


def _file(library: Library, paths: list[Path]) -> list[str]:
    wanted = [Wanted(p.name, sha(p.read_bytes()), p.stat().st_size) for p in paths]
    chosen = library.choose_names("food", wanted)
    for path, name, there in zip(paths, chosen.names, chosen.there, strict=True):
        if not there:
            with opened(path) as source:
                part = library.make_part(source, "food", path.name, PlaceMode.COPY)
            library.publish(part, name)
    return list(chosen.names)


def _one_suffix(placed: list[str], names: list[str], numbered: bool) -> bool:
    stem = os.path.splitext(names[0])[0]
    grown = [
        new[len(stem) :].removesuffix(name[len(stem) :])
        for new, name in zip(placed, names, strict=True)
    ]
    if numbered:
        grown = [re.sub(r"~\d+$", "", suffix) for suffix in grown]
    return len(set(grown)) == 1


# ---- giving the name


def test_publishing_onto_a_taken_name_raises_and_keeps_the_part(
    library: Library, photo: Path, food: Path
) -> None:
    with opened(photo, sha(BYTES)) as source:
        part = library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    tree({"IMG_1.JPG": b"theirs"}, food)
    with pytest.raises(FileExistsError):
        library.publish(part, "IMG_1.JPG")
    assert (food / "IMG_1.JPG").read_bytes() == b"theirs"
    assert len(litter(food)) == 1
    library.discard(part)
    library.discard(part)
    assert litter(food) == []


def test_a_name_that_the_file_system_refuses_is_the_photos_fault(
    library: Library, photo: Path
) -> None:
    with opened(photo, sha(BYTES)) as source:
        part = library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    with pytest.raises(PhotoError, match="no file of this name: File name too long"):
        library.publish(part, "x" * 300)


def test_a_part_that_somebody_removed_is_the_worlds_fault(
    library: Library, photo: Path, food: Path
) -> None:
    with opened(photo, sha(BYTES)) as source:
        part = library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
    Path(food, part.part).unlink()
    with pytest.raises(WorldError, match="removed"):
        library.publish(part, "IMG_1.JPG")
    food.rmdir()
    with pytest.raises(WorldError, match="removed"):
        library.publish(part, "IMG_1.JPG")


def test_a_reserved_name_is_given_back_when_the_rename_fails(
    library: Library, photo: Path, food: Path
) -> None:
    limited = replace(library.methods("food"), noreplace=False, link=False)
    full = OSError(errno.ENOSPC, "No space left on device")
    with (
        mock.patch.object(library_module, "probe", return_value=limited),
        Library.open(str(food.parent / "inner"), None) as inner,
    ):
        with mock.patch.object(os, "rename", side_effect=full), pytest.raises(WorldError):
            place(inner, photo)
        assert visible(food.parent) == {}
        place(inner, photo.rename(photo.with_name("b.JPG")))
    assert visible(food.parent) == {"inner/food/b.JPG": BYTES}


@pytest.mark.parametrize(
    "name", ["bad\udcff\n.jpg", "😀.jpg", "a b'\"$(x).jpg", "x" * 251 + ".jpg"]
)
def test_any_name_survives(library: Library, photo: Path, food: Path, name: str) -> None:
    place(library, photo.rename(photo.with_name(name)))
    assert os.listdir(food) == [name]


# ---- links lead nowhere


@pytest.mark.parametrize("link", ["food", "food/2024"])
def test_a_linked_directory_is_refused(
    library: Library, photo: Path, tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    at = tmp_path / "library" / link
    at.parent.mkdir(exist_ok=True)
    at.symlink_to(outside)
    with pytest.raises(WorldError, match="follows no links"):
        place(library, photo, directory="food/2024")
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("directory", ["../outside", "/etc", "food/../../outside"])
def test_a_path_that_leaves_the_library_is_our_own_mistake(
    library: Library, photo: Path, directory: str
) -> None:
    with pytest.raises(ValueError, match="not a path below"):
        place(library, photo, directory=directory)


def test_an_existing_part_is_never_opened_for_writing(
    tmp_path: Path, photo: Path, food: Path
) -> None:
    """It may be a hard link to a placed photo."""
    token = iter(["probe", "same", "same"])
    with Library.open(str(tmp_path / "library"), None, token=lambda: next(token)) as library:
        library.methods("food")
        placed = tree({"placed.jpg": b"precious"}, food)[0]
        os.link(placed, food / parts.part_name("same"))
        with (
            opened(photo, sha(BYTES)) as source,
            pytest.raises(FileExistsError),
        ):
            library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY)
        assert placed.read_bytes() == b"precious"


# ---- taking away


@pytest.mark.parametrize("mode", [PlaceMode.COPY, PlaceMode.HARDLINK, PlaceMode.SYMLINK])
def test_undo_removes_what_was_placed_and_the_directories_made_for_it(
    library: Library, photo: Path, tmp_path: Path, mode: PlaceMode
) -> None:
    part, name = place(library, photo, "food/2024/05", mode)
    assert library.remove("food/2024/05", name, part.sha256, part.method) is None
    left = {str(p.relative_to(tmp_path)) for p in (tmp_path / "library").rglob("*")}
    assert left == {"library/.photosortd-library", "library/food"}
    assert photo.read_bytes() == BYTES


def test_undo_leaves_what_is_not_ours(library: Library, photo: Path, food: Path) -> None:
    part, name = place(library, photo)
    placed = food / name
    digest = part.sha256
    assert library.remove("food", name, digest, Method.THERE) == "it stood there before"
    assert library.remove("food", "gone.jpg", digest) == "it is gone"
    assert library.remove("nowhere", "gone.jpg", digest) == "it is gone"
    placed.write_bytes(b"edited")
    assert library.remove("food", name, digest) == "it has other bytes than were placed"
    placed.unlink()
    placed.symlink_to(photo)
    assert library.remove("food", name, digest) == "it is no regular file any more"
    assert placed.is_symlink()
    assert library.remove("food", name, sha(b"x"), Method.SYMLINK) is not None
    placed.unlink()
    placed.write_bytes(BYTES)
    assert library.remove("food", name, digest, Method.SYMLINK) is not None
    assert placed.exists()


def test_undo_notices_a_file_exchanged_under_its_eyes(
    library: Library, photo: Path, food: Path
) -> None:
    part, name = place(library, photo)
    real = hashlib.sha256
    precious = tree({"precious": b"newer"}, food)[0]

    def exchange() -> object:
        if precious.exists():
            precious.replace(food / name)
        return real()

    with mock.patch.object(hashlib, "sha256", exchange):
        reason = library.remove("food", name, part.sha256)
    assert reason == "it changed while it was looked at"
    assert visible(food) == {name: b"newer"}


def test_the_sweep_takes_old_parts_only(library: Library, photo: Path, food: Path) -> None:
    made = []
    for _ in range(3):
        with opened(photo, sha(BYTES)) as source:
            made.append(library.make_part(source, "food", "IMG_1.JPG", PlaceMode.COPY))
    tree({".photosortd-mine": b"1", "x.part": b"2", ".photosortd-d.part/x": b"3"}, food)
    kept = made[0]
    assert library.sweep(["food", "nowhere"], {("food", kept.part)}) == 2
    assert litter(food).count(str(food / kept.part)) == 1
    assert (food / ".photosortd-mine").exists()
    assert (food / ".photosortd-d.part/x").exists()
    found = library.find_part("food", kept.part, kept.device, kept.inode, kept.size, kept.sha256)
    assert found is not None
    library.publish(found, "IMG_1.JPG")
    assert visible(food)["IMG_1.JPG"] == BYTES


def test_the_sweep_is_durable_before_it_is_called_done(library: Library, food: Path) -> None:
    """Also where there is nothing to sweep any more: the run that did it may have been killed."""
    tree({".photosortd-1.part": b"1"}, food)
    done: list[str] = []

    def sync(_: int) -> None:
        done.append("sync")

    with (
        mock.patch.object(os, "unlink", lambda name, **_: done.append(name)),
        mock.patch.object(os, "fsync", sync),
    ):
        library.sweep(["food"], ())
        (food / ".photosortd-1.part").rename(food / "seen")
        library.sweep(["food"], ())
    assert done == [".photosortd-1.part", "sync", "sync"]


def test_only_an_empty_regular_file_is_a_reserved_name(library: Library, food: Path) -> None:
    tree({"full.jpg": b"1", "empty.jpg": b"", "directory/x": b""}, food)
    assert not library.remove_reserved("food", "full.jpg")
    assert not library.remove_reserved("food", "directory")
    assert not library.remove_reserved("food", "nothing")
    assert not library.remove_reserved("nowhere", "nothing")
    assert library.remove_reserved("food", "empty.jpg")
    assert (food / "full.jpg").exists()
    assert not (food / "empty.jpg").exists()
