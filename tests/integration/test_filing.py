"""Filing, recovering and undoing shots: tree in, tree out, and a crash at every step."""

import hashlib
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from photosortd import layout, undo
from photosortd.errors import WorldError
from photosortd.filing import Filing, HalfFiled, Opened, Prepared, Style
from photosortd.ledger import Filed, Ledger, Note, Selection, schema
from photosortd.ledger.placements import Placements
from photosortd.place import Blocked, Library, Part, SourceChanged
from photosortd.place.folder import Folder
from photosortd.records import (
    Decided,
    Outcome,
    PlacementState,
    PlaceMode,
    Seen,
    Source,
    Stamp,
    Verdict,
)
from photosortd.recover import open_library, recover

Tree = Callable[..., Path]


class Crash(BaseException):
    """The power goes."""


@dataclass
class World:
    """A source, a library and a ledger, which may be reopened as after a crash."""

    base: Path
    mode: PlaceMode = PlaceMode.AUTO
    template: str = "{category}/{name}"
    ledger: Ledger = field(init=False)
    library: Library = field(init=False)

    def __post_init__(self) -> None:
        (self.base / "DCIM").mkdir(exist_ok=True)
        self.open()

    def open(self) -> None:
        self.ledger = Ledger.open(str(self.base / "ledger.db"))
        self.library = open_library(str(self.base / "library"), self.ledger)

    def close(self) -> None:
        with suppress(OSError):
            self.library.close()
        self.ledger.close()

    def restart(self) -> list[str]:
        """Close everything and start anew. Returns the paths that are lost."""
        self.close()
        self.open()
        lost = recover(self.ledger, self.library, self.stands, 50.0)
        return [version.source.path for version in lost]

    @staticmethod
    def stands(source: Source) -> bool | None:
        return Path(source.full).exists()

    @property
    def filing(self) -> Filing:
        style = Style(self.mode, 0o640, layout.parse(self.template), 0)
        return Filing(self.library, self.ledger, style)

    def opened(self, name: str, **more: object) -> tuple[Opened, Note]:
        path = self.base / "DCIM" / name
        descriptor = os.open(path, os.O_RDONLY)
        stamp = Stamp.of(os.fstat(descriptor))
        source = Source(str(self.base / "DCIM"), name)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        note = Note(source, stamp, 10.0, 20.0, sha256, **more)  # type: ignore[arg-type]
        return Opened(source, stamp, descriptor, 10.0, sha256), note

    def file(self, names: list[str], *categories: str, bundle: str = "b1") -> None:
        """File a shot, the photo first, as the pipeline would after looking at it."""
        with self.prepared([names], *categories, bundle=bundle) as (filing, shots):
            filing.file(shots[0], 20.0)

    def file_together(self, photos: list[str], *categories: str) -> list[list[str] | WorldError]:
        """The names that each got, or why not."""
        with self.prepared([[photo] for photo in photos], *categories) as (filing, shots):
            return [
                result if isinstance(result, WorldError) else [each.name for each in result]
                for result in filing.commit(shots, 20.0)
            ]

    @contextmanager
    def prepared(
        self, shots: list[list[str]], *categories: str, bundle: str = "b1"
    ) -> Iterator[tuple[Filing, list[Prepared]]]:
        """The parts of these shots are made; their sources are open until the block ends."""
        with ExitStack() as stack:
            batch = self.ledger.placements.new_batch("once", 20.0)
            filing, made = self.filing, []
            for names in shots:
                photo = self.base / "DCIM" / names[0]
                sha256 = hashlib.sha256(photo.read_bytes()).hexdigest()
                seen = Seen(sha256, "JPEG", 4, 3, None, ())
                decided = Decided(seen, Verdict(categories, ()), bundle, {}, {})
                shot = [self.opened(names[0], decided=decided), *map(self.opened, names[1:])]
                for each, _ in shot:
                    stack.callback(os.close, each.descriptor)
                made.append(filing.prepare(shot, categories, batch))
            yield filing, made

    def follow(self, photo: str, name: str) -> None:
        leader = self.ledger.version(Source(str(self.base / "DCIM"), photo))
        assert leader is not None
        each, note = self.opened(name)
        try:
            batch = self.ledger.placements.new_batch("once", 30.0)
            self.filing.follow(leader, [(each, note)], batch, 30.0)
        finally:
            os.close(each.descriptor)

    def undo(self, **criteria: object) -> undo.Undone:
        items = undo.plan(self.ledger, Selection(**criteria))  # type: ignore[arg-type]
        return undo.carry_out(self.ledger, self.library, items, 60.0)

    def tree(self) -> dict[str, bytes]:
        library = self.base / "library"
        return {
            str(path.relative_to(library)): path.read_bytes()
            for path in sorted(library.rglob("*"))
            if path.is_file() and path.name != ".photosortd-library"
        }


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def put(world: World, **files: bytes) -> None:
    for name, content in files.items():
        (world.base / "DCIM" / name.replace("__", ".")).write_bytes(content)


