"""What a training came to, on a terminal: tables, and what to do with the bundle."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from photosortd.records import printable

if TYPE_CHECKING:
    from photosort_trainer.leaving import Result
    from photosort_trainer.results import Results

_SHOWN = 10  # files left out that are named


def show(console: Console, result: "Result") -> None:
    found = result.results
    for path, reason in found.left_out[:_SHOWN]:
        console.print(f"left out: {path}: {reason}", markup=False, highlight=False)
    if (more := len(found.left_out) - _SHOWN) > 0:
        console.print(f"left out: {more} more files")
    if len(found.candidates) > 1:
        console.print(_candidates(found))
    console.print(_table(found))
    if found.distilled:
        console.print(_taught(found))
    for line in _promised(found):
        console.print(line, markup=False, highlight=False)
    path = printable(str(result.bundle.path))
    for line in (
        f"Look at it: {printable(str(result.report))}",
        f"The bundle is in {path}",
        f"Use it: photosortd model install {path}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _candidates(found: "Results") -> Table:
    table = Table(title="Networks, by macro-F1", title_justify="left")
    table.add_column("network")
    table.add_column("validation photos (chosen by)", justify="right")
    table.add_column("test photos", justify="right")
    for each in found.candidates:
        chosen = " ◀" if each.name == found.winner else ""
        table.add_row(each.name + chosen, _interval(each.validation), _interval(each.test))
    return table


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{estimate['macro_f1']:.3f} ({estimate['low']:.3f}–{estimate['high']:.3f})"


def _table(found: "Results") -> Table:
    table = Table(title="On test photos, which were not learned from", title_justify="left")
    table.add_column("category")
    for title in ("photos", "tested on", "threshold", "precision", "recall", "F1"):
        table.add_column(title, justify="right")
    for counts in found.photos:
        if (quality := found.shipped.get(counts.category)) is None:
            continue  # photos of no category
        threshold = "none" if quality["threshold"] is None else f"{quality['threshold']:.2f}"
        shown = (f"{quality[name]:.2f}" for name in ("precision", "recall", "f1"))
        photos = counts.training + counts.validation + counts.test
        table.add_row(counts.category, str(photos), str(quality["photos"]), threshold, *shown)
    table.add_section()
    table.add_row("macro", *[""] * 5, f"{found.shipped_macro['macro_f1']:.2f}")
    return table


def _taught(found: "Results") -> Table:
    said = found.distilled["compared"]
    both = said["rows"]
    table = Table(
        title=f"The same test photos and core; they agree on {said['agreement']:.1%} of labels",
        title_justify="left",
    )
    for title in ("", *(f"{each['who']}: {each['network']}" for each in both)):
        table.add_column(title, justify="right" if title else "left")
    for name in found.categories:
        table.add_row(f"F1 of {name}", *(f"{each['by_category'][name]:.2f}" for each in both))
    table.add_section()
    table.add_row("macro-F1", *map(_interval, both))
    table.add_row("labels as in Keras", *(f"{each['parity']:.1%}" for each in both))
    table.add_row("ms for a photo", *(f"{each['milliseconds']:.1f}" for each in both))
    table.add_row("MB", *(f"{each['bytes'] / 1e6:.2f}" for each in both))
    return table


def _promised(found: "Results") -> Iterator[str]:
    for each in found.promises:
        if each["kept"]:
            continue
        asked = f"{each['category']}: a precision of {each['precision']:g} cannot be kept"
        what = (
            f"about {each['more']} more photos of it would"
            if each["more"]
            else "more photos alone would not: look at what it is confused with"
        )
        yield f"{asked}, so nothing is filed there by itself; {what}"
