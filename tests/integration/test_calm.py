"""A scan takes a directory for calm by its digest, and finds what it would have found without.

The tree and the ledger are real. Nothing here is at rest long enough to be taken on: what an intake
has noticed is its news.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from photosortd import layout
from photosortd.filing import Style
from photosortd.ledger import Ledger, Note
from photosortd.pipeline import Intake, Rules, calm
from photosortd.records import Decided, Outcome, PlaceMode, Seen, Source, Stamp, Verdict
from photosortd.settle import Settler
from photosortd.watch import Listing, RootSpec, Watcher
from photosortd.watch import walk as walking

GIVE_UP = 3600.0
RULES = Rules(
    bundle_id="bundle",
    names=("x",),
    thresholds={"x": 0.5},
    margin=0.1,
    unsorted=None,
    companions=True,
    style=Style(PlaceMode.AUTO, 0o640, layout.parse("{category}/{name}"), 0),
    quiet=1e6,
    group_wait=600.0,
    give_up=GIVE_UP,
)
DECIDED = Decided(
    Seen("a" * 64, "JPEG", 4, 3, None, (0.1,)), Verdict((), ()), "before", {"x": 0.1}, {"x": 0.5}
)
"""By another bundle than today's."""


class Archive:
    """A folder, a ledger, and what may happen to both."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.dcim = base / "DCIM"
        (self.dcim / "sub").mkdir(parents=True)
        self.ledger = Ledger.open(str(base / "ledger.db"))
        self.asked: list[str] = []
        self.ledger._database.set_trace_callback(self.asked.append)
        self.later = 0.0  # seconds that passed without waiting
        self.recognised = 0  # directories

    def close(self) -> None:
        self.ledger.close()

    @property
    def wall(self) -> float:
        return time.time() + self.later

    # ---- what happens

    def write(self, name: str, content: str = "x") -> None:
        (self.dcim / name).write_text(content)

    def finish(self, name: str, outcome: Outcome) -> None:
        if (noted := self._note(name)) is not None:
            self.ledger.finish(noted, outcome)

    def attempt(self, name: str) -> None:
        if (noted := self._note(name)) is not None:
            self.ledger.attempt(noted)

    def release(self, name: str, outcome: Outcome | None = None) -> None:
        """As `retry` does, and a start that finds an intent whose file is gone."""
        version = self.ledger.version(Source(str(self.dcim), name))
        if version is not None:
            self.ledger.release(version.id, outcome)

    def _note(self, name: str) -> Note | None:
        path = self.dcim / name
        if not path.exists():
            return None
        source, stamp = Source(str(self.dcim), name), Stamp.of(path.stat())
        return Note(source, stamp, self.wall, self.wall, decided=DECIDED)

    # ---- scans

    def scan(self, again: bool = False) -> tuple[list[str], list[str]]:
        """What a scan finds that recognises what it knows, and what one that does not."""
        marking, plain = self._intake(again), self._intake(again)
        for listing in self.listings():
            self.asked.clear()
            marking.consider(listing, 0.0, self.wall, live=False)
            self.recognised += bool(listing.files) and not self.looked_at()
            plain.consider(replace(listing, hinted=True), 0.0, self.wall, live=False)
        marking.keep_marks()
        return self._news(marking), self._news(plain)

    def news(self) -> list[str]:
        """What the next scan finds, which recognises what it knows."""
        self.asked.clear()
        intake = self._intake()
        for listing in self.listings():
            intake.consider(listing, 0.0, self.wall, live=False)
        intake.keep_marks()
        return self._news(intake)

    def looked_at(self) -> int:
        """How often the ledger was asked what it knows of files, in the last scan."""
        return sum("FROM version" in line and "SELECT" in line for line in self.asked)

    def writes(self) -> int:
        return self.ledger._database.total_changes

    def listings(self) -> Iterator[Listing]:
        watcher = Watcher([RootSpec(str(self.dcim), events=False)], lambda: None)
        watcher.start(0.0)
        try:
            while watcher.scanning:
                if listing := watcher.next_listing():
                    yield listing
        finally:
            watcher.stop()

    def _intake(self, again: bool = False) -> Intake:
        rules = replace(RULES, again=again)
        return Intake(self.ledger, Settler(RULES.quiet, GIVE_UP), rules, lambda _: None)

    def _news(self, intake: Intake) -> list[str]:
        return sorted(source.path for source in intake._first_seen)


@contextmanager
def an_archive() -> Iterator[Archive]:
    with ExitStack() as stack:
        base = stack.enter_context(tempfile.TemporaryDirectory())
        archive = Archive(Path(base))
        stack.callback(archive.close)
        yield archive


@pytest.fixture
def archive() -> Iterator[Archive]:
    """Everything in it is known, and recognised."""
    with an_archive() as made:
        for name in ("a.jpg", "b.jpg", "sub/c.jpg"):
            made.write(name)
            made.finish(name, Outcome.NONE)
        made.write("notes.txt")
        assert made.news() == []
        assert made.looked_at() > 0
        yield made


def test_a_directory_that_is_as_it_was_is_not_looked_up(archive: Archive) -> None:
    assert archive.news() == []
    assert archive.looked_at() == 0


def test_a_scan_without_changes_writes_nothing(archive: Archive) -> None:
    before = archive.writes()
    assert archive.news() == []
    assert archive.writes() == before
    assert not [line for line in archive.asked if line.startswith(("BEGIN", "INSERT", "DELETE"))]


def rewrite(archive: Archive) -> None:
    """Another content of the same size."""
    archive.write("a.jpg", "y")
    os.utime(archive.dcim / "a.jpg", ns=(5, 5))


def rewrite_with_its_old_time(archive: Archive) -> None:
    before = (archive.dcim / "a.jpg").stat()
    while (archive.dcim / "a.jpg").stat().st_ctime_ns == before.st_ctime_ns:
        archive.write("a.jpg", "y")
        os.utime(archive.dcim / "a.jpg", ns=(before.st_atime_ns, before.st_mtime_ns))
    after = (archive.dcim / "a.jpg").stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


CHANGES: dict[str, tuple[Callable[[Archive], Any], list[str]]] = {
    "a new file": (lambda a: a.write("new.jpg"), ["new.jpg"]),
    "a new file below": (lambda a: a.write("sub/new.jpg"), ["sub/new.jpg"]),
    "another size": (lambda a: a.write("a.jpg", "longer"), ["a.jpg"]),
    "another mtime": (rewrite, ["a.jpg"]),
    "another ctime": (rewrite_with_its_old_time, ["a.jpg"]),
    "another name": (lambda a: (a.dcim / "a.jpg").rename(a.dcim / "z.jpg"), ["z.jpg"]),
    "over another": (lambda a: (a.dcim / "a.jpg").replace(a.dcim / "b.jpg"), ["b.jpg"]),
    "elsewhere": (lambda a: (a.dcim / "a.jpg").rename(a.dcim / "sub/a.jpg"), ["sub/a.jpg"]),
    "retry": (lambda a: a.release("a.jpg"), ["a.jpg"]),
    "lost, and there": (lambda a: a.release("a.jpg", Outcome.LOST), ["a.jpg"]),
    "gone": (lambda a: (a.dcim / "a.jpg").unlink(), []),
    "of no kind": (lambda a: a.write("more.txt"), []),
}


@pytest.mark.parametrize(("change", "news"), CHANGES.values(), ids=list(CHANGES))
def test_a_directory_in_which_something_changed_is_looked_at(
    archive: Archive, change: Callable[[Archive], Any], news: list[str]
) -> None:
    change(archive)
    assert archive.news() == news
    assert archive.looked_at() > 0
    assert archive.news() == news


def test_a_file_that_comes_back_is_recognised_with_its_old_looks_alone(archive: Archive) -> None:
    path = archive.dcim / "sub/c.jpg"
    path.unlink()
    assert archive.news() == []
    archive.write("sub/c.jpg")
    assert archive.news() == ["sub/c.jpg"]


def test_a_directory_under_anothers_name_is_looked_at(archive: Archive) -> None:
    """Neither its files nor their ctime change by that."""
    (archive.dcim / "sub").rename(archive.dcim / "renamed")
    assert archive.news() == ["renamed/c.jpg"]
    (archive.dcim / "renamed").rename(archive.dcim / "sub")
    assert archive.news() == []


@pytest.mark.parametrize("outcome", [Outcome.TRUNCATED, Outcome.LOST])
def test_where_one_may_become_news_by_itself_nothing_is_marked(
    archive: Archive, outcome: Outcome
) -> None:
    archive.write("sub/d.jpg")
    archive.finish("sub/d.jpg", outcome)
    for _ in range(2):
        assert archive.news() == (["sub/d.jpg"] if outcome is Outcome.LOST else [])
        assert archive.looked_at() > 0
    archive.later = 2 * GIVE_UP
    assert archive.news() == ["sub/d.jpg"]


def test_a_huge_directory_is_recognised_slice_by_slice(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walking, "SLICE", 3)
    for number in range(10):
        archive.write(f"sub/{number}.jpg")
        archive.finish(f"sub/{number}.jpg", Outcome.NONE)
    assert archive.news() == []
    assert archive.looked_at() > 3
    assert archive.news() == []
    assert archive.looked_at() == 0
    archive.write("sub/5.jpg", "changed")
    assert archive.news() == ["sub/5.jpg"]
    assert archive.looked_at() == 2  # what is calm in its slice, and what is known of the rest


def test_what_was_not_all_there_is_not_marked(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = os.stat
    archive.write("sub/d.jpg")
    archive.finish("sub/d.jpg", Outcome.NONE)

    def stat(path: Any, *args: Any, **more: Any) -> os.stat_result:
        if path == "d.jpg":
            raise PermissionError(13, "Permission denied")
        return honest(path, *args, **more)

    monkeypatch.setattr(os, "stat", stat)
    for _ in range(2):
        assert archive.news() == []
        assert archive.looked_at() > 0


def test_to_decide_anew_all_are_looked_at(archive: Archive) -> None:
    everything = ["a.jpg", "b.jpg", "sub/c.jpg"]
    assert archive.scan(again=True) == (everything, everything)
    assert archive.recognised == 0
    assert archive.scan() == ([], [])
    assert archive.recognised == 2


def test_who_knows_other_kinds_of_files_recognises_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calm, "_KEY", b"another")
    assert archive.news() == []
    assert archive.looked_at() > 0


# ---- whatever happens, in whatever order

NAMES = ["a.jpg", "b.jpg", "a.mov", "n.txt", "sub/a.jpg", "sub/c.heic"]
NAME = st.sampled_from(NAMES)


def _overwrite(archive: Archive, name: str) -> None:
    """The same size and the same mtime: only its ctime tells."""
    path = archive.dcim / name
    if path.exists():
        before = path.stat()
        path.write_text("o" * before.st_size)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _touch(archive: Archive, name: str, mtime: int) -> None:
    if (archive.dcim / name).exists():
        os.utime(archive.dcim / name, ns=(mtime, mtime))


def _delete(archive: Archive, name: str) -> None:
    (archive.dcim / name).unlink(missing_ok=True)


def _rename(archive: Archive, name: str, other: str) -> None:
    if (archive.dcim / name).exists():
        (archive.dcim / name).rename(archive.dcim / other)


def _swap(archive: Archive) -> None:
    """The directory goes, another one takes its name, and back."""
    sub, other = archive.dcim / "sub", archive.base / "other"
    other.mkdir(exist_ok=True)
    sub.rename(archive.base / "away")
    other.rename(sub)
    (archive.base / "away").rename(other)


def _later(archive: Archive) -> None:
    archive.later += GIVE_UP / 2


def _finish_all(archive: Archive) -> None:
    for name in NAMES:
        archive.finish(name, Outcome.NONE)


STEP = st.one_of(
    st.tuples(st.just(Archive.write), NAME, st.sampled_from(["x", "y", "longer", ""])),
    st.tuples(st.just(_overwrite), NAME),
    st.tuples(st.just(_touch), NAME, st.sampled_from([1, 2, 1 << 30])),
    st.tuples(st.just(_delete), NAME),
    st.tuples(st.just(_rename), NAME, NAME),
    st.tuples(st.just(_swap)),
    st.tuples(st.just(_finish_all)),
    st.tuples(st.just(Archive.finish), NAME, st.sampled_from(Outcome)),
    st.tuples(st.just(Archive.attempt), NAME),
    st.tuples(st.just(Archive.release), NAME),
    st.tuples(st.just(Archive.release), NAME, st.just(Outcome.LOST)),
    st.tuples(st.just(_later)),
)


@given(st.lists(st.tuples(STEP, st.sampled_from([None, False, False, True])), max_size=25))
@settings(max_examples=150, deadline=None)
def test_a_scan_finds_what_one_without_marks_finds(
    steps: list[tuple[tuple[Any, ...], bool | None]],
) -> None:
    """`None`: no scan in between; else whether it decides anew."""
    with an_archive() as archive:
        for name in NAMES:
            archive.write(name)
        _finish_all(archive)
        for (do, *given), again in [((_touch, "none", 0), False), *steps, ((_later,), False)]:
            do(archive, *given)
            if again is not None:
                recognised, plain = archive.scan(again)
                assert recognised == plain
        event("some were recognised" if archive.recognised else "none was recognised")
