"""Each category by itself: its threshold, what it is confused with, and what was promised."""

from collections.abc import Mapping, Sequence
from typing import Any

from photosort_trainer.report import tally
from photosort_trainer.report.markup import (
    Html,
    chip,
    paragraph,
    quiet,
    section,
    share,
    table,
    tag,
)
from photosort_trainer.results import Results


def thresholds(found: Results) -> Html:
    rows = [_threshold(found, place, name) for place, name in enumerate(found.categories)]
    ours, classic = found.shipped_macro, found.classic_macro
    rows.append(
        [
            tag("strong", "macro"),
            *("",) * 4,
            tag("strong", share(ours["macro_f1"])),
            "",
            "",
            tag("strong", share(classic["macro_f1"])),
        ]
    )
    heads = (
        "category", "tested on", "threshold", "precision", "recall", "F1",
        "precision at 0.1", "recall at 0.1", "F1 at 0.1",
    )  # fmt: skip
    mute = [name for name in found.categories if found.shipped[name]["threshold"] is None]
    return section(
        "thresholds",
        "Thresholds: one for each category, and the classic 0.1",
        table("On test photos", heads, rows),
        quiet(
            "Precision: of what is filed there, so much is right. Recall: of what belongs there, "
            "so much is found. F1 is their harmonic mean. The last three columns are of the same "
            "network with one threshold of 0.1 on its raw scores"
            + (
                "; this one was taught never to be quite sure (smoothing), so that such a low "
                "threshold lets nearly everything in."
                if found.recipe.get("smoothing")
                else "."
            )
        ),
        *(
            paragraph(
                tag("strong", f"Nothing is filed into {name} by itself: "),
                "no threshold did better than none at all, or kept what was asked for.",
            )
            for name in mute
        ),
    )


def _threshold(found: Results, place: int, name: str) -> list[str]:
    ours, classic = found.shipped[name], found.classic.get(name, {})
    threshold = ours["threshold"]
    return [
        chip(name, place),
        str(ours["photos"]),
        "none" if threshold is None else share(threshold),
        share(ours["precision"]),
        share(ours["recall"]),
        tag("strong", share(ours["f1"])),
        *(share(classic.get(each)) for each in ("precision", "recall", "f1")),
    ]


def confusion(found: Results) -> Html:
    names = found.categories
    wrong = tally.confusion(found)
    both = tally.together(found)
    title = "What is confused with what"
    if not found.shots:
        return section("confusion", title, paragraph("There were no test photos."))
    rows = {name: sum(name in shot.labels for shot in found.shots) for name in names}
    rows[tally.NONE] = sum(not shot.labels for shot in found.shots)
    return section(
        "confusion",
        title,
        tag(
            "div",
            _matrix(
                "Test photos: labelled so (row), filed there (column)",
                [*names, tally.NONE],
                wrong,
                rows,
                {tally.NONE: "nowhere"},
                "wrong",
            ),
            _matrix("Test photos that have both labels", list(names), both, rows, {}, "both"),
            class_="matrices",
        ),
        quiet(
            "Left: the diagonal is right; elsewhere stands what was filed wrongly, or missed "
            "(nowhere). Right: the diagonal is how many photos have the label at all."
        ),
    )


def _matrix(
    caption: str,
    names: Sequence[str],
    counts: tally.Matrix,
    rows: Mapping[str, int],
    called: Mapping[str, str],
    beside: str,  # the diagonal
) -> Html:
    def head(name: str) -> Html:
        return tag("th", tag("span", called.get(name, name)), scope="col")

    def row(name: str) -> Html:
        label = "no category" if name == tally.NONE else name
        cells = (
            _cell(counts.get((name, to), 0), rows.get(name, 0), _kind(name == to, beside))
            for to in names
        )
        return tag("tr", tag("th", label, scope="row"), *cells)

    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag("thead", tag("tr", tag("td"), *map(head, names))),
            tag("tbody", *map(row, names)),
            class_="matrix",
        ),
        class_="scrolls",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def _kind(diagonal: bool, beside: str) -> str:
    return "right" if diagonal and beside == "wrong" else beside


def _cell(count: int, of: int, kind: str) -> Html:
    if not count:
        return tag("td", tag("span", "0"), class_="zero")
    strength = min(1.0, count / of) if of else 0.0
    return tag(
        "td",
        str(count),
        class_=kind,
        style=f"--v:{15 + 55 * strength:.0f}%",
    )


def promises(found: Results) -> Html:
    title = "Promises"
    if not found.promises:
        return section(
            "promises",
            title,
            quiet(
                "None was asked for. ",
                tag("code", "--precision CATEGORY=0.95"),
                " asks that of what is filed there so many are right; a category that cannot keep "
                "it is never filed into.",
            ),
        )
    rows = [
        [
            chip(each["category"], _place(found, each["category"])),
            share(each["precision"]),
            "kept" if each["kept"] else "not kept",
            share(each["bound"]),
            _more(each),
        ]
        for each in found.promises
    ]
    heads = ("category", "asked for", "verdict", "at best certain", "what would keep it")
    return section(
        "promises",
        title,
        table("Precision that was asked for", heads, rows, words=heads[-1]),
        quiet(
            "A promise counts as kept if nine such collections in ten would show at least that "
            "precision; until then nothing is filed there by itself."
        ),
    )


def _place(found: Results, name: str) -> int | None:
    return found.categories.index(name) if name in found.categories else None


def _more(promise: Mapping[str, Any]) -> str:
    if promise["kept"]:
        return "–"
    if promise["more"]:
        return f"about {promise['more']} more photos of it"
    return "more photos alone would not: look at what it is confused with"
