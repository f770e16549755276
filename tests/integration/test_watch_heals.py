"""Every way in which inotify and watchdog go deaf is seen, told and cured."""

import errno
import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.utils import BaseThread

from photosortd.errors import WorldError
from photosortd.records import Source
from photosortd.watch import RootSpec, events, inbox
from photosortd.watch.events import watched_inodes
from photosortd.watch.inbox import Inbox
from photosortd.watch.sight import sight
from watching import Loop

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
HOUR = 3601.0


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


class Mounts:
    """Mounts of tmpfs, all taken away at the end."""

    def __init__(self) -> None:
        self._points: list[Path] = []

    def mount(self, point: Path, *options: str, source: str = "photosortd-test") -> None:
        command = ["mount", "-t", "tmpfs", "-o", "size=16m", *options, source, str(point)]
        subprocess.run(command, check=True)
        self._points.append(point)

    def bind(self, what: Path, point: Path) -> None:
        subprocess.run(["mount", "--bind", str(what), str(point)], check=True)
        self._points.append(point)

    def umount(self, point: Path, *options: str) -> None:
        subprocess.run(["umount", *options, str(point)], check=True)
        self._points.remove(point)

    def clear(self) -> None:
        for point in reversed(self._points):
            subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs to be allowed to mount")
    held = Mounts()
    yield held
    held.clear()


def alive(loop: Loop, root: Path) -> None:
    """Events work again: one of a few new files is named by one, not found by a scan."""
    for number in range(5):
        loop.becomes("events").until(lambda: not loop.watcher.scanning)
        name = f"alive-{len(loop.files)}-{number}.jpg"
        (root / name).touch()
        loop.knows(name)
        if loop.files[name] == "hint":
            return
    pytest.fail(f"no event: {loop.state}")


# ---- the root itself


def test_a_root_missing_at_start_is_taken_when_it_comes(
    tmp_path: Path, watch: Callable[..., Loop]
) -> None:
    root = tmp_path / "later"
    loop = watch(root)
    assert (loop.state.watched, loop.state.reason) == ("paused", "it is not there")
    assert not loop.watcher.scanning
    root.mkdir()
    (root / "a.jpg").touch()
    loop.becomes("events").knows("a.jpg")
    alive(loop, root)


def test_a_root_that_is_a_file_is_paused(tmp_path: Path, watch: Callable[..., Loop]) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in watch(tmp_path / "file").state.reason


def test_removed_and_made_again_between_two_looks(root: Path, watch: Callable[..., Loop]) -> None:
    """Its inode number may well be the same; watchdog's emitter has ended, though."""
    loop = watch(root)
    for turn in range(3):
        shutil.rmtree(root)
        root.mkdir()
        (root / f"{turn}.jpg").touch()
        loop.knows(f"{turn}.jpg")
        alive(loop, root)


def test_renamed_and_made_again(root: Path, tmp_path: Path, watch: Callable[..., Loop]) -> None:
    (root / "old.jpg").touch()
    loop = watch(root)
    root.rename(tmp_path / "elsewhere")
    root.mkdir()
    (root / "new.jpg").touch()
    loop.knows("new.jpg")
    alive(loop, root)
    (tmp_path / "elsewhere/ghost.jpg").touch()
    alive(loop, root)
    assert "ghost.jpg" not in loop.hints


def test_a_link_that_leads_elsewhere_now(tmp_path: Path, watch: Callable[..., Loop]) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two/b.jpg").touch()
    link = tmp_path / "link"
    link.symlink_to("one")
    loop = watch(link)
    link.unlink()
    link.symlink_to("two")
    loop.knows("b.jpg")
    alive(loop, tmp_path / "two")


@pytest.mark.root
def test_unmounted_is_not_no_photos(root: Path, watch: Callable[..., Loop], mounts: Mounts) -> None:
    mounts.mount(root)
    (root / "a.jpg").touch()
    loop = watch(root)
    mounts.umount(root)  # nothing of ours keeps it busy
    loop.becomes("paused", "waiting for that to come back")
    with pytest.raises(WorldError):
        loop.watcher.stat(Source(str(root), "a.jpg"))
    (root / "under.jpg").touch()  # on the bare mount point: none of our business
    loop.forget()
    mounts.mount(root)
    (root / "b.jpg").touch()
    loop.becomes("events").knows("b.jpg")
    assert "under.jpg" not in loop.files
    alive(loop, root)


@pytest.mark.root
def test_mounted_again_within_a_moment(
    root: Path, watch: Callable[..., Loop], mounts: Mounts
) -> None:
    """Device, inode and mount id are mostly the same again; only the watches are gone."""
    mounts.mount(root)
    (root / "a.jpg").touch()
    loop = watch(root)
    mounts.umount(root)
    mounts.mount(root)
    (root / "b.jpg").touch()
    loop.knows("b.jpg")
    alive(loop, root)


