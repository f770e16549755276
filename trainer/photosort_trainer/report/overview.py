"""The first things to read: how good it is, what to do next, what it was learned from."""

from photosort_trainer.report import advice, tally
from photosort_trainer.report.markup import (
    Html,
    chip,
    colour,
    counted,
    join,
    paragraph,
    percent,
    quiet,
    section,
    share,
    table,
    tag,
)
from photosort_trainer.report.svg import Frame, across, axes, bar, dot, drawing, text
from photosort_trainer.results import Results

_SHOWN = 40  # files left out that are named


def verdict(found: Results) -> Html:
    macro, filed = found.shipped_macro, tally.filed(found.shots)
    return tag(
        "header",
        tag("p", "photosort-train report", class_="kicker"),
        tag("h1", f"{advice.grade(macro['macro_f1'])}: macro-F1 {share(macro['macro_f1'])}"),
        tag("p", _words(found, filed), class_="lead"),
        tag(
            "div",
            _tile("of what it files is right", percent(filed.precision)),
            _tile("of what belongs somewhere is found", percent(filed.recall)),
            _tile("of the photos filed exactly as labelled", _exact(filed)),
            _tile("for a photo, on the training machine", _speed(found)),
            class_="tiles",
        ),
        tag(
            "div",
            tag("div", quiet("macro-F1, and where it would lie"), _scale(found)),
            tag("div", quiet("F1 of each category"), _categories(found)),
            class_="scale",
        ),
        _what_to_type(found),
    )


def _words(found: Results, filed: tally.Filed) -> str:
    macro = found.shipped_macro
    said = (
        f"Judged by {counted(filed.photos, 'photo')} that it had never seen. With other photos of "
        f"the same kind the macro-F1 would lie between {share(macro['low'])} and "
        f"{share(macro['high'])}, 95 times out of 100."
    )
    scored = sorted(found.categories, key=lambda name: found.shipped[name]["f1"])
    worst_f1, best_f1 = (found.shipped[name]["f1"] for name in (scored[0], scored[-1]))
    if worst_f1 < best_f1:
        worst, best = (
            f"{name} ({found.shipped[name]['f1']:.2f} on {found.shipped[name]['photos']} photos)"
            for name in (scored[0], scored[-1])
        )
        said += f" It knows {best} best and {worst} least."
    return said


def _exact(filed: tally.Filed) -> str:
    return percent(filed.exact / filed.photos) if filed.photos else "–"


def _speed(found: Results) -> str:
    shipped = next((each for each in found.exports if each["form"] == found.form), None)
    return f"{shipped['milliseconds']:.1f} ms" if shipped else "–"


def _tile(what: str, number: str) -> Html:
    return tag("div", tag("b", number), tag("span", what), class_="tile")


def _scale(found: Results) -> Html:
    """The macro-F1 with its interval."""
    frame = Frame(width=400, height=80, left=10, right=10, top=20, bottom=26)
    ours = found.shipped_macro
    middle = frame.y(0.5)
    left, right = frame.x(ours["low"]), frame.x(ours["high"])
    low, high = share(ours["low"]), share(ours["high"])
    return drawing(
        frame,
        f"Macro-F1 {share(ours['macro_f1'])}, between {low} and {high}",
        axes(frame, [0, 0.2, 0.4, 0.6, 0.8, 1], []),
        across(frame, 0.5, "grid"),
        bar(left, middle - 7, right - left, 14, "soft"),
        dot(frame, ours["macro_f1"], 0.5, 6, "ours"),
        text(min(right, frame.width - frame.right), middle - 14, f"{low} – {high}", "end strong"),
    )


def _categories(found: Results) -> Html:
    rows = (
        tag(
            "li",
            tag("span", name, title=name),
            tag("span", tag("i", style=f"width:{100 * f1:.1f}%"), class_="track"),
            tag("span", share(f1)),
            style=colour(place),
        )
        for place, name in enumerate(found.categories)
        for f1 in [found.shipped[name]["f1"]]
    )
    return tag("ul", *rows, class_="meters owned", aria_label="F1 of each category")


def _what_to_type(found: Results) -> Html:
    good = found.shipped_macro["macro_f1"] >= advice.GOOD
    install = _command("photosortd model install bundle", "in the directory of this page")
    look = _command("photosortd classify PHOTO", "what it says of a photo of yours")
    verb = "distill" if found.distilled else "train"
    again = _command(f"photosort-train {verb} …", "again, after the advice below")
    steps = (install, look) if good else (again, install)
    intro = (
        "To use it, type:"
        if good
        else "Better follow the advice below and train again before it sorts anything:"
    )
    return tag("div", paragraph(tag("strong", intro)), *steps, class_="todo")


def _command(line: str, note: str) -> Html:
    return tag("div", tag("code", line), tag("span", note), class_="command")


def next_steps(found: Results) -> Html:
    steps = advice.next_steps(found)
    if not steps:
        said = paragraph("Nothing stands out: more photos of every category help a little more.")
        return section("next", "What would help most", said)
    items = (tag("li", tag("strong", each.what), paragraph(each.why)) for each in steps)
    return section("next", "What would help most", tag("ol", *items, class_="steps"))


def learned_from(found: Results) -> Html:
    rows = [
        [
            chip("no category", None)
            if each.category == tally.NONE
            else chip(each.category, found.categories.index(each.category)),
            str(each.training),
            str(each.validation),
            str(each.test),
            str(tally.total(each)),
        ]
        for each in found.photos
    ]
    heads = ("category", "to learn", "to choose by", "to judge by", "in all")
    return section(
        "photos",
        "What it learned from",
        table("Photos, by what they were used for", heads, rows),
        quiet(
            "A photo with several labels counts in each row. The photos to judge by were looked at "
            "once, after everything was chosen; the network that is shipped learned from the other "
            "two parts."
            if found.plan.get("folds")
            else "A photo with several labels counts in each row. The photos to judge by were "
            "looked at once, after everything was chosen."
        ),
        _left_out(found),
    )


def _left_out(found: Results) -> Html:
    if not found.left_out:
        return quiet("Every file could be used.")
    rows = [tag("li", tag("code", path), ": ", why) for path, why in found.left_out[:_SHOWN]]
    if (more := len(found.left_out) - _SHOWN) > 0:
        rows.append(tag("li", f"and {more} more"))
    said = f"{counted(len(found.left_out), 'file')} left out"
    return tag("details", tag("summary", said), tag("ul", *rows), class_="paths")


def chips(found: Results, names: tuple[str, ...]) -> Html:
    """The categories of a photo."""
    if not names:
        return chip("nothing", None)
    return join(
        chip(name, found.categories.index(name) if name in found.categories else None)
        for name in names
    )
