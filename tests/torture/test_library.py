"""A library that leads out, or whose file system is poor: photos stay inside, and whole."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from auditing import Audit
from drawing import BLUE, GREEN, RED, draw_photo
from outside import guarded, write_into
from running import House, eventually
from torture.conftest import Effort, Figures


def test_a_category_that_became_a_link(house: House, effort: Effort, figures: Figures) -> None:
    """As when somebody moves a category to another disk: all others go on, also after a start."""
    first = {"red/first.jpg": house.photo("first.jpg"), "green/g.jpg": house.photo("g.jpg", GREEN)}
    assert house.once()["code"] == 0
    moved = house.base / "moved"
    shutil.move(house.library / "red", moved)
    (house.library / "red").symlink_to(moved)
    first.pop("red/first.jpg")
    audit, count = Audit(house, first), effort.of(6, 100)
    late = {}
    for number in range(count):
        late[f"red/{number}.jpg"] = house.photo(f"{number}.jpg", seed=100 + number)
        name = f"g{number}.jpg"  # in a directory that is scanned when all red ones wait
        audit.expected[f"green/{name}"] = house.photo(f"later/{name}", GREEN, seed=200 + number)
    audit.look_again()
    with guarded(moved):
        with house.daemon():
            eventually(lambda: len(house.names()) == len(audit.expected))
            audit.whole()
            eventually(lambda: "follows no links" in (house.status()["trouble"] or ""))
            if effort.long:  # it waits for the next try of the red ones
                audit.expected["blue/new.jpg"] = house.photo("new.jpg", BLUE)
                eventually(lambda: "blue/new.jpg" in house.names(), 120)
        ended = house.once()
        assert ended["code"] == 1
        assert "follows no links" in ended["stderr"]
        audit.look_again()
        audit.whole()
    (house.library / "red").unlink()
    shutil.move(moved, house.library / "red")
    house.run("retry")
    assert house.once()["code"] == 0
    audit.expected |= late
    audit.expected["red/first.jpg"] = (house.dcim / "first.jpg").read_bytes()
    audit.settled()
    figures.add(
        "escape",
        "a category of the library became a link: its photos waited, all others were filed",
        1,
        len(audit.expected),
    )


def test_links_and_files_in_the_place_of_names(house: House, figures: Figures) -> None:
    outside = house.base / "outside"
    outside.mkdir()
    (outside / "mine.jpg").write_bytes(draw_photo(BLUE, seed=77))
    red = house.library / "red"
    red.mkdir(parents=True)
    data = {name: house.photo(f"{name}.jpg", seed=n) for n, name in enumerate("abcdefg")}
    (red / "a.jpg").symlink_to(outside / "mine.jpg")
    (red / "b.jpg").symlink_to("nowhere.jpg")
    (red / "c.jpg").symlink_to(house.dcim / "c.jpg")
    (red / "d.jpg").mkdir()
    os.mkfifo(red / "e.jpg")
    os.link(outside / "mine.jpg", red / "f.jpg")
    os.link(house.dcim / "g.jpg", red / "g.jpg")
    audit = Audit(house)
    foreign = {name: os.lstat(red / f"{name}.jpg") for name in data}
    with guarded(outside):
        ended = house.once()
    assert ended["code"] == 0, ended
    for name, facts in foreign.items():
        now = os.lstat(red / f"{name}.jpg")
        assert (now.st_ino, now.st_mode, now.st_size) == (
            facts.st_ino,
            facts.st_mode,
            facts.st_size,
        )
    for name in "abcdef":
        assert (red / f"{name}-1.jpg").read_bytes() == data[name]
    assert not (red / "g-1.jpg").exists()  # the same bytes had that name
    audit.unharmed()
    (red / "e.jpg").unlink()
    house.assert_sound()
    figures.add("escape", "names in the library taken by links, directories, FIFOs", 7, len(data))


def test_directories_deeper_than_any_path(house: House, effort: Effort, figures: Figures) -> None:
    """More than 4096 bytes of path: no system call takes it as a whole."""
    audit = Audit(house)
    depth = effort.of(30, 400)
    here = os.open(house.dcim, os.O_RDONLY)
    for level in range(depth):
        name = f"{level:03}-" + "d" * 200
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
        if level % 10 == 9:
            audit.expected[f"red/{level}.jpg"] = draw_photo(RED, seed=level)
            write_into(here, f"{level}.jpg", audit.expected[f"red/{level}.jpg"])
    with house.daemon():
        eventually(lambda: len(house.names()) == len(audit.expected), 90)
        if effort.long:  # a scan finds it: nobody can watch there
            audit.expected["green/late.jpg"] = draw_photo(GREEN, seed=1)
            write_into(here, "late.jpg", audit.expected["green/late.jpg"])
            eventually(lambda: len(house.names()) == len(audit.expected), 600)
    os.close(here)
    house.assert_filed_once(audit.expected)
    house.assert_sound()
    shutil.rmtree(house.dcim)  # by descriptors; other clean-ups would fail
    figures.add("escape", "directories nested beyond the longest path", depth, len(audit.expected))


@pytest.fixture
def card(tmp_path: Path) -> Iterator[Path]:
    """An exFAT file system, as on a card or a stick: no case, few signs, no links."""
    if shutil.which("mount.exfat-fuse") is None or shutil.which("mkfs.exfat") is None:
        pytest.skip("needs mkfs.exfat and mount.exfat-fuse (exfat-fuse exfatprogs)")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("needs /dev/fuse")
    image, at = tmp_path / "card.img", tmp_path / "card"
    at.mkdir()
    with image.open("wb") as stream:
        stream.truncate(40 << 20)
    with ExitStack() as stack:
        run("mkfs.exfat", str(image))
        device = run("losetup", "-f", "--show", str(image)).strip()
        stack.callback(run, "losetup", "-d", device)
        run("mount.exfat-fuse", device, str(at))
        stack.callback(run, "umount", "--lazy", str(at))
        yield at


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


@pytest.mark.root
def test_names_that_a_card_refuses_or_takes_for_one(
    house: House, card: Path, effort: Effort, figures: Figures
) -> None:
    house.library = card / "library"
    house.configure(library=str(house.library))
    names = ["A.jpg", "a.jpg", "a:b?.jpg", 'a"b*.jpg', "x<|>.jpg", "\udcff.jpg", "é.jpg", "É.jpg"]
    names += ["tab\t.jpg", "dot. .jpg", "con.jpg", "n" * 251 + ".jpg", "ü" * 125 + ".jpg"]
    names += [
        f"case{number}.{ending}"
        for number in range(effort.of(1, 40))
        for ending in ("jpg", "JPG", "Jpg")
    ]
    photos = [house.photo(name, seed=number) for number, name in enumerate(names)]
    audit = Audit(house)
    ended = house.once()
    assert ended["code"] == 0, ended
    filed = house.filed()
    assert sorted(filed.values()) == sorted(photos)
    assert len({name.lower() for name in filed}) == len(filed)
    audit.unharmed()
    audit.placed_is_there()
    house.assert_sound()
    audit.undone()
    figures.add("escape", "names that an exFAT card refuses or takes for one", 1, len(photos))