@pytest.mark.root
def test_unmounted_lazily_under_an_open_file(
    root: Path, watch: Callable[..., Loop], mounts: Mounts
) -> None:
    mounts.mount(root)
    (root / "a.jpg").touch()
    loop = watch(root)
    with (root / "a.jpg").open():
        mounts.umount(root, "-l")
        loop.becomes("paused", "instead of tmpfs")


@pytest.mark.root
def test_mounted_over(root: Path, watch: Callable[..., Loop], mounts: Mounts) -> None:
    (root / "a.jpg").touch()
    loop = watch(root)
    mounts.mount(root)
    (root / "foreign.jpg").touch()
    loop.becomes("paused", "restart photosortd")
    mounts.umount(root)
    loop.forget()
    loop.becomes("events").knows("a.jpg")
    assert "foreign.jpg" not in loop.files
    alive(loop, root)


@pytest.mark.root
def test_a_paused_root_stays_paused_whatever_a_reload_changes(
    root: Path, watch: Callable[..., Loop], mounts: Mounts
) -> None:
    (root / "a.jpg").touch()
    loop = watch(root)
    mounts.mount(root)
    (root / "foreign.jpg").touch()
    loop.becomes("paused", "restart photosortd")
    loop.watcher.exchange([RootSpec(str(root), ignore=("*.tmp",), scan_interval=60.0)])
    for _ in range(5):
        loop.turn()
        assert loop.state.watched == "paused"
    assert loop.state.scan_interval == 60.0
    mounts.umount(root)
    loop.forget()
    loop.becomes("events").knows("a.jpg")
    assert "foreign.jpg" not in loop.files
    alive(loop, root)


def test_a_root_with_other_settings_is_watched_anew(root: Path, watch: Callable[..., Loop]) -> None:
    (root / "a.jpg").touch()
    (root / "b.png").touch()
    loop = watch(root)
    loop.knows("a.jpg", "b.png").forget()
    loop.watcher.exchange([RootSpec(str(root), ignore=("*.png",))])
    loop.becomes("events").knows("a.jpg")
    assert "b.png" not in loop.files
    alive(loop, root)


@pytest.mark.root
def test_bound_over_is_another_place_too(
    root: Path, tmp_path: Path, watch: Callable[..., Loop], mounts: Mounts
) -> None:
    (root / "a.jpg").touch()
    (tmp_path / "other").mkdir()
    loop = watch(root)
    mounts.bind(tmp_path / "other", root)
    loop.becomes("paused", "instead of")


@pytest.mark.root
def test_a_disk_that_is_mounted_late(
    root: Path, watch: Callable[..., Loop], mounts: Mounts
) -> None:
    """What was watched till then was but its empty mount point: nothing can be missing."""
    loop = watch(root)
    mounts.mount(root)
    (root / "a.jpg").touch()
    loop.knows("a.jpg")
    assert loop.state.filesystem == "tmpfs on photosortd-test"
    alive(loop, root)
    mounts.umount(root)
    loop.becomes("paused", "waiting")


@pytest.mark.root
def test_mounted_below_the_root(root: Path, watch: Callable[..., Loop], mounts: Mounts) -> None:
    (root / "card").mkdir()
    loop = watch(root)
    mounts.mount(root / "card")
    (root / "card/a.jpg").touch()
    loop.knows("card/a.jpg")
    loop.until(lambda: not loop.watcher.scanning)
    (root / "card/b.jpg").touch()
    loop.hears("card/b.jpg")


# ---- watchdog


def burst(root: Path, count: int = 3000) -> None:
    script = f"for i in range({count}): open({str(root)!r} + '/%d.jpg' % i, 'w').close()"
    subprocess.run([sys.executable, "-c", script], check=True)


def overflow(loop: Loop, root: Path, reason: str, count: int = 3000) -> None:
    """Write until a short queue has overflowed, and the root lives on scans therefore."""
    for _ in range(20):
        burst(root, count)
        loop.turn()
        if loop.state.watched == "scans":
            break
    loop.becomes("scans", reason)


