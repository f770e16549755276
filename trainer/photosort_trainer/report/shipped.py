"""The file that is shipped: the forms that were tried, and everything needed to make it again."""

from collections.abc import Mapping
from typing import Any

from photosort_trainer.report.markup import Html, paragraph, quiet, section, share, table, tag
from photosort_trainer.results import Results

_MEGA = 1_000_000


def exports(found: Results) -> Html:
    if not found.exports:
        return section("file", "The file", paragraph("No form was noted."))
    rows = [_row(each) for each in found.exports]
    heads = ("form", "size", "for one photo", "same labels", "F1 lost", "largest gap", "verdict")
    forms = [each["form"] for each in found.exports]
    return section(
        "file",
        "The file",
        paragraph(
            "Shipped as ",
            tag("strong", found.form),
            ": of the forms that decide the same as what "
            "was trained, the smallest, or the fastest of those that are about as small.",
        ),
        table(
            "Forms of the network as TFLite",
            heads,
            rows,
            forms.index(found.form) if found.form in forms else -1,
            words="verdict",
        ),
        quiet(
            "Compared with the trained network on validation photos: the share of labels that are "
            "the same, what the macro-F1 loses, and the largest difference of a score."
        ),
    )


def _row(each: Mapping[str, Any]) -> list[str]:
    size = f"{each['bytes'] / _MEGA:.1f} MB"
    if error := each.get("error"):
        return [each["form"], size, "–", "–", "–", "–", f"unusable: {error}"]
    return [
        each["form"],
        size,
        f"{each['milliseconds']:.1f} ms",
        f"{each['agreement']:.1%}",
        f"{each['macro_f1_fall']:.3f}",
        share(each["largest_gap"], 3),
        "passes" if each["passes"] else "decides otherwise",
    ]


def details(found: Results) -> Html:
    return section(
        "details",
        "How to make it again",
        tag(
            "details",
            tag("summary", "Recipe, plan and versions"),
            tag(
                "div",
                _list("Recipe of the network", found.recipe),
                _list("Plan of the run", found.plan),
                _list("Versions", found.versions),
                class_="cards",
            ),
            paragraph("Bundle ", tag("code", found.bundle or "–", class_="breaks")),
        ),
    )


def _list(title: str, values: Mapping[str, Any]) -> Html:
    rows = (
        tag("div", tag("dt", name.replace("_", " ")), tag("dd", _said(value)))
        for name, value in values.items()
        if name != "candidates"
    )
    return tag("div", tag("h3", title), tag("dl", *rows))


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items()) or "–"
    if isinstance(value, list | tuple):
        return " / ".join(map(str, value))
    return str(value) or "–"
