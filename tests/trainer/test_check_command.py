"""`photosort-train init` and `check`, as a user types them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from drawing import draw_photo
from photosort_trainer.results import save
from reporting import results

COLORS = {"food": (200, 90, 40), "me": (40, 90, 200)}


def train(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "photosort_trainer", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
        timeout=60,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def fill(folder: Path, **counts: int) -> Path:
    """What `init` made, with so many photos of scenes that differ."""
    assert train("init", folder, *counts).returncode == 0
    for place, (name, count) in enumerate(counts.items()):
        for number in range(count):
            # Stripes, of another width each: every photo another scene.
            data = draw_photo(COLORS[name], (64 + 7 * number, 64 + 31 * place), seed=97 * number)
            (folder / "images/original" / name / f"{number}.jpg").write_bytes(data)
    return folder


def findings(folder: Path) -> dict[str, Any]:
    done = train("check", folder, "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "code": done.returncode}


def test_what_there_is_is_counted_and_named(tmp_path: Path):
    folder = fill(tmp_path / "mine", food=21, me=3)
    top = folder / "images/original"
    both = (top / "food/0.jpg").read_bytes()
    (top / "me/too.jpg").write_bytes(both)
    (top / "food/again.jpg").write_bytes((top / "food/1.jpg").read_bytes())
    (top / "food/notes.txt").write_text("no photo")
    (top / "loose.jpg").write_bytes(draw_photo((1, 2, 3)))
    found = findings(folder)
    assert found["code"] == 1
    assert {c["category"]: c["photos"] for c in found["counts"]} == {"food": 21, "me": 4}
    assert found["counts"][1]["missing"] == 96
    assert found["counts"][1]["times"] == 5.2
    assert [[Path(p).name for p in files] for files in found["across"]] == [["0.jpg", "too.jpg"]]
    assert [[Path(p).name for p in files] for files in found["copies"]] == [["1.jpg", "again.jpg"]]
    assert {Path(e["path"]).name for e in found["unusable"]} == {"notes.txt", "loose.jpg"}
    assert any("'me' has 4 photos, 20 are needed" in problem for problem in found["problems"])
    shown = train("check", folder)
    assert shown.returncode == 1
    assert "notes.txt: " in shown.stdout
    assert "the largest has 5.2 × as many" in shown.stdout
    assert "No training yet" in shown.stdout


def test_nearly_the_same_are_found(tmp_path: Path):
    folder = fill(tmp_path, food=20, me=20)
    top = folder / "images/original"
    (top / "me/smaller.jpg").write_bytes(draw_photo((10, 200, 90), (600, 450), quality=95))
    (top / "me/large.jpg").write_bytes(draw_photo((10, 200, 90), (600, 450), quality=70))
    found = findings(folder)
    names = [{Path(path).name for path in group} for group in found["alike"]]
    assert any({"smaller.jpg", "large.jpg"} <= group for group in names)


def test_ready_says_what_to_type(tmp_path: Path):
    folder = fill(tmp_path, food=20, me=20)
    shown = train("check", folder)
    assert shown.returncode == 0
    assert f"Ready: photosort-train train {folder} --out run" in shown.stdout.replace("\n", "")


def test_nothing_there_is_said(tmp_path: Path):
    done = train("check", tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere: no such folder" in done.stderr


def test_doubtful_labels_of_a_run_are_listed(tmp_path: Path):
    folder = fill(tmp_path / "mine", food=20, me=20)
    doubt = {"path": str(folder / "images/original/me/0.jpg"), "category": "me"}
    wrong = ({**doubt, "labelled": True, "score": 0.01}, {**doubt, "category": "food"})
    wrong[1].update(labelled=False, score=0.98)
    save(results(names=("food", "me"), suspects=wrong), tmp_path)
    done = train("check", folder, "--run", tmp_path, "--json")
    assert json.loads(done.stdout)["suspects"] == list(wrong)
    shown = train("check", folder, "--run", tmp_path).stdout
    assert "Labels that may be wrong: 2" in shown
    assert "not food" in shown
    assert "me/0.jpg" in shown


def test_a_run_that_has_not_ended_has_no_doubtful_labels(tmp_path: Path):
    folder = fill(tmp_path / "mine", food=20, me=20)
    done = train("check", folder, "--run", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no training has ended in this directory" in done.stderr
