"""A student beside its teacher. Nothing for a network that no other one taught."""

from collections.abc import Mapping
from typing import Any

from photosort_trainer.report.markup import (
    Html,
    chip,
    counted,
    paragraph,
    percent,
    quiet,
    section,
    share,
    table,
    tag,
)
from photosort_trainer.results import Results

KEY = "teacher"
_MEGA = 1_000_000


def compared(found: Results) -> Html:
    if not found.distilled:
        return Html()
    said = found.distilled["compared"]
    teacher, student = said["rows"]
    return section(
        KEY,
        "Teacher and student",
        paragraph(
            "This network learned to say what a larger one says: of ",
            tag("strong", counted(found.distilled["labelled"], "photo")),
            " with labels, which counted too, and of ",
            tag("strong", counted(found.distilled["unlabelled"], "photo")),
            f" without. It began with {found.distilled['from']}.",
        ),
        table(
            "Both on the same test photos and the same core",
            ("", "teacher", "student"),
            [*_facts(teacher, student), *_categories(found, teacher, student)],
        ),
        quiet(
            f"They agree on {percent(said['agreement'])} of the labels of test photos. Times are "
            "for one photo that is decoded already, on one core of the training machine. The same "
            "labels as in Keras: of validation photos, after the conversion to TFLite."
        ),
    )


Row = Mapping[str, Any]


def _facts(teacher: Row, student: Row) -> list[list[str]]:
    both = (teacher, student)
    return [
        ["network", *(each["network"] for each in both)],
        ["input", *(f"{each['pixels']}×{each['pixels']}" for each in both)],
        ["file", *(f"{each['bytes'] / _MEGA:.1f} MB, {each['form']}" for each in both)],
        ["for one photo", *(f"{each['milliseconds']:.1f} ms" for each in both)],
        ["same labels as in Keras", *(f"{each['parity']:.1%}" for each in both)],
        ["macro-F1", *(_interval(each) for each in both)],
    ]


def _interval(row: Row) -> str:
    return f"{share(row['macro_f1'])} ({share(row['low'])}–{share(row['high'])})"


def _categories(found: Results, teacher: Row, student: Row) -> list[list[Html | str]]:
    return [
        [chip(name, place), *(share(each["by_category"].get(name)) for each in (teacher, student))]
        for place, name in enumerate(found.categories)
    ]
