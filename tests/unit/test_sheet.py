"""The contact sheet: every photo where it belongs, safe from names, whole without a network."""

from dataclasses import replace
from datetime import datetime

import pytest

from pages import Page
from photosortd.records import Outcome, Verdict
from photosortd.vision.bundle import Category, read_bundle
from photosortd.vision.decide import decide
from photosortd.vision.sheet import MARK, Frame, Sheet, html
from photosortd.vision.sheet.words import decision
from tiny import TINY

HOSTILE = "<script>alert(1)</script>\"'&\n\u202e\udcff.jpg"
SHOWN = r"""<script>alert(1)</script>"'&\n\u202e\xff.jpg"""
JPEG = b"\xff\xd8\xff small"
MARGIN = 0.1
ADDRESS = "data:image/jpeg;base64,/9j/IHNtYWxs"


def frame(name: str, sheet: Sheet, **scores: float) -> Frame:
    return Frame(name, decide(scores, sheet.thresholds, MARGIN), scores, picture=JPEG)


def sheet(*names: str, **thresholds: float | None) -> Sheet:
    """A sheet without photos, of the categories a, b, c, or of those named."""
    given = thresholds or dict.fromkeys(names or "abc", 0.5)
    categories = tuple(Category(name, threshold) for name, threshold in given.items())
    bundle = replace(read_bundle(TINY), categories=categories)
    return Sheet(bundle, bundle.thresholds, MARGIN, (), datetime(2024, 5, 17, 10, 11))


def page(of: Sheet, *frames: Frame) -> Page:
    made = Page(html(replace(of, frames=frames)).decode("utf-8"))
    made.assert_alone()
    return made


def test_a_photo_stands_under_each_of_its_categories_or_tells_why_not() -> None:
    of = sheet()
    made = page(
        of,
        frame("both.jpg", of, a=0.9, b=0.7, c=0.1),
        frame("one.jpg", of, a=0.1, b=0.5, c=0.41),
        frame("near.jpg", of, a=0.45, b=0.1, c=0.1),
        frame("far.jpg", of, a=0.2, b=0.1, c=0.1),
        Frame("broken.jpg", reason="not a photo: a text"),
    )
    assert made.sections() == ["c0", "c1", "unsure", "none", "unsorted"]
    shown = {key: made.section(key).said for key in made.sections()}
    assert "both.jpg" in shown["c0"]
    assert "also in b" in shown["c0"]
    assert "reaches a (0.90, from 0.50) and b (0.70, from 0.50)" in shown["c0"]
    assert ("both.jpg" in shown["c1"], "one.jpg" in shown["c1"]) == (True, True)
    assert "reaches b (0.50, from 0.50); misses c by 0.09" in shown["c1"]
    assert "misses a by 0.05: within the margin of 0.10" in shown["unsure"]
    assert "nearest is a, 0.30 short" in shown["none"]
    assert "not a photo: a text" in shown["unsorted"]
    assert "5 files" in made.said
    assert "2 to be filed, 1 unsure, 1 in no category, 1 not sorted." in made.said
    assert [each["src"] for each in made.section("c0").all("img")] == [ADDRESS]


def test_every_link_leads_somewhere_and_every_picture_says_what_it_is() -> None:
    of = sheet()
    made = page(of, frame("x", of, a=0.9, b=0.1, c=0.1), frame("y", of, a=0.1, b=0.1, c=0.1))
    assert [each["href"] for each in made.all("a")] == ["#c0", "#none"]
    assert [each["alt"] for each in made.all("img")] == ["Photo in a", "Photo in no category"]
    assert {"lang": "en"} in made.all("html")


def test_names_cannot_break_the_page() -> None:
    of = sheet("<b>bold", "c")
    broken = Frame(HOSTILE, reason=HOSTILE, about=HOSTILE)
    found = Frame(HOSTILE, Verdict(("<b>bold",), ()), {"<b>bold": 1.0, "c": 0.0}, picture=JPEG)
    made = page(replace(of, folder=HOSTILE, note=HOSTILE), broken, found)
    assert made.said.count(SHOWN) == 6  # note and folder, three of one photo, one of the other
    assert made.all("img")[0]["alt"] == "Photo in <b>bold"
    assert "\u202e" not in made.text


def test_a_category_without_a_threshold_never_files_on_its_own() -> None:
    of = sheet(a=0.5, b=None)
    made = page(of, frame("x.jpg", of, a=0.1, b=0.99))
    none = made.section("none")
    assert "never files on its own" in none.said
    strokes = [each["style"] for each in none.all("b")]
    assert strokes == ["left:50.0%"]
    assert "A hatched bar has no threshold" in made.said


def test_a_bar_is_as_long_as_the_score_and_the_stroke_stands_at_the_threshold() -> None:
    of = sheet(a=0.25, b=1.0)
    made = page(of, frame("x.jpg", of, a=0.753, b=0.0)).section("c0")
    widths = [each["style"] for each in made.all("i") if each]
    assert widths == ["width:75.3%", "width:0.0%"]
    assert [each["style"] for each in made.all("b")] == ["left:25.0%", "left:100.0%"]
    assert "0.75, threshold 0.25" in made.said


def test_of_many_categories_those_that_matter_have_bars() -> None:
    names = [f"n{number:02}" for number in range(30)]
    of = sheet(*names)
    scores = {name: 0.01 * number for number, name in enumerate(names)} | {"n01": 0.9, "n00": 0.42}
    made = page(of, frame("x.jpg", of, **scores)).section("c1")
    bars = [each["title"] for each in made.all("span") if "title" in each]
    assert bars == ["n00", "n01", *names[-6:]]  # filed, near, then the highest
    assert "and 22 others up to 0.23" in made.said


def test_photos_without_a_picture_are_counted() -> None:
    of = sheet()
    photo = frame("x.jpg", of, a=0.9, b=0.1, c=0.1)
    assert "Pictures" not in page(of, photo, Frame("y.jpg", reason="a text")).said
    made = page(of, photo, replace(photo, picture=None))
    assert "Pictures1 of 2" in made.said
    assert "no picture" in made.section("c0").said


def test_the_first_bytes_say_what_it_is_and_the_same_facts_give_the_same_bytes() -> None:
    of = sheet()
    made = html(replace(of, frames=(frame("x.jpg", of, a=0.9, b=0.1, c=0.1),)))
    assert MARK.encode() in made[:200]
    assert made == html(replace(of, frames=(frame("x.jpg", of, a=0.9, b=0.1, c=0.1),)))


def test_no_photos_and_no_categories_that_file() -> None:
    made = page(sheet())
    assert made.sections() == []
    assert "0 photos" in made.said
    assert decision(Verdict((), ()), {"a": 0.9}, {"a": None}, MARGIN) == (
        "no category files on its own"
    )


@pytest.mark.parametrize("score", [0.4999, 0.41])
def test_what_is_missed_is_never_missed_by_nothing(score: float) -> None:
    verdict = decide({"a": score}, {"a": 0.5}, MARGIN)
    assert verdict.outcome is Outcome.UNSURE
    assert "by 0.00" not in decision(verdict, {"a": score}, {"a": 0.5}, MARGIN)
