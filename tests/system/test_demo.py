"""`photosortd demo`: what a newcomer sees first, once more with photos of one's own."""

import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from drawing import draw_photo
from pages import Page
from photosortd.commands.demo import photos
from running import eventually

COMMAND = [sys.executable, "-m", "photosortd", "demo"]


def demo(*options: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def recorded(out: Path) -> dict[str, list[float]]:
    """What the daemon's ledger says: the scores of each photo, in the order of categories."""
    database = sqlite3.connect(out / "state" / "ledger.db")
    try:
        rows = database.execute("SELECT name, scores FROM version WHERE scores IS NOT NULL")
        return {
            name.decode(): [float(number) for number in re.findall(r": ([\d.e-]+)", scores)]
            for name, scores in rows
        }
    finally:
        database.close()


def on_the_sheet(page: Page) -> dict[str, list[str]]:
    found = {}
    for card in re.findall("<figure>.*?</figure>", page.text):
        (name,) = re.findall('<p class="file">(.*?)</p>', card)
        found[name] = re.findall(r'class="value">([\d.]+)', card)
    return found


def test_the_demo_sorts_its_samples_and_then_the_users_own_photos(tmp_path: Path) -> None:
    done = demo(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    out = tmp_path / "demo-output"
    for said in ("drawn-hills.jpg", "(macro-F1 0.", "1 duplicate, 1 unreadable",
                 "demo-output/contact-sheet.html", "undo --last"):  # fmt: skip
        assert said in done.stdout
    assert "[y/N]" not in done.stdout
    assert sorted(os.listdir(out)) == [
        ".photosortd-demo", "DCIM", "config.yaml", "contact-sheet.html", "library", "state",
    ]  # fmt: skip
    assert any((out / "library").rglob("*.jpg"))
    assert not list((out / "library").rglob(".photosortd-*.part"))
    assert not [name for name in os.listdir(out / "DCIM") if name.startswith(".")]
    page = Page((out / "contact-sheet.html").read_text("utf-8"))
    page.assert_alone()
    assert "notes.jpg" in page.section("unsorted").said
    assert "duplicate: the same bytes as " in page.section("unsorted").said
    shown, scores = on_the_sheet(page), recorded(out)
    assert set(shown) == set(os.listdir(out / "DCIM"))
    assert len(scores) >= 4
    for name, numbers in scores.items():
        assert sorted(shown[name]) == sorted(f"{number:.2f}" for number in numbers)
    again(tmp_path)


def again(tmp_path: Path) -> None:
    """With photos of one's own, in the place of the first."""
    own = tmp_path / "Pictures"
    own.mkdir()
    (own / "holiday.jpg").write_bytes(draw_photo((40, 90, 200)))
    before = {path: path.stat().st_mtime_ns for path in own.iterdir()}
    done = demo("--photos", str(own), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "holiday.jpg" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in own.iterdir()} == before
    page = Page((tmp_path / "demo-output" / "contact-sheet.html").read_text("utf-8"))
    assert list(on_the_sheet(page)) == ["holiday.jpg"]
    assert not (tmp_path / "demo-output" / "DCIM").exists()


def test_ctrl_c_ends_it_with_everything_that_it_had(tmp_path: Path) -> None:
    """Among the user's photos is one that is still being written: it would go on waiting."""
    own = tmp_path / "Pictures"
    own.mkdir()
    photo = draw_photo((40, 90, 200))
    (own / "holiday.jpg").write_bytes(photo)
    with (own / "coming.jpg").open("wb") as writer:
        writer.write(photo[: len(photo) // 2])
        writer.flush()
        process = subprocess.Popen(
            [*COMMAND, "--photos", str(own)], cwd=tmp_path, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            said = next(line for line in process.stdout if "holiday.jpg" in line)
            process.send_signal(signal.SIGINT)
            said += process.communicate(timeout=60)[0]
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, said
    assert "stopped; what is filed stays filed" in said
    assert "undo --last" in said
    out = tmp_path / "demo-output"
    page = Page((out / "contact-sheet.html").read_text("utf-8"))
    assert list(on_the_sheet(page)) == ["holiday.jpg"]
    assert list(recorded(out)) == ["holiday.jpg"]


def test_on_a_terminal_with_a_desktop_the_demo_offers_to_open_the_sheet(tmp_path: Path) -> None:
    own = tmp_path / "Pictures"
    own.mkdir()
    (own / "holiday.jpg").write_bytes(draw_photo((40, 90, 200)))
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.new && mv {opened}.new {opened}\n')
    browser.chmod(0o755)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--photos", str(own)],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "BROWSER": str(browser), "TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    said = b""
    try:
        while b"[y/N]" not in said:
            said += os.read(ours, 65536)
        os.write(ours, b"y\n")
        eventually(opened.exists)
        assert process.wait(30) == 0, said
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert opened.read_text() == f"file://{tmp_path}/demo-output/contact-sheet.html\n"
    assert b"holiday.jpg" in said


def test_without_the_packages_of_the_extra_the_phone_brings_drawn_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photos, "_INSTALLED", {"no_such_package": ("data", ("a.png",))})
    found = photos.samples(tmp_path / "drawn")
    assert [each.name for each in found if each.slowly] == ["drawn-plate.jpg", "drawn-sea.jpg"]
    assert [each.name for each in found if not each.slowly] == [
        "drawn-hills.jpg", "drawn-houses.jpg", "copy-of-drawn-hills.jpg", "notes.jpg",
    ]  # fmt: skip


def test_the_demo_removes_no_directory_that_is_not_its_own(tmp_path: Path) -> None:
    mine = tmp_path / "demo-output"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    done = demo(cwd=tmp_path)
    assert done.returncode == 78
    assert "is not from a demo" in done.stderr
    assert (mine / "thesis.txt").read_text() == "years of work"
