"""`photosortd demo`: what a newcomer sees first, twice, and with photos of one's own."""

import subprocess
import sys
from pathlib import Path

from drawing import draw_photo


def demo(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "photosortd", "demo", *options]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=100
    )


def test_the_demo_sorts_its_samples_and_works_again(tmp_path: Path) -> None:
    for _ in range(2):
        done = demo(cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "drawn-hills.jpg" in done.stdout
        assert "What was filed stands in demo-output/library:" in done.stdout
        assert "trained from random weights" in done.stdout
    library = tmp_path / "demo-output" / "library"
    assert any(library.rglob("*.jpg"))
    assert not list(library.rglob(".photosortd-*.part"))


def test_the_demo_only_reads_the_users_own_photos(tmp_path: Path) -> None:
    own = tmp_path / "Pictures"
    own.mkdir()
    (own / "holiday.jpg").write_bytes(draw_photo((40, 90, 200)))
    before = {path: path.stat().st_mtime_ns for path in own.iterdir()}
    done = demo("--photos", str(own), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "holiday.jpg" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in own.iterdir()} == before


def test_the_demo_removes_no_directory_that_is_not_its_own(tmp_path: Path) -> None:
    mine = tmp_path / "demo-output"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    done = demo(cwd=tmp_path)
    assert done.returncode == 78
    assert "is not from a demo" in done.stderr
    assert (mine / "thesis.txt").read_text() == "years of work"
