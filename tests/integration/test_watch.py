"""Hints from real inotify, and the scans that know better."""

import errno
import gc
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

from photosortd import files
from photosortd.errors import ConfigError, PhotoError, WorldError
from photosortd.records import Source
from photosortd.watch import RootSpec, Watcher, events
from watching import Loop


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def watch() -> Iterator[Callable[..., Loop]]:
    loops: list[Loop] = []

    def start(*roots: RootSpec | Path) -> Loop:
        loops.append(Loop(*roots))
        return loops[-1].start()

    yield start
    for loop in loops:
        loop.stop()


def test_a_scan_at_start_finds_what_is_there(
    root: Path, make_tree: Callable[..., Path], watch: Callable[..., Loop]
) -> None:
    make_tree({"a.jpg": "", "DCIM/b.jpg": "", ".hidden/c.jpg": ""}, below=root)
    loop = watch(root)
    assert loop.files == {"a.jpg": "scan", "DCIM/b.jpg": "scan"}
    assert [listing.hinted for listing in loop.listings] == [False, False]
    state = loop.state
    assert (state.watched, state.reason, state.scan_interval) == ("events", "", 3600.0)
    assert (state.directories, state.files, state.scanning) == (2, 2, False)
    assert state.filesystem.startswith(files.mount_of(str(root)).fstype)


def test_written_moved_in_and_linked_files_are_named(
    root: Path, tmp_path: Path, watch: Callable[..., Loop]
) -> None:
    (root / "DCIM").mkdir()
    loop = watch(root)
    (root / "DCIM/written.jpg").write_text("x")
    loop.hears("DCIM/written.jpg")
    (tmp_path / "outside.jpg").write_text("x")
    (tmp_path / "outside.jpg").rename(root / "moved.jpg")
    (tmp_path / "linked.jpg").write_text("x")
    os.link(tmp_path / "linked.jpg", root / "linked.jpg")
    (root / ".renamed.jpg.XXXXXX").write_text("x")
    (root / ".renamed.jpg.XXXXXX").rename(root / "renamed.jpg")
    loop.hears("moved.jpg", "linked.jpg", "renamed.jpg")
    assert loop.hints == {
        "DCIM/written.jpg": False,
        "moved.jpg": True,
        "linked.jpg": False,
        "renamed.jpg": True,
    }


def test_written_after_it_was_renamed_is_not_arrived(
    root: Path, watch: Callable[..., Loop]
) -> None:
    loop = watch(root)
    (root / ".a.tmp").write_text("x")
    (root / ".a.tmp").rename(root / "a.jpg")
    with (root / "a.jpg").open("a") as stream:
        stream.write("more")
    loop.until(lambda: loop.hints.get("a.jpg") is False)


def test_whole_directories_are_found(
    root: Path, tmp_path: Path, make_tree: Callable[..., Path], watch: Callable[..., Loop]
) -> None:
    loop = watch(root)
    make_tree({"out/1.jpg": "", "out/sub/2.jpg": ""})
    (tmp_path / "out").rename(root / "in")
    make_tree({f"n{i}/a/b/{k}.jpg": "x" for i in range(30) for k in range(3)}, below=root)
    wanted = {f"n{i}/a/b/{k}.jpg" for i in range(30) for k in range(3)}
    loop.knows("in/1.jpg", "in/sub/2.jpg", *wanted)
    assert all(listing.hinted for listing in loop.listings if listing.directory)
    (root / "in/sub/later.jpg").write_text("x")
    loop.hears("in/sub/later.jpg")
    (root / "in").rename(root / "renamed")
    loop.knows("renamed/1.jpg", "renamed/sub/2.jpg")
    (root / "renamed/sub/last.jpg").write_text("x")
    loop.hears("renamed/sub/last.jpg")


def test_ignored_names_give_no_hints(
    root: Path, make_tree: Callable[..., Path], watch: Callable[..., Loop]
) -> None:
    make_tree({"@eaDir/x": "", "quiet/.nomedia": "", "skip/x": ""}, below=root)
    loop = watch(RootSpec(str(root), ignore=("skip/", "*.png")))
    make_tree(
        {
            "@eaDir/a.jpg": "",
            "skip/b.jpg": "",
            "c.png": "",
            ".d.jpg": "",
            "e.jpg.part": "",
            "@eaDir/deep/f.jpg": "",
            "quiet/g.jpg": "",
            "last.jpg": "",
        },
        below=root,
    )
    loop.hears("last.jpg")
    assert set(loop.hints) <= {"last.jpg", "quiet/g.jpg"}
    assert loop.watcher.look(str(root), "quiet") is None
    assert set(loop.files) <= {"last.jpg", "quiet/g.jpg"}
    assert loop.watcher.ignored_by(Source(str(root), "quiet/g.jpg")) == "quiet/.nomedia is there"


def test_odd_names_arrive_as_they_are(root: Path, watch: Callable[..., Loop]) -> None:
    loop = watch(root)
    for name in (b"\xff\xfe.jpg", b"new\nline.jpg", "é👍.jpg".encode()):
        with open(os.path.join(os.fsencode(root), name), "wb"):
            pass
    loop.hears("\udcff\udcfe.jpg", "new\nline.jpg", "é👍.jpg")


