"""The benchmark of the trainer runs, and its figures can be what they claim."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.trainer,
    pytest.mark.skipif(
        importlib.util.find_spec("tensorflow") is None,
        reason="needs TensorFlow: pip install 'photosortd[trainer]'",
    ),
    pytest.mark.timeout(400),
]

BENCHMARK = Path(__file__).parents[2] / "benchmarks/train.py"


def test_the_short_form_measures_every_way(tmp_path):
    path = tmp_path / "found.json"
    said = subprocess.run(
        [sys.executable, str(BENCHMARK), "--short", "--json", str(path)],
        capture_output=True,
        text=True,
        timeout=380,
    )
    assert said.returncode == 0, said.stderr
    assert "times less than the plain script" in said.stdout
    found = json.loads(path.read_text())
    training, validation = found["forward"]["learned_from"]
    assert found["forward"]["passes"] == 2 * (training + validation)
    for way in ("trainer", "plain"):
        assert 0 <= found[way]["macro_f1"] <= 1
        assert 50 < found[way]["own_mb"] <= found[way]["peak_mb"]
    assert [each["photos"] for each in found["growth"]] == [45, 90]