def test_a_photo_is_filed_into_every_category(world: World) -> None:
    put(world, a__jpg=b"photo")
    world.file(["a.jpg"], "food", "me")
    assert world.tree() == {"food/a.jpg": b"photo", "me/a.jpg": b"photo"}


def test_a_name_that_is_taken_gets_one_suffix_for_the_whole_shot(world: World) -> None:
    put(world, IMG_1__HEIC=b"photo", IMG_1__MOV=b"movie")
    food = world.base / "library" / "food"
    food.mkdir()
    (food / "IMG_1.MOV").write_bytes(b"another movie")
    world.file(["IMG_1.HEIC", "IMG_1.MOV"], "food")
    assert world.tree() == {
        "food/IMG_1.MOV": b"another movie",
        "food/IMG_1-1.HEIC": b"photo",
        "food/IMG_1-1.MOV": b"movie",
    }


def test_a_late_companion_takes_the_suffix_that_its_photo_got(world: World) -> None:
    put(world, a__jpg=b"photo", a__jpg__xmp=b"<x/>")
    food = world.base / "library" / "food"
    food.mkdir()
    (food / "a.jpg").write_bytes(b"another")
    world.file(["a.jpg"], "food")
    world.follow("a.jpg", "a.jpg.xmp")
    assert world.tree()["food/a-1.jpg.xmp"] == b"<x/>"


def test_the_same_bytes_under_the_name_are_left_and_never_undone(world: World) -> None:
    put(world, a__jpg=b"photo")
    food = world.base / "library" / "food"
    food.mkdir()
    (food / "a.jpg").write_bytes(b"photo")
    world.file(["a.jpg"], "food")
    assert world.tree() == {"food/a.jpg": b"photo"}
    undone = world.undo(category="food")
    assert (undone.removed, undone.kept) == (0, 1)
    assert world.tree() == {"food/a.jpg": b"photo"}


def test_the_layout_uses_the_date_of_the_file_when_exif_has_none(world: World) -> None:
    world.template = "{category}/{taken:%Y/%m}/{name}"
    put(world, a__jpg=b"photo")
    os.utime(world.base / "DCIM" / "a.jpg", (1_700_000_000, 1_700_000_000))
    world.file(["a.jpg"], "food")
    assert list(world.tree()) == ["food/2023/11/a.jpg"]


def test_a_source_that_changes_while_it_is_copied_is_not_filed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, a__jpg=b"photo")
    real = Library.room

    def write_on(self: Library, need: int, keep_free: int) -> None:
        with (world.base / "DCIM" / "a.jpg").open("ab") as stream:
            stream.write(b" and more")
        real(self, need, keep_free)

    monkeypatch.setattr(Library, "room", write_on)
    with pytest.raises(SourceChanged):
        world.file(["a.jpg"], "food", "me")
    assert world.tree() == {}
    assert world.ledger.placements.intended() == []


def test_too_little_space_files_nothing_and_leaves_nothing(world: World) -> None:
    put(world, a__jpg=b"photo")
    decided = Decided(Seen("x", "JPEG", 1, 1, None, ()), Verdict(("food",), ()), "b", {}, {})
    each, note = world.opened("a.jpg", decided=decided)
    style = Style(PlaceMode.COPY, 0, layout.parse("{category}/{name}"), 1 << 60)
    filing = Filing(world.library, world.ledger, style)
    with pytest.raises(WorldError, match="keep_free"):
        filing.prepare([(each, note)], ["food"], 1)
    os.close(each.descriptor)
    assert world.tree() == {}


