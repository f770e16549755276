"""`photosortd classify --sheet`: a page of real files, whole or not there, over nothing else."""

import os
import resource
from pathlib import Path

import pytest

from disks import tmpfs
from drawing import DARK, MAGENTA, RED
from pages import Page
from photosortd.commands import scoring
from photosortd.records import Limits
from photosortd.vision.bundle import read_bundle
from running import House
from tiny import TINY

HOSTILE = os.fsdecode(b"<script>'&\n\xff.jpg")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))


def test_a_sheet_of_photos_of_every_kind(house: House) -> None:
    house.photo("two.jpg", MAGENTA)
    house.photo("one.png", RED, format="PNG")
    house.photo("sub/none.jpg", DARK)
    house.photo(HOSTILE, RED)
    (house.dcim / "text.jpg").write_text("no photo")
    (house.dcim / "half.jpg").write_bytes(house.photo("whole.jpg", RED)[:700])
    sheet = house.base / "sheet.html"
    files = [str(house.dcim / name) for name in
             ("two.jpg", "one.png", "sub/none.jpg", HOSTILE, "text.jpg", "half.jpg")]  # fmt: skip
    done = house.run("classify", "--sheet", str(sheet), *files, str(house.dcim / "gone.jpg"))
    assert done.returncode == 1  # some could not be read
    assert f"contact sheet: {sheet}" in done.stderr
    assert len(done.stdout.splitlines()) == 7
    made = Page(sheet.read_text("utf-8"))
    made.assert_alone()
    shown = {key: made.section(key) for key in made.sections()}
    assert list(shown) == ["c0", "c2", "none", "unsorted"]
    assert "two.jpg" in shown["c0"].said
    assert "two.jpg" in shown["c2"].said
    assert r"<script>'&\n\xff.jpg" in shown["c0"].said
    assert "sub/none.jpg" in shown["none"].said
    for said in ("not a photo: a text", "truncated", "No such file"):
        assert said in shown["unsorted"].said
    pictures = [len(shown[key].all("img")) for key in shown]
    assert pictures == [3, 1, 1, 0]
    assert sheet.stat().st_mode & 0o777 == 0o666 & ~current_umask()
    assert not house.library.exists()


def current_umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def test_a_sheet_takes_the_place_of_a_sheet_and_of_nothing_else(house: House) -> None:
    photo = house.photo("a.jpg", MAGENTA)
    options = ("classify", "--bundle", str(TINY), "--json", "--sheet")
    sheet, thesis = house.base / "sheet.html", house.base / "thesis.html"
    for _ in range(2):
        done = house.run(*options, str(sheet), str(house.dcim / "a.jpg"))
        assert (done.returncode, done.stdout.count("\n")) == (0, 1), done.stderr
    thesis.write_text("<!doctype html> years of work")
    for target in (thesis, house.dcim / "a.jpg", house.dcim):
        done = house.run(*options, str(target), str(house.dcim / "a.jpg"))
        assert (done.returncode, done.stdout) == (78, "")
        assert "no contact sheet of ours: it stays" in done.stderr
    assert thesis.read_text() == "<!doctype html> years of work"
    assert (house.dcim / "a.jpg").read_bytes() == photo
    done = house.run(*options, str(house.base / "no" / "sheet.html"), str(house.dcim / "a.jpg"))
    assert (done.returncode, done.stdout) == (78, "")
    assert "there is no directory" in done.stderr


def test_a_sheet_that_cannot_be_written_leaves_the_old_one(house: House) -> None:
    house.photo("a.jpg", MAGENTA)
    sheet = house.base / "sheet.html"
    options = ("classify", "--sheet", str(sheet), str(house.dcim / "a.jpg"))
    done = house.run(*options, preexec_fn=limited)
    assert done.returncode == 1
    assert f"{sheet} was not written: File too large" in done.stderr
    assert os.listdir(house.base / "DCIM") == ["a.jpg"]
    assert not [name for name in os.listdir(house.base) if "sheet" in name]
    assert house.run(*options).returncode == 0
    before = sheet.read_bytes()
    assert house.run(*options, preexec_fn=limited).returncode == 1
    assert sheet.read_bytes() == before


def test_beyond_so_many_photos_there_are_no_pictures(house: House) -> None:
    files = [str(house.dcim / f"{number}.jpg") for number in range(3)]
    for seed in range(3):
        house.photo(f"{seed}.jpg", seed=seed)
    with scoring.workers_for(read_bundle(TINY), 3, Limits()) as workers:
        found = [answer for _, answer in scoring.answers(workers, files, pictures=2)]
    assert all(each.seen for each in found)
    assert [each.thumbnail is not None for each in found] == [True, True, False]


def test_a_full_disk_is_told(house: House, tmp_path: Path) -> None:
    house.photo("a.jpg", MAGENTA)
    with tmpfs(tmp_path / "small", "1m") as disk:
        disk.fill()
        sheet = disk.point / "sheet.html"
        done = house.run("classify", "--sheet", str(sheet), str(house.dcim / "a.jpg"))
        assert done.returncode == 1
        assert f"{sheet} was not written: No space left on device" in done.stderr
        assert os.listdir(disk.point) == ["ballast"]
