"""The page: the order of its sections."""

from collections.abc import Iterator
from importlib import resources

from photosortd.vision.sheet.cards import cards
from photosortd.vision.sheet.head import PLACES, header, title
from photosortd.vision.sheet.markup import Html, chip, page_head, quiet, tag
from photosortd.vision.sheet.values import Frame, Sheet

MARK = "photosortd contact sheet"
"""Stands within the first bytes of every sheet, so that one may be replaced by another."""

_FEW = 3  # photos of a section that leave room beside them

_MEANING = {
    "unsure": "None of these reaches a threshold, but each comes close to one.",
    "none": "None of these comes close to any category.",
    "unsorted": "These were not judged; each says why.",
}


def html(sheet: Sheet) -> bytes:
    """The whole file, in UTF-8."""
    style = resources.files(__package__).joinpath("sheet.css").read_text("utf-8")
    head = page_head(f"{title(sheet)} – contact sheet – photosortd", style, MARK)
    page = tag("html", head, _body(sheet), lang="en")
    return f"<!doctype html>\n{page}\n".encode()


def _body(sheet: Sheet) -> Html:
    return tag(
        "body",
        header(sheet),
        tag("main", *_categories(sheet), *_others(sheet)),
        tag(
            "footer",
            tag(
                "p",
                "This page needs no network and tells nobody of itself. It holds small copies of "
                "the photos: mind whom you hand it to.",
            ),
        ),
    )


def _categories(sheet: Sheet) -> Iterator[Html]:
    for place, name in enumerate(sheet.bundle.names):
        if found := sheet.under(name):
            yield _section(f"c{place}", chip(name, place), found, cards(sheet, found, name))


def _others(sheet: Sheet) -> Iterator[Html]:
    for key, name, outcome in PLACES:
        if found := sheet.left(outcome):
            shown = (quiet(_MEANING[key]), cards(sheet, found))
            yield _section(key, chip(name, None), found, *shown)


def _section(key: str, name: Html, found: list[Frame], *shown: Html) -> Html:
    heading = tag("h2", name, tag("span", str(len(found)), class_="count"))
    few = f"n{len(found)}" if len(found) <= _FEW else None
    return tag("section", heading, *shown, id=key, class_=few)