# ---- several at once


def test_what_makes_several_durable_is_waited_for_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [f"{number}.jpg" for number in range(8)]
    for photo in photos:
        (world.base / "DCIM" / photo).write_bytes(photo.encode())
    syncs, commits = [], []
    sync, execute = Folder.sync, schema.Connection.execute

    def synced(folder: Folder) -> None:
        syncs.append(folder.path)
        sync(folder)

    def executed(database: schema.Connection, sql: str, *args: Any) -> sqlite3.Cursor:
        commits.extend([sql] if sql == "COMMIT" else [])
        return execute(database, sql, *args)

    with world.prepared([[photo] for photo in photos], "food", "me") as (filing, shots):
        monkeypatch.setattr(Folder, "sync", synced)
        monkeypatch.setattr(schema.Connection, "execute", executed)
        filing.commit(shots, 20.0)
    assert sorted(syncs) == ["food", "food", "me", "me"]
    assert len(commits) == 2
    assert len(world.tree()) == 16
    assert world.ledger.counts() == {Outcome.PLACED: 8}


def test_two_of_the_same_name_that_are_filed_together_get_two_names(world: World) -> None:
    for folder in ("100", "101"):
        (world.base / "DCIM" / folder).mkdir()
        (world.base / "DCIM" / folder / "IMG_1.JPG").write_bytes(folder.encode())
    filed = world.file_together(["100/IMG_1.JPG", "101/IMG_1.JPG"], "food")
    assert filed == [["IMG_1.JPG"], ["IMG_1-1.JPG"]]
    assert world.tree() == {"food/IMG_1.JPG": b"100", "food/IMG_1-1.JPG": b"101"}
    rows = world.ledger.placements.select(Selection(category="food"))
    assert sorted(row.placement.name for row in rows) == ["IMG_1-1.JPG", "IMG_1.JPG"]


def test_one_that_cannot_be_named_holds_no_other_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, a__jpg=b"a", b__jpg=b"b", c__jpg=b"c")
    publish = Library.publish

    def failing(library: Library, part: Part, name: str) -> None:
        if name == "b.jpg":
            raise WorldError("the disk fails")
        publish(library, part, name)

    with monkeypatch.context() as patch:
        patch.setattr(Library, "publish", failing)
        first, second, third = world.file_together(["a.jpg", "b.jpg", "c.jpg"], "food")
    assert (first, third) == (["a.jpg"], ["c.jpg"])
    assert isinstance(second, HalfFiled)
    assert world.ledger.counts() == {Outcome.PLACED: 2, "pending": 1}
    assert world.restart() == []
    assert world.tree() == {"food/a.jpg": b"a", "food/b.jpg": b"b", "food/c.jpg": b"c"}
    assert world.ledger.counts() == {Outcome.PLACED: 3}


def test_a_directory_that_is_in_the_way_holds_up_its_own_alone(world: World) -> None:
    put(world, a__jpg=b"a", b__jpg=b"b")
    with (
        world.prepared([["a.jpg"]], "food") as (filing, food),
        world.prepared([["b.jpg"]], "me") as (_, me),
    ):
        (world.base / "library" / "food").rename(world.base / "elsewhere")
        (world.base / "library" / "food").symlink_to(world.base / "elsewhere")
        first, second = filing.commit([*food, *me], 20.0)
    assert isinstance(first, Blocked)
    assert not isinstance(second, WorldError)
    assert world.ledger.counts() == {Outcome.PLACED: 1}
    assert world.ledger.placements.intended() == []


def test_a_directory_that_fails_after_the_names_leaves_its_own_alone_half_filed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, a__jpg=b"a", b__jpg=b"b")
    sync, named = Library.sync, []

    def failing(library: Library, directory: str) -> None:
        if directory == "food" and named:
            raise WorldError("the disk fails")
        sync(library, directory)

    def noted(library: Library, part: Part, name: str) -> None:
        named.append(name)
        publish(library, part, name)

    publish = Library.publish
    monkeypatch.setattr(Library, "sync", failing)
    monkeypatch.setattr(Library, "publish", noted)
    with (
        world.prepared([["a.jpg"]], "food") as (filing, food),
        world.prepared([["b.jpg"]], "me") as (_, me),
    ):
        first, second = filing.commit([*food, *me], 20.0)
    monkeypatch.undo()
    assert isinstance(first, HalfFiled)
    assert not isinstance(second, WorldError)
    assert world.ledger.counts() == {Outcome.PLACED: 1, "pending": 1}
    assert world.restart() == []
    assert world.ledger.counts() == {Outcome.PLACED: 2}


