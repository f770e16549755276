"""The report's tables; what it shares with the contact sheet is taken from there."""

from collections.abc import Iterable, Sequence

from photosortd.vision.sheet.markup import (
    Child,
    Html,
    chip,
    colour,
    counted,
    join,
    listed,
    page_head,
    paragraph,
    percent,
    quiet,
    section,
    share,
    tag,
)

__all__ = [
    "Child",
    "Html",
    "chip",
    "colour",
    "counted",
    "join",
    "listed",
    "page_head",
    "paragraph",
    "percent",
    "quiet",
    "section",
    "share",
    "table",
    "tag",
]


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