def test_a_root_that_is_a_link_is_watched(
    root: Path, tmp_path: Path, watch: Callable[..., Loop]
) -> None:
    (tmp_path / "link").symlink_to(root)
    loop = watch(tmp_path / "link")
    (root / "sub").mkdir()
    (root / "a.jpg").write_text("x")
    (root / "sub/b.jpg").write_text("x")
    loop.hears("a.jpg").knows("sub/b.jpg")


def test_reading_a_photo_is_no_event(root: Path, watch: Callable[..., Loop]) -> None:
    (root / "a.jpg").write_text("x")
    loop = watch(root)
    os.close(loop.watcher.open(Source(str(root), "a.jpg")))
    (root / "last.jpg").write_text("x")
    loop.hears("last.jpg")
    assert list(loop.hints) == ["last.jpg"]


def test_several_roots(tmp_path: Path, watch: Callable[..., Loop]) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    loop = watch(tmp_path / "one", tmp_path / "two", tmp_path / "three")
    (tmp_path / "one/a.jpg").touch()
    (tmp_path / "two/b.jpg").touch()
    loop.hears("a.jpg", "b.jpg")
    assert [state.watched for state in loop.states] == ["events", "events", "paused"]
    loop.watcher.request_scan()
    loop.until(lambda: len(loop.listings) >= 4)
    assert {listing.root for listing in loop.listings} == {
        str(tmp_path / "one"),
        str(tmp_path / "two"),
    }


def test_scans_come_at_their_interval(root: Path, watch: Callable[..., Loop]) -> None:
    loop = watch(RootSpec(str(root), scan_interval=900.0))
    loop.forget()
    loop.ahead = 890.0
    loop.turn()
    assert loop.listings == []
    loop.ahead = 901.0
    loop.until(lambda: loop.listings)


def test_next_due_is_now_when_something_is_to_be_done(
    root: Path, watch: Callable[..., Loop]
) -> None:
    loop = watch(root)
    loop.turn()
    due = loop.watcher.next_due()
    assert due is not None
    assert 0.0 < due - loop.now <= 2.0
    loop.watcher.request_scan(str(root))
    due = loop.watcher.next_due()
    assert due is not None
    assert due <= loop.now
    assert Watcher([], lambda: None).next_due() is None


def test_events_switched_off(root: Path, watch: Callable[..., Loop]) -> None:
    loop = watch(RootSpec(str(root), events=False))
    assert (loop.state.watched, loop.state.scan_interval) == ("scans", 300.0)
    assert "configuration" in loop.state.reason
    (root / "a.jpg").touch()
    loop.ahead = 301.0
    loop.knows("a.jpg")
    assert loop.files == {"a.jpg": "scan"}