def test_several_whose_directory_cannot_be_synced_leave_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, a__jpg=b"a", b__jpg=b"b")
    with (
        world.prepared([["a.jpg"], ["b.jpg"]], "food") as (filing, shots),
        monkeypatch.context() as patch,
    ):
        patch.setattr(Library, "sync", mock.Mock(side_effect=WorldError("the disk fails")))
        results = filing.commit(shots, 20.0)
    assert [(type(each), str(each)) for each in results] == [(WorldError, "the disk fails")] * 2
    assert world.tree() == {}
    assert world.ledger.counts() == {}


def test_several_that_the_ledger_does_not_take_leave_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, a__jpg=b"a", b__jpg=b"b")
    intend, counts = Ledger.intend, []

    def failing(ledger: Ledger, shot: Sequence[Filed], *more: Any) -> list[int]:
        counts.append(dict(ledger.counts()))
        if shot[0].note.source.name == "b.jpg":  # it takes the first one back, too
            raise WorldError("the disk is full")
        return intend(ledger, shot, *more)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "intend", failing)
        with pytest.raises(WorldError, match="the disk is full"):
            world.file_together(["a.jpg", "b.jpg"], "food")
    assert counts == [{}, {"pending": 1}]
    assert world.tree() == {}
    assert world.ledger.counts() == {}
    assert world.ledger.placements.intended() == []


def test_undo_takes_the_whole_shot_and_only_ours(world: World) -> None:
    put(world, a__jpg=b"photo", a__xmp=b"<x/>", b__jpg=b"other")
    world.file(["a.jpg"], "food")
    world.follow("a.jpg", "a.xmp")
    world.file(["b.jpg"], "food")
    (world.base / "library" / "food" / "mine.jpg").write_bytes(b"put there by hand")
    newest = world.ledger.placements.batches()
    first = min(batch.id for batch in newest)
    undone = world.undo(batch=first)
    assert (undone.removed, undone.refused) == (2, ())
    assert world.tree() == {"food/b.jpg": b"other", "food/mine.jpg": b"put there by hand"}


def test_undo_refuses_what_may_be_the_last_copy(world: World) -> None:
    put(world, a__jpg=b"photo", b__jpg=b"other")
    world.file(["a.jpg"], "food")
    world.file(["b.jpg"], "food")
    (world.base / "DCIM" / "a.jpg").unlink()
    (world.base / "DCIM" / "b.jpg").write_bytes(b"edited meanwhile")
    undone = world.undo(category="food")
    assert undone.removed == 0
    assert sorted(path for path, _ in undone.refused) == ["food/a.jpg", "food/b.jpg"]
    assert world.tree() == {"food/a.jpg": b"photo", "food/b.jpg": b"other"}


def test_undo_refuses_a_copy_that_was_changed(world: World) -> None:
    put(world, a__jpg=b"photo")
    world.file(["a.jpg"], "food")
    (world.base / "library" / "food" / "a.jpg").write_bytes(b"retouched")
    undone = world.undo(category="food")
    assert [path for path, _ in undone.refused] == ["food/a.jpg"]
    assert world.tree() == {"food/a.jpg": b"retouched"}


def test_undo_counts_what_somebody_else_removed(world: World) -> None:
    put(world, a__jpg=b"photo")
    world.file(["a.jpg"], "food")
    (world.base / "library" / "food" / "a.jpg").unlink()
    undone = world.undo(category="food")
    assert (undone.removed, undone.gone, undone.refused) == (0, 1, ())


def test_an_undone_copy_returns_only_by_another_bundle(world: World) -> None:
    put(world, a__jpg=b"photo")
    world.file(["a.jpg"], "food", bundle="b1")
    world.undo(category="food")
    world.file(["a.jpg"], "food", bundle="b1")
    assert world.tree() == {}
    world.file(["a.jpg"], "food", bundle="b2")
    assert world.tree() == {"food/a.jpg": b"photo"}