@pytest.fixture
def short_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inotify instances of this test hold 16 events; the limit is taken when one is made."""
    if not os.access(QUEUE, os.W_OK) or os.statvfs(QUEUE).f_flag & os.ST_RDONLY:
        pytest.skip(f"needs {QUEUE} to be writable")
    honest = events._Observer

    def make() -> object:
        usual = QUEUE.read_text()
        QUEUE.write_text("16")
        try:
            return honest()
        finally:
            QUEUE.write_text(usual)

    monkeypatch.setattr(events, "_Observer", make)


@pytest.mark.root
@pytest.mark.usefixtures("short_queue")
def test_an_overflow_is_followed_by_scans_and_new_watches(
    root: Path, watch: Callable[..., Loop]
) -> None:
    loop = watch(root)
    overflow(loop, root, "until it is quiet")
    loop.until(lambda: not loop.watcher.scanning)
    assert len(loop.files) == 3000
    loop.ahead += 15  # for the scan that finds it quiet
    alive(loop, root)
    assert loop.state.reason == ""


@pytest.mark.root
@pytest.mark.usefixtures("short_queue")
def test_a_second_overflow_within_a_minute_means_scans(
    root: Path, watch: Callable[..., Loop]
) -> None:
    loop = watch(root)
    overflow(loop, root, "until it is quiet")
    loop.ahead += 15
    loop.becomes("events").until(lambda: not loop.watcher.scanning)
    overflow(loop, root, "fs.inotify.max_queued_events", 4000)
    loop.until(lambda: len(loop.files) == 4000)
    assert loop.state.scan_interval == 300.0
    loop.ahead += 301.0
    (root / "scanned.jpg").touch()
    loop.knows("scanned.jpg").becomes("scans")
    loop.ahead += HOUR
    alive(loop, root)


@pytest.mark.root
@pytest.mark.usefixtures("short_queue")
def test_no_livelock_with_many_directories(root: Path, watch: Callable[..., Loop]) -> None:
    """watchdog's own cure would overflow the queue again, for ever."""
    for number in range(200):
        (root / f"d{number}").mkdir()
    loop = watch(root)
    overflow(loop, root, "until it is quiet")
    loop.ahead += 15
    loop.becomes("events")
    (root / "d199/late.jpg").touch()
    loop.hears("d199/late.jpg")


