"""report.html: whole without a network, safe from names, and there whatever the facts lack."""

import base64
import dataclasses
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from drawing import draw_photo
from pages import Page
from photosort_trainer import card, report
from photosort_trainer.report import advice, photos, tally
from photosort_trainer.results import Results, load, save
from reporting import results

SECTIONS = {
    "next", "photos", "thresholds", "curves", "confusion", "reliability", "promises", "shots",
    "suspects", "networks", "learning", "search", "file", "details",
}  # fmt: skip
HOSTILE = "<img src=x onerror=alert(1)>\"'&</style></svg>"


@pytest.fixture
def gallery(tmp_path: Path) -> list[str]:
    """Nine photos: lying, upright, and one of another kind."""
    made = []
    for number in range(9):
        path = tmp_path / f"{number}.{'png' if number == 4 else 'jpg'}"
        size = (400, 300) if number % 2 else (300, 400)
        kind = "PNG" if number == 4 else "JPEG"
        path.write_bytes(draw_photo((20 * number, 90, 120), size, number, kind))
        made.append(str(path))
    return made


def page(found: Results, run: Path) -> Page:
    return Page(report.write(found, run).read_text("utf-8"))


def test_every_section_is_there_and_nothing_is_fetched(gallery, tmp_path):
    made = page(results(paths=gallery), tmp_path / "run")
    assert {each["id"] for each in made.all("section")} == SECTIONS
    assert {each["href"][1:] for each in made.all("a")} <= SECTIONS
    assert not made.all("script")
    assert not made.all("link")
    assert all(each["src"].startswith("data:image/jpeg;base64,") for each in made.all("img"))
    text = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert not re.search(r"https?:|url\(|@import|src=\"?//", text)
    assert "default-src &#x27;none&#x27;" in text


def test_what_is_told(gallery, tmp_path):
    said = page(results(paths=gallery), tmp_path).said
    for part in (
        "Good: macro-F1 0.85",
        "between 0.75 and 0.95, 95 times out of 100",
        "photosortd model install bundle",
        "mobilenet_v2 – the best",
        "Kept, because it did better: dropout = 0.1",
        "b/broken.jpg",
        "1.1 MB",
        "small copies of 9 photos",
    ):
        assert part in said, part


def test_pictures_are_described_and_photos_shown_once(gallery, tmp_path):
    made = page(results(paths=gallery), tmp_path)
    assert all(each.get("aria-label") for each in made.all("svg"))
    assert all(each.get("alt") for each in made.all("img"))
    assert len(made.all("img")) == len(gallery) == len({each["src"] for each in made.all("img")})


def test_names_cannot_break_the_page(tmp_path):
    found = results(
        names=(HOSTILE, "food"),
        paths=[f"/gone/{HOSTILE}.jpg", "/gone/\x00.jpg", "/gone/\ud800\n.jpg"],
        left_out=((f"{HOSTILE}.jpg", HOSTILE),),
        suspects=({"path": HOSTILE, "category": HOSTILE, "labelled": True, "score": 0.01},),
        promises=(
            {"category": HOSTILE, "precision": 0.9, "kept": False, "bound": 0.5, "more": None},
        ),
        winner=HOSTILE,
        versions={HOSTILE: HOSTILE},
        form=HOSTILE,
    )
    made = page(found, tmp_path)
    assert not made.all("img")
    assert HOSTILE in made.said
    assert not any(name.startswith("on") for _, said in made.found for name in said)


def test_photos_that_are_gone_leave_a_place(gallery, tmp_path):
    Path(gallery[0]).unlink()
    Path(gallery[1]).write_bytes(b"no photo any more")
    Path(gallery[2]).unlink()
    Path(gallery[2]).mkdir()
    made = page(results(paths=gallery), tmp_path)
    assert len(made.all("img")) == len(gallery) - 3
    assert made.said.count("no longer there") == 3


def test_the_same_facts_make_the_same_bytes(gallery, tmp_path):
    found = results(paths=gallery)
    first = report.write(found, tmp_path / "a").read_bytes()
    save(found, tmp_path)
    assert report.write(found, tmp_path / "b").read_bytes() == first
    assert report.write(load(tmp_path), tmp_path / "b").read_bytes() == first