def test_what_the_user_deleted_does_not_come_back(world: World) -> None:
    put(world, a__jpg=b"photo")
    world.file(["a.jpg"], "food")
    (world.base / "library" / "food" / "a.jpg").unlink()
    world.file(["a.jpg"], "food", bundle="b2")
    assert world.tree() == {}


# ---- crashes

STEPS: list[tuple[type, str]] = [
    (Library, "choose_names"),
    (Library, "make_part"),
    (Library, "publish"),
    (Library, "sync"),
    (Library, "discard"),
    (Ledger, "intend"),
    (Ledger, "complete"),
]


def crash_at(patch: pytest.MonkeyPatch, number: int, before: bool) -> Iterator[int]:
    """Lose power at the `number`-th step, just before it or just after."""
    count = itertools.count(1)

    def wrap(owner: type, name: str) -> None:
        real = getattr(owner, name)

        def step(self: object, *args: object, **kwargs: object) -> object:
            mine = next(count)
            if mine == number and before:
                raise Crash
            result = real(self, *args, **kwargs)
            if mine == number:
                raise Crash
            return result

        patch.setattr(owner, name, step)

    for owner, name in STEPS:
        wrap(owner, name)
    return count


def test_what_a_crash_finished_is_not_filed_again_from_another_path(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, a__jpg=b"photo", b__jpg=b"photo")
    real = Library.publish

    def publish(self: Library, part: Part, name: str) -> None:
        if part.directory == "me":
            raise Crash
        real(self, part, name)

    with monkeypatch.context() as patch:
        patch.setattr(Library, "publish", publish)
        with pytest.raises(Crash):
            world.file(["a.jpg"], "food", "me")
    for part in (world.base / "library" / "me").iterdir():
        part.unlink()  # somebody tidied up, hidden files and all
    assert world.restart() == []
    world.file(["b.jpg"], "food", "me")
    assert world.tree() == {"food/a.jpg": b"photo", "me/b.jpg": b"photo"}


def runs_into_a_crash(world: World, number: int, before: bool) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        crash_at(patch, number, before)
        try:
            world.file(["a.jpg", "a.mov"], "food", "me")
        except Crash:
            return True
    return False


def sources_are_whole(world: World) -> bool:
    dcim = world.base / "DCIM"
    return (dcim / "a.jpg").read_bytes() == b"photo" and (dcim / "a.mov").read_bytes() == b"movie"


WHOLE = {
    "food/a.jpg": b"photo",
    "food/a.mov": b"movie",
    "me/a.jpg": b"photo",
    "me/a.mov": b"movie",
}


def finish_like_a_scan(world: World) -> None:
    """What the next scan would do: the photo if it counts as new, then its companion."""
    root = str(world.base / "DCIM")
    photo = world.ledger.version(Source(root, "a.jpg"))
    if photo is None or photo.outcome is None:
        companion = world.ledger.version(Source(root, "a.mov"))
        news = companion is None or companion.outcome is None
        world.file(["a.jpg", "a.mov"] if news else ["a.jpg"], "food", "me")
    companion = world.ledger.version(Source(root, "a.mov"))
    if companion is None or companion.outcome is None:
        world.follow("a.jpg", "a.mov")


@pytest.mark.parametrize("mode", [PlaceMode.COPY, PlaceMode.HARDLINK, PlaceMode.SYMLINK])
@pytest.mark.parametrize("before", [True, False])
def test_a_crash_anywhere_is_put_right(tmp_path: Path, mode: PlaceMode, before: bool) -> None:
    for number in itertools.count(1):
        base = tmp_path / str(number)
        base.mkdir()
        world = World(base, mode)
        put(world, a__jpg=b"photo", a__mov=b"movie")
        crashed = runs_into_a_crash(world, number, before)
        assert world.restart() == []
        finish_like_a_scan(world)
        assert world.tree() == WHOLE, f"crash at step {number}"
        assert sources_are_whole(world)
        assert world.ledger.placements.intended() == []
        world.close()
        if not crashed:
            assert number > 10
            break


