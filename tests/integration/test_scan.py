"""Walking a tree: everything that is there, nothing that lies outside, one directory at a time."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from photosortd.watch import walk as walking
from photosortd.watch.ignore import Rules
from photosortd.watch.kin import kin, slices
from photosortd.watch.scan import ignored_by, list_directory, stat_beneath
from photosortd.watch.walk import Walk


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def walk_all(root: Path, rules: Rules = Rules(), top: str = "") -> tuple[Walk, list[str]]:  # noqa: B008
    walk, found = Walk(rules, top), []
    with opened(root) as descriptor:
        while not walk.done:
            if step := walk.step(descriptor):
                found += [os.path.join(step[0], name) for name in step[1]]
    return walk, sorted(found)


def test_every_file_is_found_with_its_stamp(tmp_path: Path, make_tree: Callable[..., Path]) -> None:
    make_tree({"a.jpg": "x", "DCIM/100/b.heic": "yy", "DCIM/c.jpg": "", "e/f/g/h.jpg": "z"})
    walk, found = walk_all(tmp_path)
    assert found == ["DCIM/100/b.heic", "DCIM/c.jpg", "a.jpg", "e/f/g/h.jpg"]
    assert (walk.directories, walk.files, walk.failures) == (6, 4, 0)
    with opened(tmp_path) as root:
        stamps = list_directory(root, "DCIM/100", Rules(), None)
    assert stamps is not None
    facts = (tmp_path / "DCIM/100/b.heic").stat()
    assert (stamps["b.heic"].size, stamps["b.heic"].inode) == (2, facts.st_ino)


@pytest.mark.parametrize("name", [b"new\nline.jpg", b"\xff\xfe.jpg", "é👍.jpg".encode(), b" .jpg"])
def test_odd_names(tmp_path: Path, name: bytes) -> None:
    directory = os.path.join(os.fsencode(tmp_path), b"\xfe\ndir")
    os.mkdir(directory)
    with open(os.path.join(directory, name), "wb"):
        pass
    assert walk_all(tmp_path)[1] == [os.fsdecode(b"\xfe\ndir/" + name)]


def test_links_lead_nowhere(tmp_path: Path, make_tree: Callable[..., Path]) -> None:
    root = make_tree({"in.jpg": "x"}, below=tmp_path / "root")
    make_tree({"secret/out.jpg": "x"})
    (root / "file.jpg").symlink_to(tmp_path / "secret/out.jpg")
    (root / "dir").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root)
    (root / "dangling.jpg").symlink_to("nowhere")
    os.mkfifo(root / "pipe.jpg")
    walk, found = walk_all(root)
    assert found == ["in.jpg"]
    assert walk.failures == 0
    with opened(root) as descriptor:
        assert list_directory(descriptor, "dir", Rules(), None) is None
        with pytest.raises(OSError, match="dir"):
            stat_beneath(descriptor, "dir/out.jpg")


def test_ignored_names_nomedia_and_ignore_files(
    tmp_path: Path, make_tree: Callable[..., Path]
) -> None:
    make_tree(
        {
            "keep.jpg": "",
            ".hidden.jpg": "",
            "a.jpg.part": "",
            "@eaDir/a.jpg": "",
            ".stversions/a.jpg": "",
            "WhatsApp/.nomedia": "",
            "WhatsApp/Sent/b.jpg": "",
            "x/.photosortdignore": "*.png\n/only-here.jpg\n!\n",
            "x/a.png": "",
            "x/b.jpg": "",
            "x/only-here.jpg": "",
            "x/y/only-here.jpg": "",
            "x/y/c.png": "",
            "x/y/.photosortdignore": "!c.png",
            "Trips/Old/d.jpg": "",
            "Trips/e.jpg": "",
        }
    )
    rules = Rules().with_patterns("", "the configuration", ["Old/"])
    walk, found = walk_all(tmp_path, rules)
    assert found == ["Trips/e.jpg", "keep.jpg", "x/b.jpg", "x/y/c.png", "x/y/only-here.jpg"]
    assert walk.failures == 1
    assert "x/.photosortdignore" in walk.problems[0]
    assert walk_all(tmp_path, rules, top="WhatsApp/Sent")[1] == []
    assert walk_all(tmp_path, rules, top="x/y")[1] == ["x/y/c.png", "x/y/only-here.jpg"]


def test_why_names_the_rule(tmp_path: Path, make_tree: Callable[..., Path]) -> None:
    make_tree(
        {
            "@eaDir/a.jpg": "",
            "W/.nomedia": "",
            "W/Sent/b.jpg": "",
            "c.jpg": "",
            "x/.photosortdignore": "*.png",
            "x/y/a.png": "",
            ".h.jpg": "",
        }
    )
    with opened(tmp_path) as root:
        told = {
            path: ignored_by(root, path, Rules())
            for path in ("@eaDir/a.jpg", "W/Sent/b.jpg", "x/y/a.png", ".h.jpg", "c.jpg")
        }
    assert told == {
        "@eaDir/a.jpg": "@eaDir/: a junk directory of NAS and operating systems",
        "W/Sent/b.jpg": "W/.nomedia is there",
        "x/y/a.png": "the pattern '*.png' of x/.photosortdignore",
        ".h.jpg": "its name is hidden",
        "c.jpg": None,
    }


def test_a_root_with_nomedia_says_so(tmp_path: Path, make_tree: Callable[..., Path]) -> None:
    make_tree({".nomedia": "", "a.jpg": ""})
    walk, found = walk_all(tmp_path)
    assert found == []
    assert "all of it is ignored" in walk.problems[0]


def test_an_ignore_file_that_is_a_link_or_huge_is_not_obeyed_blindly(
    tmp_path: Path, make_tree: Callable[..., Path]
) -> None:
    make_tree({"rules": "*.jpg\n", "root/a.jpg": "", "root/sub/b.jpg": ""})
    (tmp_path / "root/.photosortdignore").symlink_to(tmp_path / "rules")
    os.mkfifo(tmp_path / "root/sub/.photosortdignore")
    walk, found = walk_all(tmp_path / "root")
    assert found == ["a.jpg", "sub/b.jpg"]
    assert walk.failures == 2


def test_what_vanishes_during_the_walk_is_no_failure(
    tmp_path: Path, make_tree: Callable[..., Path]
) -> None:
    make_tree({"a/1.jpg": "", "b/2.jpg": "", "c/3.jpg": ""})
    walk = Walk(Rules())
    with opened(tmp_path) as root:
        assert walk.step(root) == ("", {})
        shutil.rmtree(tmp_path / "b")
        (tmp_path / "c").rename(tmp_path / "was-c")
        (tmp_path / "c").symlink_to(tmp_path / "was-c")
        steps = [walk.step(root) for _ in range(3)]
    assert [step and sorted(step[1]) for step in steps] == [["1.jpg"], None, None]
    assert walk.done
    assert walk.failures == 0


def test_a_directory_that_cannot_be_read_ends_nothing(
    tmp_path: Path, make_tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree({"a/1.jpg": "", "b/2.jpg": ""})
    honest = os.scandir
    locked = (tmp_path / "a").stat().st_ino

    def scandir(descriptor: int) -> object:
        if os.fstat(descriptor).st_ino == locked:  # chmod would not stop root
            raise PermissionError(13, "Permission denied")
        return honest(descriptor)

    monkeypatch.setattr(os, "scandir", scandir)
    walk, found = walk_all(tmp_path)
    assert found == ["b/2.jpg"]
    assert walk.problems == ["a: Permission denied"]


def test_only_what_may_be_one_shot_is_read(tmp_path: Path, make_tree: Callable[..., Path]) -> None:
    names = ["IMG_1.HEIC", "IMG_1_HEVC.MOV", "IMG_1.HEIC.xmp", "IMG_10.HEIC", "IMG_2.jpg"]
    make_tree(dict.fromkeys(names, ""))
    with opened(tmp_path) as root:
        found = list_directory(root, "", Rules(), ["IMG_1.HEIC"])
    assert sorted(found or ()) == ["IMG_1.HEIC", "IMG_1.HEIC.xmp", "IMG_1_HEVC.MOV"]


def test_a_huge_directory_comes_in_slices_that_keep_shots_together(
    tmp_path: Path, make_tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "SLICE", 10)
    endings = [".HEIC", ".MOV", "_HEVC.MOV", ".HEIC.xmp"]
    names = [f"IMG_{number:02}{ending}" for number in range(10) for ending in endings]
    make_tree({f"d/{name}": "x" for name in names} | {"e.jpg": ""})
    walk, slices = Walk(Rules()), []
    with opened(tmp_path) as root:
        while not walk.done:
            if step := walk.step(root):
                slices.append(step)
    assert [directory for directory, _ in slices] == ["", "d", "d", "d", "d"]
    pieces = [list(files) for _, files in slices[1:]]
    assert sorted(name for piece in pieces for name in piece) == sorted(names)
    assert max(len(piece) for piece in pieces) == 12
    for number in range(10):
        holders = [piece for piece in pieces if f"IMG_{number:02}.HEIC" in piece]
        assert {f"IMG_{number:02}{ending}" for ending in endings} <= set(holders[0])
        assert len(holders) == 1
    assert (walk.directories, walk.files, walk.failures) == (2, 41, 0)


def test_a_directory_that_goes_between_two_slices(
    tmp_path: Path, make_tree: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "SLICE", 2)
    make_tree({f"d/{number}.jpg": "" for number in range(6)} | {"e/a.jpg": ""})
    walk, found = Walk(Rules()), []
    with opened(tmp_path) as root:
        while not walk.done:
            if step := walk.step(root):
                found += list(step[1])
            if len(found) == 2:
                shutil.rmtree(tmp_path / "d", ignore_errors=True)
    assert found == ["0.jpg", "1.jpg", "a.jpg"]
    assert walk.failures == 0


@given(st.lists(st.text("aB(1)._é", min_size=1, max_size=6), unique=True), st.integers(1, 5))
def test_slices_hold_every_name_once_and_kin_together(names: list[str], size: int) -> None:
    pieces = list(slices(names, size))
    assert sorted(name for piece in pieces for name in piece) == sorted(names)
    keys = [key for piece in pieces for key in {kin(name) for name in piece}]
    assert len(keys) == len(set(keys))
    assert all(name.startswith(kin(name)) for name in names)


def test_deep_trees_are_no_problem(tmp_path: Path) -> None:
    depth = 1100  # deeper than Python recurses
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("x", dir_fd=here)
        deeper = os.open("x", os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("deep.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    try:
        walk, found = walk_all(tmp_path)
    finally:
        subprocess.run(["rm", "-rf", tmp_path / "x"], check=True)  # shutil would recurse too
    assert walk.directories == depth + 1
    assert found == ["x/" * depth + "deep.jpg"]


TREES = st.sets(
    st.lists(st.sampled_from(["a", "b", "@eaDir", ".x", "c d"]), max_size=3).map(tuple), max_size=8
)


@given(TREES)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_walk_finds_what_find_finds(
    tmp_path_factory: pytest.TempPathFactory, directories: set[tuple[str, ...]]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for parts in directories:
        root.joinpath(*parts).mkdir(parents=True, exist_ok=True)
        root.joinpath(*parts, "p.jpg").touch()
    wanted = sorted(
        os.path.join(*parts, "p.jpg")
        for parts in directories
        if not any(part in ("@eaDir", ".x") for part in parts)
    )
    assert walk_all(root)[1] == wanted
    shutil.rmtree(root)
