"""HTML that cannot be broken by a name: what is not markup already is escaped."""

import html
import math
from collections.abc import Iterable, Sequence

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


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Child]],
    marked: int = -1,
    words: str = "",
) -> Html:
    """Numbers on the right. On a narrow screen every row is a small table of its own.

    `marked` is the row that was chosen, `words` the head of a column that holds no numbers. The
    roles are said because a browser forgets them when a table is laid out anew.
    """
    head = (
        tag("th", each, scope="col", role="columnheader", class_=_side(each, words))
        for each in heads
    )
    return tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *head, role="row"), role="rowgroup"),
        tag(
            "tbody",
            *(
                tag(
                    "tr",
                    *_cells(heads, row, words),
                    role="row",
                    class_="chosen" if at == marked else None,
                )
                for at, row in enumerate(rows)
            ),
            role="rowgroup",
        ),
        class_="rows",
        role="table",
    )


def _side(head: str, words: str) -> str | None:
    return "words" if head == words else None


def _cells(heads: Sequence[str], row: Sequence[Child], words: str) -> Iterable[Html]:
    first, *others = row
    yield tag("th", first, scope="row", role="rowheader")
    for head, cell in zip(heads[1:], others, strict=True):
        yield tag("td", tag("span", cell), role="cell", data_label=head, class_=_side(head, words))


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