@pytest.mark.parametrize("mode", [PlaceMode.COPY, PlaceMode.HARDLINK, PlaceMode.SYMLINK])
@pytest.mark.parametrize("before", [True, False])
def test_a_crash_anywhere_among_several_is_put_right(
    tmp_path: Path, mode: PlaceMode, before: bool
) -> None:
    photos = ["a.jpg", "b.jpg", "c.jpg"]
    for number in itertools.count(1):
        base = tmp_path / str(number)
        base.mkdir()
        world = World(base, mode)
        for photo in photos:
            (base / "DCIM" / photo).write_bytes(photo.encode())
        crashed = False
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, number, before)
            try:
                world.file_together(photos, "food", "me")
            except Crash:
                crashed = True
        assert world.restart() == []
        for photo in photos:
            version = world.ledger.version(Source(str(base / "DCIM"), photo))
            if version is None or version.outcome is None:
                world.file([photo], "food", "me")
        expected = {
            f"{where}/{photo}": photo.encode() for where in ("food", "me") for photo in photos
        }
        assert world.tree() == expected, f"crash at step {number}"
        assert world.ledger.counts() == {Outcome.PLACED: 3}
        assert world.ledger.placements.intended() == []
        world.close()
        if not crashed:
            assert number > 20
            break


def test_two_crashes_in_a_row_are_put_right(tmp_path: Path) -> None:
    for first, second in itertools.product(range(1, 14, 2), range(1, 14, 3)):
        base = tmp_path / f"{first}-{second}"
        base.mkdir()
        world = World(base)
        put(world, a__jpg=b"photo", a__mov=b"movie")
        runs_into_a_crash(world, first, before=False)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, second, before=True)
            with suppress(Crash):
                world.restart()
                finish_like_a_scan(world)
        world.restart()
        finish_like_a_scan(world)
        assert world.tree() == WHOLE, f"crashes at {first} and {second}"
        assert sources_are_whole(world)
        world.close()


@pytest.mark.parametrize("failed", [False, True])
def test_what_a_recovery_calls_filed_outlives_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failed: bool
) -> None:
    """A name was given and never synced: killed then, or another one failed. The next start finds
    it there, and the power goes as soon as its deed is noted."""
    world = World(tmp_path, PlaceMode.COPY)
    put(world, a__jpg=b"a")
    volatile: dict[str, str] = {}  # by name: what the disk has there yet
    publish, sync = Library.publish, Folder.sync

    def published(library: Library, part: Part, name: str) -> None:
        if failed and part.directory == "me" and not begun:
            begun.append(name)
            raise WorldError("the disk fails")
        publish(library, part, name)
        volatile[f"{part.directory}/{name}"] = f"{part.directory}/{part.part}"

    def synced(folder: Folder) -> None:
        sync(folder)
        for name in [each for each in volatile if each.startswith(f"{folder.path}/")]:
            del volatile[name]

    begun: list[str] = []
    monkeypatch.setattr(Library, "publish", published)
    monkeypatch.setattr(Folder, "sync", synced)
    with monkeypatch.context() as patch:
        if not failed:
            real, calls = Library.sync, itertools.count(1)

            def killed(library: Library, directory: str) -> None:
                if next(calls) == 3:  # of both directories the parts are durable
                    raise Crash
                real(library, directory)

            patch.setattr(Library, "sync", killed)
        with suppress(Crash):
            world.file_together(["a.jpg"], "food", "me")
    assert volatile
    with monkeypatch.context() as patch:
        patch.setattr(Library, "sweep", mock.Mock(side_effect=Crash))
        with suppress(Crash):
            world.restart()
    assert world.ledger.counts() == {Outcome.PLACED: 1}
    for name, part in volatile.items():
        (tmp_path / "library" / name).rename(tmp_path / "library" / part)
    world.restart()
    assert world.tree() == {"food/a.jpg": b"a", "me/a.jpg": b"a"}
    world.close()