def test_a_file_system_that_hides_events_is_scanned_often(
    root: Path, watch: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = files.mount_of(str(root))
    remote = files.Mount(**{**{f: getattr(there, f) for f in there.__slots__}, "fstype": "nfs4"})
    monkeypatch.setattr(files, "mount_of_descriptor", lambda _: remote)
    loop = watch(root)
    assert loop.state.watched == "scans"
    assert "nfs4 does not report" in loop.state.reason
    assert loop.state.scan_interval == 300.0
    (root / "a.jpg").touch()
    loop.hears("a.jpg")  # what is written through this mount is seen all the same
    trusted = watch(RootSpec(str(root), events=True))
    assert trusted.state.watched == "events"


def test_open_and_stat_never_follow_links(
    root: Path, tmp_path: Path, watch: Callable[..., Loop]
) -> None:
    (tmp_path / "secret").write_text("x")
    (root / "a.jpg").write_text("photo")
    (root / "link.jpg").symlink_to(tmp_path / "secret")
    os.mkfifo(root / "pipe.jpg")
    watcher = watch(root).watcher
    descriptor = watcher.open(Source(str(root), "a.jpg"))
    assert os.read(descriptor, 10) == b"photo"
    os.close(descriptor)
    stamp = watcher.stat(Source(str(root), "a.jpg"))
    assert stamp is not None
    assert stamp.size == 5
    for name in ("link.jpg", "pipe.jpg", "gone.jpg", "gone/a.jpg"):
        assert watcher.stat(Source(str(root), name)) is None
    with pytest.raises(OSError, match=r"link\.jpg"):
        watcher.open(Source(str(root), "link.jpg"))
    with pytest.raises(PhotoError):
        watcher.open(Source(str(root), "pipe.jpg"))


@pytest.mark.parametrize("number", [errno.ESTALE, errno.ENOTCONN, errno.EIO])
def test_an_error_of_the_root_is_the_worlds_fault(
    root: Path, watch: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (root / "a.jpg").touch()
    loop, source = watch(root), Source(str(root), "a.jpg")

    def fail(*_: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    for module, name in ((os, "fstat"), (files, "open_directory")):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, fail)
            with pytest.raises(WorldError, match=re.escape(os.strerror(number))):
                loop.watcher.open(source)
            with pytest.raises(WorldError, match=re.escape(os.strerror(number))):
                loop.watcher.stat(source)
            assert loop.watcher.look(str(root), "") is None
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", fail)
        patch.setattr(files, "open_file_beneath", fail)
        with pytest.raises(WorldError, match=f"root: .*{os.strerror(number)}"):
            loop.watcher.open(source)
    due = loop.watcher.next_due()
    assert due is not None
    assert due <= loop.now  # it is looked at again at once
    os.close(loop.watcher.open(source))


def test_an_error_of_the_file_is_its_own(
    root: Path, watch: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error", "a.jpg")

    loop, source = watch(root), Source(str(root), "a.jpg")
    with pytest.raises(FileNotFoundError):
        loop.watcher.open(source)
    monkeypatch.setattr(files, "open_file_beneath", fail)
    with pytest.raises(OSError, match=r"Input/output error: 'a\.jpg'"):
        loop.watcher.open(source)
    loop.becomes("events")


def test_look_reads_a_shot_or_a_directory(
    root: Path, make_tree: Callable[..., Path], watch: Callable[..., Loop]
) -> None:
    make_tree({"d/i.jpg": "", "d/i.mov": "", "d/j.jpg": "", "d/ij.jpg": ""}, below=root)
    watcher = watch(root).watcher
    whole, part = watcher.look(str(root), "d"), watcher.look(str(root), "d", {"i.mov"})
    assert whole is not None
    assert part is not None
    assert sorted(whole.files) == ["i.jpg", "i.mov", "ij.jpg", "j.jpg"]
    assert sorted(part.files) == ["i.jpg", "i.mov"]
    assert watcher.look(str(root), "gone") is None


def test_scans_that_keep_finding_unnamed_files_are_believed(
    root: Path, watch: Callable[..., Loop]
) -> None:
    loop = watch(root)

    def scan(news: int) -> None:
        loop.watcher.request_scan()
        loop.watcher.tick(loop.now, 0.0)
        while listing := loop.watcher.next_listing():
            loop.watcher.unnamed(listing.root, news)

    scan(3)
    scan(0)
    scan(3)
    assert loop.state.watched == "events"
    scan(1)
    assert loop.state.watched == "scans"
    assert "no event named" in loop.state.reason
    assert loop.state.scan_interval == 300.0
    for _ in range(13):
        scan(0)
    assert loop.state.watched == "events"


def test_files_that_events_are_just_naming_are_not_held_against_them(
    root: Path, watch: Callable[..., Loop]
) -> None:
    loop = watch(root)
    for number in range(4):
        (root / f"{number}.jpg").touch()
        loop.hears(f"{number}.jpg")
        loop.watcher.request_scan()
        loop.watcher.tick(loop.now, 0.0)
        while listing := loop.watcher.next_listing():
            loop.watcher.unnamed(listing.root, 1)
    assert loop.state.watched == "events"


def test_a_bad_pattern_is_the_operators(root: Path) -> None:
    with pytest.raises(ConfigError, match="ignore"):
        Watcher([RootSpec(str(root), ignore=("!",))], lambda: None)


def test_stopping_ends_watchdogs_threads(root: Path) -> None:
    before = set(threading.enumerate())
    loop = Loop(root).start()
    assert set(threading.enumerate()) > before
    loop.stop()
    loop.watcher.stop()
    assert set(threading.enumerate()) <= before


def test_half_a_rename_holds_nothing_up_for_long(root: Path, watch: Callable[..., Loop]) -> None:
    watch(root)
    groupers = [each for each in gc.get_objects() if isinstance(each, InotifyMoveEventGrouper)]
    assert {each._queue.delay for each in groupers} == {events.PAIRING}
    assert events.PAIRING < 0.1


def test_warnings_as_errors_do_not_deafen_it(root: Path) -> None:
    """watchdog's reader thread warns on nested mkdir, and dies of it under -W error."""
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from watching import Loop
root = Path({str(root)!r})
loop = Loop(root).start()
for i in range(100):
    (root / f"n{{i}}/a/b").mkdir(parents=True)
loop.until(lambda: len(loop.listings) > 100)
(root / "late.jpg").touch()
loop.hears("late.jpg")
loop.stop()
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_a_root_that_was_removed_is_lost_and_found(root: Path, watch: Callable[..., Loop]) -> None:
    (root / "a.jpg").touch()
    loop = watch(root)
    shutil.rmtree(root)
    loop.becomes("paused", "not there")
    with pytest.raises(WorldError, match="not there"):
        loop.watcher.stat(Source(str(root), "a.jpg"))
    with pytest.raises(WorldError, match="not there"):
        loop.watcher.open(Source(str(root), "a.jpg"))
    assert loop.watcher.look(str(root), "") is None
    loop.forget()
    root.mkdir()
    (root / "again.jpg").touch()
    loop.becomes("events").knows("again.jpg")
    (root / "live.jpg").touch()
    loop.hears("live.jpg")
