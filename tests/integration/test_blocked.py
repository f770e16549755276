"""One directory of the library is a link by now: what goes elsewhere is not concerned."""

from pathlib import Path

import pytest

from photosortd.errors import WorldError
from photosortd.ledger import Ledger
from photosortd.pipeline.setbacks import Setbacks
from photosortd.place import Blocked, Library
from photosortd.records import Source
from photosortd.recover import recover

PART = ".photosortd-0123456789abcdef.part"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """With a category that leads elsewhere, where a part file lies."""
    (tmp_path / "library").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / PART).write_bytes(b"not ours any more")
    (tmp_path / "library" / "red").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "library"


@pytest.mark.parametrize("stands", ["link", "file"])
def test_it_is_told_apart_from_a_failing_library(library: Path, stands: str) -> None:
    if stands == "file":
        (library / "red").unlink()
        (library / "red").write_bytes(b"")
    with Library.open(str(library), None) as opened:
        with pytest.raises(Blocked, match=r"red: .*(follows no links|needs a directory)"):
            opened.choose_names("red", [])
        opened.methods("green")
    assert issubclass(Blocked, WorldError)


def test_recovery_goes_on_and_comes_back_to_it(library: Path, tmp_path: Path) -> None:
    ledger = Ledger.open(str(tmp_path / "ledger.db"))
    try:
        with Library.open(str(library), None) as opened:
            (library / "green").mkdir()
            (library / "green" / PART).write_bytes(b"left by a crash")
            for directory in ("red", "green"):
                ledger.placements.writing(str(library), directory)
            assert recover(ledger, opened, lambda _: True, 0.0) == []
            assert list((library / "green").iterdir()) == []
            assert (tmp_path / "elsewhere" / PART).exists()
            (library / "red").unlink()
            (tmp_path / "elsewhere").rename(library / "red")
            recover(ledger, opened, lambda _: True, 0.0)
            assert list((library / "red").iterdir()) == []
            assert list(ledger.placements.written(str(library))) == []
    finally:
        ledger.close()


def test_nobody_waits_before_all_others_were_tried() -> None:
    setbacks, photo = Setbacks(), Source("/dcim", "red.jpg")
    assert not setbacks.was_its_turn(photo)
    assert not setbacks.is_its_fault(photo)
    assert setbacks.was_its_turn(photo)
    setbacks.success(Source("/dcim", "green.jpg"))
    assert not setbacks.was_its_turn(photo)