def test_a_part_is_removed_only_when_its_name_is_durable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the library's disk knows no other way than to link and unlink: killed in between."""
    put(world, a__jpg=b"a")
    with monkeypatch.context() as patch:
        patch.setattr(Library, "publish", mock.Mock(side_effect=Crash))
        with suppress(Crash):
            world.file(["a.jpg"], "food")
    (part,) = (world.base / "library" / "food").iterdir()
    os.link(part, part.with_name("a.jpg"))
    order = []
    for what in ("sync", "discard"):
        real = getattr(Library, what)
        monkeypatch.setattr(
            Library, what, lambda *a, what=what, real=real: (order.append(what), real(*a))
        )
    assert world.restart() == []
    assert order == ["sync", "discard"]
    assert world.tree() == {"food/a.jpg": b"a"}


def crash_after_commit(patch: pytest.MonkeyPatch, number: int) -> None:
    commits = itertools.count(1)
    write = Ledger.write

    @contextmanager
    def crashing(ledger: Ledger) -> Iterator[sqlite3.Connection]:
        with write(ledger) as database:
            yield database
        if next(commits) == number:
            raise Crash

    patch.setattr(Ledger, "write", crashing)


def test_a_crash_anywhere_in_a_recovery_leaves_nobody_in_hand(tmp_path: Path) -> None:
    """Each commit of a recovery is in its turn the last: the companion has its outcome, too."""
    for number in itertools.count(1):
        base = tmp_path / str(number)
        base.mkdir()
        world = World(base)
        put(world, a__jpg=b"photo", a__mov=b"movie")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Library, "publish", lambda *_: (_ for _ in ()).throw(Crash()))
            with pytest.raises(Crash):
                world.file(["a.jpg", "a.mov"], "food", "me")
        crashed = False
        with pytest.MonkeyPatch.context() as patch:
            crash_after_commit(patch, number)
            try:
                world.restart()
            except Crash:
                crashed = True
        world.restart()
        assert world.ledger.counts() == {Outcome.PLACED: 2}, f"crash after commit {number}"
        assert world.tree() == WHOLE
        world.close()
        if not crashed:
            assert number > 2
            break


