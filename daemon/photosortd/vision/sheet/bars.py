"""The scores of one photo as bars, each with its threshold marked."""

from collections.abc import Iterator

from photosortd.records import Verdict
from photosortd.vision.sheet.markup import Html, colour, counted, share, tag
from photosortd.vision.sheet.values import Frame, Sheet

MOST = 8  # bars of one photo; of more categories the highest are shown

NEVER = "never files on its own"


def bars(sheet: Sheet, frame: Frame) -> Html:
    """A list with a line for each category, in the bundle's order on every card."""
    names = [name for name in sheet.bundle.names if name in frame.scores]
    shown = set(sorted(names, key=lambda name: _rank(frame, name))[:MOST])
    hidden = [frame.scores[name] for name in names if name not in shown]
    return tag(
        "ul",
        *(_bar(sheet, frame, name) for name in names if name in shown),
        tag("li", f"and {counted(len(hidden), 'other')} up to {max(hidden):.2f}", class_="rest")
        if hidden
        else None,
        class_="scores",
    )


def _rank(frame: Frame, name: str) -> tuple[bool, float]:
    verdict = frame.verdict or Verdict((), ())
    return name not in (*verdict.categories, *verdict.near), -frame.scores[name]


def _bar(sheet: Sheet, frame: Frame, name: str) -> Html:
    threshold = sheet.thresholds.get(name)
    over = frame.verdict is not None and name in frame.verdict.categories
    return tag(
        "li",
        tag("span", name, title=name, class_="name"),
        *track(frame.scores[name], threshold),
        tag("small", NEVER) if threshold is None else None,
        class_="over" if over else "never" if threshold is None else None,
        style=colour(sheet.bundle.names.index(name)),
    )


def track(score: float, threshold: float | None) -> Iterator[Html]:
    """The bar itself, and the number. Eyes see the stroke, screen readers hear of it."""
    stroke = None if threshold is None else tag("b", style=f"left:{100 * min(1, threshold):.1f}%")
    yield tag(
        "span",
        tag("i", style=f"width:{100 * score:.1f}%"),
        stroke,
        class_="track",
        aria_hidden="true",
    )
    said = (
        None if threshold is None else tag("span", f", threshold {threshold:.2f}", class_="heard")
    )
    yield tag("span", share(score), said, class_="value")
