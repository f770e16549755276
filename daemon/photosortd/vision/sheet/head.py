"""The head of the sheet: how many photos, judged by what, when, and how to read it."""

from collections.abc import Iterator

from photosortd.records import Outcome
from photosortd.vision.sheet.bars import NEVER, track
from photosortd.vision.sheet.markup import Html, colour, counted, quiet, tag
from photosortd.vision.sheet.values import Sheet

PLACES = (
    ("unsure", "unsure", Outcome.UNSURE),
    ("none", "none", Outcome.NONE),
    ("unsorted", "not sorted", None),
)
"""Sections of photos in no category: their key, their name, and whose they are."""


def header(sheet: Sheet) -> Html:
    return tag(
        "header",
        tag("p", "photosortd · contact sheet", class_="kicker"),
        tag("h1", title(sheet)),
        tag("p", _summary(sheet), class_="lead"),
        tag("p", sheet.note, class_="note") if sheet.note else None,
        tag("dl", *_facts(sheet)),
        tag("nav", *_ways(sheet), aria_label="Sections"),
        _legend(sheet),
    )


def title(sheet: Sheet) -> str:
    """What was not judged need not be a photo."""
    judged = all(each.verdict is not None for each in sheet.frames)
    return counted(len(sheet.frames), "photo" if judged else "file")


def _summary(sheet: Sheet) -> str:
    placed = len(sheet.left(Outcome.PLACED))
    doing = "filed" if sheet.filed else "to be filed"
    others = [
        f"{len(found)} {'in no category' if name == 'none' else name}"
        for _, name, outcome in PLACES
        if (found := sheet.left(outcome))
    ]
    return ", ".join([f"{placed} {doing}", *others]) + "."


def _facts(sheet: Sheet) -> Iterator[Html]:
    bundle = sheet.bundle
    name = bundle.path.name
    said = bundle.id[:12] if bundle.id.startswith(name) else f"{name} ({bundle.id[:12]})"
    facts = (
        ("Model", said),
        ("Network", f"{bundle.backbone}, trained {bundle.created[:10]}"),
        ("Folder", sheet.folder),
        ("Made", f"{sheet.made:%Y-%m-%d %H:%M}"),
        ("Pictures", _pictures(sheet)),
    )
    return (tag("div", tag("dt", term), tag("dd", value)) for term, value in facts if value)


def _pictures(sheet: Sheet) -> str:
    """Of how many, if not of all: thousands would make a page that no browser likes."""
    photos = [each for each in sheet.frames if each.verdict is not None]
    shown = sum(each.picture is not None for each in photos)
    return "" if shown == len(photos) else f"{shown} of {len(photos)}"


def _ways(sheet: Sheet) -> Iterator[Html]:
    """To each section; of a category without photos only that there are none."""
    yield tag("ul", *_categories(sheet))
    if others := list(_others(sheet)):
        yield tag("ul", *others)


def _categories(sheet: Sheet) -> Iterator[Html]:
    for place, name in enumerate(sheet.bundle.names):
        threshold = sheet.thresholds.get(name)
        said = NEVER if threshold is None else f"from {threshold:.2f}"
        yield _tile(f"c{place}", name, len(sheet.under(name)), said, colour(place))


def _others(sheet: Sheet) -> Iterator[Html]:
    for key, name, outcome in PLACES:
        if found := sheet.left(outcome):
            yield _tile(key, name, len(found), "", colour(None))


def _tile(key: str, name: str, count: int, said: str, style: str) -> Html:
    inside = (
        tag("b", str(count)),
        tag("span", tag("i"), name, class_="chip"),
        tag("small", said) if said else None,
    )
    held = tag("a", *inside, href=f"#{key}") if count else tag("span", *inside)
    return tag("li", held, class_="tile" if count else "tile empty", style=style)


def _legend(sheet: Sheet) -> Html:
    never = any(threshold is None for threshold in sheet.thresholds.values())
    filed = "is" if sheet.filed else "would be"
    return tag(
        "div",
        tag("div", *track(0.72, 0.5), class_="example", style="--c:var(--accent)"),
        quiet(
            "A bar is the score of a photo for one category, from 0 to 1. The stroke across it is "
            f"the threshold: at or beyond it the photo {filed} filed there, into as many "
            "categories as it reaches. Unsure: it reaches none, and misses one by "
            f"{sheet.margin:.2f} at most.",
            " A hatched bar has no threshold: that category never files on its own."
            if never
            else "",
        ),
        class_="legend",
    )
