"""The journey of photos through the real stages: folder in, library out.

Everything is real but systemd: inotify, vision workers with the tiny bundle (categories red,
green and blue by mean colour), the ledger, the library.
"""

import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from drawing import BLUE, DARK, GREEN, MAGENTA, RED, draw_photo
from photosortd import layout
from photosortd.errors import PhotoError, WorldError
from photosortd.filing import Filing, HalfFiled, Prepared, Style
from photosortd.ledger import Ledger, Version
from photosortd.pipeline import Done, Gate, Intake, Pipeline, Rules, gate, setbacks, together
from photosortd.pipeline.dispatch import IN_HAND
from photosortd.pipeline.together import MOST
from photosortd.pipeline.values import ATTEMPT_DELAYS, MAX_ATTEMPTS
from photosortd.place import Blocked, Library, OpenSource, Part
from photosortd.records import Limits, Outcome, PlaceMode, Source, Stamp
from photosortd.sdnotify import Notifier
from photosortd.service import Flags, Service, loop
from photosortd.service.loop import Stopped
from photosortd.settle import Settler
from photosortd.vision.bundle import read_bundle
from photosortd.vision.decide import thresholds
from photosortd.vision.worker import Answer, Workers
from photosortd.watch import RootSpec, Watcher
from running import stand_still
from tiny import TINY

QUIET = 0.2  # seconds


@dataclass
class Daemon:
    """A daemon in this process, driven turn by turn."""

    base: Path
    once: bool = False
    changes: dict[str, object] = field(default_factory=dict)  # of the rules
    workers: int = 1
    done: list[Done] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dcim = self.base / "DCIM"
        self.library = self.base / "library"
        self.dcim.mkdir(exist_ok=True)
        self.flags = Flags()
        self.ledger = Ledger.open(str(self.base / "ledger.db"))
        bundle = read_bundle(TINY)
        style = Style(PlaceMode.AUTO, 0o640, layout.parse("{category}/{name}"), 0)
        rules = Rules(
            bundle_id=bundle.id,
            names=bundle.names,
            thresholds=thresholds(bundle.thresholds, {}),
            margin=0.1,
            unsorted=None,
            companions=True,
            style=style,
            quiet=QUIET,
            group_wait=600.0,
            give_up=3600.0,
            once=self.once,
        )
        rules = replace(rules, **self.changes)  # type: ignore[arg-type]
        spec = RootSpec(str(self.dcim), events=False if self.once else None)
        self.watcher = Watcher([spec], self.flags.ring)
        gate = Gate(str(self.library), self.ledger, lambda s: self.watcher.stat(s) is not None)
        self.pipeline = Pipeline(
            self.ledger,
            self.watcher,
            Intake(self.ledger, Settler(QUIET, 3600.0), rules, self.heard),
            Workers(str(TINY), self.workers, 1, Limits(), express=not self.once),
            None if rules.dry else gate,
            self.heard,
            "once" if self.once else "live",
        )
        self.service = Service(
            self.pipeline,
            self.flags,
            Notifier({}),
            None,
            reload=lambda pipeline: pipeline,
            requests=lambda _: None,
            describe=dict,
        )
        self.pipeline.workers.start()
        self.watcher.start(time.monotonic())

    def heard(self, done: Done) -> None:
        self.done.append(done)

    def close(self) -> None:
        self.pipeline.drop()
        self.pipeline.workers.close()
        self.watcher.stop()
        if self.pipeline.gate is not None:
            self.pipeline.gate.close()
        self.ledger.close()
        self.flags.close()

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Take turns until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not in {seconds} s; done: {self.done}"
            self.flags.ring()  # never sleep longer than the work in hand needs
            self.service.tick()

    def settle(self) -> None:
        """Take turns until everything that is there has an outcome."""
        self.until(self.is_idle)

    def is_idle(self) -> bool:
        pipeline = self.pipeline
        busy = pipeline.outstanding or len(pipeline.intake) or pipeline.watcher.scanning
        return (
            not busy
            and not pipeline.intake.settler.waiting()
            and all(state.last_scan for state in pipeline.watcher.states())
        )

    def outcome(self, name: str) -> Outcome | None:
        version = self.version(name)
        return version.outcome if version else None

    def version(self, name: str) -> Version | None:
        return self.ledger.version(Source(str(self.dcim), name))

    def tree(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.library))
            for path in self.library.rglob("*")
            if path.is_file() and path.name != ".photosortd-library"
        )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    made: list[Daemon] = []

    def begin(**more: object) -> Daemon:
        made.append(Daemon(tmp_path, **more))  # type: ignore[arg-type]
        return made[-1]

    yield begin
    for daemon in made:
        daemon.close()


def age(path: Path) -> None:
    """Wait until a file has been still for `QUIET` by its ctime, which nobody can set."""
    while time.time() - path.stat().st_ctime < QUIET * 1.1:
        time.sleep(0.01)


