"""A distilled bundle becomes the one that comes with us, with what was measured of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from photosort_trainer import starter, unseen
from photosortd.records import Limits
from photosortd.vision.bundle import Calibration, Category, read_bundle
from photosortd.vision.worker import selftest

TINY = Path(__file__).parents[1] / "assets/tiny-bundle"
ABOUT = "## Its photos\n\nDrawn by us.\n"


def measured(macro_f1: float) -> dict[str, Any]:
    quality = {"photos": 30, "precision": 0.9, "recall": 0.8, "f1": 0.847}
    chosen = {"blue": None, "green": 0.25, "red": 0.75}
    return {
        "photos": 90,
        "macro_f1": macro_f1,
        "low": macro_f1 - 0.05,
        "high": macro_f1 + 0.05,
        "categories": {
            name: {"threshold": at, "platt": [2.0, 1.0], **quality} for name, at in chosen.items()
        },
    }


def shots(count: int) -> list[dict[str, Any]]:
    """Of red and green, whose scores tell them apart, and of blue, which nothing tells."""
    rng = np.random.default_rng(0)
    found = []
    for number in range(count):
        name = ("red", "green", "blue")[number % 3]
        near = {"red": 0.45, "green": 0.4}
        scores = {each: float(rng.uniform(0, 0.5) + near[each] * (each == name)) for each in near}
        scores["blue"] = float(rng.uniform())
        found.append({"labels": [name], "scores": scores})
    return found


def test_it_says_what_was_measured_and_whose_photos_they_were(tmp_path: Path) -> None:
    made, before = starter.publish(read_bundle(TINY), measured(0.7), ABOUT, str(tmp_path)), TINY
    assert made.path == tmp_path / "starter"
    assert made.metrics["apart"] == measured(0.7)
    card = (made.path / "MODEL_CARD.md").read_text()
    assert card.startswith((before / "MODEL_CARD.md").read_text())
    assert "| red | 30 | 0.750 | 0.900 | 0.800 | 0.847 |" in card
    assert "| blue | 30 | none |" in card
    assert "Macro-F1: 0.700" in card
    assert card.endswith(ABOUT)
    known = read_bundle(TINY)
    assert known.thresholds == {"red": 0.5, "green": 0.5, "blue": 0.5}
    assert made.thresholds == {"red": 0.75, "green": 0.25, "blue": None}
    assert made.model.read_bytes() == known.model.read_bytes()


def test_its_scores_are_calibrated_twice_and_its_golden_images_are_of_that(tmp_path: Path) -> None:
    made = starter.publish(read_bundle(TINY), measured(0.7), ABOUT, str(tmp_path))
    assert len(made.golden) == 4
    selftest(str(made.path), Limits())
    for own, each in zip(read_bundle(TINY).categories, made.categories, strict=True):
        for raw in (0.001, 0.3, 0.5, 0.9):
            said = 1 / (1 + np.exp(-1) * ((1 - (p := own.calibration.apply(raw))) / p) ** 2)
            assert each.calibration.apply(raw) == pytest.approx(said, abs=1e-6)


def test_steps_of_a_first_calibration_stay_steps() -> None:
    own = Category("red", 0.5, Calibration("isotonic", xs=(0.2, 0.6), ys=(0.1, 0.7)))
    made = unseen.category(own, {"threshold": 0.25, "platt": [1.0, 0.0]})
    assert (made.name, made.threshold) == ("red", 0.25)
    assert made.calibration.xs == (0.2, 0.6)
    assert made.calibration.ys == pytest.approx((0.1, 0.7))


def test_one_that_does_badly_serves_the_demo_alone(tmp_path: Path) -> None:
    starter.publish(read_bundle(TINY), measured(0.7), ABOUT, str(tmp_path))
    made = starter.publish(read_bundle(TINY), measured(0.5), ABOUT, str(tmp_path))
    assert made.path == tmp_path / "demo-bundle"
    assert not (tmp_path / "starter").exists()


def test_one_that_is_too_large_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = starter.publish(read_bundle(TINY), measured(0.7), ABOUT, str(tmp_path))
    monkeypatch.setattr(starter, "MOST", 1000)
    with pytest.raises(starter.TrainerError, match="1000 at most"):
        starter.publish(read_bundle(TINY), measured(0.8), ABOUT, str(tmp_path))
    assert read_bundle(tmp_path / "starter").id == before.id


def test_by_the_command_of_make_starter(tmp_path: Path) -> None:
    (tmp_path / "apart.json").write_text(json.dumps([{"shots": shots(90)}]))
    (tmp_path / "about.md").write_text(ABOUT)
    asked = ["--apart", "apart.json", "--about", "about.md", "--assets", "."]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        said = CliRunner().invoke(starter.command, ["bundle", str(TINY), *asked])
        assert said.exit_code == 0, said.output
        assert read_bundle("starter").metrics["apart"]
        (tmp_path / "apart.json").write_text(json.dumps([{"shots": []}] * 2))
        said = CliRunner().invoke(starter.command, ["bundle", str(TINY), *asked])
        assert "apart.json: is not what apart.py --json --seeds 1 writes" in str(said.exception)


# ---- thresholds by what was not seen


def test_a_threshold_keeps_its_precision_or_there_is_none() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3])
    right = np.array([True, True, True, True, False, True, False])
    assert unseen.threshold(scores, right) == pytest.approx(0.35)  # 5 of 6
    assert unseen.threshold(scores, ~right) is None
    assert unseen.threshold(scores[:4], right[:4]) is None  # it would file everything


def test_what_is_measured_did_not_choose() -> None:
    names = ("blue", "green", "red")
    found = unseen.measure(names, shots(300))
    said = found["categories"]
    assert said["blue"]["threshold"] is None
    assert said["blue"]["f1"] == 0
    assert said["red"]["precision"] > 0.9
    assert found["low"] < found["macro_f1"] < found["high"]


def test_a_score_says_how_likely_it_is_on_such_photos() -> None:
    seen = shots(300)
    said = unseen.measure(("blue", "green", "red"), seen)["categories"]["red"]
    made = unseen.category(Category("red", 0.9), said).calibration
    scores = np.array([made.apply(shot["scores"]["red"]) for shot in seen])
    truth = np.array([shot["labels"] == ["red"] for shot in seen])
    assert scores.mean() == pytest.approx(truth.mean(), abs=0.02)
    assert scores[truth].mean() > 0.8
    assert 0.3 < said["threshold"] < 0.8


def test_labels_by_chance_are_not_flattered() -> None:
    """Chosen and judged by the same few photos, thresholds would seem to be good."""
    rng = np.random.default_rng(1)
    scores, truth = rng.uniform(size=(30, 300)), rng.uniform(size=(30, 300)) < 0.4
    said = unseen.filed(scores, truth)
    assert said.sum() > 50
    assert truth[said].mean() < 0.6  # though each of these thresholds kept 0.8