def test_our_own_queue_is_bounded(
    root: Path, watch: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "CAPACITY", 10)
    loop = watch(root)
    burst(root, 500)
    loop.knows(*(f"{number}.jpg" for number in range(500)))
    assert "scan" in loop.files.values()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_is_replaced_once_an_interval(
    root: Path, watch: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, poisoned = Inbox.put, ["1.jpg", "2.jpg"]

    def put(self: Inbox, event: events.Event) -> None:
        if event.path in poisoned:
            poisoned.remove(event.path)
            raise ValueError("this ends watchdog's thread")
        honest(self, event)

    monkeypatch.setattr(Inbox, "put", put)
    loop = watch(root)
    (root / "1.jpg").touch()
    loop.knows("1.jpg")
    alive(loop, root)
    (root / "2.jpg").touch()
    loop.knows("2.jpg").becomes("scans", "threads keep dying")
    loop.ahead += HOUR
    alive(loop, root)


def test_watches_that_take_long_to_set(
    root: Path, watch: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first scan does not wait for them; a second one covers what it may have missed."""
    monkeypatch.setattr(events, "_PATIENCE", 0.0)
    with events._starting:
        loop = Loop(root)
        loop.watcher.start(loop.now)
        assert (loop.state.watched, loop.state.reason) == ("scans", "the watches are being set")
        loop.turn()
        assert len(loop.listings) == 1
    try:
        loop.until(lambda: len(loop.listings) == 2)
        alive(loop, root)
    finally:
        monkeypatch.setattr(events, "_PATIENCE", 5.0)
        loop.stop()


def test_stopped_while_the_watches_are_being_set(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_PATIENCE", 0.0)
    device = sight(str(root)).kernel_device
    with events._starting:
        loop = Loop(root)
        loop.watcher.start(loop.now)
        loop.watcher.stop()
    loop.until(lambda: root.stat().st_ino not in watched_inodes(device))
    loop.stop()


def test_directories_that_appear_while_their_parent_is_renamed(
    root: Path, watch: Callable[..., Loop]
) -> None:
    """watchdog sets watches by paths: these are not there any more when it comes to them."""
    for number in range(100):
        (root / f"d{number}").mkdir()
    loop = watch(root)
    for number in range(100):
        (root / f"d{number}/new").mkdir()
        (root / f"d{number}").rename(root / f"e{number}")
    loop.ahead += 6.0
    everything = {each.stat().st_ino for each in root.rglob("*")}
    device = sight(str(root)).kernel_device
    loop.until(lambda: everything <= watched_inodes(device))
    loop.becomes("events").until(lambda: not loop.watcher.scanning)
    (root / "e7/new/late.jpg").touch()
    loop.hears("e7/new/late.jpg")


def test_watches_of_a_directory_that_left_are_taken_down(
    root: Path, tmp_path: Path, watch: Callable[..., Loop]
) -> None:
    (root / "sub/deep").mkdir(parents=True)
    deep = (root / "sub/deep").stat().st_ino
    loop = watch(root)
    device = sight(str(root)).kernel_device
    assert deep in watched_inodes(device)
    (root / "sub").rename(tmp_path / "left")
    loop.until(lambda: loop.watcher._roots[str(root)].ears.stale)
    loop.watcher.request_scan()
    loop.until(lambda: deep not in watched_inodes(device))
    alive(loop, root)


LIMITED = """
import sys
import threading
sys.path.insert(0, {tests!r})
from pathlib import Path
from watching import Loop
from photosortd.watch import events
Path("/proc/sys/user/max_inotify_{what}").write_text("{limit}")
root = Path({root!r})
loop = Loop(root).start()
"""


def limited(root: Path, what: str, limit: int, script: str) -> None:
    """Run `script` in a user namespace with its own limit, so that nobody else is bothered."""
    start = LIMITED.format(
        tests=str(Path(__file__).parents[1]), what=what, limit=limit, root=str(root)
    )
    unshare = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs user namespaces")
    command = [*unshare, sys.executable, "-c", start + script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.root
def test_more_directories_than_watches(root: Path) -> None:
    for number in range(100):
        (root / f"d{number}").mkdir()
    script = """
assert loop.state.watched == "events"  # watchdog says nothing
loop.ahead += 6  # a second scan makes sure
loop.becomes("scans", "inotify watches only 5")
assert "sudo sysctl fs.inotify.max_user_watches=" in loop.state.reason, loop.state
assert loop.state.scan_interval == 300.0
for number in range(100):
    (root / f"d{number}/x.jpg").touch()
loop.until(lambda: loop.hints)
loop.ahead += 301
loop.knows(*(f"d{number}/x.jpg" for number in range(100)))
assert set(loop.files.values()) == {"scan", "hint"}  # some are still named
Path("/proc/sys/user/max_inotify_watches").write_text("1000")
loop.ahead += 3601
loop.becomes("events").until(lambda: not loop.watcher.scanning)
(root / "d99/y.jpg").touch()
loop.hears("d99/y.jpg")
loop.stop()
"""
    limited(root, "watches", 50, script)


@pytest.mark.root
@pytest.mark.parametrize("what", ["watches", "instances"])
def test_no_watch_at_all(root: Path, what: str) -> None:
    script = f"""
loop.becomes("scans", "fs.inotify.max_user_{what}=")
(root / "a.jpg").touch()
loop.ahead += 301
loop.knows("a.jpg")
Path("/proc/sys/user/max_inotify_{what}").write_text("100")
loop.ahead += 301
loop.becomes("events")
loop.stop()
"""
    limited(root, what, 0, script)


def test_directories_made_after_the_start_are_watched_in_their_turn(
    root: Path, watch: Callable[..., Loop]
) -> None:
    """No false alarm: the check for directories without a watch looks twice."""
    loop = watch(root)
    for number in range(50):
        os.makedirs(root / f"n{number}/deep")
        loop.watcher.request_scan()
        loop.turn()
    loop.ahead += 10
    loop.until(lambda: not loop.watcher.scanning)
    loop.turn()
    assert (loop.state.watched, loop.state.reason) == ("events", "")


def test_a_limit_that_stays_is_said_once_and_once_when_it_is_over(
    root: Path,
    watch: Callable[..., Loop],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tries = 0

    def full(self: events.EventWatch) -> None:
        nonlocal tries
        tries += 1
        raise OSError(errno.ENOSPC, "No space left on device")

    caplog.set_level(logging.INFO, "photosortd.watch.ears")
    with monkeypatch.context() as patch:
        patch.setattr(events.EventWatch, "_set_watches", full)
        loop = watch(root).becomes("scans", "max_user_watches")
        while tries < 4:
            loop.ahead += HOUR
            loop.turn()
        loop.becomes("scans", "max_user_watches")
    (said,) = [record for record in caplog.records if record.name.endswith("ears")]
    assert "lives on scans: there are more directories than inotify watches" in said.getMessage()
    loop.ahead += HOUR
    loop.becomes("events").until(lambda: "watched by events" in caplog.text)
    assert caplog.text.count("lives on scans") == 1


def test_no_thread_to_be_had_means_scans_until_there_is_one(
    root: Path, watch: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service manager's TasksMax: the root is scanned, and the daemon lives."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def refused_to_watchdog(thread: threading.Thread) -> None:
        (refused if isinstance(thread, BaseThread) else start)(thread)

    start = threading.Thread.start
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused_to_watchdog)
        loop = watch(root).becomes("scans", "can't start new thread")
        open_before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            loop.ahead += HOUR
            loop.turn()
            loop.becomes("scans", "can't start new thread")
        assert len(os.listdir("/proc/self/fd")) == open_before, "tries leave nothing open"
        patch.setattr(threading.Thread, "start", refused)
        (root / "a.jpg").touch()
        loop.ahead += HOUR
        loop.knows("a.jpg")
    loop.ahead += HOUR
    alive(loop, root)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        loop.watcher.stop()  # nobody can wait for the threads that end now
