"""HTML that cannot be broken by a name: what is not markup already is escaped.

What every page of ours is made of, the contact sheet here and the trainer's report.
"""

import html
import math
from collections.abc import Iterable, Sequence
from importlib import resources

from photosortd.records import printable


class Html(str):
    """Markup; every other string is text."""

    __slots__ = ()


Child = str | None
_VOID = frozenset({"br", "img", "meta"})


def tag(element: str, *children: Child, **attributes: str | float | None) -> Html:
    """`class_` is class, `aria_label` is aria-label; what is None is not there."""
    said = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"'
        for name, value in attributes.items()
        if value is not None
    )
    if element in _VOID:
        return Html(f"<{element}{said}>")
    return Html(f"<{element}{said}>{join(children)}</{element}>")


def join(children: Iterable[Child]) -> Html:
    return Html(
        "".join(
            each if isinstance(each, Html) else _escaped(each)
            for each in children
            if each is not None
        )
    )


def _escaped(text: str) -> str:
    return html.escape(printable(text))


def section(key: str, title: str, *children: Child) -> Html:
    return tag("section", tag("h2", title), *children, id=key)


def paragraph(*children: Child) -> Html:
    return tag("p", *children)


def quiet(*children: Child) -> Html:
    """What explains, beside what matters."""
    return tag("p", *children, class_="quiet")


def chip(name: str, place: int | None, class_: str = "") -> Html:
    """A category's name with its colour."""
    return tag("span", tag("i"), name, class_=f"chip {class_}".strip(), style=colour(place))


def colour(place: int | None) -> str:
    """The same for one category everywhere; None is of no category."""
    return "--c:var(--none)" if place is None else f"--c:var(--c{place % 10})"


_ALONE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""A browser fetches nothing for this page, whatever might stand in it."""


def page_head(title: str, style: str, kind: str) -> Html:
    """`style` is CSS, beside the palette of all pages; `kind` tells by whom the page was made."""
    palette = resources.files(__package__).joinpath("palette.css").read_text("utf-8")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="generator", content=kind),
        tag("meta", http_equiv="Content-Security-Policy", content=_ALONE),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(palette + style)),
    )


def share(value: float | None, digits: int = 2) -> str:
    """0.953 → '0.95'; a dash for what is not known."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def percent(value: float) -> str:
    return f"{value:.0%}"


def counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def listed(names: Sequence[str]) -> str:
    """'a, b and c'"""
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