def test_a_part_file_that_was_intended_is_named_even_if_the_source_is_gone(world: World) -> None:
    put(world, a__jpg=b"photo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "publish", lambda *_: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            world.file(["a.jpg"], "food")
    (world.base / "DCIM" / "a.jpg").unlink()
    assert world.restart() == []
    assert world.tree() == {"food/a.jpg": b"photo"}


def test_what_has_neither_part_nor_source_is_lost_and_said(world: World) -> None:
    put(world, a__jpg=b"photo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "publish", lambda *_: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            world.file(["a.jpg"], "food")
    (world.base / "DCIM" / "a.jpg").unlink()
    for part in (world.base / "library" / "food").glob(".photosortd-*"):
        part.unlink()
    assert world.restart() == ["a.jpg"]
    assert world.ledger.counts() == {Outcome.LOST: 1}


def test_a_crash_while_a_loss_is_noted_does_not_hide_it(world: World) -> None:
    put(world, a__jpg=b"photo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "publish", lambda *_: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            world.file(["a.jpg"], "food")
    (world.base / "DCIM" / "a.jpg").unlink()
    for part in (world.base / "library" / "food").glob(".photosortd-*"):
        part.unlink()
    for step in ((Ledger, "release"), (Placements, "drop")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*step, lambda *_: (_ for _ in ()).throw(Crash()))
            with pytest.raises(Crash):
                world.restart()
    assert world.restart() == ["a.jpg"]
    assert world.ledger.counts() == {Outcome.LOST: 1}


def test_what_a_killed_check_left_in_the_library_itself_is_swept(world: World) -> None:
    left = world.base / "library" / ".photosortd-probe-1-a.part"
    left.write_bytes(b"photosortd")
    world.restart()
    assert not left.exists()


def test_an_intent_waits_while_its_root_is_away(world: World) -> None:
    put(world, a__jpg=b"photo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "publish", lambda *_: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            world.file(["a.jpg"], "food")
    for part in (world.base / "library" / "food").glob(".photosortd-*"):
        part.unlink()
    assert recover(world.ledger, world.library, lambda _: None, 50.0) == []
    (row,) = world.ledger.placements.intended()
    assert row.state is PlacementState.INTENDED


def test_a_world_that_fails_between_intent_and_deed_is_finished_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(world, a__jpg=b"photo")

    def full(*_: object) -> None:
        raise WorldError("disk full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "publish", full)
        with pytest.raises(HalfFiled, match="disk full"):
            world.file(["a.jpg"], "food")
    assert recover(world.ledger, world.library, world.stands, 50.0) == []
    assert world.tree() == {"food/a.jpg": b"photo"}
    version = world.ledger.version(Source(str(world.base / "DCIM"), "a.jpg"))
    assert version is not None
    assert version.outcome is Outcome.PLACED


# ---- shots in odd orders


def test_a_companion_that_could_not_be_read_for_a_while_keeps_its_place(world: World) -> None:
    put(world, a__jpg=b"photo", a__mov=b"movie")
    world.file(["a.jpg", "a.mov"], "food")
    source = Source(str(world.base / "DCIM"), "a.mov")
    os.utime(world.base / "DCIM" / "a.mov")  # what chmod does to the ctime, and more
    version = world.ledger.version(source)
    assert version is not None
    stamp = Stamp.of((world.base / "DCIM" / "a.mov").stat())
    same = Note(source, Stamp(stamp.size, version.mtime_ns, 5, 8, 9), 10.0, 40.0)
    world.ledger.finish(same, Outcome.IGNORED)
    (world.base / "DCIM" / "a.jpg").write_bytes(b"another photo")
    world.file(["a.jpg", "a.mov"], "food", bundle="b2")
    assert world.tree()["food/a-1.jpg"] == b"another photo"
    assert world.tree()["food/a.mov"] == b"movie"
    assert world.ledger.placements.intended() == []


def test_a_new_category_gets_the_whole_shot(world: World) -> None:
    put(world, a__jpg=b"photo", a__mov=b"movie")
    world.file(["a.jpg", "a.mov"], "food", bundle="b1")
    world.file(["a.jpg", "a.mov"], "food", "me", bundle="b2")
    assert world.tree() == WHOLE


def test_a_companion_that_comes_with_a_new_bundle_joins_everywhere(world: World) -> None:
    put(world, a__jpg=b"photo")
    world.file(["a.jpg"], "food", bundle="b1")
    put(world, a__mov=b"movie")
    world.file(["a.jpg", "a.mov"], "food", "me", bundle="b2")
    assert world.tree() == WHOLE


def test_an_undone_shot_stays_away_with_its_companions(world: World) -> None:
    put(world, a__jpg=b"photo", a__mov=b"movie")
    world.file(["a.jpg", "a.mov"], "food", bundle="b1")
    world.undo(category="food")
    world.file(["a.jpg", "a.mov"], "food", bundle="b1")
    assert world.tree() == {}


def test_undo_of_a_late_companions_batch_takes_its_photo_too(world: World) -> None:
    put(world, a__jpg=b"photo", a__mov=b"movie")
    world.file(["a.jpg"], "food")
    world.follow("a.jpg", "a.mov")
    newest = max(batch.id for batch in world.ledger.placements.batches())
    assert world.undo(batch=newest).removed == 2
    assert world.tree() == {}


def test_a_hard_link_does_not_make_its_source_news(tmp_path: Path) -> None:
    world = World(tmp_path, PlaceMode.HARDLINK)
    put(world, a__jpg=b"photo")
    world.file(["a.jpg"], "food")
    stamp = Stamp.of((tmp_path / "DCIM" / "a.jpg").stat())
    assert world.ledger.known(str(tmp_path / "DCIM"), "")["a.jpg"].matches(stamp)
    world.close()


def test_an_intent_in_a_library_that_is_away_does_not_hold_the_photo_back(
    world: World,
) -> None:
    put(world, a__jpg=b"photo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Library, "publish", lambda *_: (_ for _ in ()).throw(Crash()))
        with pytest.raises(Crash):
            world.file(["a.jpg"], "food")
    world.close()
    (world.base / "library").rename(world.base / "old")
    world.ledger = Ledger.open(str(world.base / "ledger.db"))
    world.library = open_library(str(world.base / "new"), world.ledger)
    recover(world.ledger, world.library, world.stands, 50.0)
    world.file(["a.jpg"], "food")
    assert (world.base / "new" / "food" / "a.jpg").read_bytes() == b"photo"
