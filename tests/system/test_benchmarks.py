"""The benchmarks of the daemon run from end to end, and their figures can be what they claim.

With the tiny bundle and little photos: how fast they are says nothing here.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drawing import draw_photo
from tiny import TINY

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def originals(tmp_path):
    directory = tmp_path / "originals"
    directory.mkdir()
    for number in range(3):
        (directory / f"{number}.jpg").write_bytes(draw_photo(seed=number, size=(1200, 900)))
    return directory


def measured(name: str, originals: Path, *options: str) -> dict[str, Any]:
    """What the short form of a benchmark that sorts photos found."""
    return found_by(name, originals.parent, "--bundle", TINY, "--originals", originals, *options)


def found_by(name: str, base: Path, *options: str | Path) -> dict[str, Any]:
    """What the short form of a benchmark found."""
    work, path = base / "work", base / "found.json"
    given = ["--short", "--work", work, "--json", path]
    said = subprocess.run(
        [sys.executable, BENCHMARKS / f"{name}.py", *given, *options],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert said.returncode == 0, said.stderr
    assert list(work.glob("run-*")) == []
    found: dict[str, Any] = json.loads(path.read_text())
    assert found["title"] in said.stdout
    return found


def test_a_backfill_is_measured_beside_its_limit(originals):
    found = measured("backfill", originals, "--photos", "12")
    limit, ours, *parts = found["rows"].values()
    for each in (limit, ours):
        assert 0 < each["with start and end"]["median"] < each["photos"]["median"]
        assert each["workers"]["median"] > 0
    spent = [row["ms a photo"]["median"] for row in parts if row]
    assert len(spent) == 8
    assert all(ms > 0 for ms in spent)
    assert found["checks"][0]["at_least"] == 0.9


def test_latency_is_measured_beside_the_work_alone(originals):
    found = measured("latency", originals, "--archive", "300")
    rows = found["rows"]
    assert rows["your bundle: all three alone"]["ms"]["median"] > 0
    for writer in ("mv", "syncthing", "cp"):
        assert len(rows[f"your bundle: {writer} at rest"]["ms"]["values"]) == 3
    closed, renamed = (rows[f"your bundle: {w} at rest"]["ms"]["median"] for w in ("cp", "mv"))
    assert closed >= 500
    assert renamed < closed
    assert any("during a backfill" in name for name in rows)


def test_scaling_is_measured_for_every_crew(originals):
    found = measured("scaling", originals, "--photos", "8", "--workers", "1", "2")
    assert len(found["rows"]) == 4
    for row in found["rows"].values():
        # So short a run may be over before anybody looked at its workers.
        assert 0 < row["of the parent"]["median"] <= row["memory"]["median"]
    assert found["machine"]["cores"] > 0


def test_a_start_is_measured_beside_what_it_imports(originals):
    found = measured("start", originals, "--directories", "20")
    rows = found["rows"]
    empty, ready, filed = (
        rows[name]["time"]["median"] for name in ("an empty Python", "READY=1", "first photo filed")
    )
    assert empty < ready < filed
    assert (
        rows["--help: all imports"]["time"]["median"]
        < rows["daemon: all imports"]["time"]["median"]
    )
    assert rows["worker: imports numpy"]["time"]["median"] > 0
    assert "--help imports and has no use for: nothing heavy" in found["notes"]


def test_a_scan_is_measured_beside_find(tmp_path):
    found = found_by("scan", tmp_path, "--files", "400", "--directories", "20")
    rows = found["rows"]
    assert rows["warm: find"]["times find"]["median"] == 1.0
    assert rows["warm: --once over the archive"]["time"]["median"] > 0
    assert rows["the daemon with many files"]["most memory"]["median"] > 10
    assert rows["the ledger: outcomes committed"]["rate"]["median"] > 0
    assert rows["undo --dry-run of everything"]["time"]["median"] > 0
    names = [check["name"] for check in found["checks"]]
    assert {"status", "why", "undo --dry-run of a batch"} <= set(names)


def test_memory_is_filled_without_a_byte_on_the_disk(tmp_path):
    script = """
import sys, backing
from pathlib import Path
backing._free = lambda: backing._LEFT + (5 << 20)
backing.fill(Path(sys.argv[1]))
backing._free = lambda: backing._LEFT
backing.fill(Path(sys.argv[1]))
"""
    subprocess.run([sys.executable, "-c", script, tmp_path], cwd=BENCHMARKS, check=True)
    (hole,) = tmp_path.iterdir()
    assert (hole.stat().st_size, hole.stat().st_blocks) == (5 << 20, 0)