@pytest.mark.parametrize(
    "changed",
    [
        {"names": ("only",)},
        {"trials": (), "refined": {}},
        {"trials": ({"number": 0, "settings": {}, "macro_f1": 0.0},)},
        {"candidates": ()},
        {"shots": ()},
        {"held_out": {}},
        {"exports": (), "left_out": (), "versions": {}, "bundle": ""},
        {"photos": ()},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_there_is_a_page_whatever_is_missing(changed, gallery, tmp_path):
    made = page(results(**{"paths": gallery, **changed}), tmp_path)
    assert {each["id"] for each in made.all("section")} == SECTIONS


def test_a_candidate_without_losses_or_with_none_of_validation(tmp_path):
    none, half = results().candidates
    none = dataclasses.replace(none, losses=(), epochs=0, best=0)
    half = dataclasses.replace(half, losses=((0.5, None), (float("nan"), None)))
    made = page(results(candidates=(none, half)), tmp_path)
    assert any((each["aria-label"] or "").startswith("Loss of scratch") for each in made.all("svg"))


def test_a_category_without_a_threshold(gallery, tmp_path):
    found = results(paths=gallery)
    mute = {"threshold": None, "photos": 10, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    found = dataclasses.replace(found, shipped={**found.shipped, "food": mute})
    said = page(found, tmp_path).said
    assert "Nothing is filed into food by itself" in said
    assert "no threshold was chosen" in said
    assert advice.next_steps(found)[0].what == "Add more and clearer photos of food"


def test_promises_and_what_would_keep_them(tmp_path):
    promise = {"category": "food", "precision": 0.95, "kept": False, "bound": 0.9, "more": 140}
    kept = {"category": "animal", "precision": 0.8, "kept": True, "bound": 0.9, "more": 0}
    found = results(promises=(promise, kept))
    said = page(found, tmp_path).said
    assert "about 140 more photos of it" in said
    assert "not kept" in said
    assert "Add about 140 more photos of food, to keep its promise" in said
    alone = {**promise, "more": None}
    assert "more photos alone would not" in page(results(promises=(alone,)), tmp_path).said


def test_a_form_that_no_daemon_would_take(tmp_path):
    wrong = {**results().exports[0], "passes": False, "error": "values that are no numbers"}
    older = {name: value for name, value in wrong.items() if name != "error"}
    said = page(results(exports=(wrong, older)), tmp_path).said
    assert "unusable: values that are no numbers" in said
    assert "decides otherwise" in said


def test_doubtful_labels_are_shown_by_photo(gallery, tmp_path):
    doubts = tuple(
        {"path": gallery[0], "category": name, "labelled": name == "food", "score": 0.02}
        for name in ("food", "animal")
    )
    made = page(results(suspects=doubts), tmp_path)
    assert len(made.all("img")) == 1
    assert "labelled food, and its score is 2%" in made.said
    assert "not labelled animal" in made.said


def test_few_photos_of_many_are_shown():
    found = results(paths=[f"/gone/{number}.jpg" for number in range(200)])
    worst, best = photos.worst(found), photos.best(found)
    assert (len(worst), len(best)) == (24, 24)
    assert not {shot.path for shot in worst} & {shot.path for shot in best}
    assert len({shot.labels for shot in best}) == 3


def test_a_large_photo_becomes_a_small_one(tmp_path):
    path = tmp_path / "large.jpg"
    path.write_bytes(draw_photo((90, 90, 90), (4000, 1000), exif=_turned()))
    made = page(results(paths=[str(path)]), tmp_path / "run")
    data = base64.b64decode((made.all("img")[0]["src"] or "").partition(",")[2])
    with Image.open(io.BytesIO(data)) as small:
        assert small.size == (72, 288)  # upright
        assert not small.getexif()
    assert len(data) < 20_000


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera"
    return exif


def test_numbers_are_counted_as_one_would_by_hand():
    curve = {"scores": [0.9, 0.6, 0.6, 0.2], "labels": [True, True, False, True]}
    every = list(tally.levels(curve))
    assert [round(each.precision, 3) for each in every] == [1.0, 0.667, 0.75]
    assert [round(each.recall, 3) for each in every] == [0.333, 0.667, 1.0]
    assert tally.at(curve, 0.6) == every[1]
    shots = results(paths=["a", "b", "c", "d"]).shots
    right, missed, nothing = shots[0], shots[1], shots[2]
    both = dataclasses.replace(right, labels=("animal", "food"), filed=("animal",))
    wrong = dataclasses.replace(missed, labels=("food",), filed=("animal",))
    counts = tally.confusion(results(shots=(right, both, wrong, nothing)))
    assert counts == {
        ("animal", "animal"): 2,
        ("food", "none"): 1,
        ("food", "animal"): 1,
        ("none", "none"): 1,
    }
    assert tally.filed((right, both, wrong, nothing)) == tally.Filed(4, 2, 2, 3, 4)


def test_advice_names_what_is_confused_rare_and_unknown():
    found = results(paths=[f"{number}.jpg" for number in range(6)])
    wrong = dataclasses.replace(found.shots[0], labels=("food",), filed=("animal",))
    few = dataclasses.replace(found.photos[1], training=3, validation=1, test=1)
    without = dataclasses.replace(found.photos[2], training=0, validation=0, test=0)
    found = dataclasses.replace(found, shots=(wrong, wrong), photos=(found.photos[0], few, without))
    said = [each.what for each in advice.next_steps(found)]
    assert "Show the difference between food and animal" in said
    assert "Add about 95 photos of food" in said
    assert "Let the small categories grow: food" in said
    assert any("to the folder none" in each for each in said)


def test_the_model_card_reads_well():
    text = card.write(results(names=("a|b", "food")))
    assert "| a\\|b | 40 | 40 | 10 | 0.400 | 0.900 | 0.800 | 0.847 |" in text
    assert "Macro-F1: 0.850" in text
