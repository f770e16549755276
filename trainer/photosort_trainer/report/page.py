"""The page: the order of its sections, and what stands around them."""

from importlib import resources

from photosort_trainer.report import (
    categories,
    curves,
    networks,
    overview,
    photos,
    searching,
    shipped,
    taught,
    thumbnails,
)
from photosort_trainer.report.markup import Html, counted, page_head, tag
from photosort_trainer.results import Results

_PLACES = (
    ("next", "Advice"),
    (taught.KEY, "Teacher"),
    ("photos", "Photos"),
    ("thresholds", "Categories"),
    ("curves", "Curves"),
    ("confusion", "Confusion"),
    ("shots", "Test photos"),
    ("suspects", "Labels"),
    ("networks", "Networks"),
    ("search", "Search"),
    ("file", "File"),
    ("details", "Details"),
)


def make(found: Results) -> str:
    """The same bytes for the same facts and photos."""
    small = thumbnails.make(photos.paths(found))
    return "<!doctype html>\n" + tag("html", _head(), _body(found, small), lang="en")


def _head() -> Html:
    style = resources.files(__package__).joinpath("style.css").read_text("utf-8")
    return page_head("What the model can do – photosort-train", style, "photosort-train")


def _body(found: Results, small: thumbnails.Thumbnails) -> Html:
    shown = sum(bool(url) for url in small.values())
    places = (each for each in _PLACES if found.distilled or each[0] != taught.KEY)
    links = (tag("a", name, href=f"#{key}") for key, name in places)
    return tag(
        "body",
        overview.verdict(found),
        tag("nav", *links, aria_label="Sections"),
        tag(
            "main",
            overview.next_steps(found),
            taught.compared(found),
            overview.learned_from(found),
            categories.thresholds(found),
            curves.curves(found),
            categories.confusion(found),
            curves.reliability(found),
            categories.promises(found),
            photos.judged(found, small),
            photos.doubtful(found, small),
            networks.compared(found),
            networks.learning(found),
            searching.searched(found),
            shipped.exports(found),
            shipped.details(found),
        ),
        tag(
            "footer",
            tag(
                "p",
                "This page needs no network and tells nobody of itself. It holds small copies of "
                f"{counted(shown, 'photo')}: mind whom you hand it to.",
            ),
        ),
    )