def test_photos_that_are_there_are_sorted_into_all_their_categories(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    dcim = tmp_path / "DCIM" / "2024"
    dcim.mkdir(parents=True)
    (dcim / "red.jpg").write_bytes(draw_photo(RED))
    (dcim / "magenta.jpg").write_bytes(draw_photo(MAGENTA))
    (dcim / "dark.jpg").write_bytes(draw_photo(DARK))
    daemon = start()
    daemon.settle()
    assert daemon.tree() == ["blue/magenta.jpg", "red/magenta.jpg", "red/red.jpg"]
    assert daemon.outcome("2024/dark.jpg") is Outcome.NONE
    assert (daemon.library / "red" / "red.jpg").read_bytes() == (dcim / "red.jpg").read_bytes()


def test_a_second_run_does_nothing(start: Callable[..., Daemon], tmp_path: Path) -> None:
    (tmp_path / "DCIM").mkdir()
    (tmp_path / "DCIM" / "red.jpg").write_bytes(draw_photo(RED))
    first = start(once=True)
    first.settle()
    first.close()
    before = {name: (tmp_path / "library" / name).stat() for name in first.tree()}
    second = Daemon(tmp_path, once=True)
    second.settle()
    assert second.done == []
    assert {name: (tmp_path / "library" / name).stat() for name in second.tree()} == before
    first.__post_init__()  # the fixture closes it again
    second.close()


@pytest.mark.parametrize("once", [False, True])
def test_a_scan_recognises_what_was_calm_in_the_last_one_and_writes_nothing(
    start: Callable[..., Daemon], once: bool
) -> None:
    daemon = start(once=once)
    (daemon.dcim / "sub").mkdir()
    for name in ("red.jpg", "sub/green.jpg", "sub/notes.txt"):
        (daemon.dcim / name).write_bytes(draw_photo(RED if "red" in name else GREEN))
    daemon.settle()
    asked: list[list[str]] = []
    for _ in range(3):
        asked.append([])
        daemon.ledger._database.set_trace_callback(asked[-1].append)
        daemon.watcher.request_scan()
        daemon.settle()
    looked_up = [sum("SELECT name, size" in line for line in each) for each in asked]
    written = [sum(line.startswith("COMMIT") for line in each) for each in asked]
    assert looked_up[0] > 0
    assert (written[0], looked_up[1:], written[1:]) == (1, [0, 0], [0, 0])
    (daemon.dcim / "sub/red.jpg").write_bytes(draw_photo(MAGENTA))
    daemon.watcher.request_scan()
    daemon.settle()
    assert daemon.outcome("sub/red.jpg") is Outcome.PLACED


def test_a_photo_renamed_into_place_is_taken_at_once(start: Callable[..., Daemon]) -> None:
    daemon = start()
    daemon.settle()
    hidden = daemon.dcim / ".red.jpg.tmp"
    hidden.write_bytes(draw_photo(RED))
    began = time.monotonic()
    hidden.rename(daemon.dcim / "red.jpg")
    daemon.until(lambda: daemon.tree() == ["red/red.jpg"])
    assert time.monotonic() - began < 5


def test_a_slow_writer_is_waited_for(start: Callable[..., Daemon]) -> None:
    daemon = start()
    daemon.settle()
    data = draw_photo(GREEN, size=(900, 700))
    path = daemon.dcim / "green.jpg"
    with path.open("wb") as stream:
        stream.write(data[: len(data) // 2])
        stream.flush()
        daemon.until(lambda: bool(daemon.pipeline.intake.waiting))
        assert daemon.tree() == []
        stream.write(data[len(data) // 2 :])
    daemon.until(lambda: daemon.tree() == ["green/green.jpg"])
    assert (daemon.library / "green/green.jpg").read_bytes() == data


def test_live_photos_overtake_the_backlog(start: Callable[..., Daemon], tmp_path: Path) -> None:
    dcim = tmp_path / "DCIM"
    dcim.mkdir()
    for number in range(150):
        (dcim / f"old-{number:03}.jpg").write_bytes(draw_photo(RED, seed=number))
    age(dcim / "old-149.jpg")
    daemon = start()
    daemon.until(lambda: len(daemon.done) >= 3)
    hidden = dcim / ".new.tmp"
    hidden.write_bytes(draw_photo(BLUE))
    hidden.rename(dcim / "new.jpg")
    # How soon the event comes is the kernel's and the machine's matter; from then on it is ours.
    daemon.until(lambda: daemon.pipeline.intake.live > 0 or daemon.outcome("new.jpg") is not None)
    decided = len(daemon.done)
    daemon.settle()
    order = [done.source.name for done in daemon.done]
    assert len(order) == 151
    assert order.index("new.jpg") <= decided + 4


def test_of_several_answers_the_live_photo_is_filed_first(
    start: Callable[..., Daemon], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dcim = tmp_path / "DCIM"
    dcim.mkdir()
    for number in range(4):
        (dcim / f"old-{number}.jpg").write_bytes(draw_photo(RED, seed=number))
        age(dcim / f"old-{number}.jpg")
    daemon = start(workers=2)
    workers = daemon.pipeline.workers
    collect, answers = workers.collect, []

    def keep(*_: object) -> list[Answer]:
        answers.extend(collect(0.01))
        return []

    monkeypatch.setattr(workers, "collect", keep)
    daemon.until(lambda: len(answers) == 4)
    hidden = dcim / ".new.tmp"
    hidden.write_bytes(draw_photo(BLUE))
    hidden.rename(dcim / "new.jpg")
    daemon.until(lambda: len(answers) == 5)
    monkeypatch.setattr(
        workers, "collect", lambda *_: [answers.pop(0) for _ in range(len(answers))]
    )
    daemon.until(lambda: not answers)
    monkeypatch.undo()
    daemon.settle()
    assert daemon.done[0].source.name == "new.jpg"
    assert len(daemon.done) == 5


def test_a_photo_that_takes_long_holds_up_nobody(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    """While a live photo is nearly there the archive stands back, but not for longer."""
    dcim = tmp_path / "DCIM"
    dcim.mkdir()
    daemon = start(workers=2)
    daemon.settle()
    hidden = dcim / ".slow.tmp"
    hidden.write_bytes(draw_photo(RED, size=(4000, 3000)))
    hidden.rename(dcim / "slow.png")
    daemon.until(lambda: daemon.pipeline.outstanding == 1)
    sent = time.monotonic()
    assert daemon.pipeline.hurry(sent) > 0
    assert daemon.pipeline.hurry(sent + 1.0) == 0
    daemon.settle()
    assert daemon.pipeline.hurry(sent) == 0


def test_the_same_bytes_twice_are_filed_once(start: Callable[..., Daemon]) -> None:
    daemon = start()
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    (daemon.dcim / "b.jpg").write_bytes(draw_photo(RED))
    daemon.settle()
    assert len(daemon.tree()) == 1
    outcomes = sorted(str(daemon.outcome(name)) for name in ("a.jpg", "b.jpg"))
    assert outcomes == ["duplicate", "placed"]


def test_a_live_photo_travels_as_one_and_waits_for_nobody(start: Callable[..., Daemon]) -> None:
    daemon = start()
    (daemon.dcim / "IMG_1.jpg").write_bytes(draw_photo(RED))
    (daemon.dcim / "IMG_1.AAE").write_bytes(b"<plist/>")
    daemon.until(lambda: "red/IMG_1.AAE" in daemon.tree())
    (daemon.dcim / "IMG_1.jpg.xmp").write_bytes(b"<x/>")
    daemon.until(lambda: "red/IMG_1.jpg.xmp" in daemon.tree())
    assert daemon.tree() == ["red/IMG_1.AAE", "red/IMG_1.jpg", "red/IMG_1.jpg.xmp"]
    photo, late = daemon.version("IMG_1.jpg"), daemon.version("IMG_1.jpg.xmp")
    assert photo is not None
    assert late is not None
    assert late.leader == photo.id


def test_a_companion_that_comes_first_joins_its_photo(start: Callable[..., Daemon]) -> None:
    daemon = start()
    (daemon.dcim / "IMG_1.AAE").write_bytes(b"<plist/>")
    daemon.settle()
    assert daemon.outcome("IMG_1.AAE") is None
    (daemon.dcim / "IMG_1.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.tree() == ["red/IMG_1.AAE", "red/IMG_1.jpg"])


def test_a_companion_counted_as_alone_still_joins(start: Callable[..., Daemon]) -> None:
    daemon = start(changes={"group_wait": 0.1})
    (daemon.dcim / "IMG_1.AAE").write_bytes(b"<plist/>")
    daemon.until(lambda: daemon.outcome("IMG_1.AAE") is Outcome.IGNORED)
    (daemon.dcim / "IMG_1.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.tree() == ["red/IMG_1.AAE", "red/IMG_1.jpg"])


def test_a_companion_that_changes_after_filing_is_noted_not_filed(
    start: Callable[..., Daemon],
) -> None:
    daemon = start()
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    (daemon.dcim / "a.xmp").write_bytes(b"<x/>")
    daemon.until(lambda: "red/a.xmp" in daemon.tree())
    (daemon.dcim / "a.xmp").write_bytes(b"<x>edited</x>")
    daemon.until(lambda: daemon.outcome("a.xmp") is Outcome.IGNORED)
    assert (daemon.library / "red" / "a.xmp").read_bytes() == b"<x/>"


def test_a_companion_that_changes_again_is_not_filed_either(start: Callable[..., Daemon]) -> None:
    daemon = start()
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    path = daemon.dcim / "a.xmp"
    path.write_bytes(b"<x/>")
    daemon.until(lambda: "red/a.xmp" in daemon.tree())
    for edit in (b"<x>edited</x>", b"<x>edited again</x>"):
        path.write_bytes(edit)
        digest = hashlib.sha256(edit).hexdigest()

        def noted(digest: str = digest) -> bool:
            version = daemon.version("a.xmp")
            return version is not None and (version.sha256, version.outcome) == (
                digest,
                Outcome.IGNORED,
            )

        daemon.until(noted)
    assert daemon.tree() == ["red/a.jpg", "red/a.xmp"]


def test_edited_content_is_filed_beside_the_old(start: Callable[..., Daemon]) -> None:
    daemon = start()
    path = daemon.dcim / "a.jpg"
    path.write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.tree() == ["red/a.jpg"])
    path.write_bytes(draw_photo(RED, seed=5))
    daemon.until(lambda: daemon.tree() == ["red/a-1.jpg", "red/a.jpg"])


def test_a_touched_photo_is_not_filed_again(start: Callable[..., Daemon]) -> None:
    daemon = start()
    path = daemon.dcim / "a.jpg"
    path.write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.tree() == ["red/a.jpg"])
    os.utime(path, (1_600_000_000, 1_600_000_000))
    daemon.watcher.request_scan()

    def remembered() -> bool:
        version = daemon.version("a.jpg")
        return version is not None and version.mtime_ns == 1_600_000_000 * 10**9

    daemon.until(remembered)
    assert daemon.tree() == ["red/a.jpg"]
    assert [done.outcome for done in daemon.done] == [Outcome.PLACED]


def test_a_moved_or_deleted_copy_stays_away(start: Callable[..., Daemon]) -> None:
    daemon = start()
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.tree() == ["red/a.jpg"])
    (daemon.library / "red" / "a.jpg").unlink()
    (daemon.dcim / "a.jpg").rename(daemon.dcim / "b.jpg")
    daemon.until(lambda: daemon.outcome("b.jpg") is Outcome.DUPLICATE)
    assert daemon.tree() == []


def test_near_the_threshold_is_unsure_and_goes_to_the_unsorted(
    start: Callable[..., Daemon],
) -> None:
    daemon = start(changes={"unsorted": "_review"})
    (daemon.dcim / "dark.jpg").write_bytes(draw_photo(DARK))
    daemon.until(lambda: daemon.tree() == ["_review/dark.jpg"])
    assert daemon.outcome("dark.jpg") is Outcome.NONE


@pytest.mark.parametrize(
    ("name", "content", "outcome"),
    [
        ("text.jpg", b"this is text, not a photo", Outcome.UNREADABLE),
        ("empty.jpg", b"", Outcome.TRUNCATED),
        ("half.jpg", draw_photo(RED, size=(800, 600))[:3000], Outcome.TRUNCATED),
        ("movie.mp4", b"\0\0\0\x18ftypmp42" + b"\0" * 12, Outcome.IGNORED),
        ("raw.dng", b"II*\0", Outcome.IGNORED),
    ],
)
def test_what_is_no_photo_gets_an_outcome_too(
    start: Callable[..., Daemon], name: str, content: bytes, outcome: Outcome
) -> None:
    daemon = start(once=True)
    (daemon.dcim / name).write_bytes(content)
    daemon.settle()
    assert daemon.outcome(name) is outcome
    assert daemon.tree() == []


def test_a_truncated_photo_is_looked_at_again_when_it_is_completed(
    start: Callable[..., Daemon],
) -> None:
    data = draw_photo(RED, size=(800, 600))
    daemon = start(once=True)
    (daemon.dcim / "a.jpg").write_bytes(data[:3000])
    daemon.settle()
    assert daemon.outcome("a.jpg") is Outcome.TRUNCATED
    (daemon.dcim / "a.jpg").write_bytes(data)
    daemon.watcher.request_scan()
    daemon.until(lambda: daemon.tree() == ["red/a.jpg"])


def test_names_that_are_no_text_are_filed(start: Callable[..., Daemon]) -> None:
    daemon = start()
    name = os.fsencode("new\nline ") + b"\xff\xfe.jpg"
    (daemon.dcim / os.fsdecode(name)).write_bytes(draw_photo(RED))
    daemon.settle()
    assert os.listdir(os.fsencode(daemon.library / "red")) == [name]


def test_a_link_in_the_source_leads_nowhere(start: Callable[..., Daemon], tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(draw_photo(RED))
    daemon = start()
    (daemon.dcim / "link.jpg").symlink_to(outside / "secret.jpg")
    (daemon.dcim / "folder").symlink_to(outside)
    (daemon.dcim / "real.jpg").write_bytes(draw_photo(GREEN))
    daemon.until(lambda: daemon.tree() == ["green/real.jpg"])
    daemon.settle()
    assert daemon.tree() == ["green/real.jpg"]


def test_a_library_that_vanishes_pauses_and_nothing_is_lost(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = start()
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.tree() == ["red/a.jpg"])
    daemon.library.rename(tmp_path / "away")
    (daemon.dcim / "b.jpg").write_bytes(draw_photo(BLUE))
    daemon.until(lambda: daemon.pipeline.trouble is not None)
    assert not daemon.library.exists()
    (tmp_path / "away").rename(daemon.library)
    daemon.until(lambda: daemon.tree() == ["blue/b.jpg", "red/a.jpg"])
    assert daemon.pipeline.trouble is None


def test_a_library_that_nobody_waits_for_is_missed_too(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = start()
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.tree() == ["red/a.jpg"])
    daemon.library.rename(tmp_path / "away")
    daemon.until(lambda: daemon.pipeline.trouble is not None)
    (tmp_path / "away").rename(daemon.library)
    daemon.until(lambda: daemon.pipeline.trouble is None)


def test_an_empty_directory_in_its_place_is_not_filled(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = start()
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.tree() == ["red/a.jpg"])
    daemon.library.rename(tmp_path / "away")
    daemon.library.mkdir()
    (daemon.dcim / "b.jpg").write_bytes(draw_photo(BLUE))
    daemon.until(lambda: daemon.pipeline.trouble is not None)
    assert list(daemon.library.iterdir()) == []


def test_a_category_that_becomes_a_link_in_mid_filing_holds_nobody_up(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start()
    real, elsewhere = Library.publish, daemon.base / "elsewhere"
    real_shut, shut, begun = Gate.shut, [], []

    def exchanged(library: Library, part: Part, name: str) -> None:
        if part.directory == "red" and not begun:
            begun.append(name)
            (daemon.library / "red").rename(elsewhere)
            (daemon.library / "red").symlink_to(elsewhere)
        real(library, part, name)

    def noted(door: Gate, error: WorldError, *more: float, **named: bool) -> None:
        shut.append(error)
        real_shut(door, error, *more, **named)

    monkeypatch.setattr(Library, "publish", exchanged)
    monkeypatch.setattr(Gate, "shut", noted)
    monkeypatch.setattr(gate, "AGAIN", 1.0)
    (daemon.dcim / "red.jpg").write_bytes(draw_photo(RED))
    daemon.until(elsewhere.exists)
    (daemon.dcim / "green.jpg").write_bytes(draw_photo(GREEN))
    daemon.until(lambda: daemon.outcome("green.jpg") is Outcome.PLACED)
    assert not any(isinstance(error, HalfFiled) for error in shut)
    assert [path.name for path in elsewhere.iterdir() if not path.name.startswith(".")] == []
    (daemon.library / "red").unlink()
    elsewhere.rename(daemon.library / "red")
    daemon.until(lambda: daemon.tree() == ["green/green.jpg", "red/red.jpg"])
    assert daemon.outcome("red.jpg") is Outcome.PLACED


def test_a_dry_run_files_nothing(start: Callable[..., Daemon]) -> None:
    daemon = start(changes={"dry": True})
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(MAGENTA))
    daemon.until(lambda: bool(daemon.done))
    assert daemon.done[0].categories == ("red", "blue")
    assert not daemon.library.exists()


def test_a_directory_moved_in_is_sorted(start: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = start()
    daemon.settle()
    outside = tmp_path / "outside" / "deep"
    outside.mkdir(parents=True)
    (outside / "red.jpg").write_bytes(draw_photo(RED))
    shutil.move(str(tmp_path / "outside"), daemon.dcim / "inside")
    daemon.until(lambda: daemon.tree() == ["red/red.jpg"])


def test_while_a_photo_is_filed_no_worker_lacks_the_next(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start(once=True)
    real, found = Library.make_part, []

    def make_part(library: Library, *arguments: Any) -> Part:
        if len(daemon.pipeline.intake):
            enough = len(daemon.pipeline._dispatch) >= IN_HAND - 1  # without this one
            found.append(enough or daemon.pipeline.workers.room() == 0)
        return real(library, *arguments)

    monkeypatch.setattr(Library, "make_part", make_part)
    for seed in range(8):
        (daemon.dcim / f"{seed}.jpg").write_bytes(draw_photo(RED, seed=seed))
    daemon.until(lambda: len(daemon.tree()) == 8)
    assert found
    assert all(found)


@pytest.mark.parametrize("once", [False, True])
def test_a_disk_that_is_slower_than_the_workers_keeps_few_photos_open(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, once: bool
) -> None:
    dcim = tmp_path / "DCIM"
    dcim.mkdir()
    for number in range(80):
        (dcim / f"old-{number:02}.jpg").write_bytes(draw_photo(RED, seed=number))
    age(dcim / "old-79.jpg")
    daemon = start(workers=2, once=once)
    workers = daemon.pipeline.workers
    make_part, collect, in_hand = Library.make_part, workers.collect, []

    def count(library: Library, *arguments: Any) -> Part:
        in_hand.append(daemon.pipeline.outstanding)
        return make_part(library, *arguments)

    def all_of_them(*arguments: Any) -> list[Answer]:
        answers = collect(*arguments)
        while any(slot.tasks for slot in workers._slots):
            answers += collect(1.0)
        return answers

    monkeypatch.setattr(Library, "make_part", count)
    monkeypatch.setattr(workers, "collect", all_of_them)
    daemon.until(lambda: len(daemon.tree()) == 80, seconds=60)
    assert max(in_hand) <= 2 * IN_HAND + MOST  # these wait to be filed together


# ---- an archive's photos are filed together


def archive(dcim: Path, *photos: bytes) -> None:
    dcim.mkdir(exist_ok=True)
    for number, data in enumerate(photos):
        (dcim / f"old-{number:02}.jpg").write_bytes(data)
    age(dcim / f"old-{len(photos) - 1:02}.jpg")


def test_an_archive_is_filed_a_few_at_a_time(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive(tmp_path / "DCIM", *(draw_photo(RED, seed=seed) for seed in range(20)))
    daemon = start(workers=2, once=True)
    commit, filed = Filing.commit, []

    def counted(filing: Filing, shots: Sequence[Prepared], at: float) -> Sequence[object]:
        filed.append(len(shots))
        assert len(daemon.done) == sum(filed[:-1])  # nobody is told before
        return commit(filing, shots, at)

    monkeypatch.setattr(Filing, "commit", counted)
    monkeypatch.setattr(together, "WAIT", 60.0)  # and yet the last ones are not waited for
    daemon.settle()
    assert filed == [MOST, MOST, 4]
    assert len(daemon.tree()) == len(daemon.done) == 20


def test_those_that_wait_are_not_filed_twice(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    archive(tmp_path / "DCIM", *(draw_photo(RED, seed=seed // 2) for seed in range(6)))
    monkeypatch.setattr(together, "WAIT", 60.0)
    daemon = start(workers=2, once=True)
    daemon.settle()
    assert len(daemon.tree()) == 3
    assert daemon.ledger.counts() == {"placed": 3, "duplicate": 3}


@dataclass
class Waiting:
    """A daemon with some of an archive's photos that wait for one more, which is held up."""

    daemon: Daemon
    count: int = 5
    held: list[Answer] = field(default_factory=list)
    over: bool = False

    def __post_init__(self) -> None:
        workers = self.daemon.pipeline.workers
        self._collect, workers.collect = workers.collect, self.collect  # type: ignore[method-assign]
        self.daemon.until(lambda: len(self.daemon.pipeline._together) == self.count)
        assert self.daemon.tree() != []  # parts

    def collect(self, *arguments: Any) -> list[Answer]:
        answers = self._collect(*arguments)
        if self.over:
            answers, self.held = [*answers, *self.held], []
        elif not self.held and answers:
            self.held.append(answers.pop(0))
        return answers


@pytest.fixture
def waiting(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Waiting:
    monkeypatch.setattr(together, "WAIT", 60.0)
    archive(tmp_path / "DCIM", *(draw_photo(RED, seed=seed) for seed in range(6)))
    return Waiting(start(workers=2))


def visible(daemon: Daemon) -> list[str]:
    return [name for name in daemon.tree() if "/." not in name]


def test_a_live_photo_overtakes_those_that_wait(waiting: Waiting) -> None:
    daemon = waiting.daemon
    hidden = daemon.dcim / ".new.tmp"
    hidden.write_bytes(draw_photo(BLUE))
    hidden.rename(daemon.dcim / "new.jpg")
    daemon.until(lambda: daemon.outcome("new.jpg") is Outcome.PLACED)
    assert visible(daemon) == ["blue/new.jpg"]
    assert len(daemon.pipeline._together) == 5


def test_what_was_heard_goes_before_filing_but_not_for_ever(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Somebody writes into the folder without end, and never a photo."""
    archive(tmp_path / "DCIM", *(draw_photo(RED, seed=seed) for seed in range(4)))
    daemon = start(workers=2)
    monkeypatch.setattr(Watcher, "hinted", True)
    turns, give_way = [], daemon.service._answers._gives_way

    def noted() -> bool:
        turns.append(give_way())
        return turns[-1]

    monkeypatch.setattr(daemon.service._answers, "_gives_way", noted)
    daemon.until(lambda: daemon.ledger.counts() == {"placed": 4})
    assert turns[:4] == [True, False, True, False]


def test_those_that_wait_outlive_a_library_that_goes_and_comes(
    waiting: Waiting, tmp_path: Path
) -> None:
    daemon = waiting.daemon
    daemon.library.rename(tmp_path / "away")
    daemon.until(lambda: daemon.pipeline.trouble is not None)
    (tmp_path / "away").rename(daemon.library)
    waiting.over = True
    daemon.until(lambda: daemon.ledger.counts() == {"placed": 6})
    assert daemon.tree() == [f"red/old-{number:02}.jpg" for number in range(6)]


def test_a_disk_that_is_full_for_one_has_room_for_those_that_wait(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their bytes are there already."""
    daemon = waiting.daemon
    with monkeypatch.context() as patch:
        patch.setattr(Library, "make_part", mock.Mock(side_effect=WorldError("no room")))
        waiting.over = True
        daemon.until(lambda: daemon.pipeline.trouble is not None)
    assert len(daemon.tree()) == len(daemon.done) == 5
    daemon.until(lambda: daemon.ledger.counts() == {"placed": 6})


def test_a_stop_files_those_that_wait(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon = waiting.daemon
    monkeypatch.setattr(loop, "LAST_WORDS", 1.0)
    monkeypatch.setattr(together, "WAIT", 0.5)  # the sixth may still come
    daemon.service._shutdown()
    assert len(daemon.tree()) == len(daemon.done) == 5
    assert daemon.ledger.counts() == {"placed": 5}


def test_those_that_wait_leave_no_part_when_they_are_let_go(waiting: Waiting) -> None:
    waiting.daemon.pipeline.drop()
    assert waiting.daemon.tree() == []
    assert waiting.daemon.pipeline.outstanding == 0
    assert waiting.daemon.ledger.counts() == {}


def test_a_stop_files_those_that_wait_even_if_another_is_broken_off(
    waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = waiting.daemon
    monkeypatch.setattr(Library, "make_part", mock.Mock(side_effect=Stopped))
    waiting.over = True
    daemon.service._shutdown()
    assert len(daemon.tree()) == len(daemon.done) == 5


def test_a_change_to_one_that_waits_is_seen_without_a_scan(waiting: Waiting) -> None:
    daemon = waiting.daemon
    name = daemon.pipeline._together._ready[0].out.trip.source.name
    heard = daemon.pipeline.intake._after
    (daemon.dcim / name).write_bytes(draw_photo(BLUE))
    daemon.until(lambda: len(heard) == 1)
    waiting.over = True
    daemon.until(lambda: f"blue/{name}" in daemon.tree())
    assert f"red/{name}" in daemon.tree()
    assert daemon.version(name) == daemon.ledger.history(Source(str(daemon.dcim), name))[0]


def test_a_companion_of_one_that_waits_follows_without_a_scan(waiting: Waiting) -> None:
    daemon = waiting.daemon
    name = Path(daemon.pipeline._together._ready[0].out.trip.source.name).stem
    (daemon.dcim / f"{name}.AAE").write_bytes(b"<plist/>")
    daemon.until(lambda: len(daemon.pipeline.intake._after) == 1)
    waiting.over = True
    daemon.until(lambda: f"red/{name}.AAE" in daemon.tree())


def test_what_is_tried_again_later_is_not_sooner_by_a_companion(waiting: Waiting) -> None:
    """The two would set out together."""
    daemon, now = waiting.daemon, time.monotonic()
    ready = daemon.pipeline._together._ready[0]
    name = Path(ready.out.trip.source.name).stem
    (daemon.dcim / f"{name}.AAE").write_bytes(b"<plist/>")
    daemon.until(lambda: len(daemon.pipeline.intake._after) == 1)
    daemon.pipeline._failed(ready.out.trip, "its worker died", now, time.time())
    due = {source.name: when for when, source in daemon.pipeline.intake._agenda}
    assert due == {f"{name}.AAE": now + ATTEMPT_DELAYS[0], f"{name}.jpg": now + ATTEMPT_DELAYS[0]}


def test_a_companion_that_changes_while_it_travels_is_looked_at_again(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its photo goes nowhere, so nobody would find out when it is copied."""
    daemon = start()
    collect, held = daemon.pipeline.workers.collect, []
    with monkeypatch.context() as patch:
        patch.setattr(
            daemon.pipeline.workers, "collect", lambda *more: (held.extend(collect(*more)), [])[1]
        )
        (daemon.dcim / "dark.AAE").write_bytes(b"<plist/>")
        (daemon.dcim / "dark.jpg").write_bytes(draw_photo(DARK))
        daemon.until(lambda: bool(held))
        (daemon.dcim / "dark.AAE").write_bytes(b"<plist>another</plist>")
        settler = daemon.pipeline.intake.settler
        daemon.until(lambda: "dark.AAE" in {each.source.name for each in settler.waiting()})
    monkeypatch.setattr(
        daemon.pipeline.workers, "collect", lambda *more: [*collect(*more), *taken(held)]
    )
    daemon.until(lambda: daemon.version("dark.AAE") is not None)
    now = Stamp.of((daemon.dcim / "dark.AAE").stat())
    known = daemon.ledger.known
    daemon.until(lambda: known(str(daemon.dcim), "")["dark.AAE"].matches(now))


def taken(answers: list[Answer]) -> list[Answer]:
    return [answers.pop() for _ in range(len(answers))]


def test_two_of_one_name_are_told_by_the_names_that_they_got(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    for folder in ("100", "101"):
        (tmp_path / "DCIM" / folder).mkdir(parents=True)
        (tmp_path / "DCIM" / folder / "IMG_1.JPG").write_bytes(draw_photo(RED, seed=int(folder)))
        age(tmp_path / "DCIM" / folder / "IMG_1.JPG")
    daemon = start(once=True)
    daemon.settle()
    assert daemon.tree() == ["red/IMG_1-1.JPG", "red/IMG_1.JPG"]
    assert sorted(target for done in daemon.done for target in done.targets) == daemon.tree()


@pytest.mark.parametrize("alike", [True, False])
def test_a_ledger_that_fails_with_one_that_waits_keeps_the_other_too(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alike: bool
) -> None:
    """The one that waits would be set aside, and even that cannot be noted; the other one is the
    reason why it is filed now, as a duplicate or because it fails itself."""
    monkeypatch.setattr(together, "WAIT", 60.0)
    archive(tmp_path / "DCIM", *(draw_photo(RED, seed=0 if alike else seed) for seed in range(2)))
    one = Waiting(start(workers=2), count=1)
    pipeline, trip = one.daemon.pipeline, one.daemon.pipeline._together._ready[0].out.trip
    for _ in range(MAX_ATTEMPTS):
        pipeline._setbacks.is_its_fault(trip.source)
        pipeline._setbacks.success(Source("/elsewhere", "x.jpg"))
    with monkeypatch.context() as patch:
        full = mock.Mock(side_effect=WorldError("no room"))
        for owner, what in ((Ledger, "intend"), (Ledger, "finish"), (Library, "make_part")):
            patch.setattr(owner, what, full)
        one.over = True
        one.daemon.until(lambda: pipeline.trouble is not None)
    expected = {"placed": 1, "duplicate": 1} if alike else {"placed": 2}
    one.daemon.until(lambda: one.daemon.ledger.counts() == expected)
    one.daemon.settle()


@pytest.mark.parametrize("mode", [PlaceMode.COPY, PlaceMode.HARDLINK, PlaceMode.SYMLINK])
def test_whatever_fails_each_photo_is_filed_once_and_nothing_is_left(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: PlaceMode
) -> None:
    dice = random.Random(7)
    contents = []
    for folder in ("100", "101", "102"):  # with the same names, and some of the same bytes
        (tmp_path / "DCIM" / folder).mkdir(parents=True)
        for number in range(8):
            fresh = draw_photo(dice.choice((RED, MAGENTA)), seed=dice.randrange(1 << 20))
            contents.append(dice.choice(contents) if contents and dice.random() < 0.2 else fresh)
            (tmp_path / "DCIM" / folder / f"IMG_{number}.JPG").write_bytes(contents[-1])
    (tmp_path / "DCIM" / "101" / "IMG_3.AAE").write_bytes(b"<plist/>")
    age(tmp_path / "DCIM" / "102" / "IMG_7.JPG")
    style = Style(mode, 0o040, layout.parse("{category}/{name}"), 0)
    daemon = start(workers=2, changes={"style": style})
    failures = []

    def flaky(owner: type, what: str) -> None:
        real = getattr(owner, what)

        def maybe(self: object, *arguments: Any) -> object:
            fate = dice.random()
            error = (Blocked if dice.random() < 0.3 else WorldError)(f"{what} fails")
            if fate < 0.05:
                failures.append(error)
                raise error
            result = real(self, *arguments)
            if fate > 0.95:
                failures.append(error)
                raise error
            return result

        patch.setattr(owner, what, maybe)

    monkeypatch.setattr(gate, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(gate, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(gate, "AGAIN", 0.2)
    monkeypatch.setattr(setbacks, "MAX_ATTEMPTS", 1 << 20)
    with monkeypatch.context() as patch:
        for what in ("sync", "publish", "choose_names", "make_part", "sweep", "discard"):
            flaky(Library, what)
        for what in ("intend", "complete", "touch", "settle"):
            flaky(Ledger, what)
        daemon.until(lambda: len(failures) > 40 or daemon.is_idle(), 60)
    assert len(failures) > 5
    daemon.watcher.request_scan()
    daemon.until(lambda: daemon.is_idle() and daemon.pipeline.intake.next_due() is None, 60)
    daemon.until(lambda: daemon.pipeline.trouble is None)
    photos = [daemon.library / name for name in daemon.tree() if name.endswith(".JPG")]
    filed = sorted((path.parent.name, sha256(path)) for path in photos)
    assert len(filed) == len(set(filed))
    assert {digest for _, digest in filed} == {
        hashlib.sha256(each).hexdigest() for each in contents
    }
    assert daemon.ledger.placements.intended() == []
    assert not daemon.pipeline.intake._queued
    assert [name for name in daemon.tree() if "/." in name] == []
    assert not [path for path in open_files() if path.startswith(str(daemon.dcim))]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def open_files() -> Iterator[str]:
    for each in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            yield os.readlink(f"/proc/self/fd/{each}")


def test_live_photos_that_are_put_back_find_room_as_live_ones(
    start: Callable[..., Daemon],
) -> None:
    """What stands in the way of ten of them goes: they have waited last, but are live."""
    daemon = start(workers=2)
    daemon.until(lambda: all(slot.ready for slot in daemon.pipeline.workers._slots[:2]))
    daemon.library.mkdir(exist_ok=True)
    (daemon.library / "red").write_text("in the way")
    names = [f"{seed}.jpg" for seed in range(10)]
    for seed, name in enumerate(names):
        (daemon.dcim / f".{name}.tmp").write_bytes(draw_photo(RED, seed=seed))
        (daemon.dcim / f".{name}.tmp").rename(daemon.dcim / name)
    daemon.until(lambda: len(daemon.pipeline.intake) - daemon.pipeline.intake.untried > 8)
    (daemon.library / "red").unlink()
    daemon.until(lambda: daemon.tree() == [f"red/{name}" for name in names], seconds=60)
    assert all(done.live for done in daemon.done)


def test_a_stop_goes_on_with_what_is_answered_and_waits_for_nothing_else(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start(workers=2)
    for seed in range(4):
        (daemon.dcim / f"{seed}.jpg").write_bytes(draw_photo(RED, seed=seed))
    with monkeypatch.context() as patch:
        patch.setattr(daemon.service._answers, "hurry", lambda now: 0.05)
        daemon.until(lambda: len(daemon.service._answers) == 4)
    waited: list[float] = []
    collect = daemon.pipeline.workers.collect

    def note(timeout: float, *more: Any) -> list[Answer]:
        waited.append(timeout)
        return collect(timeout, *more)

    monkeypatch.setattr(daemon.pipeline.workers, "collect", note)
    daemon.service._shutdown()
    assert waited == [0.0] * 4
    assert len(daemon.tree()) == 4


def test_a_ledger_that_fails_too_keeps_that_photo_and_the_answer_for_the_next(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else would ever let go of them: they would be in hand for good."""
    daemon = start()
    workers, pipeline, held, failed = daemon.pipeline.workers, daemon.pipeline, [], []
    collect, finish = workers.collect, daemon.ledger.finish

    def both(*arguments: Any) -> list[Answer]:
        held.extend(collect(*arguments))
        answers = held[:] if len(held) == 2 or failed else []
        del held[: len(answers)]
        return answers

    def full(*arguments: Any) -> int:
        if failed:
            return finish(*arguments)
        failed.append(arguments)
        raise WorldError("the ledger's disk is full")

    monkeypatch.setattr(workers, "collect", both)
    monkeypatch.setattr(daemon.ledger, "finish", full)
    with monkeypatch.context() as patch:
        patch.setattr(pipeline._setbacks, "is_its_fault", lambda _: not failed)
        patch.setattr(Library, "make_part", mock.Mock(side_effect=WorldError("no room")))
        for seed, name in enumerate(("a.jpg", "b.jpg")):
            (daemon.dcim / name).write_bytes(draw_photo(RED, seed=seed))
        daemon.until(lambda: failed)
    daemon.until(lambda: daemon.tree() == ["red/a.jpg", "red/b.jpg"])


def test_a_worker_killed_at_work_costs_an_attempt_and_the_photo_is_filed(
    start: Callable[..., Daemon],
) -> None:
    daemon = start(once=True)
    (pid,) = daemon.pipeline.workers.pids()
    stand_still(pid)  # so that it is still at it when it is killed
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.pipeline.outstanding > 0)
    os.kill(pid, signal.SIGKILL)
    daemon.until(lambda: daemon.tree() == ["red/a.jpg"], seconds=40)


def test_a_long_copy_is_broken_off_by_a_stop_and_done_after_the_next_start(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = start(once=True)
    movie = b"\0\0\0\x08moov" + (40 << 20).to_bytes(4, "big") + b"mdat" + b"d" * ((40 << 20) - 8)
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    (daemon.dcim / "a.mov").write_bytes(movie)
    seen: list[float] = []

    def stop_after_a_moment() -> None:
        seen.append(time.monotonic())
        if len(seen) > 2:
            raise Stopped

    daemon.pipeline.keep_alive(stop_after_a_moment)
    with pytest.raises(Stopped):
        daemon.until(lambda: "red/a.mov" in daemon.tree())
    assert "red/a.mov" not in daemon.tree()
    assert not list(daemon.library.rglob(".photosortd-*.part"))
    daemon.close()
    again = Daemon(tmp_path, once=True)
    again.until(lambda: again.tree() == ["red/a.jpg", "red/a.mov"])
    daemon.__post_init__()  # the fixture closes it again
    again.close()


def test_a_companion_that_cannot_be_copied_does_not_hold_its_photo_up(
    start: Callable[..., Daemon], monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = start()
    real = Library.make_part

    def too_large(
        self: Library, source: OpenSource, directory: str, name: str, *how: object
    ) -> Part:
        if source.name == "a.mov":
            raise PhotoError("a.mov: larger than the library's file system takes")
        return real(self, source, directory, name, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(Library, "make_part", too_large)
    (daemon.dcim / "a.mov").write_bytes(b"\0\0\0\x08moov" + b"\0\0\0\x10mdat" + b"\0" * 8)
    age(daemon.dcim / "a.mov")
    (daemon.dcim / "a.jpg").write_bytes(draw_photo(RED))
    daemon.until(lambda: daemon.outcome("a.mov") is Outcome.SET_ASIDE)
    assert daemon.outcome("a.jpg") is Outcome.PLACED
    assert daemon.tree() == ["red/a.jpg"]
