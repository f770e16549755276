"""The bundle that comes with us: it fits, it works here, and it says how well it does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from photosortd.config import Config
from photosortd.errors import BundleError
from photosortd.models.choose import STARTER, Models
from photosortd.vision.bundle import Bundle, quality, read_bundle
from photosortd.vision.worker import selftest

DEMO = STARTER.with_name("demo-bundle")
PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=[STARTER, DEMO], ids=["starter", "demo"])
def packaged(request: pytest.FixtureRequest) -> Bundle:
    return read_bundle(request.param)


def test_it_is_small_and_knows_the_six_categories(packaged: Bundle) -> None:
    assert packaged.names == ("animal", "city_scape", "food", "group", "landscape", "me")
    assert sum(path.stat().st_size for path in packaged.path.rglob("*")) < 3_000_000
    assert "random weights" in (packaged.path / "MODEL_CARD.md").read_text()


def test_its_pictures_get_the_scores_that_they_had(packaged: Bundle) -> None:
    assert len(packaged.golden) >= 3
    selftest(str(packaged.path), Config.default_limits())


def test_the_daemon_takes_one_that_was_measured_and_is_good(tmp_path: Path) -> None:
    models = Models(str(tmp_path / "state"))
    apart = read_bundle(STARTER).metrics["apart"]
    assert isinstance(apart, dict)
    assert apart["macro_f1"] >= 0.55
    assert str(quality(read_bundle(STARTER))) in str(models.choose(None, read_bundle).warning)


def test_without_one_it_says_how_to_train(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="photosort-train train"):
        Models(str(tmp_path / "state"), tmp_path / "none").choose(None, read_bundle)


def test_what_is_told_of_the_starter_is_what_was_measured() -> None:
    apart: Any = read_bundle(STARTER).metrics["apart"]
    told = f"{apart['macro_f1']:.2f}"
    sentences = {
        "README.md": f"its macro-F1 is {told}",
        "CHANGELOG.md": f"(macro-F1 {told})",
        "docs/starter.md": f"**{told} ({apart['low']:.2f}–{apart['high']:.2f})**",
    }
    for page, sentence in sentences.items():
        assert sentence in " ".join((PROJECT / page).read_text().split()), page
    for name, threshold in read_bundle(STARTER).thresholds.items():
        assert threshold == apart["categories"][name]["threshold"]
        assert threshold is None or apart["categories"][name]["precision"] >= 0.8, name


def test_the_harder_test_is_told_first() -> None:
    bundle = read_bundle(DEMO)
    assert "on the photos held out" in str(quality(bundle))
    both = {"test": {"macro_f1": 0.9}, "apart": {"macro_f1": 0.7}}
    said = quality(replace(bundle, metrics=both))
    assert said == "macro-F1 0.70 on photos of collections that it had not seen"
    assert quality(replace(bundle, metrics={"test": "unknown"})) is None
